import { LRUCache } from 'lru-cache';
import type { Environment, Timer } from '../core/environment.ts';
import { type Column, createColumn } from './entry-data.ts';
import { NO_SERVER, ServerNames } from './server-names.ts';
import { detached, type StoredKey } from './stick-key.ts';
import type { ResolvedTable } from './stick-table-options.ts';

/** In place of a slot: there is no entry. */
export const NONE = -1;

/** Where each thing lies within the 16 bytes of a slot, counted in cells of 8 bytes and of 4. */
const [TIMES, EXPIRES] = [2, 0];
const [WORDS, SERVER, USES] = [4, 2, 3];

const FEWEST = 64;
/** A table that was larger gives its memory back when it is empty. */
const SMALL = 1_024;
/** How many entries are looked at to make room for one. HAProxy: stktable_trash_oldest, which looks at twice 100. */
const LOOKED_AT = 200;
/** What one turn of the sweep removes at most (a millisecond or two), and how soon the next one comes. */
const SWEPT_AT_ONCE = 2_000;
const SWEEP_AGAIN_MS = 10;
/** The sweep need not be exact: what has expired is not found anyway. */
const SWEEP_MS = 1_000;

/**
 * The entries of a table: which slot a key has, and by slot when it expires, its server, who uses it, and its data. Entries
 * stand in the order of their use, which is that in which they expire, since they all stay for the same time. `lru-cache`
 * keeps that order and finds the slot of a key. It takes 28 bytes for each of `size` at once: arrays that grow, as it has them
 * without `max`, would cost more time and memory where there are many entries.
 */
export class EntryStore {
  readonly columns: readonly Column[];
  names: ServerNames = new ServerNames();
  readonly #environment: Environment;
  readonly #options: ResolvedTable;
  #slots: LRUCache<StoredKey, number>;
  /** By slot; `undefined`: it is free. */
  #keys: (StoredKey | undefined)[] = [];
  /** 16 bytes a slot, so that a use touches one place in memory: these times, and of the words two. */
  #times = new Float64Array(0);
  /** The number of its server, or of a free slot the next free one; and how many hold it. */
  #words = new Int32Array(0);
  #free = NONE;
  #capacity = 0;
  /** How many entries somebody holds. */
  #held = 0;
  /** None of them expires before. */
  #noneBefore = Number.POSITIVE_INFINITY;
  #sweep: Timer | undefined;
  /** New entries that found no room. */
  refused = 0;

  constructor(options: ResolvedTable, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
    this.columns = options.data.map(createColumn);
    this.#slots = new LRUCache({ max: options.size });
  }

  /** Entries, those that have expired and are not swept yet among them. */
  get size(): number {
    return this.#slots.size;
  }

  /** Every slot is below this. */
  get end(): number {
    return this.#keys.length;
  }

  now(): number {
    return this.#environment.now();
  }

  /** The slot of a key, without it being a use. */
  find(key: StoredKey, now: number): number {
    return this.#alive(this.#slots.peek(key), now);
  }

  /** The slot of a key, which is used: its time begins anew. */
  use(key: StoredKey, now: number): number {
    const slot = this.#alive(this.#slots.get(key), now);
    if (slot !== NONE) this.#renew(slot, now);
    return slot;
  }

  /** The slot of a key, which is made if need be; `NONE`: there is no room. */
  useOrMake(key: StoredKey, now: number): number {
    const slot = this.use(key, now);
    return slot === NONE ? this.#make(key, now) : slot;
  }

  /** The key of a slot; `undefined`: there is no entry, or it has expired. */
  keyAt(slot: number, now: number): StoredKey | undefined {
    return this.#alive(this.#keys[slot] === undefined ? undefined : slot, now) === NONE ? undefined : this.#keys[slot];
  }

