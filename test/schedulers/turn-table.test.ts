import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { sdbm } from '#src/hashing/functions.ts';
import { buildServerMap } from '#src/schedulers/server-map.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { GroupView, makeScheduler, SchedulerGroup } from '../support/scheduler-group.ts';

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** HAProxy's lb_map.c, whose table is made anew for every look. */
class NaiveTurns {
  readonly #group: SchedulerGroup;
  #cursor = 0;

  constructor(group: SchedulerGroup) {
    this.#group = group;
  }

  /** Turn by turn past full servers: map_get_server_rr. */
  next(avoid?: Server): Server | undefined {
    const map = this.#map();
    if (map.length === 0) return undefined;
    if (this.#cursor >= map.length) this.#cursor = 0;
    const first = this.#cursor;
    let avoided: number | undefined;
    for (let step = 0; step < map.length; step++) {
      const turn = (first + step) % map.length;
      const server = map[turn] as Server;
      if (server.maxconn !== 0 && server.active >= server.maxconn) continue;
      if (server === avoid) avoided = turn;
      else {
        this.#cursor = turn + 1;
        return server;
      }
    }
    if (avoided === undefined) return undefined;
    this.#cursor = avoided + 1;
    return avoid;
  }

  /** The turn of a hash, full or not; HAProxy would return even the one to avoid. */
  at(hash: number, avoid?: Server): Server | undefined {
    const map = this.#map();
    const turn = (hash >>> 0) % map.length;
    return [...map.slice(turn), ...map.slice(0, turn)].find((server) => server !== avoid) ?? map[turn];
  }

  #map(): Server[] {
    const { view, members } = this.#group;
    const divisor = view.servers.map((server) => server.weight).reduce(greatestDivisor);
    const usable = view.servers.filter((server) => members.has(server));
    const turns = buildServerMap(usable.map((server) => server.weight / divisor));
    return Array.from(turns, (index) => usable[index] as Server);
  }
}

const setup = fc.tuple(
  fc.constantFrom(1, 2, 5),
  fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(3)), { minLength: 1, maxLength: 7 }),
);
const kind = fc.constantFrom('take', 'take', 'take', 'avoid', 'avoid', 'free', 'free', 'maxconn', 'leave', 'come');
const history = fc.array(fc.record({ kind, n: fc.nat(10_000) }), { maxLength: 150, size: 'max' });

/** Plays a history; of requests, every `keyless`th has nothing to be hashed. */
function play(balance: string, keyless: number): void {
  fc.assert(
    fc.property(setup, history, fc.boolean(), ([factor, settings], steps, coprime) => {
      const group = new SchedulerGroup({ balance });
      const all = settings.map(([weight, maxconn], i) => makeServer(i + 1, { weight: weight * factor, maxconn }));
      // Declared, never usable: its weight counts for the divisor alone.
      if (coprime) group.view.servers.push(makeServer(99, { weight: 1 }));
      group.view.servers.push(...all);
      group.add(...all.slice(0, 1 + (all.length >> 1)));
      const naive = new NaiveTurns(group);
      for (const { kind, n } of steps) {
        const server = all[n % all.length] as Server;
        if (kind === 'take' || kind === 'avoid') {
          const avoid = kind === 'avoid' ? server : undefined;
          const hasKey = n % keyless !== 0;
          const picked = group.pick(hasKey ? { url: `/${n}` } : {}, avoid);
          // A hash does not look at the request where there is but one server.
          const [only, ...more] = balance === 'static-rr' ? [] : group.members;
          const turn = only && more.length === 0 ? () => only : () => naive.next(avoid);
          const expected = hasKey ? naive.at(sdbm(`/${n}`), avoid) : turn();
          assert.equal(picked?.name, expected?.name);
          if (picked && n % 4 !== 0) group.take(picked);
        } else if (kind === 'free' && server.active > 0) group.free(server);
        else if (kind === 'maxconn') {
          server.maxconn = n % 4;
          if (group.members.has(server)) group.scheduler.reweigh(server);
        } else if (kind === 'leave' && group.members.has(server)) group.remove(server);
        else if (kind === 'come' && !group.members.has(server)) group.add(server);
      }
    }),
    { numRuns: 300 },
  );
}

