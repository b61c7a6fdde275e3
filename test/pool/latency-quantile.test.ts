import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyQuantile, RELATIVE_ERROR } from '#src/pool/latency-quantile.ts';

/** All times that ever were, and which of them are of the present half of a minute and the one before. */
class NaiveQuantile {
  readonly #seen: { ms: number; half: number }[] = [];

  observe(ms: number, now: number): void {
    this.#seen.push({ ms, half: Math.floor(now / 30_000) });
  }

  remembered(now: number): number[] {
    return this.#seen.filter(({ half }) => half >= Math.floor(now / 30_000) - 1).map(({ ms }) => ms);
  }

  quantile(share: number, now: number): number | undefined {
    const sorted = this.remembered(now).sort((a, b) => a - b);
    return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1];
  }
}

const times = fc.oneof(
  fc.double({ min: 0.1, max: 20, noNaN: true }),
  fc.double({ min: 1, max: 3_600_000, noNaN: true }),
  fc.constantFrom(0.1, 1, 100, 60_000, 3_600_000),
);
const steps = fc.array(
  fc.record({
    afterMs: fc.oneof({ weight: 5, arbitrary: fc.nat(3_000) }, { weight: 1, arbitrary: fc.nat(100_000) }),
    observed: fc.array(times, { maxLength: 20 }),
    share: fc.constantFrom(0.5, 0.9, 0.95, 0.99, 0.999, 1),
  }),
  { maxLength: 40 },
);

test('a quantile is that of a sorted list, to two percent', () => {
  fc.assert(
    fc.property(steps, (story) => {
      const quantile = new LatencyQuantile();
      const naive = new NaiveQuantile();
      let now = 0;
      for (const { afterMs, observed, share } of story) {
        now += afterMs;
        for (const ms of observed) {
          quantile.observe(ms, now);
          naive.observe(ms, now);
        }
        assert.equal(quantile.count(now), naive.remembered(now).length);
        const exact = naive.quantile(share, now);
        const estimate = quantile.quantile(share, now);
        if (exact === undefined || estimate === undefined) assert.equal(estimate, exact);
        else assert.ok(Math.abs(estimate / exact - 1) <= RELATIVE_ERROR + 1e-9, `${estimate} for ${exact}`);
      }
    }),
  );
});

test('what is no time, too short or too long counts as the shortest or the longest', () => {
  for (const [ms, least, most] of [
    [0, 0.1, 0.1],
    [-5, 0.1, 0.1],
    [Number.NaN, 0.1, 0.1],
    [Number.POSITIVE_INFINITY, 3_500_000, 4_000_000],
  ] as const) {
    const quantile = new LatencyQuantile();
    quantile.observe(ms, 0);
    const found = quantile.quantile(0.5, 0) ?? 0;
    assert.ok(found >= least && found <= most, `${found} for ${ms}`);
  }
});

test('after a minute of silence nothing is known', () => {
  const quantile = new LatencyQuantile();
  quantile.observe(10, 1_000);
  assert.equal(quantile.count(59_999), 1);
  assert.equal(quantile.count(60_000), 0);
  assert.equal(quantile.quantile(0.5, 60_000), undefined);
});
