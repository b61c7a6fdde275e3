import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A pool on a virtual clock that holds every request in the tarpit. */
async function stage(t: TestContext, timeout: PoolOptions['timeout'] = {}) {
  const clock = new VirtualClock();
  let entered = 0;
  let told = (): void => {};
  const count = (): void => {
    entered++;
    told();
  };
  const pool = new Pool({ timeout, httpRequest: [{ call: count }, { tarpit: true }] }, clock);
  const events: RequestEvent[] = [];
  pool.on('request', (event) => events.push(event));
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.leave();
    front.close();
    await pool.close();
  });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open((front.address() as AddressInfo).port);
    clients.push(client);
    return client;
  };
  const arrived = async (wanted: number): Promise<void> => {
    while (entered < wanted) await new Promise<void>((resolve) => (told = resolve));
  };
  return { clock, pool, events, connect, arrived };
}

test('the time in the tarpit is that to connect, unless said otherwise, and all of it', async (t) => {
  for (const [timeout, ms] of [
    [{}, 5_000],
    [{ connect: '2s' }, 2_000],
    [{ connect: '2s', tarpit: '1m' }, 60_000],
  ] as const) {
    const { clock, pool, events, connect, arrived } = await stage(t, timeout);
    const exchange = (await connect()).start();
    await arrived(1);
    clock.advance(ms - 1);
    assert.deepEqual([events.length, pool.stats().active], [0, 1]);
    clock.advance(11); // limits are kept to 10 ms
    assert.deepEqual([events[0]?.flags, events[0]?.status, pool.stats().active], ['PT', 500, 0]);
    assert.equal((await exchange.end).body, '500 Internal Server Error\n');
  }
});

test('any number of requests waits with one timer, and leaves none behind', async (t) => {
  const { clock, pool, events, connect, arrived } = await stage(t, { tarpit: '10s' });
  const clients = await Promise.all(Array.from({ length: 50 }, connect));
  const ends = clients.map((client) => client.start().end);
  await arrived(50);
  assert.deepEqual([pool.stats().active, clock.pending], [50, 1]);
  clock.advance(10_010);
  for (const { status } of await Promise.all(ends)) assert.equal(status, 500);
  assert.deepEqual([events.length, pool.stats().active, clock.pending], [50, 0, 0]);
});

test('close lets nobody wait on: those in the tarpit are refused at once', async (t) => {
  const { clock, pool, events, connect, arrived } = await stage(t, { tarpit: 'infinite' });
  const exchange = (await connect()).start();
  await arrived(1);
  assert.deepEqual(await pool.close(), { cut: 0, leaked: 0 });
  assert.equal((await exchange.end).status, 500);
  clock.advance(100); // a timer that runs so briefly is not stopped
  assert.deepEqual([events[0]?.flags, clock.pending], ['PT', 0]);
});
