import { type Environment, systemEnvironment } from '../core/environment.ts';
import { GuardedEmitter } from '../core/guarded-emitter.ts';
import { OptionReader } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import { readChange } from '../persistence/entry-change.ts';
import { createColumn } from '../persistence/entry-data.ts';
import { entryFilter } from '../persistence/entry-filter.ts';
import { DataNames } from '../persistence/entry-view.ts';
import { type KeyFormat, keyFault, keyFormat } from '../persistence/stick-key.ts';
import { StickTable } from '../persistence/stick-table.ts';
import { type ResolvedTable, readStickTable, type StickTableOptions } from '../persistence/stick-table-options.ts';
import type {
  StickChange,
  StickEntry,
  StickFilter,
  StickKey,
  StickKeyType,
  Table,
  Tracked,
  Tracking,
} from '../persistence/table.ts';
import { KeyNames } from './key-names.ts';
import type { RedisClient, RedisSubscriber } from './redis-client.ts';
import { RedisEntries } from './redis-entries.ts';
import { RedisLink } from './redis-link.ts';
import { SharedCounters } from './shared-counters.ts';
import { SharedServers } from './shared-servers.ts';

export type { RedisClient, RedisSubscriber } from './redis-client.ts';

/** How a table in Redis is made. */
export interface RedisTableOptions extends StickTableOptions {
  /** A client of the package `redis`, connected by you and closed by you. */
  readonly client: RedisClient;
  /**
   * Names the table in Redis: tables of that name are one, in whatever process and whatever else they are made of. A counter is one
   * for all of them that store it, a rate for those that count it over the same period. 1 to 64 letters, digits and `-_.`.
   */
  readonly name: string;
  /** How long an answer may take before Redis counts as gone. Default: 50ms. Range: 1 ms to 10 s. */
  readonly timeout?: Duration;
}

/** Payload of `degraded`: Redis does not answer in time, is not connected, or takes no writes. Each process is on its own now. */
export interface DegradedEvent {
  readonly table: string;
  readonly reason: string;
}

/** Payload of `restored`: Redis is back; what was chosen meanwhile is made known. */
export interface RestoredEvent {
  readonly table: string;
  /** Choices that Redis has still to be told of. */
  readonly unsent: number;
}

/** What a table in Redis tells. */
export interface RedisTableEvents {
  degraded: (event: DegradedEvent) => void;
  restored: (event: RestoredEvent) => void;
}

const EVENTS: readonly (keyof RedisTableEvents)[] = ['degraded', 'restored'];

/**
 * A stick table that processes share through Redis or Valkey. What a process knows it need not ask for: Redis tells it of
 * changes. Of two servers that are chosen for a key at the same time the first counts, for all. Counters and rates are those
 * of all processes. Where Redis does not answer within `timeout`, is gone, full or read-only, each process goes on with what it
 * knows; when Redis is back they agree again.
 */
export class RedisTable extends GuardedEmitter<RedisTableEvents> implements Table {
  readonly name: string;
  readonly #options: ResolvedTable;
  readonly #format: KeyFormat;
  readonly #keys: KeyNames;
  readonly #names: DataNames;
  readonly #own: StickTable;
  readonly #link: RedisLink;
  readonly #servers: SharedServers;
  readonly #counters: SharedCounters;
  readonly #entries: RedisEntries;
  readonly #subscriber: RedisSubscriber;

