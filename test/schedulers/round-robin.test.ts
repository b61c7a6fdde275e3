import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { makeScheduler } from '../support/scheduler-group.ts';
import { seededRandom } from '../support/virtual-clock.ts';
import { NaiveRoundRobin } from './naive-round-robin.ts';

const roundRobin = (): Scheduler => makeScheduler({ balance: 'roundrobin' });

function makeGroup(
  weights: readonly number[],
  maxconns: readonly number[] = [],
): { group: Scheduler; servers: Server[] } {
  const group = roundRobin();
  const servers = weights.map((weight, index) => makeServer(index + 1, { weight, maxconn: maxconns[index] ?? 0 }));
  for (const server of servers) group.add(server);
  return { group, servers };
}

function setWeight(server: Server, weight: number, groups: readonly Scheduler[]): void {
  const before = server.effectiveWeight;
  server.weight = weight;
  server.recalculate(0);
  const after = server.effectiveWeight;
  for (const group of groups) {
    if (before === 0 && after > 0) group.add(server);
    else if (before > 0 && after === 0) group.remove(server);
    else if (before !== after) group.reweigh(server);
  }
}

function picksOf(group: Scheduler, servers: readonly Server[], length: number): number[] {
  const picks = Array.from({ length }, () => group.pick({}, undefined));
  return servers.map((server) => picks.filter((picked) => picked === server).length);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

test('equal weights take strict turns in the order in which they were declared', () => {
  const { group } = makeGroup([1, 1, 1]);
  const names = Array.from({ length: 7 }, () => group.pick({}, undefined)?.name);
  assert.deepEqual(names, ['s1', 's2', 's3', 's1', 's2', 's3', 's1']);
});

test('weights with a common divisor and few servers: every rotation gives each exactly its share', () => {
  for (const weights of [
    [3, 1],
    [5, 1, 1],
    [10, 20, 30],
    [4, 4, 4, 4],
  ]) {
    const { group, servers } = makeGroup(weights);
    const divisor = weights.reduce(greatestDivisor);
    const length = sum(weights) / divisor;
    for (let rotation = 0; rotation < 100; rotation++)
      assert.deepEqual(
        picksOf(group, servers, length),
        weights.map((weight) => weight / divisor),
      );
  }
});

test('every round gives each server its share, to within as many turns as there are servers', () => {
  // HAProxy does the same (see `rounds/5-8-9` in the recordings): a light server that has to wait for its first turn
  // may find its last one beyond the round's end.
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (weights) => {
      const { group, servers } = makeGroup(weights);
      for (let round = 0; round < 2; round++) {
        const picks = picksOf(group, servers, 16 * sum(weights));
        for (const [index, weight] of weights.entries())
          assert.ok(Math.abs((picks[index] ?? 0) - 16 * weight) <= weights.length, `${picks} of ${weights}`);
      }
    }),
    { numRuns: 100 },
  );
});

