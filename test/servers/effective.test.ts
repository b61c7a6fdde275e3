import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveMaxconn, effectiveWeight, type SlotLimits } from '#src/servers/effective.ts';

const IDLE = { current: 0, fullconn: 0 };

function fixed(maxconn: number): SlotLimits {
  return { maxconn, minconn: maxconn };
}

test('a warm server has sixteen times its weight, and all of its slots', () => {
  assert.equal(effectiveWeight(0, 10_000, undefined), 0);
  assert.equal(effectiveWeight(1, 10_000, undefined), 16);
  assert.equal(effectiveWeight(256, 0, 5), 4_096);
  assert.equal(effectiveMaxconn(fixed(100), IDLE, 10_000, undefined), 100);
  assert.equal(effectiveMaxconn(fixed(100), IDLE, 0, 5), 100);
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
    assert.equal(effectiveMaxconn(fixed(50), IDLE, 10_000, ms), slots, `at ${ms} ms`);
  assert.equal(effectiveMaxconn(fixed(0), IDLE, 10_000, 5_000), 0, 'no limit stays none');
});

test('slots grow with the load of the pool, from minconn to maxconn at fullconn: queue.c:srv_dynamic_maxconn', () => {
  const limits = { minconn: 10, maxconn: 100 };
  for (const [current, slots] of [
    [0, 10],
    [20, 10],
    [21, 10],
    [50, 25],
    [199, 99],
    [200, 100],
    [5_000, 100],
  ] as const)
    assert.equal(effectiveMaxconn(limits, { current, fullconn: 200 }, 0, undefined), slots, `${current} in the pool`);
  assert.equal(effectiveMaxconn(limits, { current: 100, fullconn: 200 }, 10_000, 5_000), 25, 'and warms up');
  assert.equal(effectiveMaxconn(limits, { current: 0, fullconn: 200 }, 10_000, 0), 1);
});
