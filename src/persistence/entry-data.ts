import type { StoredDatum } from './stored-data.ts';
import type { DatumName } from './table.ts';

/** What was counted elsewhere; of a rate in its present period and in the one before, and how old the present one is. */
export interface Counted {
  readonly count: number;
  readonly past: number;
  readonly ageMs: number;
}

/** One number of every entry, by slot. Columns are typed arrays: a million entries leave nothing for a collection to follow. */
export interface Column {
  readonly name: DatumName;
  /** The most that can be written; counters of 32 bits begin anew after it, as HAProxy's do. */
  readonly max: number;
  read(slot: number, now: number): number;
  write(slot: number, value: number, now: number): void;
  add(slot: number, by: number, now: number): void;
  /** As if all of that had been counted here. */
  takeOver(slot: number, counted: Counted, now: number): void;
  clear(slot: number): void;
  resize(capacity: number): void;
}

export function createColumn({ name, kind, periodMs }: StoredDatum): Column {
  if (kind === 'rate') return new RateColumn(name, periodMs);
  return kind === 'bytes' ? new ByteColumn(name) : new CounterColumn(name);
}

class CounterColumn implements Column {
  readonly name: DatumName;
  readonly max = 2 ** 32 - 1;
  #counts = new Uint32Array(0);

  constructor(name: DatumName) {
    this.name = name;
  }

  read(slot: number): number {
    return this.#counts[slot] as number;
  }

  write(slot: number, value: number): void {
    this.#counts[slot] = value;
  }

  add(slot: number, by: number): void {
    this.#counts[slot] = (this.#counts[slot] as number) + by;
  }

  takeOver(slot: number, { count }: Counted): void {
    this.#counts[slot] = count;
  }

  clear(slot: number): void {
    this.#counts[slot] = 0;
  }

  resize(capacity: number): void {
    const counts = new Uint32Array(capacity);
    counts.set(this.#counts.subarray(0, capacity));
    this.#counts = counts;
  }
}

/** HAProxy: unsigned integers of 64 bits; these stay exact up to 2^53. */
class ByteColumn implements Column {
  readonly name: DatumName;
  readonly max = Number.MAX_SAFE_INTEGER;
  #counts = new Float64Array(0);

  constructor(name: DatumName) {
    this.name = name;
  }

  read(slot: number): number {
    return this.#counts[slot] as number;
  }

  write(slot: number, value: number): void {
    this.#counts[slot] = value;
  }

  add(slot: number, by: number): void {
    this.#counts[slot] = (this.#counts[slot] as number) + by;
  }

  takeOver(slot: number, { count }: Counted): void {
    this.#counts[slot] = count;
  }

  clear(slot: number): void {
    this.#counts[slot] = 0;
  }

  resize(capacity: number): void {
    const counts = new Float64Array(capacity);
    counts.set(this.#counts.subarray(0, capacity));
    this.#counts = counts;
  }
}

/** @param remainsMs of the present period @see HAProxy freq_ctr.h, `read_freq_ctr_period` */
export function rateOf(count: number, past: number, remainsMs: number, periodMs: number): number {
  // A single event counts for the whole of the period after it, and does not flap between 0 and 1.
  if (count === 0 && past <= 1) return past;
  return Math.floor(count + (past * remainsMs) / periodMs);
}

/** Cells of a rate: when its period began, what was counted in it, and in the one before. */
const CELLS = 3;

/**
 * How many events there were within a period: what was counted in the present one, and of the one before the part that a
 * window of that length would still hold. The first event begins a period; one that begins after more than a whole idle
 * period begins with that event.
 * @see HAProxy freq_ctr.h, `read_freq_ctr_period`
 */
class RateColumn implements Column {
  readonly name: DatumName;
  readonly max = Number.MAX_SAFE_INTEGER;
  readonly #periodMs: number;
  #cells = new Float64Array(0);

  constructor(name: DatumName, periodMs: number) {
    this.name = name;
    this.#periodMs = periodMs;
  }

  read(slot: number, now: number): number {
    const at = slot * CELLS;
    const period = this.#periodMs;
    const began = this.#cells[at] as number;
    let current = this.#cells[at + 1] as number;
    let past = this.#cells[at + 2] as number;
    let remains = began + period - now;
    if (remains < 0) {
      remains += period;
      past = remains >= 0 ? current : 0;
      current = 0;
    }
    return rateOf(current, past, remains, period);
  }

  /** It holds for a period, then fades within the next. */
  write(slot: number, value: number, now: number): void {
    const at = slot * CELLS;
    this.#cells[at] = now;
    this.#cells[at + 1] = value;
    this.#cells[at + 2] = 0;
  }

  add(slot: number, by: number, now: number): void {
    const cells = this.#cells;
    const at = slot * CELLS;
    const began = cells[at] as number;
    const period = this.#periodMs;
    if (now - began < period) cells[at + 1] = (cells[at + 1] as number) + by;
    else {
      const isNext = now - began < 2 * period;
      cells[at + 2] = isNext ? (cells[at + 1] as number) : 0;
      cells[at + 1] = by;
      cells[at] = isNext ? began + period : now;
    }
  }

  takeOver(slot: number, { count, past, ageMs }: Counted, now: number): void {
    const at = slot * CELLS;
    this.#cells[at] = now - ageMs;
    this.#cells[at + 1] = count;
    this.#cells[at + 2] = past;
  }

  clear(slot: number): void {
    const at = slot * CELLS;
    this.#cells[at] = Number.NEGATIVE_INFINITY;
    this.#cells[at + 1] = 0;
    this.#cells[at + 2] = 0;
  }

  resize(capacity: number): void {
    const cells = new Float64Array(CELLS * capacity);
    cells.set(this.#cells.subarray(0, CELLS * capacity));
    this.#cells = cells;
  }
}
