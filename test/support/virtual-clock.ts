import type { Environment, Timer } from '#src/core/environment.ts';

/** As the system's environment: a timer waits at least 1 ms (Node) and at most 24.8 days. */
const SHORTEST_TIMER_MS = 1;
const LONGEST_TIMER_MS = 2_147_483_647;

/** 2026-01-01, when every virtual clock begins. */
const EPOCH_MS = 1_767_225_600_000;

interface Entry {
  readonly at: number;
  /** Timers due at one time fire in the order in which they were set. */
  readonly order: number;
  readonly callback: () => void;
  readonly holdsProcess: boolean;
  live: boolean;
}

/** The generator `mulberry32`: the same seed gives the same numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * An environment whose time moves only when a test says so, and whose chance is seeded. Hours of a pool's life take
 * milliseconds and come out the same at every run.
 */
export class VirtualClock implements Environment {
  readonly random: () => number;
  #now = 0;
  #order = 0;
  #pending = 0;
  #holding = 0;
  #advancing = false;
  /** A binary heap, the next to fire at index 0; a cancelled timer stays in it until it comes up or is swept. */
  #heap: Entry[] = [];

  constructor({ seed = 1 }: { seed?: number } = {}) {
    this.random = seededRandom(seed);
  }

  now(): number {
    return this.#now;
  }

  unixMs(): number {
    return EPOCH_MS + this.#now;
  }

  /** Timers that will fire: set, not yet fired, not cancelled. */
  get pending(): number {
    return this.#pending;
  }

  /** Those of them that would keep the process alive. */
  get holding(): number {
    return this.#holding;
  }

  setTimer(callback: () => void, ms: number, holdsProcess = false): Timer {
    const delay = ms >= SHORTEST_TIMER_MS ? Math.min(ms, LONGEST_TIMER_MS) : SHORTEST_TIMER_MS;
    const entry: Entry = { at: this.#now + delay, order: this.#order++, callback, holdsProcess, live: true };
    this.#pending++;
    if (holdsProcess) this.#holding++;
    this.#push(entry);
    return {
      cancel: () => {
        this.#retire(entry);
        if (this.#heap.length > 64 && this.#heap.length > 2 * this.#pending) this.#sweep();
      },
    };
  }

  /**
   * Moves time on by `ms` and fires every timer that comes due, in order, each at its own time. Promise callbacks do
   * not run in between. What a timer throws comes out of here, with time standing at that timer.
   */
  advance(ms: number): void {
    this.#guarded(() => {
      const end = this.#endOf(ms);
      let fired: boolean;
      do fired = this.#fireNext(end);
      while (fired);
      this.#now = end;
    });
  }

  /** As `advance`, but promise callbacks run before, between and after the timers, and may set timers that fire too. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#endOf(ms);
    await this.settle();
    while (this.#guarded(() => this.#fireNext(end))) await this.settle();
    this.#now = end;
    await this.settle();
  }

  /** Lets everything run that waits for no timer and no I/O: promise callbacks, `nextTick`, `setImmediate`. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  #endOf(ms: number): number {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`time cannot move by ${ms} ms`);
    return this.#now + ms;
  }

  #guarded<T>(step: () => T): T {
    if (this.#advancing) throw new Error('a timer must not move the clock that fires it');
    this.#advancing = true;
    try {
      return step();
    } finally {
      this.#advancing = false;
    }
  }

  #fireNext(end: number): boolean {
    for (let first = this.#heap[0]; first !== undefined && first.at <= end; first = this.#heap[0]) {
      this.#pop();
      if (!first.live) continue;
      this.#retire(first);
      this.#now = first.at;
      first.callback();
      return true;
    }
    return false;
  }

  #retire(entry: Entry): void {
    if (!entry.live) return;
    entry.live = false;
    this.#pending--;
    if (entry.holdsProcess) this.#holding--;
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((entry) => entry.live).sort(compare); // a sorted array is a heap
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || compare(parent, entry) <= 0) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      let child = heap[below];
      const right = heap[below + 1];
      if (child !== undefined && right !== undefined && compare(right, child) < 0) {
        child = right;
        below++;
      }
      if (child === undefined || compare(last, child) <= 0) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = last;
  }
}

function compare(a: Entry, b: Entry): number {
  return a.at - b.at || a.order - b.order;
}
