import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WeightTree } from '#src/schedulers/weight-tree.ts';

/** The slot that covers a point, by walking along all of them. */
function naiveFind(weights: readonly number[], point: number): number {
  let end = 0;
  return weights.findIndex((weight) => {
    end += weight;
    return point < end;
  });
}

test('every point falls into the slot that a walk over the weights finds', () => {
  const changes = fc.array(fc.record({ slot: fc.nat(40), weight: fc.oneof(fc.constant(0), fc.nat(4096)) }), {
    maxLength: 120,
  });
  fc.assert(
    fc.property(changes, fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (steps, points) => {
      const tree = new WeightTree();
      const weights: number[] = new Array(41).fill(0);
      for (const { slot, weight } of steps) {
        tree.set(slot, weight);
        weights[slot] = weight;
        assert.equal(tree.weightOf(slot), weight);
        assert.equal(
          tree.total,
          weights.reduce((sum, each) => sum + each, 0),
        );
        if (tree.total === 0) continue;
        for (const part of [0, ...points]) {
          const point = Math.floor(part * tree.total);
          assert.equal(tree.find(point), naiveFind(weights, point));
        }
        assert.equal(tree.find(tree.total - 1), naiveFind(weights, tree.total - 1));
      }
    }),
    { numRuns: 200 },
  );
});

test('4,095 heaviest servers are reckoned with exactly', () => {
  const tree = new WeightTree();
  for (let slot = 0; slot < 4095; slot++) tree.set(slot, 4096);
  assert.equal(tree.total, 4095 * 4096);
  for (const slot of [0, 1, 2047, 2048, 4094]) {
    assert.equal(tree.find(slot * 4096), slot);
    assert.equal(tree.find(slot * 4096 + 4095), slot);
  }
});

test('a slot never set weighs nothing', () => {
  assert.equal(new WeightTree().weightOf(7), 0);
});
