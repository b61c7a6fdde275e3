import assert from 'node:assert/strict';
import { test } from 'node:test';
import { playHedged } from './slow-now-and-then.ts';

/** Any will do: the bounds below hold for the seeds 1 to 20. */
const seed = 7;

test('one request in twenty hedged takes a third off the 99th percentile, and leaves the median', () => {
  const alone = playHedged({ seed, forMs: 120_000, hedge: undefined });
  const hedged = playHedged({ seed, forMs: 120_000, hedge: { after: { percent: 95 }, max: 1, budget: 0.05 } });
  assert.ok(hedged.hedges > 0.03 * hedged.requests && hedged.hedges <= 0.05 * hedged.requests);
  assert.ok(hedged.hedgesWon > 0.5 * hedged.hedges, `${hedged.hedgesWon} of ${hedged.hedges}`);
  for (const [percent, share] of [
    [50, 1.1],
    [99, 0.75],
    [99.9, 0.9],
  ] as const) {
    const [before, after] = [alone.percentile(percent), hedged.percentile(percent)];
    assert.ok(after <= share * before, `p${percent}: ${after} ms of ${before}`);
  }
});
