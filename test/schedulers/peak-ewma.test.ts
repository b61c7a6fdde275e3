import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { SchedulerGroup } from '../support/scheduler-group.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** Servers that answer as they are told to, on the virtual clock. */
class Site {
  readonly clock = new VirtualClock({ seed: 41 });
  readonly group: SchedulerGroup;
  readonly servers: Server[];
  readonly #answerMs = new Map<Server, number>();
  readonly #failing = new Set<Server>();

  constructor(weights: readonly number[], decay = '10s') {
    this.group = new SchedulerGroup({ balance: { algorithm: 'peak-ewma', decay } }, { environment: this.clock });
    this.servers = weights.map((weight, index) => makeServer(index + 1, { weight }));
    this.group.add(...this.servers);
  }

  server(index: number): Server {
    return this.servers[index] as Server;
  }

  answersIn(ms: number, ...servers: Server[]): void {
    for (const server of servers) this.#answerMs.set(server, ms);
  }

  fails(server: Server, does: boolean): void {
    if (does) this.#failing.add(server);
    else this.#failing.delete(server);
  }

  /** Sends requests at this interval. @returns the share of each server */
  send(requests: number, everyMs: number): number[] {
    const counts = new Map(this.servers.map((server) => [server, 0]));
    for (let i = 0; i < requests; i++) {
      const server = this.group.pick();
      assert.ok(server);
      counts.set(server, (counts.get(server) ?? 0) + 1);
      this.group.take(server);
      const ms = this.#failing.has(server) ? 1 : (this.#answerMs.get(server) ?? 10);
      this.clock.setTimer(() => {
        this.group.free(server);
        this.group.scheduler.observed?.(server, ms, !this.#failing.has(server));
      }, ms);
      this.clock.advance(everyMs);
    }
    return this.servers.map((server) => (counts.get(server) ?? 0) / requests);
  }

  /** Shares of requests that take no time. */
  sharesAtRest(picks = 4_000): number[] {
    const picked = Array.from({ length: picks }, () => this.group.pick());
    return this.servers.map((server) => picked.filter((each) => each === server).length / picks);
  }
}

const near = (actual: number | undefined, expected: number, by: number, what = 'share'): void =>
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= by, `${what} ${actual} instead of ${expected}`);

test('weights share the traffic of idle servers that are not known yet, and of those that answer alike', () => {
  const site = new Site([1, 2, 3, 14]);
  for (let i = 0; i < 2; i++) {
    site.sharesAtRest(20_000).forEach((share, index) => {
      near(share, site.server(index).weight / 20, 0.015); // four deviations
    });
    for (const server of site.servers) site.group.scheduler.observed?.(server, 10, true);
  }
});

test('weights share the traffic of busy servers, too', () => {
  const site = new Site([1, 2, 5]);
  site.answersIn(50, ...site.servers);
  site.send(3_000, 1).forEach((share, index) => {
    near(share, site.server(index).weight / 8, 0.04);
  });
});

test('the faster server is preferred, and a slow one gets little', () => {
  const site = new Site([1, 1, 1, 1, 1]);
  site.answersIn(10, ...site.servers);
  const [slow, fast] = [site.server(0), site.server(1)];
  site.answersIn(200, slow);
  site.answersIn(2, fast);
  site.send(1_000, 5);
  const shares = site.send(4_000, 5);
  assert.ok((shares[0] ?? 1) < 0.08, `${shares}`);
  assert.ok((shares[1] ?? 0) > 0.3, `${shares}`); // 2/5 at most: it has to be drawn
});

test('one slow answer counts at once, and quick ones take it back little by little', () => {
  const site = new Site([1, 1], '1s');
  const [a, b] = [site.server(0), site.server(1)];
  const observe = (server: Server, ms: number): void => site.group.scheduler.observed?.(server, ms, true);
  for (let i = 0; i < 50; i++) for (const server of [a, b]) observe(server, 10);
  observe(a, 500);
  assert.equal(site.sharesAtRest()[0], 0);
  // As good as b with nine requests, which 90 ms are: after ln(490 / 90), or 1.7, times `decay`.
  for (let i = 0; i < 9; i++) site.group.take(b);
  for (const [ms, share] of [
    [1_500, 0],
    [400, 1],
  ] as const) {
    for (let waited = 0; waited < ms; waited += 100) {
      site.clock.advance(100);
      for (const server of [a, b]) observe(server, 10);
    }
    assert.equal(site.sharesAtRest()[0], share);
  }
});

