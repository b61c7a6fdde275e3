import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { OptionReader } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';

/**
 * Chooses servers for one group (active or backup) of one pool. It is told of usable servers only, never waits, logs,
 * does I/O or allocates in `pick`. A user may pass an object of their own: `balance: (environment) => scheduler`.
 *
 * Every call but `pick` comes after the fact: the server's properties already have their new values. A change is seen
 * by the very next `pick`. Nothing here may throw.
 */
export interface Scheduler {
  /** The server became usable; it is not yet in the group. */
  add(server: ServerView): void;
  /** The server is no longer usable. */
  remove(server: ServerView): void;
  /**
   * The effective weight or the slots of a usable server changed (operator, slow start); the weight never to 0, which is
   * `remove`.
   */
  reweigh(server: ServerView): void;
  /** A slot of the server was taken, by whatever way it was chosen. Without effect for a server not in the group. */
  took?(server: ServerView): void;
  /** A slot of the server was freed. Without effect for a server not in the group. */
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
  /**
   * Reads what follows the algorithm's name in HAProxy's phrase (of `random(3)`: `'(3)'`) into the typed object;
   * `undefined`: wrong.
   */
  readPhrase(rest: string): Record<string, unknown> | undefined;
  create(options: Options, environment: Environment): Scheduler;
  /** Most declared servers in a group. Default: no limit. */
  readonly maxServers?: number;
}

/** An algorithm whose options' type stays between their reader and their maker; to others it makes factories. */
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
