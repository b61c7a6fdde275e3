import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OptionReader } from '#src/core/options.ts';
import { RetryBudget, type RetryBudgetSettings, readRetryBudget } from '#src/pool/retry-budget.ts';

/** The same with a list of all that has ever happened. */
class NaiveBudget {
  readonly #settings: RetryBudgetSettings;
  readonly #events: { second: number; kind: 'request' | 'retry' }[] = [];

  constructor(settings: RetryBudgetSettings) {
    this.#settings = settings;
  }

  request(now: number): void {
    this.#events.push({ second: Math.floor(now / 1_000), kind: 'request' });
  }

  tryRetry(now: number): boolean {
    const second = Math.floor(now / 1_000);
    const count = (kind: string): number =>
      this.#events.filter((event) => event.kind === kind && event.second > second - 10).length;
    const { ratio, minPerSecond } = this.#settings;
    const allowed = count('retry') + 1 <= ratio * count('request') + 10 * minPerSecond + 1e-9;
    if (allowed) this.#events.push({ second, kind: 'retry' });
    return allowed;
  }
}

const settings: fc.Arbitrary<RetryBudgetSettings> = fc.record({
  ratio: fc.constantFrom(0, 0.1, 0.2, 0.29, 0.7, 1, 2.5),
  minPerSecond: fc.constantFrom(0, 0.1, 0.25, 1),
});
const steps = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.nat(500), fc.nat(12_000), fc.constantFrom(0, 1_000, 10_000, 3_600_000)),
    requests: fc.nat(8),
    retries: fc.nat(8),
  }),
  { maxLength: 60 },
);

test('it allows what a list of all requests and retries allows', () => {
  fc.assert(
    fc.property(settings, fc.nat(20_000), steps, (options, from, story) => {
      const budget = new RetryBudget(options);
      const naive = new NaiveBudget(options);
      let now = from;
      let refused = 0;
      for (const { afterMs, requests, retries } of story) {
        now += afterMs;
        for (let i = 0; i < requests; i++) {
          budget.request(now);
          naive.request(now);
        }
        for (let i = 0; i < retries; i++) {
          const allowed = naive.tryRetry(now);
          assert.equal(budget.tryRetry(now), allowed, `at ${now}`);
          if (!allowed) refused++;
        }
      }
      assert.equal(budget.refused, refused);
    }),
  );
});

/** Retries that are allowed of so many wanted. */
function allowed(budget: RetryBudget, now: number, wanted = 1_000): number {
  return Array.from({ length: wanted }, () => budget.tryRetry(now)).filter(Boolean).length;
}

test('a pool without traffic has its allowance of ten seconds at once, and then none until it is forgotten', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 10 });
  assert.equal(allowed(budget, 0), 100);
  assert.equal(allowed(budget, 9_999), 0);
  assert.equal(allowed(budget, 10_000), 100);
});

test('requests pay for a fifth of their number, for ten seconds', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 });
  for (let i = 0; i < 1_000; i++) budget.request(500);
  assert.equal(allowed(budget, 9_000, 150), 150);
  assert.equal(allowed(budget, 9_999), 50);
  assert.equal(allowed(budget, 10_000), 0);
});

test('in an outage of an hour, with every request wanting three retries, retries stay a fifth', () => {
  const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 });
  let retries = 0;
  const requests = 3_600 * 20;
  for (let i = 0; i < requests; i++) {
    budget.request(i * 50);
    retries += allowed(budget, i * 50, 3);
  }
  assert.equal(retries, requests / 5);
});

test('the option: off, or two numbers', () => {
  const readOf = (retryBudget: unknown): unknown => {
    const read = new OptionReader({ retryBudget }, '');
    const settings = readRetryBudget(read);
    return read.faults.length === 0 ? settings : read.faults.map(({ path, message }) => `${path}: ${message}`);
  };
  assert.equal(readOf(undefined), undefined);
  assert.equal(readOf(false), undefined);
  assert.deepEqual(readOf({}), { ratio: 0.2, minPerSecond: 10 });
  assert.deepEqual(readOf({ ratio: 1.5, minPerSecond: 0.5 }), { ratio: 1.5, minPerSecond: 0.5 });
  assert.deepEqual(readOf(true), ['retryBudget: true is not allowed; allowed: false, or { ratio, minPerSecond }']);
  assert.deepEqual(readOf({ ratio: 20, minPerSecond: -1, ttl: 10 }), [
    'retryBudget.ratio: 20 is not allowed; allowed: a number from 0 to 10',
    'retryBudget.minPerSecond: -1 is not allowed; allowed: a number of at least 0',
    'retryBudget.ttl: is not an option',
  ]);
});
