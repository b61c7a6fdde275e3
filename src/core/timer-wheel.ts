/** Length of a tick, the finest slot. */
export const TICK_MS = 8;
/** When the slot of what never comes comes up: still before `Infinity`. */
export const NEVER: number = Number.MAX_VALUE;

const SLOTS = 64;
/** Slots of 8 ms, 0.5 s, 33 s and 35 min; the last reach 37 h ahead, and what is due later is filed anew then. */
const LEVELS = 4;
const FARTHEST = SLOTS ** (LEVELS - 1);

/** Handles below this are the heads of lists: of what has come up, and of each slot. */
const DUE = 0;
const FIRST_SLOT = 1;
const FIRST_ENTRY = FIRST_SLOT + LEVELS * SLOTS;
const FEWEST = 1_024;

/**
 * A hierarchical timer wheel over handles, small numbers that it gives out. An entry lies in a slot that comes up before
 * its deadline, and in the finest level just behind it; whoever advances the wheel files anew what is not due yet. So a
 * deadline may move away without the wheel being told. Lists are chained by number in typed arrays: entries come and go
 * without garbage and without pointers that a collection has to follow.
 */
export class TimerWheel {
  #next = new Int32Array(FEWEST);
  #previous = new Int32Array(FEWEST);
  /** When the slot of an entry comes up, in ms. */
  #comesUp = new Float64Array(FEWEST);
  /** First of the handles not in use, chained by `#next`; 0: none. */
  #free = 0;
  /** Every slot up to this one has come up. */
  #tick: number;

  constructor(now: number) {
    this.#tick = Math.floor(now / TICK_MS);
    this.#begin();
  }

  /** Every handle is below this. */
  get capacity(): number {
    return this.#next.length;
  }

  /** Gives back the memory that many entries took. Only when none is left. */
  shrink(): void {
    if (this.capacity === FEWEST) return;
    this.#next = new Int32Array(FEWEST);
    this.#previous = new Int32Array(FEWEST);
    this.#comesUp = new Float64Array(FEWEST);
    this.#begin();
  }

  /** A handle; the next thing to do with it is to file it. */
  take(): number {
    if (this.#free === 0) this.#grow();
    const handle = this.#free;
    this.#free = this.#next[handle] as number;
    return handle;
  }

  /** Takes an entry out of its slot; its handle is free. */
  give(handle: number): void {
    this.lift(handle);
    this.#next[handle] = this.#free;
    this.#free = handle;
  }

  /** When the slot of an entry comes up. */
  comesUpAt(handle: number): number {
    return this.#comesUp[handle] as number;
  }

  /**
   * Puts an entry that is in no slot where its deadline wants it. Fractions go in and out by way of fields: as an
   * argument or a result each would be an object, where the call is not inlined.
   */
  file(handle: number, entry: { readonly deadline: number }): void {
    const { deadline } = entry;
    if (!(deadline < Number.POSITIVE_INFINITY)) {
      this.#alone(handle);
      this.#comesUp[handle] = NEVER;
      return;
    }
    const now = this.#tick;
    const tick = Math.max(Math.ceil(deadline / TICK_MS), now + 1);
    let width = 1;
    let firstSlot = FIRST_SLOT;
    let slot = tick;
    let passed = now;
    // Slots of one level never lie more than 64 ahead: each place in it stands for one time.
    while (slot - passed > SLOTS) {
      if (width === FARTHEST) {
        slot = passed + SLOTS;
        break;
      }
      width *= SLOTS;
      firstSlot += SLOTS;
      slot = Math.floor(slot / SLOTS);
      passed = Math.floor(passed / SLOTS);
    }
    this.#append(handle, firstSlot + (slot & (SLOTS - 1)));
    this.#comesUp[handle] = slot * width * TICK_MS;
  }

  /** Takes an entry out of its slot, for it to be filed elsewhere. */
  lift(handle: number): void {
    const next = this.#next[handle] as number;
    const previous = this.#previous[handle] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  /** Tells a wheel of which no slot has come up meanwhile how late it is: what is filed next lies more finely. */
  catchUp(now: number): void {
    this.#tick = Math.max(this.#tick, Math.floor(now / TICK_MS));
  }

  /** Moves on to `now`; what lay in slots that have come up is then to be had from `nextDue`. */
  advance(now: number): void {
    const to = Math.floor(now / TICK_MS);
    for (let level = 0, width = 1; level < LEVELS; level++, width *= SLOTS) {
      const from = Math.floor(this.#tick / width);
      const last = Math.min(Math.floor(to / width), from + SLOTS);
      for (let slot = from + 1; slot <= last; slot++) this.#spill(headOf(level, slot));
    }
    this.catchUp(now);
  }

  /** An entry that has come up and is not filed anew yet; 0: none. */
  nextDue(): number {
    return this.#next[DUE] as number;
  }

  /** When the next slot that holds something comes up; `NEVER` if none does. */
  next(): number {
    if (this.#next[DUE] !== DUE) return (this.#tick + 1) * TICK_MS;
    let earliest = NEVER;
    for (let level = 0, width = 1; level < LEVELS; level++, width *= SLOTS) {
      const from = Math.floor(this.#tick / width);
      for (let slot = from + 1; slot <= from + SLOTS; slot++) {
        const head = headOf(level, slot);
        if (this.#next[head] === head) continue;
        earliest = Math.min(earliest, slot * width * TICK_MS);
        break;
      }
    }
    return earliest;
  }

  #begin(): void {
    for (let head = 0; head < FIRST_ENTRY; head++) this.#alone(head);
    this.#chainFree(FIRST_ENTRY);
  }

  #alone(handle: number): void {
    this.#next[handle] = handle;
    this.#previous[handle] = handle;
  }

  #append(handle: number, head: number): void {
    const last = this.#previous[head] as number;
    this.#next[last] = handle;
    this.#previous[handle] = last;
    this.#next[handle] = head;
    this.#previous[head] = handle;
  }

  /** All of a slot behind what is due. */
  #spill(head: number): void {
    const first = this.#next[head] as number;
    if (first === head) return;
    const last = this.#previous[head] as number;
    const before = this.#previous[DUE] as number;
    this.#next[before] = first;
    this.#previous[first] = before;
    this.#next[last] = DUE;
    this.#previous[DUE] = last;
    this.#alone(head);
  }

  #grow(): void {
    const length = this.capacity;
    const grown = [new Int32Array(2 * length), new Int32Array(2 * length)] as const;
    grown[0].set(this.#next);
    grown[1].set(this.#previous);
    [this.#next, this.#previous] = grown;
    const comesUp = new Float64Array(2 * length);
    comesUp.set(this.#comesUp);
    this.#comesUp = comesUp;
    this.#chainFree(length);
  }

  #chainFree(from: number): void {
    const last = this.capacity - 1;
    for (let handle = from; handle < last; handle++) this.#next[handle] = handle + 1;
    this.#next[last] = 0;
    this.#free = from;
  }
}

function headOf(level: number, slot: number): number {
  return FIRST_SLOT + level * SLOTS + (slot & (SLOTS - 1));
}
