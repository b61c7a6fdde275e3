import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { GroupView, makeScheduler } from '../support/scheduler-group.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function makeGroup(draws: number, servers: readonly Server[], random?: () => number): Scheduler {
  const clock = new VirtualClock({ seed: 5 });
  const environment = random === undefined ? clock : { now: () => 0, setTimer: clock.setTimer.bind(clock), random };
  const group = makeScheduler({ balance: { algorithm: 'random', draws } }, new GroupView(), environment);
  for (const server of servers) group.add(server);
  return group;
}

function sharesOf(group: Scheduler, servers: readonly Server[], picks = 60_000, avoid?: Server): number[] {
  const counts = new Map<unknown, number>();
  for (let i = 0; i < picks; i++) {
    const server = group.pick({}, avoid);
    counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  return servers.map((server) => (counts.get(server) ?? 0) / picks);
}

/** Four standard deviations of a share of 60,000 are at most 0.0082. */
function assertShares(actual: readonly number[], expected: readonly number[]): void {
  for (const [index, share] of expected.entries())
    assert.ok(Math.abs((actual[index] ?? 0) - share) < 0.009, `${actual} instead of ${expected}`);
}

describe('shares', () => {
  const servers = [1, 2, 3, 14].map((weight, index) => makeServer(index + 1, { weight }));

  for (const draws of [1, 2, 16])
    test(`idle servers are chosen in proportion to weight by ${draws} draws`, () => {
      assertShares(sharesOf(makeGroup(draws, servers), servers), [0.05, 0.1, 0.15, 0.7]);
    });

  test('a full server and the one to avoid leave their shares to the others', () => {
    const [first, second, third, heavy] = servers.map((server) => makeServer(server.id, { weight: server.weight }));
    assert.ok(first && second && third && heavy);
    const all = [first, second, third, heavy];
    const group = makeGroup(1, all);
    assertShares(sharesOf(group, all, 60_000, heavy), [1 / 6, 2 / 6, 3 / 6, 0]);
    heavy.maxconn = 1;
    heavy.active = 1;
    assertShares(sharesOf(group, all), [1 / 6, 2 / 6, 3 / 6, 0]); // not told
    group.took?.(heavy);
    assertShares(sharesOf(group, all), [1 / 6, 2 / 6, 3 / 6, 0]);
    heavy.active = 0;
    group.freed?.(heavy);
    assertShares(sharesOf(group, all), [0.05, 0.1, 0.15, 0.7]);
  });

  test('a new weight counts at once', () => {
    const [first, second] = [makeServer(1), makeServer(2)];
    const group = makeGroup(1, [first, second]);
    assertShares(sharesOf(group, [first, second]), [0.5, 0.5]);
    first.weight = 3;
    first.recalculate(0);
    group.reweigh(first);
    assertShares(sharesOf(group, [first, second]), [0.75, 0.25]);
  });
});

describe('the least loaded of those drawn', () => {
  /** Draws what it is told to: a point in [0, 1) for each draw. */
  const scripted = (points: readonly number[]): (() => number) => {
    let next = 0;
    return () => points[next++ % points.length] ?? 0;
  };

  test('wins, by active requests over weight', () => {
    const servers = [makeServer(1, { weight: 1 }), makeServer(2, { weight: 3 })];
    const [light, heavy] = servers;
    assert.ok(light && heavy);
    const group = makeGroup(2, servers, scripted([0, 0.9]));
    [light.active, heavy.active] = [1, 2];
    assert.equal(group.pick({}, undefined), heavy);
    [light.active, heavy.active] = [1, 4];
    assert.equal(group.pick({}, undefined), light);
  });

  test('is the first drawn on a tie', () => {
    const servers = [makeServer(1, { weight: 1 }), makeServer(2, { weight: 3 })];
    const [light, heavy] = servers;
    assert.ok(light && heavy);
    [light.active, heavy.active] = [1, 3];
    assert.equal(makeGroup(2, servers, scripted([0, 0.9])).pick({}, undefined), light);
    assert.equal(makeGroup(2, servers, scripted([0.9, 0])).pick({}, undefined), heavy);
  });

  test('two draws keep the load far more even than one', () => {
    const busiest = (draws: number): number => {
      const servers = Array.from({ length: 1_000 }, (_, index) => makeServer(index + 1));
      const group = makeGroup(draws, servers);
      const byServer = new Map<unknown, Server>(servers.map((server) => [server, server]));
      for (let i = 0; i < 1_000; i++) {
        const server = byServer.get(group.pick({}, undefined));
        assert.ok(server);
        server.active++;
        group.took?.(server);
      }
      return Math.max(...servers.map((server) => server.active));
    };
    // Mitzenmacher: about ln n / ln ln n = 3.6 and more with one draw, ln ln n / ln 2 + O(1) = 2.8 with two.
    assert.ok(busiest(1) >= 5);
    assert.ok(busiest(2) <= 4);
  });
});
