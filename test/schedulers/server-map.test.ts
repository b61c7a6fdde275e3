import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildServerMap } from '#src/schedulers/server-map.ts';
import { TableMemory } from '#src/schedulers/table-memory.ts';
import { seededRandom } from '../support/virtual-clock.ts';

/** HAProxy's rule, read plainly: at every turn all servers' scores are looked at. */
function naiveMap(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const scores = weights.map(() => 0);
  return Array.from({ length: sum }, () => {
    let best = -1;
    let most = 0;
    for (const [index, weight] of weights.entries()) {
      if (weight === 0) continue; // not usable
      const score = ((scores[index] as number) += weight);
      const level = Math.trunc((score + sum) / sum);
      if (best !== -1 && level <= most) continue;
      best = index;
      most = level;
    }
    scores[best] = (scores[best] as number) - sum;
    return best;
  });
}

const turnsOf = (map: Uint32Array, servers: number): number[] => {
  const turns = new Array<number>(servers).fill(0);
  for (const index of map) turns[index] = (turns[index] as number) + 1;
  return turns;
};

const weight = fc.oneof(
  fc.constant(0),
  fc.constant(1),
  fc.integer({ min: 1, max: 5 }),
  fc.integer({ min: 1, max: 256 }),
);

test('any weights make the turns that the scores of HAProxy make, whatever was in the memory', () => {
  const memory = new TableMemory();
  fc.assert(
    fc.property(fc.array(weight, { minLength: 1, maxLength: 30 }), (weights) => {
      const map = buildServerMap(weights, memory);
      assert.deepEqual(Array.from(map), naiveMap(weights));
      assert.deepEqual(turnsOf(map, weights.length), weights);
    }),
    { numRuns: 300 },
  );
});

test('all pairs and triples of small weights do, too', () => {
  for (let a = 0; a <= 12; a++)
    for (let b = 0; b <= 12; b++) {
      assert.deepEqual(Array.from(buildServerMap([a, b])), naiveMap([a, b]), `${a}, ${b}`);
      for (const c of [0, 1, 2, 7])
        assert.deepEqual(Array.from(buildServerMap([a, b, c])), naiveMap([a, b, c]), `${a}, ${b}, ${c}`);
    }
});

test('equal weights take strict turns in their order', () => {
  assert.deepEqual(Array.from(buildServerMap([1, 1, 1])), [0, 1, 2]);
  assert.deepEqual(Array.from(buildServerMap([2, 2, 2])), [0, 1, 2, 0, 1, 2]);
});

test('a common factor repeats the turns, so that a hash falls on the same server with or without it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 2, max: 6 }),
      (weights, factor) => {
        const once = Array.from(buildServerMap(weights));
        const repeated = Array.from({ length: factor }, () => once).flat();
        assert.deepEqual(Array.from(buildServerMap(weights.map((each) => each * factor))), repeated);
      },
    ),
    { numRuns: 100 },
  );
});

test('without weight there are no turns, and one server has all of them', () => {
  assert.deepEqual(buildServerMap([]), new Uint32Array(0));
  assert.deepEqual(buildServerMap([0, 0]), new Uint32Array(0));
  assert.deepEqual(buildServerMap([1]), Uint32Array.of(0));
  assert.deepEqual(buildServerMap([0, 256, 0]), new Uint32Array(256).fill(1));
});

test('three hundred servers of all weights', () => {
  const random = seededRandom(21);
  const weights = Array.from({ length: 300 }, () => Math.floor(random() * 257));
  const map = buildServerMap(weights);
  assert.deepEqual(Array.from(map), naiveMap(weights));
  assert.deepEqual(turnsOf(map, weights.length), weights);
});

test('four thousand of the heaviest: each has its turns, and none waits longer than two rounds of equals', () => {
  const map = buildServerMap(new Uint16Array(4_095).fill(256));
  const last = new Int32Array(4_095).fill(-1);
  const turns = new Uint32Array(4_095);
  map.forEach((index, turn) => {
    assert.ok(turn - (last[index] as number) <= 2 * 4_095);
    last[index] = turn;
    turns[index] = (turns[index] as number) + 1;
  });
  assert.ok(turns.every((count) => count === 256));
});
