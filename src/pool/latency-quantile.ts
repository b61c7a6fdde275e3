const HALF_MS = 30_000;

/** Shorter times count as this, and longer ones as the longest. */
const SHORTEST_MS = 0.1;
const LONGEST_MS = 3_600_000;

/** How far a quantile may be off, of itself. */
export const RELATIVE_ERROR = 0.02;

/** Each bucket reaches up to so many times the one before it. */
const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GROWTH = Math.log(GROWTH);
const BUCKETS = Math.ceil(Math.log(LONGEST_MS / SHORTEST_MS) / LOG_GROWTH) + 1;

/**
 * Quantiles of times over the last 30 to 60 s: two histograms, one that is being filled and the one before it, whose buckets
 * grow by 4 %. Cost: O(1) an observation, O(buckets) a quantile; 3.5 KiB, however much is observed.
 * @see Masson, Rim, Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB 12(12), 2019
 */
export class LatencyQuantile {
  #filling = new Uint32Array(BUCKETS);
  #before = new Uint32Array(BUCKETS);
  #filled = 0;
  #filledBefore = 0;
  /** When the present half began. */
  #beganAt = 0;

  observe(ms: number, now: number): void {
    this.#forget(now);
    const bucket = bucketOf(ms);
    this.#filling[bucket] = (this.#filling[bucket] ?? 0) + 1;
    this.#filled++;
  }

  /** Observations that are remembered. */
  count(now: number): number {
    this.#forget(now);
    return this.#filled + this.#filledBefore;
  }

  /**
   * The time that this share of all did not exceed, to `RELATIVE_ERROR`; `undefined` without observations.
   * @param share above 0, up to 1
   */
  quantile(share: number, now: number): number | undefined {
    const count = this.count(now);
    if (count === 0) return undefined;
    let left = Math.max(1, Math.ceil(share * count));
    let bucket = -1;
    while (left > 0) {
      bucket++;
      left -= (this.#filling[bucket] ?? 0) + (this.#before[bucket] ?? 0);
    }
    return bucket === 0 ? SHORTEST_MS : (SHORTEST_MS * 2 * GROWTH ** bucket) / (GROWTH + 1);
  }

  #forget(now: number): void {
    const age = now - this.#beganAt;
    if (age < HALF_MS) return;
    [this.#filling, this.#before] = [this.#before, this.#filling];
    this.#filledBefore = this.#filled;
    this.#filled = 0;
    this.#filling.fill(0);
    if (age >= 2 * HALF_MS) {
      this.#before.fill(0);
      this.#filledBefore = 0;
    }
    this.#beganAt = now - (age % HALF_MS);
  }
}

/** Bucket 0 holds what is at most `SHORTEST_MS`, bucket n what is at most `GROWTH` ** n times that. */
function bucketOf(ms: number): number {
  if (!(ms > SHORTEST_MS)) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / SHORTEST_MS) / LOG_GROWTH));
}
