const BITS = 32;

/**
 * A set of small numbers that finds the next member from any number on.
 * Cost: O(log32 n) each; nothing is allocated but at the start. A bit a number, and a 31st of that for the levels above.
 */
export class BitSet {
  readonly size: number;
  /** Level 0 has a bit a number; each bit above says whether the word below it has any. */
  readonly #levels: Int32Array[] = [];

  /** @param size members are from 0 up to, but not including, this */
  constructor(size: number) {
    this.size = size;
    for (let bits = size; ; ) {
      const words = Math.max(1, Math.ceil(bits / BITS));
      this.#levels.push(new Int32Array(words));
      if (words === 1) break;
      bits = words;
    }
  }

  has(member: number): boolean {
    return (((this.#levels[0] as Int32Array)[member >> 5] as number) & (1 << (member & 31))) !== 0;
  }

  add(member: number): void {
    let index = member;
    for (const words of this.#levels) {
      const at = index >> 5;
      const before = words[at] as number;
      words[at] = before | (1 << (index & 31));
      if (before !== 0) return;
      index = at;
    }
  }

  delete(member: number): void {
    let index = member;
    for (const words of this.#levels) {
      const at = index >> 5;
      const after = (words[at] as number) & ~(1 << (index & 31));
      words[at] = after;
      if (after !== 0) return;
      index = at;
    }
  }

  /** The least member that is not below `from`; -1 when there is none. */
  next(from: number): number {
    const levels = this.#levels;
    let index = from;
    for (let level = 0; level < levels.length; level++) {
      const words = levels[level] as Int32Array;
      const at = index >> 5;
      if (at >= words.length) return -1;
      const left = (words[at] as number) & (-1 << (index & 31));
      if (left !== 0) return this.#descend(level, (at << 5) | trailingZeros(left));
      index = at + 1;
    }
    return -1;
  }

  /** The least number below a bit of a level that is set. */
  #descend(from: number, bit: number): number {
    let index = bit;
    for (let level = from - 1; level >= 0; level--)
      index = (index << 5) | trailingZeros((this.#levels[level] as Int32Array)[index] as number);
    return index;
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}
