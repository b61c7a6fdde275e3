import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { leastConnectionsKey } from '#src/schedulers/least-connections.ts';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { makeScheduler } from '../support/scheduler-group.ts';

const leastConnections = (): Scheduler => makeScheduler({ balance: 'leastconn' });

const keyOf = (server: Server): number => leastConnectionsKey(server.active, server.effectiveWeight);

function take(group: Scheduler, server: Server): void {
  server.active++;
  group.took?.(server);
}

function free(group: Scheduler, server: Server): void {
  server.active--;
  group.freed?.(server);
}

test('the key is the load with one more request over the weight; idle servers are all equal', () => {
  // HAProxy: inflight ? (inflight + 1) * 4096 / eweight : 0
  assert.equal(leastConnectionsKey(0, 16), 0);
  assert.equal(leastConnectionsKey(0, 4096), 0);
  assert.equal(leastConnectionsKey(1, 16), 512);
  assert.equal(leastConnectionsKey(1, 4096), 2);
  assert.equal(leastConnectionsKey(2, 48), 256);
  assert.equal(leastConnectionsKey(9, 112), 365);
});

test('no server is picked while another with room has less to do', () => {
  const setup = fc.array(fc.tuple(fc.integer({ min: 1, max: 256 }), fc.nat(4)), { minLength: 1, maxLength: 8 });
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('pick', 'pick', 'pick', 'free', 'weight', 'toggle'), n: fc.nat(1_000) }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(setup, steps, fc.boolean(), (settings, history, avoids) => {
      const group = leastConnections();
      const servers = settings.map(([weight, maxconn], index) => makeServer(index + 1, { weight, maxconn }));
      const inGroup = new Set(servers);
      for (const server of servers) group.add(server);
      for (const { kind, n } of history) {
        const server = servers[n % servers.length];
        assert.ok(server);
        if (kind === 'free' && server.active > 0) free(group, server);
        else if (kind === 'weight' && inGroup.has(server)) {
          server.weight = 1 + (n % 256);
          server.recalculate(0);
          group.reweigh(server);
        } else if (kind === 'toggle') {
          if (inGroup.delete(server)) group.remove(server);
          else {
            inGroup.add(server);
            group.add(server);
          }
        } else if (kind === 'pick') {
          const avoid = avoids ? server : undefined;
          const picked = servers.find((known) => known === group.pick({}, avoid));
          const candidates = [...inGroup].filter((each) => !each.saturated && each !== avoid);
          if (picked === undefined || picked === avoid) assert.equal(candidates.length, 0);
          else assert.equal(keyOf(picked), Math.min(...candidates.map(keyOf)));
          if (picked !== undefined) take(group, picked);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('equal servers take turns, idle or not', () => {
  const group = leastConnections();
  const servers = [1, 2, 3, 4].map((id) => makeServer(id));
  for (const server of servers) group.add(server);
  const request = (hold: boolean): string | undefined => {
    const server = servers.find((known) => known === group.pick({}, undefined));
    if (server === undefined) return undefined;
    take(group, server);
    if (!hold) free(group, server);
    return server.name;
  };
  for (let rotation = 0; rotation < 3; rotation++)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => request(false)),
      ['s1', 's2', 's3', 's4'],
    );
  for (let rotation = 0; rotation < 3; rotation++)
    assert.deepEqual(
      [1, 2, 3, 4].map(() => request(true)),
      ['s1', 's2', 's3', 's4'],
    );
});

test('under load each server holds requests in proportion to its weight', () => {
  const group = leastConnections();
  const servers = [1, 2, 5].map((weight, index) => makeServer(index + 1, { weight }));
  for (const server of servers) group.add(server);
  for (let i = 0; i < 800; i++) {
    const server = servers.find((known) => known === group.pick({}, undefined));
    assert.ok(server);
    take(group, server);
  }
  for (const server of servers) assert.ok(Math.abs(server.active - 100 * server.weight) <= 5, `${server.active}`);
});

test('a server that filled up untold is passed over for as long as it is full', () => {
  const group = leastConnections();
  const [first, second] = [makeServer(1, { maxconn: 1 }), makeServer(2)];
  group.add(first);
  group.add(second);
  first.active = 1;
  assert.equal(group.pick({}, undefined), second);
  first.active = 0;
  assert.equal(group.pick({}, undefined), first);
});
