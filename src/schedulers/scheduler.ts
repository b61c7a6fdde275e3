import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { OptionReader } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';
import type { HashSettings } from './hash-type.ts';

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
  /** All that were declared are added now; any that is added later joins them. */
  declared?(): void;
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
   * An attempt on a server of the group has ended.
   * @param ms from its start to the response's head, or to its failure; of a lease, how long it was held
   * @param ok `false`: the server gave no valid response, or one of status 500, 502, 503 or 504
   */
  observed?(server: ServerView, ms: number, ok: boolean): void;
  /**
   * @param context the request to choose for
   * @param avoid the server of the last attempt: only if no other has room
   * @returns a server; one that is saturated when the request belongs there and nowhere else, and is to wait for it;
   * `undefined`: all are full, and the request waits for whichever has room first
   */
  pick(context: RequestContext, avoid: ServerView | undefined): ServerView | undefined;
  /**
   * What `pick` would return now, without its taking a turn: no later pick may be another for it. `undefined` also where that
   * cannot be said. Asked by `pool.explain` alone.
   */
  peek?(context: RequestContext): ServerView | undefined;
}

/** What a scheduler may know of its pool beyond its own group. */
export interface PoolView {
  /** All servers, usable or not, active or backup, in the order in which they were declared and added. */
  readonly servers: readonly ServerView[];
  /** Requests and leases that hold a slot now, of any server. HAProxy: `be.served`. */
  readonly served: number;
  /** The client's address, as the option `clientAddress` has it. */
  addressOf(context: RequestContext): string | undefined;
  /** A function of the user's has failed. Told to listeners of `sample:error` once for each `sample`. */
  report(sample: string, error: unknown): void;
}

/** Makes a scheduler for one group of one pool; called once for the active servers and once for the backups. */
export type SchedulerFactory = (environment: Environment, pool: PoolView) => Scheduler;

/** A server as its declaration has it, whatever its state. */
export type DeclaredServer = Pick<ServerView, 'weight' | 'backup'>;

/** An algorithm users may name: how its options are read, and what they make. */
export interface SchedulerDefinition<Options> {
  /** Reads the options from the typed object (`{ algorithm: 'random', draws: 3 }`), gathering faults in the reader. */
  readOptions(read: OptionReader): Options;
  /**
   * Reads what follows the algorithm's name in HAProxy's phrase (of `random(3)`: `'(3)'`) into the typed object;
   * `undefined`: wrong.
   */
  readPhrase(rest: string): Record<string, unknown> | undefined;
  create(options: Options, environment: Environment, pool: PoolView): Scheduler;
  /** Why these servers are too many to be held; `undefined`: they are not. */
  readonly refuse?: (declared: readonly DeclaredServer[]) => string | undefined;
  /** Weights cannot change while it runs, but to 0 and back. HAProxy: static algorithms. */
  readonly static?: boolean;
}

/** An algorithm with its options, ready for a pool. */
export interface ChosenAlgorithm {
  readonly factory: SchedulerFactory;
  readonly static: boolean;
  /** A request belongs to one server by what it holds. */
  readonly hashes: boolean;
  /** It looks into the bodies of requests. */
  readonly readsBodies: boolean;
  refuse(declared: readonly DeclaredServer[]): string | undefined;
  /** Tells what of a request is hashed, where something is. */
  readonly explainsHash?: (environment: Environment, pool: PoolView) => ExplainHash;
}

/** What of a request is hashed. */
export interface HashedKey {
  /** As it is hashed: of a sample its bytes, one a character. */
  readonly key: string;
  /** 0 to 4294967295. */
  readonly hash: number;
}

/** `undefined`: the request has nothing to be hashed. */
export type ExplainHash = (context: RequestContext) => HashedKey | undefined;

/** An algorithm whose options' type stays between their reader and their maker. */
export interface Algorithm {
  /** `hashType` and its like concern it. */
  readonly hashes: boolean;
  readPhrase(rest: string): Record<string, unknown> | undefined;
  read(reader: OptionReader, hashing: HashSettings): ChosenAlgorithm;
}

export function defineScheduler<Options>(definition: SchedulerDefinition<Options>): Algorithm {
  return {
    hashes: false,
    readPhrase: (rest) => definition.readPhrase(rest),
    read: (reader) => {
      const options = definition.readOptions(reader);
      return {
        factory: (environment, pool) => definition.create(options, environment, pool),
        static: definition.static ?? false,
        hashes: false,
        readsBodies: false,
        refuse: (declared) => definition.refuse?.(declared),
      };
    },
  };
}

/** For `readPhrase` of an algorithm without options. */
export function nothingMore(rest: string): Record<string, unknown> | undefined {
  return rest === '' ? {} : undefined;
}
