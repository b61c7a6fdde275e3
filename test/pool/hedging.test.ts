import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OptionReader } from '#src/core/options.ts';
import { HedgeBudget, Hedging, readHedge } from '#src/pool/hedging.ts';

test('hedges are never more than their share of the requests so far, and all of it is used', () => {
  fc.assert(
    fc.property(fc.constantFrom(0, 0.01, 0.05, 0.3, 1), fc.array(fc.boolean(), { maxLength: 500 }), (share, story) => {
      const budget = new HedgeBudget(share);
      let [requests, hedges] = [0, 0];
      for (const wanted of story) {
        budget.request();
        requests++;
        const allowed = budget.suffices;
        assert.equal(allowed && hedges + 1 > share * requests + 1e-6, false);
        if (!allowed && requests < 10 / share) assert.ok(hedges + 1 > share * requests - 1e-6);
        if (!wanted || !allowed) continue;
        budget.spend();
        hedges++;
      }
    }),
  );
});

test('a quiet hour pays for ten hedges, not for an hour of them', () => {
  const budget = new HedgeBudget(0.05);
  for (let i = 0; i < 100_000; i++) budget.request();
  let hedges = 0;
  for (; budget.suffices; hedges++) budget.spend();
  assert.equal(hedges, 10);
});

test('a quantile is known once a hundred responses are, and is forgotten with them', () => {
  const hedging = new Hedging({ after: { percent: 90 }, max: 1, budget: 0.05 });
  for (let ms = 1; ms < 100; ms++) hedging.observed(ms, 0);
  assert.equal(hedging.delayMs(0), undefined);
  hedging.observed(100, 0);
  assert.ok(Math.abs((hedging.delayMs(0) ?? 0) - 90) <= 1.8);
  for (let i = 0; i < 900; i++) hedging.observed(500, 10);
  assert.ok((hedging.delayMs(249) ?? 0) < 92, 'it is worked out four times a second');
  assert.ok((hedging.delayMs(250) ?? 0) > 490);
  assert.equal(hedging.delayMs(60_000), undefined);
});

test('a time is a time', () => {
  assert.equal(new Hedging({ after: { ms: 40 }, max: 1, budget: 0.05 }).delayMs(0), 40);
});

test('the option: off, or when, how many and how often', () => {
  const readOf = (hedge: unknown): unknown => {
    const read = new OptionReader({ hedge }, '');
    const settings = readHedge(read);
    return read.faults.length === 0 ? settings : read.faults.map(({ path, message }) => `${path}: ${message}`);
  };
  assert.equal(readOf(undefined), undefined);
  assert.equal(readOf(false), undefined);
  assert.deepEqual(readOf({}), { after: { percent: 95 }, max: 1, budget: 0.05 });
  assert.deepEqual(readOf({ after: 'p99.9', max: 2, budget: 1 }), { after: { percent: 99.9 }, max: 2, budget: 1 });
  assert.deepEqual(readOf({ after: '30ms' }), { after: { ms: 30 }, max: 1, budget: 0.05 });
  assert.deepEqual(readOf('p95'), ['hedge: "p95" is not allowed; allowed: false, or { after, max, budget }']);
  for (const after of ['p49', 'p100', 'p9', 'p99.99', '95%', 0, -1, 'infinite', Number.NaN, null, []])
    assert.match(
      String(readOf({ after })),
      /^hedge\.after: .* is not allowed; allowed: 'p50' to 'p99\.9', or a duration/,
    );
  assert.deepEqual(readOf({ max: 0, budget: 2, percentile: 95 }), [
    'hedge.max: 0 is not allowed; allowed: an integer from 1 to 4',
    'hedge.budget: 2 is not allowed; allowed: a number from 0 to 1',
    'hedge.percentile: is not an option',
  ]);
});
