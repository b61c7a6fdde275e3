import { type Environment, systemEnvironment } from '../core/environment.ts';
import { readChange } from './entry-change.ts';
import type { Counted } from './entry-data.ts';
import { type SlotFilter, slotFilter } from './entry-filter.ts';
import { EntryStore, NONE } from './entry-store.ts';
import { EntryTracking, type Events, eventsOf } from './entry-tracking.ts';
import { DataNames, snapshot, viewOf } from './entry-view.ts';
import { type KeyFormat, keyFault, keyFormat, type StoredKey } from './stick-key.ts';
import {
  type ResolvedTable,
  resolveStickTable,
  type StickTableOptions,
  type StickTablePhrase,
} from './stick-table-options.ts';
import type {
  DatumName,
  StickChange,
  StickEntry,
  StickFilter,
  StickKey,
  StickKeyType,
  Table,
  Tracked,
  Tracking,
} from './table.ts';

/** An entry that was chosen: its slot, whether that is still its, and when it was. */
interface Chosen {
  readonly slot: number;
  readonly key: StoredKey;
  readonly now: number;
}

/**
 * What is known of clients, or of whatever has a key: the server that each sticks to, and how often it did what. It holds a
 * limited number of entries, which expire when nothing uses them; a full one removes the entry that was used longest ago.
 *
 * Keys are turned into the table's type as HAProxy does it. A key that cannot be has no entry; only `set` says so.
 * @see HAProxy `stick-table`, configuration manual 11.1
 */
export class StickTable implements Table {
  readonly #options: ResolvedTable;
  readonly #format: KeyFormat;
  readonly #store: EntryStore;
  readonly #names: DataNames;
  readonly #events: Events;
  /** What a rule sees of a request that tracks nothing: every number is 0. */
  readonly untracked: Tracked;

