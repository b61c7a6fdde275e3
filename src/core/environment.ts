/** A running timer. */
export interface Timer {
  /** Stops the timer. A second call does nothing. */
  cancel(): void;
}

/**
 * The two sources of chance, time and random numbers, and nothing else. A pool never reads a clock or draws a number
 * but through its environment, so a whole pool can run on a virtual clock with a seeded generator.
 */
export interface Environment {
  /** Milliseconds on a clock that never goes back; its zero means nothing. */
  now(): number;
  /** Milliseconds since 1970, for dates that others read, as in cookies. Default: the system's clock. */
  unixMs?(): number;
  /** A number in [0, 1). */
  random(): number;
  /**
   * Calls back once after `ms` milliseconds. A wait longer than a timer can be set for, `Infinity` too, ends early: after 24.8
   * days on Node's.
   * @param holdsProcess `true` keeps the process alive while the timer runs. Default: `false`.
   */
  setTimer(callback: () => void, ms: number, holdsProcess?: boolean): Timer;
}

/** Node's `setTimeout` fires at once for a longer delay; longer waits are cut to this (24.8 days). */
const LONGEST_TIMER_MS = 2_147_483_647;

/** The system's clock and its random numbers. */
export const systemEnvironment: Environment = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  random: () => Math.random(),
  setTimer(callback, ms, holdsProcess = false) {
    const timeout = setTimeout(callback, Math.min(ms, LONGEST_TIMER_MS));
    if (!holdsProcess) timeout.unref();
    return new SystemTimer(timeout);
  },
};

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout;
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

/** Whole seconds since 1970. */
export function unixSeconds(environment: Environment): number {
  return Math.floor((environment.unixMs?.() ?? Date.now()) / 1000);
}
