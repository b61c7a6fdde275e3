import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { OptionReader } from '#src/core/options.ts';
import { ALGORITHMS, type BalanceObject, readBalance } from '#src/schedulers/index.ts';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import type { Server, ServerView } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const EXTREMES: readonly BalanceObject[] = [
  { algorithm: 'random', draws: 1 },
  { algorithm: 'random', draws: 16 },
];
const ROWS = [...Object.keys(ALGORITHMS).map((algorithm) => ({ algorithm })), ...EXTREMES];

/** A scheduler with its servers, told of everything as a pool tells it; or, if not `notifies`, of no slot. */
class Group {
  readonly scheduler: Scheduler;
  readonly members = new Set<Server>();
  readonly #notifies: boolean;

  constructor(balance: unknown, { notifies = true, seed = 1 } = {}) {
    this.scheduler = readBalance(new OptionReader({ balance }, 'pool')).factory(new VirtualClock({ seed }));
    this.#notifies = notifies;
  }

  add(...servers: Server[]): void {
    for (const server of servers) {
      this.members.add(server);
      this.scheduler.add(server);
    }
  }

  remove(server: Server): void {
    this.members.delete(server);
    this.scheduler.remove(server);
  }

  setWeight(server: Server, weight: number): void {
    server.weight = weight;
    server.recalculate(0);
    this.scheduler.reweigh(server);
  }

