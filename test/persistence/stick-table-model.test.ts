/** Tables and rates beside naive ones, over random histories. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StickTable } from '#src/persistence/stick-table.ts';
import type { StickEntry, Tracking } from '#src/persistence/table.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type NaiveEntry, NaiveRate, NaiveTable, shown } from './naive-stick-table.ts';

const PERIOD_MS = 50;
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', '', 'a key that is longer than thirteen characters'];

const key = fc.constantFrom(...KEYS);
const server = fc.constantFrom('s1', 's2', 's3');
const which = fc.nat(20);
const step = fc.oneof(
  fc.record({ act: fc.constant('store'), key, server }),
  fc.record({ act: fc.constant('lookup'), key }),
  fc.record({ act: fc.constant('get'), key }),
  fc.record({ act: fc.constant('track'), key }),
  fc.record({ act: fc.constant('request'), which }),
  fc.record({ act: fc.constant('increment'), which }),
  fc.record({ act: fc.constant('release'), which }),
  fc.record({ act: fc.constant('set'), key, server: fc.option(server), gpc0: fc.nat(9), rate: fc.option(fc.nat(9)) }),
  fc.record({ act: fc.constant('delete'), key }),
  fc.record({ act: fc.constant('clear'), atLeast: fc.option(fc.nat(4), { freq: 1 }) }),
  fc.record({ act: fc.constant('advance'), ms: fc.oneof(fc.nat(10), fc.nat(120), fc.nat(3_000)) }),
) as fc.Arbitrary<Step>;

type Step =
  | { act: 'store'; key: string; server: string }
  | { act: 'lookup' | 'get' | 'track' | 'delete'; key: string }
  | { act: 'request' | 'increment' | 'release'; which: number }
  | { act: 'set'; key: string; server: string | null; gpc0: number; rate: number | null }
  | { act: 'clear'; atLeast: number | null }
  | { act: 'advance'; ms: number };

/** One request that tracks an entry, here and there. */
interface Held {
  readonly tracking: Tracking;
  readonly entry: NaiveEntry;
}

class Pair {
  readonly clock = new VirtualClock();
  readonly table: StickTable;
  readonly naive: NaiveTable;
  readonly held: Held[] = [];

  constructor(size: number, expireMs: number, nopurge: boolean) {
    const expire = expireMs === Number.POSITIVE_INFINITY ? {} : { expire: expireMs };
    const store = ['conn_cnt', 'conn_cur', 'http_req_cnt', `http_req_rate(${PERIOD_MS})`, 'gpc0'] as const;
    this.table = new StickTable({ type: 'string', len: 64, size, ...expire, nopurge, store }, this.clock);
    this.naive = new NaiveTable({ size, expireMs, nopurge, periodMs: PERIOD_MS });
  }