  /**
   * @param environment time; for tests
   * @throws {ConfigError} naming every option that is wrong
   */
  constructor(options: RedisTableOptions, environment: Environment = systemEnvironment) {
    super(EVENTS);
    const { client, name, timeoutMs, table, own } = readOptions(options);
    this.name = name;
    this.#options = table;
    this.#format = keyFormat(table.type, table.len);
    this.#keys = new KeyNames(this.#format);
    this.#names = new DataNames(table.data.map(createColumn));
    this.#own = new StickTable(own, environment);
    const keyOf = (key: string): string => `evenkeel:${name}:${key}`;
    const channel = `evenkeel:${name}`;
    const ttlMs = table.expireMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(table.expireMs);
    this.#link = new RedisLink(
      { client, environment, timeoutMs, probeKey: `evenkeel:${name}` },
      {
        onDegraded: (reason) => this.emit('degraded', { table: name, reason }),
        onRestored: () => {
          this.emit('restored', { table: name, unsent: this.#servers.unsent });
          void this.#servers.restored();
        },
      },
    );
    const link = this.#link;
    const { size, expireMs } = table;
    // HAProxy: is_local. A process that ends, or is cut off, never takes back what it has added.
    const data = table.data.filter(({ name }) => name !== 'conn_cur');
    this.#servers = new SharedServers({ link, environment, size, expireMs, channel, keyOf });
    this.#counters = new SharedCounters({ link, data, names: this.#names, table: this.#own, ttlMs, keyOf });
    this.#entries = new RedisEntries({ link, data, names: this.#names, ttlMs, channel, prefix: keyOf('') });
    this.#subscriber = client.duplicate();
    this.#subscribe(channel);
  }

  get type(): StickKeyType {
    return this.#options.type;
  }

  /** What rules see of a request that tracks nothing. */
  get untracked(): Tracked {
    return this.#own.untracked;
  }

  /** Redis answers. */
  get connected(): boolean {
    return this.#link.usable;
  }

  /** Choices of this process that Redis has not been told of yet. */
  get unsent(): number {
    return this.#servers.unsent;
  }

  /** News of what other processes change come in: until then Redis is asked about each key. */
  get subscribed(): boolean {
    return this.#servers.isSubscribed;
  }

  /** The server of a key: at once where this process knows it, or Redis is gone; else when Redis has answered. */
  lookup(key: StickKey): string | undefined | Promise<string | undefined> {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#servers.lookup(name);
  }

  /** The server of a key, as Redis has it. Never rejects. */
  async ask(key: StickKey): Promise<string | undefined> {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#servers.ask(name);
  }

  /** The server of a key, as this process knows it. */
  recall(key: StickKey): string | undefined {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#servers.recall(name);
  }

  store(key: StickKey, server: string, known?: string | null): void {
    const name = this.#keys.nameOf(key);
    if (name !== undefined) this.#servers.store(name, server, known);
  }

  /** As `store`, and says which server counts once Redis has said so. Never rejects. */
  claim(key: StickKey, server: string, known?: string): Promise<string | undefined> | undefined {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#servers.claim(name, server, known);
  }

  track(key: StickKey): Tracking | undefined {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#counters.track(key, name);
  }

  /** An entry as Redis has it; `use` and `conn_cur` are those of this process. @throws what the client does, where Redis is gone */
  async get(key: StickKey): Promise<StickEntry | undefined> {
    const name = this.#keys.nameOf(key);
    return name === undefined ? undefined : this.#entryOf(name);
  }

  /**
   * Writes into an entry in Redis, which is made if need be.
   * @throws {ConfigError} for a key of another type, or data that the table does not store; nothing was changed
   * @throws what the client does, where Redis is gone
   */
  async set(key: StickKey, change: StickChange = {}): Promise<StickEntry | undefined> {
    const name = this.#keys.nameOf(key);
    readChange(change, this.#names, name === undefined ? [keyFault(key, this.#format)] : []);
    if (name === undefined) return undefined;
    await this.#entries.write(name, change);
    this.#own.set(key, { ...change, server: undefined }); // for this process
    this.#servers.forget(name);
    this.#counters.forget(name);
    return this.get(key);
  }

  /** Removes an entry from Redis, and from what processes know. @throws what the client does, where Redis is gone */
  async delete(key: StickKey): Promise<boolean> {
    const name = this.#keys.nameOf(key);
    if (name === undefined) return false;
    const removed = await this.#entries.remove(name);
    this.#own.delete(key);
    this.#servers.forget(name);
    this.#counters.forget(name);
    return removed;
  }

  /**
   * Removes all entries from Redis, or those that a filter chooses.
   * @returns how many
   * @throws {ConfigError} for a comparison of what is not stored, and for what is no filter: `undefined` is not all of them
   * @throws what a filter throws, or the client
   */
  async clear(...chosen: [] | [filter: StickFilter]): Promise<number> {
    const keys: StickKey[] = [];
    for await (const { key } of chosen.length === 0 ? this.entries() : this.filter(chosen[0])) keys.push(key);
    let removed = 0;
    for (const key of keys) if (await this.delete(key)) removed++;
    return removed;
  }

  /** The entries in Redis, in no order; those that come or go meanwhile may be among them or not. */
  async *entries(): AsyncIterableIterator<StickEntry> {
    for await (const name of this.#entries.names()) {
      const entry = await this.#entryOf(name);
      if (entry) yield entry;
    }
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StickEntry> {
    return this.entries();
  }

  /**
   * As `entries`, those that a filter chooses. What a filter throws comes out of the iterator.
   * @throws {ConfigError} for a comparison of what is not stored, and for what is no filter
   */
  filter(filter: StickFilter): AsyncIterableIterator<StickEntry> {
    return this.#chosenBy(entryFilter(filter, this.#names));
  }

  async *#chosenBy(isChosen: (entry: StickEntry) => boolean): AsyncIterableIterator<StickEntry> {
    for await (const entry of this.entries()) if (isChosen(entry)) yield entry;
  }

  /** Ends its own connection; the client that it was given stays as it is. From now on this process is on its own. */
  close(): void {
    this.#link.close();
    this.#subscriber.destroy();
  }

  #subscribe(channel: string): void {
    const subscriber = this.#subscriber;
    const lost = (): void => this.#servers.subscribed(false);
    const hear = (message: string): void => this.#heard(message);
    let began = false;
    const begin = async (): Promise<void> => {
      if (!began) await subscriber.subscribe(channel, hear);
      began = true;
      this.#servers.subscribed(true);
    };
    subscriber.on('error', lost);
    subscriber.on('reconnecting', lost);
    subscriber.on('end', lost);
    // The client itself subscribes again to what it once was subscribed to.
    subscriber.on('ready', () => void begin().catch(lost));
    subscriber.connect().catch(lost);
  }

  /** `<key> <version> <server>` */
  #heard(message: string): void {
    const [, name, version, server] = /^(\S*) (\d{1,16}) (.*)$/s.exec(message) ?? [];
    if (name !== undefined && server !== undefined) this.#servers.heard(name, server, Number(version));
  }

