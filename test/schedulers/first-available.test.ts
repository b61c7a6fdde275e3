import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { SchedulerGroup } from '../support/scheduler-group.ts';

/** HAProxy's lb_fas.c: the lowest id with a free slot, that of the one to avoid last. */
function naiveFirst(members: Iterable<Server>, avoid: Server | undefined): Server | undefined {
  const withRoom = [...members]
    .filter((server) => server.maxconn === 0 || server.active < server.maxconn)
    .sort((a, b) => a.id - b.id);
  return withRoom.find((server) => server !== avoid) ?? withRoom[0];
}

const setup = fc.uniqueArray(fc.tuple(fc.nat(30), fc.nat(3)), {
  minLength: 1,
  maxLength: 8,
  selector: ([id]) => id,
});
const kind = fc.constantFrom('take', 'take', 'take', 'avoid', 'free', 'free', 'maxconn', 'weight', 'leave', 'come');
const history = fc.array(fc.record({ kind, n: fc.nat(10_000) }), { maxLength: 200, size: 'max' });

test('whatever fills up, comes and goes, it is the lowest id that has room', () => {
  fc.assert(
    fc.property(setup, history, (settings, steps) => {
      const group = new SchedulerGroup({ balance: 'first' });
      const all = settings.map(([id, maxconn]) => makeServer(id, { maxconn }));
      group.add(...all);
      for (const { kind, n } of steps) {
        const server = all[n % all.length] as Server;
        const isMember = group.members.has(server);
        if (kind === 'take' || kind === 'avoid') {
          const avoid = kind === 'avoid' ? server : undefined;
          const picked = group.pick({}, avoid);
          assert.equal(picked?.id, naiveFirst(group.members, avoid)?.id);
          if (picked) group.take(picked);
        } else if (kind === 'free' && server.active > 0) group.free(server);
        else if (kind === 'maxconn') {
          server.maxconn = n % 4;
          if (isMember) group.scheduler.reweigh(server);
        } else if (kind === 'weight' && isMember) group.setWeight(server, 1 + (n % 256));
        else if (kind === 'leave' && isMember) group.remove(server);
        else if (kind === 'come' && !isMember) group.add(server);
      }
    }),
    { numRuns: 500 },
  );
});

test('ids count, not the order of declaration; weights do not', () => {
  const group = new SchedulerGroup({ balance: 'first' });
  const [a, b, c] = [
    makeServer(30, { maxconn: 1, weight: 256 }),
    makeServer(4, { maxconn: 1 }),
    makeServer(100, { maxconn: 1, weight: 200 }),
  ] as const;
  group.add(a, b, c);
  const order = Array.from({ length: 3 }, () => {
    const server = group.pick();
    if (server) group.take(server);
    return server?.id;
  });
  assert.deepEqual(order, [4, 30, 100]);
  assert.equal(group.pick(), undefined);
  group.free(c);
  assert.equal(group.pick(), c);
  group.free(b);
  assert.equal(group.pick(), b, 'the first one again, as soon as it has room');
});

test('without maxconn the first server gets everything, a retry apart', () => {
  const group = new SchedulerGroup({ balance: 'first' });
  const [first, second] = [makeServer(1), makeServer(2)];
  group.add(second, first);
  for (let i = 0; i < 100; i++) {
    assert.equal(group.pick(), first);
    assert.equal(group.pick({}, first), second);
    group.take(first);
  }
});