  take(server: Server): void {
    server.active++;
    if (this.#notifies) this.scheduler.took?.(server);
  }

  free(server: Server): void {
    server.active--;
    if (this.#notifies) this.scheduler.freed?.(server);
  }

  pick(avoid?: ServerView): Server | undefined {
    const picked = this.scheduler.pick({}, avoid);
    const server = [...this.members].find((member) => member === picked);
    assert.equal(server, picked, 'a server that is not in the group');
    return server;
  }
}

const servers = (count: number, settings: { weight?: number; maxconn?: number } = {}): Server[] =>
  Array.from({ length: count }, (_, index) => makeServer(index + 1, settings));

for (const balance of ROWS) {
  describe(JSON.stringify(balance), () => {
    const setup = fc.array(fc.tuple(fc.integer({ min: 1, max: 256 }), fc.nat(3)), { minLength: 1, maxLength: 8 });
    const history = fc.array(
      fc.record({
        kind: fc.constantFrom('pick', 'pick', 'pick', 'avoid', 'free', 'free', 'weight', 'maxconn', 'leave', 'come'),
        n: fc.nat(10_000),
      }),
      { maxLength: 200 },
    );

    for (const [notifies, claim] of [
      [true, 'picks a member with room if there is one, and the one to avoid only if it alone has room'],
      [false, 'never picks a full server, though it was not told that it filled up'],
    ] as const)
      test(claim, () => {
        fc.assert(
          fc.property(setup, history, (settings, steps) => {
            const group = new Group(balance, { notifies });
            const all = settings.map(([weight, maxconn], index) => makeServer(index + 1, { weight, maxconn }));
            group.add(...all);
            for (const { kind, n } of steps) {
              const server = all[n % all.length];
              assert.ok(server);
              if (kind === 'pick' || kind === 'avoid') {
                const avoid = kind === 'avoid' ? server : undefined;
                const picked = group.pick(avoid);
                const withRoom = [...group.members].filter((member) => !member.saturated);
                if (picked !== undefined) assert.ok(withRoom.includes(picked));
                else if (notifies) assert.deepEqual(withRoom, []);
                if (notifies && picked !== undefined && picked === avoid) assert.deepEqual(withRoom, [avoid]);
                if (picked !== undefined) group.take(picked);
              } else if (kind === 'free' && server.active > 0) group.free(server);
              else if (kind === 'come' && !group.members.has(server)) group.add(server);
              else if (kind === 'leave' && group.members.has(server)) group.remove(server);
              else if (kind === 'weight' && group.members.has(server)) group.setWeight(server, 1 + (n % 256));
              else if (kind === 'maxconn' && group.members.has(server)) {
                server.maxconn = n % 4;
                group.scheduler.reweigh(server);
              }
            }
          }),
          { numRuns: 300 },
        );
      });

    test('an empty group has no server, before and after it had some', () => {
      const group = new Group(balance);
      assert.equal(group.pick(), undefined);
      const [server] = servers(1);
      assert.ok(server);
      group.add(server);
      assert.equal(group.pick(), server);
      group.remove(server);
      assert.equal(group.pick(), undefined);
      group.add(server);
      assert.equal(group.pick(), server);
    });

    test('when all are full there is none, and the first slot freed is found at once', () => {
      const group = new Group(balance);
      const all = servers(200, { maxconn: 2 });
      group.add(...all);
      for (let i = 0; i < 400; i++) {
        const server = group.pick();
        assert.ok(server);
        group.take(server);
      }
      for (const server of [...all].reverse()) {
        assert.equal(group.pick(), undefined);
        assert.equal(group.pick(server), undefined);
        group.free(server);
        assert.equal(group.pick(server), server);
        assert.equal(group.pick(), server);
        group.take(server);
      }
    });

    test('a change is seen by the next pick', () => {
      const group = new Group(balance);
      const [first, second] = servers(2, { maxconn: 1 });
      assert.ok(first && second);
      group.add(first, second);
      const picked = group.pick();
      assert.ok(picked);
      const other = picked === first ? second : first;
      group.take(picked);
      assert.equal(group.pick(), other);
      group.remove(other);
      assert.equal(group.pick(), undefined);
      picked.maxconn = 2;
      group.scheduler.reweigh(picked);
      assert.equal(group.pick(), picked);
      picked.maxconn = 1;
      group.scheduler.reweigh(picked);
      assert.equal(group.pick(), undefined);
      group.add(other);
      assert.equal(group.pick(), other);
      group.take(other);
      group.free(picked);
      assert.equal(group.pick(), picked);
    });

    test('every server gets its turn, however weights differ', () => {
      const group = new Group(balance);
      const all = servers(20);
      for (const [index, server] of all.entries()) {
        server.weight = 1 + index * 10;
        server.recalculate(0);
      }
      group.add(...all);
      const seen = new Set<Server>();
      const held: Server[] = [];
      for (let i = 0; i < 20_000; i++) {
        const server = group.pick();
        assert.ok(server);
        seen.add(server);
        group.take(server);
        held.push(server);
        const oldest = held.length > 100 ? held.shift() : undefined;
        if (oldest !== undefined) group.free(oldest);
      }
      assert.equal(seen.size, all.length);
    });

    test('a server that is not in the group is nothing to it', () => {
      const group = new Group(balance);
      const [member, stranger] = servers(2);
      assert.ok(member && stranger);
      group.scheduler.remove(stranger);
      group.scheduler.reweigh(stranger);
      group.add(member);
      group.take(stranger);
      group.free(stranger);
      group.scheduler.reweigh(stranger);
      group.scheduler.remove(stranger);
      for (let i = 0; i < 10; i++) assert.equal(group.pick(stranger), member);
      group.remove(member);
      group.take(member);
      group.free(member);
      group.remove(member);
      assert.equal(group.pick(), undefined);
    });

    test('the same seed gives the same picks', () => {
      const run = (): (string | undefined)[] => {
        const group = new Group(balance, { seed: 3 });
        group.add(...servers(7));
        return Array.from({ length: 200 }, () => {
          const server = group.pick();
          if (server !== undefined && server.id % 2 === 0) group.take(server);
          return server?.name;
        });
      };
      assert.deepEqual(run(), run());
    });

    test('of 4,095 servers a pick looks at few, though all but one are full', () => {
      let looks = 0;
      const views = servers(4095, { maxconn: 1, weight: 10 });
      for (const server of views)
        Object.defineProperty(server, 'saturated', {
          get: () => {
            looks++;
            return server.active >= server.maxconn;
          },
        });
      const group = new Group(balance);
      group.add(...views);
      const last = views[2000];
      assert.ok(last);
      for (const server of views) if (server !== last) group.take(server);
      for (let i = 0; i < 200; i++) {
        looks = 0;
        assert.equal(group.scheduler.pick({}, undefined), last);
        assert.ok(looks <= 100, `${looks} servers looked at`);
        assert.equal(group.scheduler.pick({}, last), last);
      }
      group.take(last);
      looks = 0;
      assert.equal(group.scheduler.pick({}, undefined), undefined);
      assert.ok(looks <= 100, `${looks} servers looked at`);
    });

    test('a pick allocates nothing', () => {
      const group = new Group(balance);
      const all = servers(50, { maxconn: 4 });
      for (const [index, server] of all.entries()) {
        server.weight = 1 + index * 5;
        server.recalculate(0);
      }
      group.add(...all);
      for (const server of all) if (server.id % 3 === 0) for (let i = 0; i < 4; i++) group.take(server);
      const { scheduler } = group;
      const [avoid] = all;
      const context = {};
      const picks = (count: number): number => {
        const before = process.memoryUsage().heapUsed;
        for (let i = 0; i < count; i++) scheduler.pick(context, i % 4 === 0 ? avoid : undefined);
        return process.memoryUsage().heapUsed - before;
      };
      for (let i = 0; i < 10; i++) picks(20_000);
      const grown = Array.from({ length: 11 }, () => picks(20_000)).sort((a, b) => a - b);
      // One object of 16 bytes a pick would be 320,000 bytes; the measuring itself takes some.
      assert.ok((grown[5] ?? 0) < 50_000, `${grown} bytes in 20,000 picks`);
    });
  });
}
