import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intervalMs, probeLimitsMs, spreadMs, startDelaysMs } from '#src/health/intervals.ts';

const intervals = { interMs: 2000, fastinterMs: 500, downinterMs: 10_000, rise: 2, fall: 3 };

// HAProxy check.c:srv_getinter
for (const [operational, health, ms, why] of [
  ['running', 4, 2000, 'in full health'],
  ['starting', 4, 2000, 'in full health while it warms up'],
  ['running', 2, 500, 'up with a failure behind it'],
  ['stopping', 3, 500, 'in NOLB with a failure behind it'],
  ['stopped', 1, 500, 'down with a success behind it'],
  ['stopped', 0, 10_000, 'down for good'],
] as const) {
  test(`a server ${why} is checked every ${ms} ms`, () => assert.equal(intervalMs(operational, health, intervals), ms));
}

// HAProxy check.c:start_checks: the k-th of n at max(its own inter, the shortest inter of at least 1 s) × k / n
for (const [inters, delays] of [
  [[], []],
  [[2000], [0]],
  [
    [2000, 2000, 2000, 2000],
    [0, 500, 1000, 1500],
  ],
  [
    [5000, 2000, 4000, 2000],
    [0, 500, 2000, 1500],
  ],
  [
    [2000, 100, 2000, 2000],
    [0, 500, 1000, 1500],
  ],
  [
    [100, 200],
    [0, 100],
  ],
] as const) {
  test(`first checks of servers with inter ${inters.join(', ')} come after ${delays.join(', ')} ms`, () => {
    assert.deepEqual(startDelaysMs(inters), delays);
  });
}

test('without timeout.check the interval is the limit of the whole check', () => {
  assert.deepEqual(probeLimitsMs(2000, { timeoutCheckMs: undefined, timeoutConnectMs: 100 }), [2000, undefined]);
});

test('with timeout.check the connection has the interval or timeout.connect, the answer timeout.check', () => {
  assert.deepEqual(probeLimitsMs(2000, { timeoutCheckMs: 9000, timeoutConnectMs: 5000 }), [2000, 9000]);
  assert.deepEqual(probeLimitsMs(2000, { timeoutCheckMs: 9000, timeoutConnectMs: 100 }), [100, 9000]);
});

// HAProxy check.c:srv_getinter with CHK_ST_FASTINTER: the fast one, but for a server that is down for good
for (const [operational, health, ms] of [
  ['running', 4, 500],
  ['running', 2, 500],
  ['stopped', 0, 10_000],
] as const) {
  test(`asked to hurry, a server that is ${operational} with health ${health} is checked after ${ms} ms`, () =>
    assert.equal(intervalMs(operational, health, intervals, true), ms));
}

test('an interval is spread evenly to both sides', () => {
  const spread = (percent: number, random: number): number => spreadMs(2000, percent, () => random);
  assert.deepEqual([spread(50, 0), spread(50, 0.5), spread(50, 1), spread(10, 0)], [3000, 2000, 1000, 2200]);
  assert.equal(
    spreadMs(2000, 0, () => assert.fail()),
    2000,
    'no number is drawn for nothing',
  );
});

test('the first checks are spread over no longer than they may be', () => {
  assert.deepEqual(startDelaysMs([5000, 5000, 60_000, 5000], 1000), [0, 250, 500, 750]);
});
