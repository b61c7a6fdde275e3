import type { Environment, Timer } from './environment.ts';
import { TICK_MS, TimerWheel } from './timer-wheel.ts';

/** Something that must be looked at when its time has come. */
export interface Expiring {
  /**
   * On the environment's clock; `Infinity` for never. While it is watched, a later one may be assigned; an earlier one
   * goes through `moveTo`.
   */
  deadline: number;
  /** Its place among the deadlines; theirs. -1: not watched. */
  deadlineIndex: number;
  /** The deadline has passed. Must move it, or end the watch. */
  onDeadline(): void;
}

/** How long a timer may run on with nothing left to watch: it holds the process, and stopping it costs more than it does. */
const BRIEF_MS = 100;

/**
 * Watches the deadlines of everything in flight with one timer, which sleeps until something may be due. Nothing comes
 * early, and nothing more than 10 ms late, unless the process is.
 */
export class Deadlines {
  readonly #environment: Environment;
  readonly #wheel: TimerWheel;
  /** By the wheel's handles. */
  readonly #items: (Expiring | undefined)[] = [];
  #size = 0;
  #timer: Timer | undefined = undefined;
  /** When the timer will have fired; no slot that holds something comes up before. `Infinity`: no timer runs. */
  #wakesAt = Number.POSITIVE_INFINITY;
  /** The timer need not be stopped when nothing is left to watch. */
  #brief = false;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#wheel = new TimerWheel(environment.now());
  }

  /** How many are watched. */
  get size(): number {
    return this.#size;
  }

  /** Begins to watch an item that is not watched yet. */
  add(item: Expiring): void {
    const handle = this.#wheel.take();
    item.deadlineIndex = handle;
    this.#items[handle] = item;
    this.#size++;
    this.#file(item, handle);
  }

  /** Ends the watch; harmless if there is none. */
  remove(item: Expiring): void {
    const handle = item.deadlineIndex;
    if (handle === -1) return;
    item.deadlineIndex = -1;
    this.#items[handle] = undefined;
    this.#wheel.give(handle);
    if (--this.#size === 0 && !this.#brief) this.#rest();
  }

  /** Gives an item another deadline, watched or not. A later one costs an assignment: its slot comes up all the same. */
  moveTo(item: Expiring, deadline: number): void {
    item.deadline = deadline;
    const handle = item.deadlineIndex;
    if (handle !== -1 && deadline + TICK_MS < this.#wheel.comesUpAt(handle)) {
      this.#wheel.lift(handle);
      this.#file(item, handle);
    }
  }

  #file(item: Expiring, handle: number): void {
    this.#wheel.file(handle, item);
    if (this.#wheel.comesUpAt(handle) < this.#wakesAt) this.#hasten(item, handle);
  }

  /** Something may be due before the timer fires. May: the wheel, which no clock is read for at each item, may be behind. */
  #hasten(item: Expiring, handle: number): void {
    const now = this.#environment.now();
    if (now >= this.#wakesAt) return; // it is about to fire, or is firing
    this.#wheel.lift(handle);
    this.#wheel.catchUp(now);
    this.#wheel.file(handle, item);
    const comesUp = this.#wheel.comesUpAt(handle);
    // Most of what comes when nothing is watched is gone again at once. Only what stays is slept for.
    if (this.#timer === undefined) this.#sleep(Math.min(comesUp, now + BRIEF_MS), now);
    else if (comesUp < this.#wakesAt) this.#sleep(comesUp, now);
  }

  #sleep(until: number, now: number): void {
    this.#timer?.cancel();
    const ms = Math.max(1, Math.ceil(until - now));
    this.#brief = ms <= BRIEF_MS;
    this.#wakesAt = until;
    this.#timer = this.#environment.setTimer(this.#wake, ms, true);
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.#brief = true;
    const now = this.#environment.now();
    this.#wheel.advance(now);
    try {
      for (let handle = this.#wheel.nextDue(); handle !== 0; handle = this.#wheel.nextDue()) {
        const item = this.#items[handle] as Expiring;
        this.#wheel.lift(handle);
        this.#wheel.file(handle, item); // first: it may remove itself, or throw
        if (item.deadline <= now) item.onDeadline();
      }
    } finally {
      if (this.#size === 0) this.#rest();
      else this.#sleep(this.#wheel.next(), this.#environment.now());
    }
  };

  /** Stops the timer at once, if nothing is watched. */
  rest(): void {
    if (this.#size === 0) this.#rest();
  }

  #rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#brief = false;
    this.#wakesAt = Number.POSITIVE_INFINITY;
    this.#wheel.shrink();
    if (this.#items.length > this.#wheel.capacity) this.#items.length = this.#wheel.capacity;
  }
}