describe('the rules of HAProxy, played beside a plain reading of them', () => {
  test('static-rr: full servers, servers to avoid, servers that come and go', () => play('static-rr', 1));
  test('a hash by turn, and every third request without one', () => play('uri', 3));
});

describe('static-rr', () => {
  const names = (group: SchedulerGroup, count: number): (string | undefined)[] =>
    Array.from({ length: count }, () => group.pick()?.name);

  test('goes on where it was when a server comes, and from the front when the table has become shorter', () => {
    const group = new SchedulerGroup({ balance: 'static-rr' });
    const [a, b, c] = [1, 2, 3].map((id) => makeServer(id)) as [Server, Server, Server];
    group.view.servers.push(a, b, c);
    group.add(a, b);
    assert.deepEqual(names(group, 2), ['s1', 's2']);
    group.add(c);
    assert.deepEqual(names(group, 2), ['s3', 's1']);
    group.remove(a);
    assert.deepEqual(names(group, 2), ['s3', 's2']);
  });

  test('order is that of declaration, not of coming up', () => {
    const group = new SchedulerGroup({ balance: 'static-rr' });
    const servers = [5, 3, 9].map((id) => makeServer(id));
    group.view.servers.push(...servers);
    group.add(...[...servers].reverse());
    assert.deepEqual(names(group, 4), ['s5', 's3', 's9', 's5']);
  });

  test('slow start does not touch it', () => {
    const group = new SchedulerGroup({ balance: 'static-rr' });
    const [a, b] = [makeServer(1, { weight: 2 }), makeServer(2, { weight: 2 })];
    group.add(a, b);
    a.effectiveWeight = 2;
    group.scheduler.reweigh(a);
    group.remove(b);
    group.add(b);
    assert.deepEqual(names(group, 4), ['s1', 's2', 's1', 's2']);
  });

  test('active servers and backups share one place in their tables, as HAProxy has one a backend', () => {
    const view = new GroupView();
    const [active, backup] = [1, 2].map(() => makeScheduler({ balance: 'static-rr' }, view));
    const servers = [1, 2, 3, 4, 5, 6].map((id) => makeServer(id, { backup: id > 3 }));
    view.servers.push(...servers);
    for (const server of servers) (server.backup ? backup : active)?.add(server);
    assert.equal(active?.pick({}, undefined)?.name, 's1');
    assert.equal(active?.pick({}, undefined)?.name, 's2');
    assert.equal(backup?.pick({}, undefined)?.name, 's6');
    assert.equal(active?.pick({}, undefined)?.name, 's1');
    const another = makeScheduler({ balance: 'static-rr' }, new GroupView());
    assert.equal(another.pick({}, undefined), undefined);
    assert.equal(backup?.pick({}, undefined)?.name, 's5', 'another backend has a place of its own');
  });

  test('every round gives each server its weight, also while others are full', () => {
    const weights = [1, 5, 20, 7, 256, 90];
    const group = new SchedulerGroup({ balance: 'static-rr' });
    const servers = weights.map((weight, index) => makeServer(index + 1, { weight, maxconn: 1 }));
    group.add(...servers);
    const countsOf = (picks: number): number[] => {
      const picked = Array.from({ length: picks }, () => group.pick());
      return servers.map((server) => picked.filter((each) => each === server).length);
    };
    for (let round = 0; round < 3; round++) assert.deepEqual(countsOf(379), weights);
    const [, , , , heavy] = servers;
    assert.ok(heavy);
    group.take(heavy);
    for (let round = 0; round < 3; round++) assert.deepEqual(countsOf(123), weights.with(4, 0));
    group.free(heavy);
    for (let round = 0; round < 3; round++) assert.deepEqual(countsOf(379), weights);
  });
});

test('a hash by turn waits for its server though that is full, and no slot moves another', () => {
  const group = new SchedulerGroup({ balance: 'uri' });
  const servers = [1, 2, 3].map((id) => makeServer(id, { maxconn: 1 }));
  group.add(...servers);
  const urls = Array.from({ length: 300 }, (_, n) => `/${n}`);
  const before = urls.map((url) => group.pick({ url }));
  assert.equal(new Set(before).size, 3);
  for (const server of servers) {
    group.take(server);
    assert.deepEqual(
      urls.map((url) => group.pick({ url })),
      before,
    );
  }
  assert.equal(group.pick({}), undefined, 'without a hash it is the next with room');
});