describe('a failure', () => {
  for (const failures of [400, 8_000])
    test(`pushes traffic away, though it is quicker than any answer, and is got over: of ${failures}`, () => {
      const site = new Site([1, 1, 1, 1], '1s');
      const failing = site.server(2);
      for (const share of site.send(1_000, 1)) near(share, 0.25, 0.06);
      site.fails(failing, true);
      const shares = site.send(failures, 1);
      assert.ok((shares[2] ?? 1) < 0.1, `${shares}`);
      site.fails(failing, false);
      site.send(10_000, 1); // ten times `decay`
      near(site.send(2_000, 1)[2], 0.25, 0.06);
    });

  test('after failure does not make a server the best one, however long nobody looked', () => {
    const site = new Site([1, 1], '1s');
    for (const server of site.servers) site.group.scheduler.observed?.(server, 10, true);
    for (let i = 0; i < 2_000; i++) site.group.scheduler.observed?.(site.server(0), 1, false);
    site.clock.advance(3_600_000);
    near(site.sharesAtRest()[0], 0.5, 0.03);
    site.group.scheduler.observed?.(site.server(0), 10, true);
    near(site.sharesAtRest()[0], 0.5, 0.03);
  });

  test('of all servers is got over: the faster one is found again', () => {
    const site = new Site([1, 1, 1, 1], '1s');
    for (const server of site.servers) site.fails(server, true);
    site.send(8_000, 1);
    for (const server of site.servers) site.fails(server, false);
    site.answersIn(50, site.server(0));
    site.send(10_000, 1); // ten times `decay`
    assert.ok((site.send(2_000, 1)[0] ?? 1) < 0.15);
  });

  for (const [decay, ms] of [
    ['1s', 1_000],
    ['60s', 60_000],
  ] as const)
    test(`is forgotten after some times ${decay}, without a request to show that it is over`, () => {
      const site = new Site([1, 1, 1, 1], decay);
      const [failed, ...others] = site.servers as [Server, ...Server[]];
      for (const server of site.servers) site.group.scheduler.observed?.(server, 10, true);
      site.group.scheduler.observed?.(failed, 1, false);
      // Nine requests on each of the others make it the better one once its 1,000 ms have become less than 100.
      for (const server of others) for (let i = 0; i < 9; i++) site.group.take(server);
      const isPreferred = (): boolean => (site.sharesAtRest(400)[0] ?? 0) > 0.3;
      assert.ok(!isPreferred());
      site.clock.advance(2.2 * ms); // e to the 2.4 is 11
      assert.ok(!isPreferred());
      site.clock.advance(0.4 * ms);
      assert.ok(isPreferred());
    });

  test('is forgotten when the server goes and comes back', () => {
    const site = new Site([1, 1]);
    const failed = site.server(0);
    for (const server of site.servers) site.group.scheduler.observed?.(server, 10, true);
    site.group.scheduler.observed?.(failed, 1, false);
    assert.equal(site.sharesAtRest()[0], 0);
    site.group.remove(failed);
    site.group.scheduler.observed?.(failed, 1, false); // of a request that was under way
    site.group.add(failed);
    near(site.sharesAtRest()[0], 0.5, 0.03);
  });
});

test('how busy a server is counts for as much while most others are full', () => {
  const site = new Site(new Array(50).fill(1));
  const [busy, idle, ...others] = site.servers as [Server, Server, ...Server[]];
  for (const server of site.servers) site.group.scheduler.observed?.(server, server === busy ? 5 : 10, true);
  for (let i = 0; i < 20; i++) site.group.take(busy);
  const shareOf = (server: Server): number | undefined => site.sharesAtRest()[server.id - 1];
  assert.equal(shareOf(busy), 0);
  for (const server of others) {
    server.maxconn = 1;
    site.group.take(server);
  }
  assert.equal(shareOf(idle), 1);
});

test('a new server is neither flooded nor starved', () => {
  for (const everyMs of [1, 20]) {
    const site = new Site([1, 1, 1, 1]);
    site.answersIn(40, ...site.servers);
    site.send(2_000, everyMs);
    const added = makeServer(5);
    site.answersIn(40, added);
    site.servers.push(added);
    site.group.add(added);
    near(site.send(200, everyMs)[4], 0.25, 0.12, 'share of the first 200');
    near(site.send(2_000, everyMs)[4], 0.2, 0.04, 'share of the next 2,000');
  }
});

test('nor is the first one to answer, when all are new', () => {
  const site = new Site([1, 1, 1, 1]);
  site.answersIn(100, ...site.servers);
  for (const share of site.send(400, 5)) near(share, 0.25, 0.08);
});

test('whatever is observed, a server with room is picked if there is one, and the one to avoid last', () => {
  const kind = fc.constantFrom('take', 'take', 'avoid', 'free', 'observe', 'observe', 'wait', 'leave', 'come');
  const milliseconds = fc.oneof(fc.nat(1_000), fc.constantFrom(0, 0.001, 1e9, 1e15, Number.MAX_VALUE));
  const history = fc.array(fc.record({ kind, n: fc.nat(1_000), ms: milliseconds }), { maxLength: 100, size: 'max' });
  fc.assert(
    fc.property(fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }), history, (maxconns, steps) => {
      const site = new Site(maxconns.map((_, index) => 1 + index * 60));
      const { group, servers } = site;
      maxconns.forEach((maxconn, index) => {
        site.server(index).maxconn = maxconn;
        group.scheduler.reweigh(site.server(index));
      });
      for (const { kind, n, ms } of steps) {
        const server = site.server(n % servers.length);
        if (kind === 'take' || kind === 'avoid') {
          const avoid = kind === 'avoid' ? server : undefined;
          const picked = group.pick({}, avoid);
          const withRoom = [...group.members].filter((member) => !member.saturated);
          const wanted = withRoom.filter((member) => member !== avoid);
          if (wanted.length > 0) assert.ok(picked && wanted.includes(picked));
          else assert.equal(picked, withRoom[0]);
          if (picked) group.take(picked);
        } else if (kind === 'free' && server.active > 0) group.free(server);
        else if (kind === 'observe') group.scheduler.observed?.(server, ms, n % 2 === 0);
        else if (kind === 'wait') site.clock.advance(n * 100);
        else if (kind === 'leave' && group.members.has(server)) group.remove(server);
        else if (kind === 'come' && !group.members.has(server)) group.add(server);
      }
    }),
    { numRuns: 200 },
  );
});
