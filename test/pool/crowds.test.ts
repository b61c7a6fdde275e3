/** Many that wait at one time: what each costs, and that all are served in turn. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { type Lease, Pool, type RequestContext } from '#src/index.ts';
import { ClientsWithoutNetwork, heapInUse } from '../support/clients-without-network.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const KIB = 1_024;

/** A pool all of whose slots are taken, on the system's clock: on that, times are fractions, and cost more. */
function fullPool(t: TestContext): Pool<unknown> {
  const pool = new Pool<unknown>({ servers: [{ address: '127.0.0.1:1', maxconn: 1 }], timeout: { queue: '1h' } });
  const lease = pool.tryAcquire();
  t.after(() => {
    lease?.release();
    return pool.close({ graceMs: 0 });
  });
  return pool;
}

/** Bytes that each of so many costs which `come` brings and keeps. */
async function bytesEach(count: number, come: () => void | Promise<void>): Promise<number> {
  const before = await heapInUse();
  await come();
  return ((await heapInUse()) - before) / count;
}

describe('one that waits costs at most 1 KiB', () => {
  const COUNT = 10_000;

  test('a request, beyond what Node keeps for one that any handler leaves open', async (t) => {
    const held: unknown[] = [];
    const parked = new ClientsWithoutNetwork((request, response) => void held.push([request, response]));
    const plain = await bytesEach(COUNT, () => parked.come(COUNT));
    assert.equal(held.length, COUNT);
    const pool = fullPool(t);
    const clients = new ClientsWithoutNetwork(pool.middleware());
    const waiting = await bytesEach(COUNT, () => clients.come(COUNT));
    assert.equal(pool.stats().queued, COUNT);
    assert.ok(waiting - plain <= KIB, `${Math.round(waiting - plain)} bytes`);
    await clients.leave(COUNT);
    await parked.leave(COUNT);
    assert.deepEqual([pool.stats().queued, pool.stats().active], [0, 0]);
  });

  for (const shared of [false, true]) {
    test(`a caller of acquire, with ${shared ? 'one signal for all' : 'a signal each'}, beyond signal and promise`, async (t) => {
      const one = new AbortController();
      const held: unknown[] = [];
      const controllers = () => Array.from({ length: COUNT }, () => (shared ? one : new AbortController()));
      const plain = await bytesEach(COUNT, () => {
        for (const { signal } of controllers()) held.push([signal, new Promise(() => {})]);
      });
      const pool = fullPool(t);
      const told: Promise<Lease>[] = [];
      const aborts: AbortController[] = controllers();
      const waiting = await bytesEach(COUNT, () => {
        for (const { signal } of aborts) told.push(pool.acquire({}, { signal }));
      });
      assert.deepEqual([held.length, pool.stats().queued], [COUNT, COUNT]);
      assert.ok(waiting - plain <= KIB, `${Math.round(waiting - plain)} bytes`);
      const codes = Promise.all(told.map((wait) => wait.catch((error) => error.code)));
      for (const controller of new Set(aborts)) controller.abort();
      assert.deepEqual(new Set(await codes), new Set(['EK_ABORTED']));
      assert.equal(pool.stats().queued, 0);
    });
  }
});

test('100,000 that wait are served by class, and in a class by arrival', async () => {
  const COUNT = 100_000;
  const clock = new VirtualClock();
  const pool = new Pool<unknown>(
    {
      servers: [{ address: '127.0.0.1:1', maxconn: 1 }],
      timeout: { queue: '1h' },
      priority: ({ url }: RequestContext) => ({ class: Number(url) }),
    },
    clock,
  );
  const first = pool.tryAcquire();
  const classes = Array.from({ length: COUNT }, () => Math.floor(clock.random() * 5) - 2);
  const served: number[] = [];
  for (const [arrival, rank] of classes.entries()) {
    const url = `${rank}`;
    void pool.acquire({ url }).then((lease) => {
      served.push(arrival);
      lease.release();
    });
    if (arrival % 1_000 === 0) clock.advance(1);
  }
  assert.equal(pool.stats().queued, COUNT);
  first?.release();
  await clock.settle();
  const expected = [...classes.keys()].sort((a, b) => (classes[a] as number) - (classes[b] as number) || a - b);
  assert.deepEqual(served, expected);
  assert.deepEqual([pool.stats().queued, pool.stats().leases, pool.server('s1').active], [0, 0, 0]);
  await pool.close();
  assert.equal(clock.pending, 0);
});
