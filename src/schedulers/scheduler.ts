import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { OptionReader } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';

/**
 * Chooses servers for one group (active or backup) of one pool. It is told of usable servers only, never waits, logs,
 * does I/O or allocates in `pick`. A user may pass an object of their own: `balance: (environment) => scheduler`.
 */
export interface Scheduler {
  /** The server became usable. */
  add(server: ServerView): void;
  /** The server is no longer usable. */
  remove(server: ServerView): void;
  /** The effective weight of a usable server changed (operator, slow start); never to 0, which is `remove`. */
  reweigh(server: ServerView): void;
  /** A slot of the server was taken; for schedulers that keep servers in order of load. */
  took?(server: ServerView): void;
  /** A slot of the server was freed. */
  freed?(server: ServerView): void;
  /**
   * @param context the request to choose for
   * @param avoid the server of the last attempt: only if no other has room
   * @returns a server that is not saturated; `undefined`: there is none
   */
  pick(context: RequestContext, avoid: ServerView | undefined): ServerView | undefined;
}

/** Makes a scheduler for one group of one pool. */
export type SchedulerFactory = (environment: Environment) => Scheduler;

/** An algorithm users may name: how its options are read, and what they make. */
export interface SchedulerDefinition<Options> {
  /** Reads the options from the typed object (`{ algorithm: 'random', draws: 3 }`), gathering faults in the reader. */
  readOptions(read: OptionReader): Options;
  /** Reads the words after the algorithm's name in HAProxy's phrase (`random(3)` gives `'(3)'`) into the typed object; `undefined`: wrong. */
  readPhrase(rest: string): Record<string, unknown> | undefined;
  create(options: Options, environment: Environment): Scheduler;
  /** Most declared servers in a group, if there is a limit. */
  readonly maxServers?: number;
}

/** Keeps the options' type between its reader and its maker; past here it is a `SchedulerFactory`. */
export interface Algorithm {
  readonly maxServers: number | undefined;
  readPhrase(rest: string): Record<string, unknown> | undefined;
  read(reader: OptionReader): SchedulerFactory;
}

export function defineScheduler<Options>(definition: SchedulerDefinition<Options>): Algorithm {
  return {
    maxServers: definition.maxServers,
    readPhrase: (rest) => definition.readPhrase(rest),
    read: (reader) => {
      const options = definition.readOptions(reader);
      return (environment) => definition.create(options, environment);
    },
  };
}