  expiresInMs(slot: number, now: number): number {
    return Math.max(0, this.#expiresAt(slot) - now);
  }

  serverAt(slot: number): string | undefined {
    return this.names.name(this.#serverId(slot));
  }

  setServer(slot: number, name: string | undefined): void {
    const known = this.#serverId(slot);
    if (this.names.name(known) === name) return;
    this.#words[WORDS * slot + SERVER] = name === undefined ? NO_SERVER : this.names.take(name);
    this.names.give(known);
  }

  usesOf(slot: number): number {
    return this.#words[WORDS * slot + USES] as number;
  }

  /** While it is held it neither expires nor makes room. */
  hold(slot: number): void {
    const uses = this.usesOf(slot);
    if (uses === 0) this.#held++;
    this.#words[WORDS * slot + USES] = uses + 1;
  }

  /** It counts as used now: while it was held its time may have run out. */
  release(slot: number, now: number): void {
    this.use(this.#keys[slot] as StoredKey, now);
    const uses = this.usesOf(slot) - 1;
    if (uses === 0) this.#held--;
    this.#words[WORDS * slot + USES] = uses;
  }

  /** Removes an entry; of one that is held only what it holds goes. */
  remove(slot: number): void {
    if (this.usesOf(slot) === 0) this.#drop(slot);
    else {
      this.setServer(slot, undefined);
      for (const column of this.columns) if (column.name !== 'conn_cur') column.clear(slot);
    }
  }

  /** Removes all at once, where nobody holds any. @returns how many there were; `undefined`: they must be removed one by one */
  empty(now: number): number | undefined {
    if (this.#held > 0) return undefined;
    this.sweep(now);
    const { size } = this;
    // Clearing visits every entry; where they are many, a new one is made in a fraction of that time.
    if (size > this.#options.size / 4) this.#slots = new LRUCache({ max: this.#options.size });
    else this.#slots.clear();
    this.names = new ServerNames();
    this.#beginAnew();
    return size;
  }

  /**
   * Removes what has expired, the oldest first. What somebody holds begins anew.
   * @returns whether that was all
   * @see HAProxy stick_table.c, process_tables_expire
   */
  sweep(now: number, most: number = Number.POSITIVE_INFINITY): boolean {
    if (now < this.#noneBefore) return true;
    const held: StoredKey[] = [];
    let left = most;
    for (const slot of this.#slots.rvalues() as IterableIterator<number>) {
      if (this.#expiresAt(slot) > now || left-- === 0) break;
      if (this.usesOf(slot) > 0) held.push(this.#keys[slot] as StoredKey);
      else this.#drop(slot);
      if (this.#slots.size === 0) break;
    }
    for (const key of held) this.use(key, now);
    const oldest = this.#slots.rvalues().next().value;
    this.#noneBefore = oldest === undefined ? Number.POSITIVE_INFINITY : this.#expiresAt(oldest);
    return this.#noneBefore > now;
  }

  /** An entry that nobody holds and whose time is over is removed. */
  #alive(slot: number | undefined, now: number): number {
    if (slot === undefined) return NONE;
    if (this.#expiresAt(slot) > now || this.usesOf(slot) > 0) return slot;
    this.#drop(slot);
    return NONE;
  }

  #make(key: StoredKey, now: number): number {
    if (this.#slots.size >= this.#options.size && !this.#makeRoom(now)) {
      this.refused++;
      return NONE;
    }
    const slot = this.#takeSlot();
    const kept = detached(key);
    this.#keys[slot] = kept;
    this.#renew(slot, now);
    this.#words[WORDS * slot + SERVER] = NO_SERVER;
    this.#words[WORDS * slot + USES] = 0;
    for (const column of this.columns) column.clear(slot);
    this.#slots.set(kept, slot);
    this.#noneBefore = Math.min(this.#noneBefore, this.#expiresAt(slot));
    if (this.#sweep === undefined && this.#options.expireMs < Number.POSITIVE_INFINITY)
      this.#sweepIn(Math.max(SWEEP_MS, this.#options.expireMs));
    return slot;
  }

  #expiresAt(slot: number): number {
    return this.#times[TIMES * slot + EXPIRES] as number;
  }

  #renew(slot: number, now: number): void {
    this.#times[TIMES * slot + EXPIRES] = now + this.#options.expireMs;
  }

  #serverId(slot: number): number {
    return this.#words[WORDS * slot + SERVER] as number;
  }

  #makeRoom(now: number): boolean {
    this.sweep(now, LOOKED_AT);
    if (this.#slots.size < this.#options.size) return true;
    if (this.#options.nopurge || this.#held === this.#slots.size) return false;
    for (let looked = 0; looked < LOOKED_AT; looked++) {
      const slot = this.#slots.pop();
      if (slot === undefined) return true;
      if (this.usesOf(slot) === 0) {
        this.#forget(slot);
        return true;
      }
      this.#slots.set(this.#keys[slot] as StoredKey, slot);
      this.#renew(slot, now);
    }
    return false;
  }

  #drop(slot: number): void {
    // Of its last entry lru-cache makes a case of its own, and overwrites all that it has.
    if (this.#slots.size === 1) this.#slots.pop();
    else this.#slots.delete(this.#keys[slot] as StoredKey);
    this.#forget(slot);
    if (this.#slots.size === 0 && this.#capacity > SMALL) this.#beginAnew();
  }

  #beginAnew(): void {
    this.#keys = [];
    this.#free = NONE;
    this.#resize(0);
  }

  #forget(slot: number): void {
    this.names.give(this.#serverId(slot));
    this.#keys[slot] = undefined;
    this.#words[WORDS * slot + SERVER] = this.#free;
    this.#free = slot;
  }

  #takeSlot(): number {
    const slot = this.#free;
    if (slot !== NONE) {
      this.#free = this.#serverId(slot);
      return slot;
    }
    if (this.end === this.#capacity) this.#resize(Math.min(this.#options.size, Math.max(FEWEST, 2 * this.#capacity)));
    return this.end;
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    const times = new Float64Array(TIMES * capacity);
    times.set(this.#times.subarray(0, TIMES * capacity));
    this.#times = times;
    this.#words = new Int32Array(times.buffer);
    for (const column of this.columns) column.resize(capacity);
  }

  /** The timer knows the store only as long as somebody else does. */
  #sweepIn(ms: number): void {
    const store = new WeakRef(this);
    this.#sweep = this.#environment.setTimer(() => {
      const alive = store.deref();
      if (alive !== undefined) alive.#sweepNow();
    }, ms);
  }

  #sweepNow(): void {
    this.#sweep = undefined;
    const now = this.now();
    const isDone = this.sweep(now, SWEPT_AT_ONCE);
    if (!isDone) this.#sweepIn(SWEEP_AGAIN_MS);
    else if (this.#slots.size > 0) this.#sweepIn(Math.max(SWEEP_MS, this.#noneBefore - now));
  }
}
