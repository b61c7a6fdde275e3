import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goodput, playStorm, REQUESTS_PER_SECOND, type Storm } from './retry-storm.ts';

/** Any will do: the bounds below hold for the seeds 1 to 20. */
const seed = 7;

/** Ten seconds in which all work takes four times as long. */
const trigger = { fromMs: 10_000, toMs: 20_000, factor: 4 };

const storm = (options: Partial<Storm> = {}) => playStorm({ seed, forMs: 92_000, trigger, ...options });

/** How much of the last twenty seconds' requests was answered: more than a minute after the trigger. */
const ENDS = [70, 90] as const;

test('without a retry budget a pool stays down long after what brought it down is over: a metastable failure', async () => {
  const report = await storm();
  assert.ok(goodput(report, 0, 10) > 0.98, 'before it has all it needs');
  assert.equal(goodput(report, ...ENDS), 0);
  const attempts = report.attempts.slice(...ENDS).reduce((a, b) => a + b, 0) / 20;
  assert.ok(attempts > 3.5 * REQUESTS_PER_SECOND, `${attempts} attempts a second keep it there`);
});

test('with one it recovers by itself, and retries stay what was paid for', async () => {
  const report = await storm({ retryBudget: { ratio: 0.2, minPerSecond: 10 } });
  assert.ok(goodput(report, ...ENDS) > 0.98);
  for (let second = 10; second < 80; second++) {
    const inWindow = (counts: readonly number[]): number =>
      counts.slice(second, second + 10).reduce((a, b) => a + b, 0);
    // It holds at each retry for the ten seconds before it, in which a few more requests may have come.
    assert.ok(inWindow(report.attempts) <= 1.2 * inWindow(report.requests) + 100 + 50, `from second ${second}`);
  }
});

test('it takes retries to stay down: without any, the backlog is worked off', async () => {
  assert.ok(goodput(await storm({ retries: 0 }), ...ENDS) > 0.98);
});