  async #entryOf(name: string): Promise<StickEntry | undefined> {
    const key = this.#keys.keyOf(name);
    const entry = key === undefined ? undefined : await this.#entries.get(name, key);
    if (key === undefined || !entry) return undefined;
    const { use, conn_cur } = this.#own.get(key) ?? {
      use: 0,
      ...(this.#own.stored.includes('conn_cur') && { conn_cur: 0 }),
    };
    return Object.freeze({ ...entry, use, ...(conn_cur !== undefined && { conn_cur }) });
  }
}

interface Read {
  readonly client: RedisClient;
  readonly name: string;
  readonly timeoutMs: number;
  readonly table: ResolvedTable;
  readonly own: StickTableOptions;
}

function readOptions(options: RedisTableOptions): Read {
  const read = new OptionReader(options, '');
  const client = read.read('client', undefined, CLIENT, (value) => (isClient(value) ? value : undefined));
  if (!client && !read.has('client')) read.reject('client', `is missing; allowed: ${CLIENT}`);
  const allowed = '1 to 64 letters, digits and -_.';
  const name = read.string('name', { default: '', allowed, test: /^[\w.-]{1,64}$/ });
  if (!read.has('name')) read.reject('name', `is missing; allowed: ${allowed}`);
  const timeoutMs = read.durationMs('timeout', { default: 50, min: 1, max: 10_000 });
  const table = readStickTable(read);
  read.throwFaults();
  const { client: _client, name: _name, timeout: _timeout, ...own } = options;
  return { client: client as RedisClient, name, timeoutMs, table, own };
}

const CLIENT = "a client of createClient of the package 'redis', not one of a cluster or of sentinels";

/** Clients of clusters and of sentinels have the same methods, but `sendCommand` takes other things first. */
function isClient(value: unknown): value is RedisClient {
  if (typeof value !== 'object' || value === null) return false;
  const { sendCommand, duplicate, isReady } = value as Partial<RedisClient>;
  return (
    typeof sendCommand === 'function' &&
    sendCommand.length <= 2 &&
    typeof duplicate === 'function' &&
    typeof isReady === 'boolean'
  );
}
