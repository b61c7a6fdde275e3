import type { OptionReader } from '../core/options.ts';

/** `retryBudget`: how many retries all requests of a pool may have together. */
export interface RetryBudgetOptions {
  /** Retries that each request pays for, 0..10: 0.2 is one retry for every five requests. Default: 0.2. */
  readonly ratio?: number;
  /** Retries a second that are allowed on top, for a pool with little traffic. Default: 10. */
  readonly minPerSecond?: number;
}

/** The same, read. */
export interface RetryBudgetSettings {
  readonly ratio: number;
  readonly minPerSecond: number;
}

/** Reads `retryBudget`; `undefined`: retries are not limited together. */
export function readRetryBudget(read: OptionReader): RetryBudgetSettings | undefined {
  const value = read.any('retryBudget');
  if (value === undefined || value === false) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    read.fault('retryBudget', value, 'false, or { ratio, minPerSecond }');
    return undefined;
  }
  const options = read.object('retryBudget');
  const settings = {
    ratio: options.number('ratio', { default: 0.2, max: 10 }),
    minPerSecond: options.number('minPerSecond', { default: 10 }),
  };
  options.rejectUnknown();
  return settings;
}

const SLOT_MS = 1_000;
const SLOTS = 10;

/** A sum of ratios is not exact: 0.29 × 100 is a little less than 29. */
const ROUNDING = 1e-9;

/**
 * Retries that are paid for: over the last 10 s (in slots of 1 s) never more than `ratio` for each request that came and
 * `minPerSecond` for each second. Both are forgotten with time: requests of an hour ago pay for no storm of retries now.
 * Cost: O(1), and nothing allocated. What is summed up are whole numbers, so that nothing drifts however long it runs.
 * @see Finagle `RetryBudget`, whose defaults these are: https://finagle.github.io/blog/2016/02/08/retry-budgets/
 * @see gRFC A6 "gRPC Retry Design", retry throttling: the same with a bucket that successes refill
 * @see Beyer et al., "Site Reliability Engineering", chapter 21 (per-client retry budget) and 22
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #allowance: number;
  /** Of the last seconds, each at its number modulo `SLOTS`. */
  readonly #requests = new Float64Array(SLOTS);
  readonly #retries = new Float64Array(SLOTS);
  #allRequests = 0;
  #allRetries = 0;
  /** The present second. */
  #second = 0;
  /** Retries that were not allowed. */
  refused = 0;

  constructor({ ratio, minPerSecond }: RetryBudgetSettings) {
    this.#ratio = ratio;
    this.#allowance = (minPerSecond * SLOTS * SLOT_MS) / 1_000;
  }

  /** A request came. Its retries are none. */
  request(now: number): void {
    const slot = this.#slotAt(now);
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
    this.#allRequests++;
  }

  /** Pays for a retry, if there is enough for it. */
  tryRetry(now: number): boolean {
    const slot = this.#slotAt(now);
    if (this.#ratio * this.#allRequests + this.#allowance - this.#allRetries < 1 - ROUNDING) {
      this.refused++;
      return false;
    }
    this.#retries[slot] = (this.#retries[slot] ?? 0) + 1;
    this.#allRetries++;
    return true;
  }

  /** Forgets what is too long ago. */
  #slotAt(now: number): number {
    const second = Math.floor(now / SLOT_MS);
    // What lies in all slots is forgotten after `SLOTS` steps, however long nothing happened.
    for (let next = Math.max(this.#second, second - SLOTS) + 1; next <= second; next++) {
      const slot = next % SLOTS;
      this.#allRequests -= this.#requests[slot] as number;
      this.#allRetries -= this.#retries[slot] as number;
      this.#requests[slot] = this.#retries[slot] = 0;
    }
    if (second > this.#second) this.#second = second;
    return this.#second % SLOTS;
  }
}
