import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { SchedulerGroup } from '../support/scheduler-group.ts';

/** HAProxy's lb_ss.c: another is chosen at the moment the current one goes. */
class NaiveSticky {
  readonly #group: SchedulerGroup;
  current: Server | undefined;

  constructor(group: SchedulerGroup) {
    this.#group = group;
  }

  came(server: Server): void {
    this.current ??= server;
  }

  went(server: Server): void {
    if (server === this.current) this.current = this.#firstBut(undefined);
  }

  pick(avoid: Server | undefined): Server | undefined {
    return this.current === avoid ? (this.#firstBut(avoid) ?? avoid) : this.current;
  }

  #firstBut(avoid: Server | undefined): Server | undefined {
    const { view, members } = this.#group;
    return view.servers.find((server) => members.has(server) && server !== avoid);
  }
}

const kind = fc.constantFrom(
  'pick',
  'pick',
  'avoid',
  'avoidCurrent',
  'take',
  'free',
  'weight',
  'leave',
  'come',
  'come',
);
const history = fc.array(fc.record({ kind, n: fc.nat(10_000) }), { maxLength: 150, size: 'max' });

test('whatever comes and goes, the current one is kept until it goes, and then the first is taken', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), history, (count, steps) => {
      const group = new SchedulerGroup({ balance: { algorithm: 'sticky' } });
      const all = Array.from({ length: count }, (_, index) => makeServer(count - index, { maxconn: 1 }));
      group.view.servers.push(...all);
      const naive = new NaiveSticky(group);
      for (const { kind, n } of steps) {
        const server = all[n % count] as Server;
        const isMember = group.members.has(server);
        if (kind === 'pick') assert.equal(group.pick()?.name, naive.current?.name);
        else if (kind === 'avoid') assert.equal(group.pick({}, server)?.name, naive.pick(server)?.name);
        else if (kind === 'avoidCurrent') {
          const { current } = naive;
          if (current) assert.equal(group.pick({}, current)?.name, naive.pick(current)?.name);
        } else if (kind === 'take') group.take(server);
        else if (kind === 'free' && server.active > 0) group.free(server);
        else if (kind === 'weight' && isMember) group.setWeight(server, 1 + (n % 256));
        else if (kind === 'leave' && isMember) {
          group.remove(server);
          naive.went(server);
        } else if (kind === 'come' && !isMember) {
          group.add(server);
          naive.came(server);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('one that comes back takes nothing over, and a full one is waited for', () => {
  const group = new SchedulerGroup({ balance: { algorithm: 'sticky' } });
  const [first, second, third] = [1, 2, 3].map((id) => makeServer(id, { maxconn: 1 })) as [Server, Server, Server];
  group.add(first, second, third);
  group.take(first);
  assert.equal(group.pick(), first);
  group.remove(first);
  assert.equal(group.pick(), second);
  group.add(first);
  assert.equal(group.pick(), second);
  assert.equal(group.pick({}, second), first, 'a retry does not move the others');
  assert.equal(group.pick(), second);
  group.remove(second);
  assert.equal(group.pick(), first);
});
