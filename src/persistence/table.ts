/** What a table's entries are found by, before the table turns it into its own type. */
export type StickKey = string | number | bigint | Uint8Array;

/** The type of a table's keys. HAProxy: `stick-table type`; `ip` is its `ipv4`. */
export type StickKeyType = 'ip' | 'ipv6' | 'integer' | 'string' | 'binary';

/** Data that count events, or are set by an operator; unsigned, of 32 bits but for bytes. */
export type CounterName =
  | 'bytes_in_cnt'
  | 'bytes_out_cnt'
  | 'conn_cnt'
  | 'conn_cur'
  | 'gpc0'
  | 'gpc1'
  | 'gpt0'
  | 'http_err_cnt'
  | 'http_fail_cnt'
  | 'http_req_cnt';

/** Data that say how many events there were within a period, averaged over two periods. */
export type RateName =
  | 'bytes_in_rate'
  | 'bytes_out_rate'
  | 'conn_rate'
  | 'gpc0_rate'
  | 'gpc1_rate'
  | 'http_err_rate'
  | 'http_fail_rate'
  | 'http_req_rate';

/** Data that are several numbers under one name. */
export type ArrayName = 'gpc' | 'gpc_rate' | 'gpt';

/** One number of an entry: `http_req_rate`, `gpc[1]`. */
export type DatumName = CounterName | RateName | `${ArrayName}[${number}]`;

/** Data of one entry, by HAProxy's names; only what the table stores is there. */
export type StickData = { readonly [Name in CounterName | RateName]?: number } & {
  readonly [Name in ArrayName]?: readonly number[];
};

/** What an operator may write into an entry. A rate stays for one period, then fades within the next. */
export type StickChange = StickData & {
  /** The name of a server; `undefined` leaves it, `null` forgets it. */
  readonly server?: string | null | undefined;
} & { readonly [Element in `${ArrayName}[${number}]`]?: number };

/** An entry as it was when it was read. HAProxy: a line of `show table`. */
export type StickEntry = StickData & {
  /** An address or a text; a number where the table's type is `integer`; bytes where it is `binary`. */
  readonly key: string | number | Uint8Array;
  /** The name of the server that the key sticks to. */
  readonly server?: string;
  /** Milliseconds until it expires, if nothing uses it before; `Infinity`: never. */
  readonly expiresInMs: number;
  /** Requests that track it now. While there are any, it neither expires nor makes room. HAProxy: `use`. */
  readonly use: number;
};

/** Compares one number of an entry. HAProxy: `clear table t data.http_req_rate gt 100`. */
export interface StickComparison {
  readonly data: DatumName;
  readonly op: 'eq' | 'ne' | 'le' | 'ge' | 'lt' | 'gt';
  readonly value: number;
}

/** Chooses entries: a function, or a comparison. */
export type StickFilter = ((entry: StickEntry) => boolean) | StickComparison;

/**
 * What a rule sees of the entry that a request tracks, by HAProxy's names; each is read when it is asked for. Reading what
 * the table does not store, or a name that there is not, throws a `TypeError` that says what there is. Where the request tracks nothing (no key, or a
 * table full of entries in use), `key` is undefined and every number 0.
 */
export type Tracked = { readonly [Name in CounterName | RateName]: number } & {
  readonly [Name in ArrayName]: readonly number[];
} & {
  readonly key: StickEntry['key'] | undefined;
  readonly server: string | undefined;
  /** Raises `gpc0`, `gpc1` or `gpc[n]`, and the rate of the same name. HAProxy: `sc-inc-gpc`, `sc-add-gpc`. */
  increment(counter: 'gpc0' | 'gpc1' | `gpc[${number}]`, by?: number): void;
  /** Sets `gpt0` or `gpt[n]`. HAProxy: `sc-set-gpt`. */
  mark(tag: 'gpt0' | `gpt[${number}]`, value: number): void;
};

/**
 * One request's hold on an entry, from `track` to `release`. None of its methods throws, waits, or does anything after
 * `release`.
 */
export interface Tracking {
  readonly tracked: Tracked;
  /** A request came: `http_req_cnt`, `http_req_rate`. */
  request(): void;
  /** A request was answered: 4xx count as `http_err`; 5xx but 501 and 505 as `http_fail`. */
  response(status: number): void;
  /** An error of the client's that has no 4xx: a request that was denied with another status. */
  error(): void;
  /** An invalid response, or none. */
  failure(): void;
  bytesIn(bytes: number): void;
  bytesOut(bytes: number): void;
  /** The request is over: `conn_cur` falls, and the entry may expire again. */
  release(): void;
}

/**
 * A table that stick rules and `track` rules use, on the path of a request. Only `lookup` may have to be waited for: what else
 * must reach another machine does so by itself, afterwards. A key that the table's type cannot be made of is never an error:
 * there is no such entry.
 */
export interface RequestTable {
  readonly type: StickKeyType;
  /**
   * The server of a key. The entry counts as used: its time begins anew. What must ask another machine gives a promise, which
   * the pool waits for at most for `timeout.stick`, and does without where it rejects. HAProxy: `stick match`.
   */
  lookup(key: StickKey): string | undefined | Promise<string | undefined>;
  /**
   * The server of a key, which another machine is asked for even if it is known here: what is known leads to a server that is
   * down, and somebody else may have chosen anew already. Without it: what `lookup` gives is all there is.
   */
  ask?(key: StickKey): Promise<string | undefined>;
  /** The server of a key as far as it is known here, for who cannot wait any more. Without it: as `lookup` never waits. */
  recall?(key: StickKey): string | undefined;
  /**
   * Makes a key stick to a server. HAProxy: `stick store-request`.
   * @param known the server that `lookup` gave before: where several processes share a table, whoever knows no better than
   * that does not take the place of a choice that another one has made meanwhile; `null`: nobody has looked, and this server
   * takes the place of any
   */
  store(key: StickKey, server: string, known?: string | null): void;
  /**
   * As `store`, before a request goes to the server that was chosen for it, so that the next one finds it whatever process it
   * comes to. The pool waits at most for `timeout.stick`.
   * @returns the server that the key sticks to then: that of whoever was first; `undefined`: there is nothing to wait for
   */
  claim?(key: StickKey, server: string, known?: string): Promise<string | undefined> | undefined;
  /**
   * Tracks an entry, which is made if need be: `conn_cnt`, `conn_rate`, `conn_cur`. HAProxy: `http-request track-sc0`.
   * @returns `undefined`: no such key, or no room
   */
  track(key: StickKey): Tracking | undefined;
  /** What rules see of a request that tracks nothing: every number is 0. */
  readonly untracked: Tracked;
}

/** A table as an operator uses it: HAProxy's `show table`, `set table` and `clear table`. Reading refreshes nothing. */
export interface OperatorTable {
  get(key: StickKey): StickEntry | undefined | Promise<StickEntry | undefined>;
  /** @throws {ConfigError} for a key of another type, or data that the table does not store */
  set(key: StickKey, change: StickChange): StickEntry | undefined | Promise<StickEntry | undefined>;
  delete(key: StickKey): boolean | Promise<boolean>;
  /**
   * @returns how many entries there were that the filter chose; without one, all
   * @throws {ConfigError} for a filter that is none: `undefined` is not all of them
   */
  clear(...chosen: [] | [filter: StickFilter]): number | Promise<number>;
}

/** What every table is, wherever its entries lie. */
export interface Table extends RequestTable, OperatorTable {}