  /**
   * @param environment time; for tests on a virtual clock
   * @throws {ConfigError} naming every option that is wrong
   */
  constructor(options: StickTableOptions | StickTablePhrase, environment: Environment = systemEnvironment) {
    this.#options = resolveStickTable(options);
    this.#format = keyFormat(this.#options.type, this.#options.len);
    this.#store = new EntryStore(this.#options, environment);
    this.#names = new DataNames(this.#store.columns);
    this.#events = eventsOf(this.#names);
    this.untracked = viewOf(this.#store, this.#names, this.#format, { slot: NONE });
  }

  get type(): StickKeyType {
    return this.#options.type;
  }

  /** Names of the data that it stores: `http_req_rate`, `gpc`. */
  get stored(): readonly string[] {
    return this.#names.names;
  }

  /** The most entries that it holds. */
  get limit(): number {
    return this.#options.size;
  }

  /** Entries that it holds. */
  get size(): number {
    this.#store.sweep(this.#store.now());
    return this.#store.size;
  }

  /** New entries that were refused so far: the table was full, and `nopurge` or those who track its entries kept it so. */
  get refused(): number {
    return this.#store.refused;
  }

  /** An entry as it is now. Reading does not put off when it expires. HAProxy: `show table … key`. */
  get(key: StickKey): StickEntry | undefined {
    const stored = this.#format.read(key);
    if (stored === undefined) return undefined;
    const now = this.#store.now();
    const slot = this.#store.find(stored, now);
    return slot === NONE ? undefined : this.#entryAt(slot, now);
  }

  /**
   * Writes into an entry, which is made if need be. What the change does not name stays. HAProxy: `set table … key`.
   * @returns the entry; `undefined`: the table is full
   * @throws {ConfigError} for a key of another type, or data that the table does not store; nothing was changed
   */
  set(key: StickKey, change: StickChange = {}): StickEntry | undefined {
    const stored = this.#format.read(key);
    const read = readChange(change, this.#names, stored === undefined ? [keyFault(key, this.#format)] : []);
    if (stored === undefined) return undefined;
    const now = this.#store.now();
    const slot = this.#store.useOrMake(stored, now);
    if (slot === NONE) return undefined;
    read.apply(this.#store, slot, now);
    return this.#entryAt(slot, now);
  }

  /**
   * Removes an entry. One that is tracked stays, but forgets its server and what was counted, `conn_cur` alone excepted.
   * HAProxy: `clear table … key`.
   * @returns whether there was one
   */
  delete(key: StickKey): boolean {
    const stored = this.#format.read(key);
    const slot = stored === undefined ? NONE : this.#store.find(stored, this.#store.now());
    if (slot !== NONE) this.#store.remove(slot);
    return slot !== NONE;
  }

  /**
   * Removes, as `delete` does, all entries, or those that a filter chooses. All are looked at first: where a filter throws,
   * what it throws comes out of here and nothing was removed. HAProxy: `clear table … data.http_req_rate gt 100`.
   * @returns how many there were
   * @throws {ConfigError} for a comparison of what is not stored, and for what is no filter: `undefined` is not all of them
   */
  clear(...chosen: [] | [filter: StickFilter]): number {
    const all = chosen.length === 0 ? this.#store.empty(this.#store.now()) : undefined;
    return all ?? this.#remove([...(chosen.length === 0 ? this.#chosenBy(() => true) : this.#slotsOf(chosen[0]))]);
  }

  /**
   * The entries, each as it is when it comes up, in no order. The table may change meanwhile: an entry that was there all the
   * time comes up once. HAProxy: `show table`.
   */
  entries(): IterableIterator<StickEntry> {
    return this.#entriesOf(this.#chosenBy(() => true));
  }

  /**
   * As `entries`, those that a filter chooses. What a filter throws comes out of the iterator.
   * HAProxy: `show table … data.http_req_rate gt 100`.
   * @throws {ConfigError} for a comparison of what is not stored, and for what is no filter
   */
  filter(filter: StickFilter): IterableIterator<StickEntry> {
    return this.#entriesOf(this.#slotsOf(filter));
  }

  [Symbol.iterator](): IterableIterator<StickEntry> {
    return this.entries();
  }

  /** The server of a key. The entry counts as used: its time begins anew. HAProxy: `stick match`. */
  lookup(key: StickKey): string | undefined {
    const stored = this.#format.read(key);
    if (stored === undefined) return undefined;
    const slot = this.#store.use(stored, this.#store.now());
    return slot === NONE ? undefined : this.#store.serverAt(slot);
  }

  /**
   * Makes a key stick to a server. HAProxy: `stick store-request`.
   * @returns whether there was such a key, and room
   */
  store(key: StickKey, server: string): boolean {
    const stored = this.#format.read(key);
    if (stored === undefined) return false;
    const slot = this.#store.useOrMake(stored, this.#store.now());
    if (slot !== NONE) this.#store.setServer(slot, server);
    return slot !== NONE;
  }

  /**
   * Tracks the entry of a key, which is made if need be, until `release` is called. HAProxy: `http-request track-sc0`.
   * @returns `undefined`: no such key, or no room
   */
  track(key: StickKey): Tracking | undefined {
    const stored = this.#format.read(key);
    if (stored === undefined) return undefined;
    const now = this.#store.now();
    const slot = this.#store.useOrMake(stored, now);
    return slot === NONE
      ? undefined
      : new EntryTracking(this.#store, this.#names, this.#format, this.#events, slot, now);
  }

  /**
   * Takes over what was counted elsewhere, by name, into an entry that is there. That is no use of it.
   * @internal
   */
  takeOver(key: StickKey, counts: ReadonlyMap<DatumName, Counted>): void {
    const stored = this.#format.read(key);
    const now = this.#store.now();
    const slot = stored === undefined ? NONE : this.#store.find(stored, now);
    if (slot === NONE) return;
    for (const [name, counted] of counts) this.#names.column(name)?.takeOver(slot, counted, now);
  }

  #remove(chosen: readonly Chosen[]): number {
    let removed = 0;
    for (const { slot, key } of chosen) {
      if (this.#store.keyAt(slot, this.#store.now()) !== key) continue;
      this.#store.remove(slot);
      removed++;
    }
    return removed;
  }

  #entryAt(slot: number, now: number): StickEntry {
    return snapshot(this.#store, this.#names, this.#format, slot, now);
  }

  *#entriesOf(slots: IterableIterator<Chosen>): IterableIterator<StickEntry> {
    for (const { slot, now } of slots) yield this.#entryAt(slot, now);
  }

  /** Where the chosen ones lie, each as it comes up. */
  #slotsOf(filter: StickFilter): IterableIterator<Chosen> {
    return this.#chosenBy(slotFilter(filter, this.#store, this.#names, this.#format));
  }

  *#chosenBy(isChosen: SlotFilter): IterableIterator<Chosen> {
    for (let slot = 0; slot < this.#store.end; slot++) {
      const now = this.#store.now();
      const key = this.#store.keyAt(slot, now);
      if (key === undefined || !isChosen(slot, now)) continue;
      // A filter is a function of the user's, which may have changed the table.
      if (this.#store.keyAt(slot, now) === key) yield { slot, key, now };
    }
  }
}
