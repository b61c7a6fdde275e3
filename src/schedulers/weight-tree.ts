/**
 * Weights in numbered slots, and which slot a point in their running sum falls into: a Fenwick tree.
 * Cost: O(log n) a change and a look-up; nothing is allocated but when it grows.
 * @see Fenwick, "A New Data Structure for Cumulative Frequency Tables", Software: Practice and Experience 24(3), 1994
 */
export class WeightTree {
  #weights = new Float64Array(0);
  /** 1-based: `#sums[i]` is the sum of the `i & -i` weights that end with slot `i - 1`. */
  #sums = new Float64Array(1);
  #total = 0;

  /** The sum of all weights. */
  get total(): number {
    return this.#total;
  }

  /** 0 for a slot never set. */
  weightOf(slot: number): number {
    return this.#weights[slot] ?? 0;
  }

  /** @param weight an integer of at least 0 */
  set(slot: number, weight: number): void {
    if (slot >= this.#weights.length) this.#grow(slot + 1);
    const change = weight - this.weightOf(slot);
    if (change === 0) return;
    this.#weights[slot] = weight;
    this.#total += change;
    const sums = this.#sums;
    for (let i = slot + 1; i < sums.length; i += i & -i) sums[i] = (sums[i] ?? 0) + change;
  }

  /**
   * The slot that covers `point`: slots lie side by side in their order, each as wide as its weight.
   * @param point from 0 up to, but not including, `total`
   */
  find(point: number): number {
    const sums = this.#sums;
    let slot = 0;
    let rest = point;
    for (let step = this.#weights.length; step > 0; step >>= 1) {
      const sum = sums[slot + step];
      if (sum !== undefined && sum <= rest) {
        slot += step;
        rest -= sum;
      }
    }
    return slot;
  }

  #grow(slots: number): void {
    let capacity = Math.max(this.#weights.length, 8);
    while (capacity < slots) capacity *= 2;
    const weights = new Float64Array(capacity);
    weights.set(this.#weights);
    const sums = new Float64Array(capacity + 1);
    for (let i = 1; i <= capacity; i++) {
      sums[i] = (sums[i] ?? 0) + (weights[i - 1] ?? 0);
      const parent = i + (i & -i);
      if (parent <= capacity) sums[parent] = (sums[parent] ?? 0) + (sums[i] ?? 0);
    }
    this.#weights = weights;
    this.#sums = sums;
  }
}
