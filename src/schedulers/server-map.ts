import { BitSet } from './bit-set.ts';

/**
 * Who has which turn, in rounds as long as the sum of weights: index of a server by turn. Each server has as many turns as its
 * weight, spread evenly. At each turn HAProxy adds its weight to every server's score and takes the first with the greatest
 * `(score + sum) / sum`, a whole number, which then pays the sum. That number grows by one at turns that are known in advance
 * and falls by one when a server is taken, so it is enough to look at who changes: O(sum of weights) in all, where the scores
 * themselves would take O(sum × servers).
 * @param weights by index; 0 takes no turn
 * @see HAProxy lb_map.c:recalc_server_map
 */
export function buildServerMap(weights: ArrayLike<number>): Uint32Array {
  const count = weights.length;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += weights[i] as number;
  const map = new Uint32Array(sum);
  if (sum === 0) return map;
  const levels = new Levels(count);
  /** Per turn, a chain of the servers that rise by a level before it. */
  const rising = new Int32Array(sum).fill(-1);
  const behind = new Int32Array(count);
  const risen = new Int32Array(count);
  const riseNext = (index: number): void => {
    const steps = (risen[index] as number) + 1;
    const turn = Math.ceil((sum * steps) / (weights[index] as number)) - 1;
    if (turn >= sum) return;
    risen[index] = steps;
    behind[index] = rising[turn] as number;
    rising[turn] = index;
  };
  for (let i = 0; i < count; i++) {
    if (weights[i] === 0) continue;
    levels.rise(i);
    riseNext(i);
  }
  for (let turn = 0; turn < sum; turn++) {
    for (let index = rising[turn] as number; index !== -1; ) {
      const following = behind[index] as number;
      levels.rise(index);
      riseNext(index);
      index = following;
    }
    const taken = levels.firstOfHighest();
    map[turn] = taken;
    levels.fall(taken);
  }
  return map;
}

/** Servers by level, and the first of the highest. */
class Levels {
  readonly #count: number;
  readonly #level: Int32Array;
  /** Above level 0, whose servers have no turn. */
  readonly #members: BitSet[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#level = new Int32Array(count);
  }

  rise(index: number): void {
    this.#move(index, 1);
  }

  fall(index: number): void {
    this.#move(index, -1);
  }

  firstOfHighest(): number {
    for (let level = this.#members.length; level > 0; level--) {
      const first = (this.#members[level - 1] as BitSet).next(0);
      if (first !== -1) return first;
    }
    return 0; // the scores add up to the sum of weights, so one of them is above 0
  }

  #move(index: number, step: 1 | -1): void {
    const level = this.#level[index] as number;
    if (level > 0) this.#members[level - 1]?.delete(index);
    const next = level + step;
    this.#level[index] = next;
    if (next <= 0) return;
    while (this.#members.length < next) this.#members.push(new BitSet(this.#count));
    (this.#members[next - 1] as BitSet).add(index);
  }
}
