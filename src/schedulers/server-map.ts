import { TableMemory } from './table-memory.ts';

/**
 * Who has which turn, in rounds as long as the sum of weights: index of a server by turn. Each server has as many turns as its
 * weight, spread evenly. At each turn HAProxy adds its weight to every server's score and takes the first with the greatest
 * `(score + sum) / sum`, a whole number, which then pays the sum. That number grows by one at turns that are known in advance
 * and falls by one when a server is taken, so it is enough to look at who changes: O(sum of weights) in all, where the scores
 * themselves would take O(sum × servers).
 * @param weights by index; 0 takes no turn
 * @see HAProxy lb_map.c:recalc_server_map
 */
export function buildServerMap(weights: ArrayLike<number>, memory: TableMemory = new TableMemory()): Uint32Array {
  const count = weights.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += weights[i] as number;
  const map = memory.table(sum);
  const levels = new Levels(count);
  /** Per turn, a chain of the servers that rise by a level before it. */
  const rising = memory.scratch(sum).fill(-1);
  const behind = new Int32Array(count);
  const risen = new Int32Array(count);
  for (let i = 0; i < count; i++) if (weights[i] !== 0) rise(i);
  for (let turn = 0; turn < sum; turn++) {
    for (let index = rising[turn] as number; index !== -1; ) {
      const following = behind[index] as number;
      rise(index);
      index = following;
    }
    map[turn] = levels.takeFirst();
  }
  return map;

  /** Lifts a server now, and says when it rises again. */
  function rise(index: number): void {
    levels.rise(index);
    const steps = (risen[index] as number) + 1;
    const turn = Math.ceil((sum * steps) / (weights[index] as number)) - 1;
    if (turn >= sum) return;
    risen[index] = steps;
    behind[index] = rising[turn] as number;
    rising[turn] = index;
  }
}

/** Servers by level: bits by index for each level, and above them a bit for each word that has any. */
class Levels {
  readonly #words: number;
  readonly #upperWords: number;
  readonly #level: Uint8Array;
  /** Of all levels, one behind another; level 0, whose servers have no turn, is not kept. */
  #bits: Int32Array;
  #upper: Int32Array;
  #counts: Int32Array;

  constructor(count: number) {
    this.#words = (count + 31) >> 5;
    this.#upperWords = (this.#words + 31) >> 5;
    this.#level = new Uint8Array(count);
    this.#bits = new Int32Array(2 * this.#words);
    this.#upper = new Int32Array(2 * this.#upperWords);
    this.#counts = new Int32Array(2);
  }

  rise(index: number): void {
    const level = this.#level[index] as number;
    this.#level[index] = level + 1;
    if (level > 0) this.#clear(level - 1, index);
    if (level === this.#counts.length) this.#addLevel();
    this.#set(level, index);
  }

  /** The first server of the highest level, which falls by one. */
  takeFirst(): number {
    let level = this.#counts.length;
    // The scores add up to the sum of weights, so one of them is above 0.
    do level--;
    while (level > 0 && this.#counts[level] === 0);
    let upper = level * this.#upperWords;
    while (this.#upper[upper] === 0) upper++;
    const word = ((upper - level * this.#upperWords) << 5) | lowestBit(this.#upper[upper] as number);
    const index = (word << 5) | lowestBit(this.#bits[level * this.#words + word] as number);
    this.#clear(level, index);
    this.#level[index] = level;
    if (level > 0) this.#set(level - 1, index);
    return index;
  }

  #set(level: number, index: number): void {
    const word = index >> 5;
    const at = level * this.#words + word;
    this.#bits[at] = (this.#bits[at] as number) | (1 << (index & 31));
    const upper = level * this.#upperWords + (word >> 5);
    this.#upper[upper] = (this.#upper[upper] as number) | (1 << (word & 31));
    this.#counts[level] = (this.#counts[level] as number) + 1;
  }

  #clear(level: number, index: number): void {
    const word = index >> 5;
    const at = level * this.#words + word;
    const left = (this.#bits[at] as number) & ~(1 << (index & 31));
    this.#bits[at] = left;
    this.#counts[level] = (this.#counts[level] as number) - 1;
    if (left !== 0) return;
    const upper = level * this.#upperWords + (word >> 5);
    this.#upper[upper] = (this.#upper[upper] as number) & ~(1 << (word & 31));
  }

  #addLevel(): void {
    const levels = this.#counts.length + 1;
    const grown = (old: Int32Array, size: number): Int32Array => {
      const fresh = new Int32Array(levels * size);
      fresh.set(old);
      return fresh;
    };
    this.#bits = grown(this.#bits, this.#words);
    this.#upper = grown(this.#upper, this.#upperWords);
    this.#counts = grown(this.#counts, 1);
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
