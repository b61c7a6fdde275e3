import { seededRandom } from '../../test/support/virtual-clock.ts';

/** Draws from one seed: the same seed gives the same input, today and in a replay. */
export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** From 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** True once in so many. */
  onceIn(count: number): boolean {
    return this.#random() * count < 1;
  }

  one<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] ?? list[0];
  }

  /** Each text of `make` in turn, none to `most` of them. */
  many(most: number, make: () => string): string {
    let text = '';
    for (let left = this.below(most + 1); left > 0; left--) text += make();
    return text;
  }
}

/** The seed of one input of a run. */
export function seedOf(run: number, index: number): number {
  return (Math.imul(run, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) | 0;
}