describe('the rules of HAProxy, played beside a plain reading of them', () => {
  type Step =
    | { readonly kind: 'pick'; readonly hold: boolean; readonly avoid: number | undefined }
    | { readonly kind: 'release'; readonly which: number }
    | { readonly kind: 'weight'; readonly which: number; readonly weight: number }
    | { readonly kind: 'maxconn'; readonly which: number; readonly maxconn: number };

  const which = fc.nat(7);
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('pick' as const),
        hold: fc.boolean(),
        avoid: fc.option(which, { nil: undefined, freq: 3 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), which: fc.nat(30) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('weight' as const),
        which,
        weight: fc.oneof(fc.nat(3), fc.nat(256), fc.constant(0)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('maxconn' as const), which, maxconn: fc.nat(3) }) },
  );
  const weight = fc.oneof(fc.nat(4), fc.nat(256));
  const setup = fc.array(fc.tuple(weight, fc.nat(3)), { minLength: 1, maxLength: 8 });

  test('full servers, servers to avoid, weights that change, servers that come and go', () => {
    fc.assert(
      fc.property(setup, fc.array(step, { minLength: 1, maxLength: 300 }), (settings, steps) => {
        const servers = settings.map(([weight, maxconn], index) => makeServer(index + 1, { weight, maxconn }));
        const groups: readonly Scheduler[] = [roundRobin(), new NaiveRoundRobin()];
        for (const server of servers) if (server.usable) for (const group of groups) group.add(server);
        const held: Server[] = [];
        for (const step of steps) {
          if (step.kind === 'pick') {
            const avoid = step.avoid === undefined ? undefined : servers[step.avoid];
            const [picked, expected] = groups.map((group) => group.pick({}, avoid));
            assert.equal(picked?.name, expected?.name);
            const server = servers.find((known) => known === picked);
            if (server === undefined || !step.hold) continue;
            held.push(server);
            server.active++;
            for (const group of groups) group.took?.(server);
          } else if (step.kind === 'release') {
            const [server] = held.splice(step.which % Math.max(1, held.length), 1);
            if (server === undefined) continue;
            server.active--;
            for (const group of groups) group.freed?.(server);
          } else {
            const server = servers[step.which];
            if (server === undefined) continue;
            if (step.kind === 'weight') setWeight(server, step.weight, groups);
            else {
              server.maxconn = step.maxconn;
              for (const group of groups) group.reweigh(server);
            }
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

test('a server that comes back joins a part of a round later', () => {
  const { group, servers } = makeGroup([10, 10, 10]);
  const [first] = servers;
  assert.ok(first);
  group.pick({}, undefined);
  group.remove(first);
  for (let i = 0; i < 6; i++) assert.notEqual(group.pick({}, undefined), first);
  group.add(first);
  const next = Array.from({ length: 6 }, () => group.pick({}, undefined));
  assert.notEqual(next[0], first);
  assert.ok(next.includes(first));
});

test('no server waits long for its turn while the weights of others change all the time', () => {
  const random = seededRandom(11);
  const { group, servers } = makeGroup([1, 20, 256, 3, 90, 7]);
  const [untouched, ...others] = servers;
  assert.ok(untouched);
  let waited = 0;
  let longest = 0;
  for (let i = 0; i < 50_000; i++) {
    const other = others[Math.floor(random() * others.length)];
    if (other !== undefined && random() < 0.2) setWeight(other, Math.floor(random() * 257), [group]);
    waited = group.pick({}, undefined) === untouched ? 0 : waited + 1;
    longest = Math.max(longest, waited);
  }
  // Its turns are a sum of weights apart, at most 1 + 5 × 256; a change of round may put one off once more.
  assert.ok(longest <= 2 * 1281, `waited for ${longest} picks`);
});

test('a server whose own weight changes now and then has its turns in between', () => {
  const random = seededRandom(12);
  const { group, servers } = makeGroup([5, 5, 5, 5]);
  const picks = new Map<unknown, number>(servers.map((server) => [server, 0]));
  for (let i = 0; i < 40_000; i++) {
    if (i % 100 === 0) for (const server of servers) setWeight(server, 1 + Math.floor(random() * 10), [group]);
    const server = group.pick({}, undefined);
    picks.set(server, (picks.get(server) ?? 0) + 1);
  }
  for (const count of picks.values()) assert.ok(count > 8_000 && count < 12_000, `${count} of 40,000`);
});

test('hundreds of full servers are set aside, and each that frees up has its turn again', () => {
  const random = seededRandom(13);
  const weights = Array.from({ length: 300 }, () => 1 + Math.floor(random() * 8));
  const { group, servers } = makeGroup(weights, new Array(300).fill(1));
  const held: Server[] = [];
  const waitedSince = new Map(servers.map((server) => [server, 0]));
  for (let picks = 0; picks < 5_000; ) {
    if (held.length > 295 || (held.length > 240 && random() < 0.5)) {
      const [server] = held.splice(Math.floor(random() * held.length), 1);
      assert.ok(server);
      server.active--;
      group.freed?.(server);
      waitedSince.set(server, picks);
      continue;
    }
    const picked = group.pick({}, undefined);
    const server = servers.find((known) => known === picked);
    assert.ok(server && !server.saturated);
    server.active++;
    group.took?.(server);
    held.push(server);
    picks++;
    for (const free of servers.filter((each) => !each.saturated)) {
      // Its turns are the sum of weights over its own apart; a change of round may put one off once more.
      const waited = picks - (waitedSince.get(free) ?? 0);
      assert.ok(waited <= (2 * sum(weights)) / free.weight, `weight ${free.weight} was free for ${waited} picks`);
    }
  }
});
