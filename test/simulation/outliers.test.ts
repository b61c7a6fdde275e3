import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poisson } from './arrivals.ts';
import { constant, exponential } from './latency.ts';
import { type Behaviour, type Scenario, simulate, type World } from './simulate.ts';

/** Any will do: the bounds below hold for the seeds 1 to 20. */
const seed = 7;

const BAD_FROM = 60_000;
const BAD_TO = 180_000;
const FOR_MS = 300_000;

/** A server of which nothing is wrong. */
const well = { latency: exponential(20), failing: { share: 0.002, afterMs: 5 } };

/** Ten servers with 200 requests a second, the last of which behaves otherwise for two minutes. */
function play(behaviour: Partial<Behaviour>, outlier: Scenario['outlier'], names: readonly string[] = ['s10']) {
  const told: string[] = [];
  const each = (world: World, become: Partial<Behaviour>): void => {
    for (const name of names) world.become(name, become);
  };
  const traffic = simulate({
    seed,
    servers: Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`s${index + 1}`, well])),
    arrivals: poisson({ everyMs: 5 }),
    forMs: FOR_MS,
    ...(outlier && { outlier }),
    events: {
      0: ({ pool }) => {
        pool.on('server:ejected', ({ server, cause }) => told.push(`${server} ${cause}`));
        pool.on('server:restored', ({ server }) => told.push(`${server} restored`));
      },
      [BAD_FROM]: (world) => each(world, behaviour),
      [BAD_TO]: (world) => each(world, well),
    },
  });
  return { traffic, told };
}

test('a server that fails one request in three is ejected for most of that time, and has its share again afterwards', () => {
  const bad = { failing: { share: 1 / 3, afterMs: 5 } };
  const time = { from: BAD_FROM, to: BAD_TO };
  const without = play(bad, false).traffic.failures(time);
  const { traffic, told } = play(bad, { consecutiveErrors: 0 });
  const failures = traffic.failures(time);
  assert.ok(without > 0.03 && failures < without / 3, `${failures} of all fail, without ejection ${without}`);
  assert.equal(told[0], 's10 success-rate');
  assert.equal(told.at(-1), 's10 restored');
  assert.ok(
    told.every((line) => line.startsWith('s10')),
    told.join(),
  );
  const share = traffic.share('s10', { from: FOR_MS - 30_000 });
  assert.ok(share > 0.09 && share < 0.11, `${share}`);
});

test('one that fails always is out after five requests, and costs three at a time from then on', () => {
  const { traffic, told } = play({ failing: { share: 1, afterMs: 5 } }, {});
  const failed = traffic.of({ from: BAD_FROM, to: BAD_TO, server: 's10' });
  assert.ok(failed.length >= 5 && failed.length <= 20, `${failed.length} requests of 24,000`);
  assert.equal(told[0], 's10 consecutive-errors');
});

test('one that is ten times as slow is out after an interval, where latency is looked at', () => {
  const slow = { latency: constant(200) };
  const time = { from: BAD_FROM + 10_000, to: BAD_TO };
  const without = play(slow, {}).traffic;
  const { traffic, told } = play(slow, { latency: {} });
  assert.ok(without.percentile(95, time) >= 200);
  assert.ok(traffic.percentile(95, time) < 80, `${traffic.percentile(95, time)} ms`);
  assert.equal(told[0], 's10 latency');
  assert.equal(told.at(-1), 's10 restored');
});

test('where nothing is wrong nobody is ejected', () => {
  assert.deepEqual(play({}, { latency: {} }).told, []);
});

test('where most fail, all of them share the traffic: none is crushed, and all serve again afterwards', () => {
  const names = ['s4', 's5', 's6', 's7', 's8', 's9', 's10'];
  const most = { failing: { share: 0.9, afterMs: 5 } };
  const panicking = play(most, { maxEjected: '100%' }, names).traffic;
  const crushing = play(most, { maxEjected: '100%', panicThreshold: '0%' }, names).traffic;
  const time = { from: BAD_FROM + 20_000, to: BAD_FROM + 30_000 };
  assert.ok(panicking.share('s1', time) < 0.15, `${panicking.share('s1', time)}`);
  assert.ok(crushing.share('s1', time) > 0.25, `${crushing.share('s1', time)}`);
  for (let i = 1; i <= 10; i++) {
    const share = panicking.share(`s${i}`, { from: FOR_MS - 20_000 });
    assert.ok(share > 0.08 && share < 0.12, `s${i}: ${share}`);
  }
});