  play(step: Step): void {
    const { table, naive, held } = this;
    switch (step.act) {
      case 'store': {
        const entry = naive.useOrMake(step.key);
        if (entry) entry.server = step.server;
        assert.equal(table.store(step.key, step.server), entry !== undefined);
        break;
      }
      case 'lookup': {
        const entry = naive.find(step.key);
        if (entry) naive.use(entry);
        assert.equal(table.lookup(step.key), entry?.server);
        break;
      }
      case 'get':
        assert.deepEqual(seen(table.get(step.key)), this.#shown(naive.find(step.key)));
        break;
      case 'track': {
        const entry = naive.useOrMake(step.key);
        const tracking = table.track(step.key);
        assert.equal(tracking === undefined, entry === undefined);
        if (!entry || !tracking) break;
        entry.use++;
        entry.conn_cnt++;
        entry.conn_cur++;
        held.push({ tracking, entry });
        break;
      }
      case 'request': {
        const of = held[step.which % held.length];
        if (!of) break;
        of.tracking.request();
        of.entry.http_req_cnt++;
        of.entry.http_req_rate.add(1, naive.now);
        assert.equal(of.tracking.tracked.http_req_rate, of.entry.http_req_rate.read(naive.now));
        break;
      }
      case 'increment': {
        const of = held[step.which % held.length];
        of?.tracking.tracked.increment('gpc0', 3);
        if (of) of.entry.gpc0 += 3;
        break;
      }
      case 'release': {
        const [of] = held.splice(step.which % Math.max(1, held.length), 1);
        if (!of) break;
        of.tracking.release();
        of.tracking.release();
        of.tracking.request();
        assert.equal(of.tracking.tracked.conn_cnt, 0);
        of.entry.use--;
        of.entry.conn_cur--;
        naive.use(of.entry);
        break;
      }
      case 'set': {
        const entry = naive.useOrMake(step.key);
        if (entry) {
          entry.server = step.server ?? undefined;
          entry.gpc0 = step.gpc0;
          if (step.rate !== null) entry.http_req_rate.write(step.rate, naive.now);
        }
        const rate = step.rate === null ? {} : { http_req_rate: step.rate };
        const set = table.set(step.key, { server: step.server, gpc0: step.gpc0, ...rate });
        assert.deepEqual(seen(set), this.#shown(entry));
        break;
      }
      case 'delete': {
        const entry = naive.find(step.key);
        if (entry) naive.remove(entry);
        assert.equal(table.delete(step.key), entry !== undefined);
        break;
      }
      case 'clear': {
        const { atLeast } = step;
        naive.expire();
        const chosen = naive.entries.filter((entry) => entry.gpc0 >= (atLeast ?? 0));
        for (const entry of chosen) naive.remove(entry);
        const cleared = atLeast === null ? table.clear() : table.clear({ data: 'gpc0', op: 'ge', value: atLeast });
        assert.equal(cleared, chosen.length);
        break;
      }
      case 'advance':
        this.clock.advance(step.ms);
        naive.now += step.ms;
    }
  }

  /** Whole tables are compared now and then, so that what nobody asked for is not removed by having been asked for. */
  compare(): void {
    this.naive.expire();
    const ours = [...this.table].map(seen).sort(byKey);
    assert.deepEqual(ours, this.naive.entries.map((entry) => this.#shown(entry)).sort(byKey));
    assert.equal(this.table.size, this.naive.entries.length);
    assert.equal(this.table.refused, this.naive.refused);
  }

  #shown(entry: NaiveEntry | undefined) {
    return entry && shown(entry, this.naive.now);
  }
}

function seen(entry: StickEntry | undefined) {
  if (entry === undefined || entry.use === 0) return entry;
  const { expiresInMs: _, ...rest } = entry;
  return rest;
}

function byKey(a: { key: unknown } | undefined, b: { key: unknown } | undefined): number {
  return String(a?.key) < String(b?.key) ? -1 : 1;
}

test('a table does what a naive one does, full or not, with and without nopurge and expire', () => {
  const size = fc.integer({ min: 1, max: 6 });
  const expireMs = fc.constantFrom(1, 30, 1_500, Number.POSITIVE_INFINITY);
  fc.assert(
    fc.property(
      size,
      expireMs,
      fc.boolean(),
      fc.array(step, { maxLength: 120, size: 'max' }),
      (size, expireMs, nopurge, steps) => {
        const pair = new Pair(size, expireMs, nopurge);
        for (const [index, step] of steps.entries()) {
          pair.play(step);
          if (index % 25 === 24) pair.compare();
        }
        pair.compare();
        for (const { tracking, entry } of pair.held.splice(0)) {
          tracking.release();
          entry.use--;
          entry.conn_cur--;
          pair.naive.use(entry);
        }
        pair.compare();
        if (expireMs === Number.POSITIVE_INFINITY) return;
        pair.clock.advance(4_000);
        assert.equal(pair.clock.pending, 0, 'what expires is swept without anybody asking, and then no timer is left');
        assert.equal(pair.table.size, 0);
      },
    ),
    { numRuns: 400 },
  );
});

test('a rate is that of freq_ctr, to the event', () => {
  const event = fc.record({
    passes: fc.oneof(fc.nat(3), fc.nat(30), fc.nat(100), fc.constantFrom(49, 50, 51, 99, 100, 101)),
    by: fc.oneof(fc.nat(3), fc.nat(2 ** 32 - 1)),
    write: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, PERIOD_MS, 3_600_000),
      fc.array(event, { maxLength: 60, size: 'max' }),
      (period, events) => {
        const clock = new VirtualClock();
        const table = new StickTable({ type: 'integer', size: 1, store: [`gpc_rate(1,${period})`] }, clock);
        const naive = new NaiveRate(period);
        const tracked = table.track(1)?.tracked;
        assert.ok(tracked);
        for (const { passes, by, write } of events) {
          clock.advance(passes);
          assert.equal(tracked.gpc_rate[0], naive.read(clock.now()));
          if (write) {
            table.set(1, { 'gpc_rate[0]': by });
            naive.write(by, clock.now());
          } else {
            tracked.increment('gpc[0]', by);
            naive.add(by, clock.now());
          }
          assert.equal(table.get(1)?.gpc_rate?.[0], naive.read(clock.now()));
        }
      },
    ),
  );
});
