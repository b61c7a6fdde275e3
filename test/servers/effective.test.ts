import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveMaxconn, effectiveWeight } from '#src/servers/effective.ts';

test('a warm server has sixteen times its weight, and all of its slots', () => {
  assert.equal(effectiveWeight(0, 10_000, undefined), 0);
  assert.equal(effectiveWeight(1, 10_000, undefined), 16);
  assert.equal(effectiveWeight(256, 0, 5), 4_096);
  assert.equal(effectiveMaxconn(100, 10_000, undefined), 100);
  assert.equal(effectiveMaxconn(100, 0, 5), 100);
});

test('a weight grows in sixteenths, once a second: server.c:server_recalc_eweight', () => {
  // (16 × elapsed + slowstart) / slowstart, in whole seconds, for slowstart 10s
  const sixteenths = [1, 2, 4, 5, 7, 9, 10, 12, 13, 15, 16, 16];
  for (const [second, expected] of sixteenths.entries()) {
    assert.equal(effectiveWeight(3, 10_000, second * 1_000), 3 * Math.min(16, expected), `at ${second} s`);
    assert.equal(effectiveWeight(3, 10_000, second * 1_000 + 999), 3 * Math.min(16, expected), 'seconds are whole');
  }
  assert.equal(effectiveWeight(1, 500, 0), 1, 'slowstart itself is rounded up to a second');
});

test('slots grow with time, from one on: queue.c:srv_dynamic_maxconn', () => {
  for (const [ms, slots] of [
    [0, 1],
    [999, 1],
    [1_000, 5],
    [5_999, 25],
    [9_999, 45],
    [10_000, 50],
  ] as const)
    assert.equal(effectiveMaxconn(50, 10_000, ms), slots, `at ${ms} ms`);
  assert.equal(effectiveMaxconn(0, 10_000, 5_000), 0, 'no limit stays none');
});
