/** The pause before a server that has refused a connection is asked again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { Origin, ok, REFUSING } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

interface Scene {
  readonly clock: VirtualClock;
  readonly pool: Pool;
  readonly ended: RequestEvent[];
  readonly connect: () => Promise<RawClient>;
  /** Resolves once this many connections in all were refused. */
  readonly refused: (count: number) => Promise<void>;
}

async function scene(t: TestContext, options: PoolOptions = {}): Promise<Scene> {
  const clock = new VirtualClock();
  clock.advance(60_000);
  const pool = new Pool({ servers: [REFUSING], ...options }, clock);
  const ended: RequestEvent[] = [];
  pool.on('request', (event) => ended.push(event));
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.leave();
    front.close();
    await pool.close();
    clock.advance(200); // a timer that fires soon is not stopped
    assert.deepEqual([pool.stats().active, pool.stats().servers['s1']?.active, clock.pending], [0, 0, 0]);
  });
  return {
    clock,
    pool,
    ended,
    connect: async () => {
      const client = await RawClient.open((front.address() as AddressInfo).port);
      clients.push(client);
      return client;
    },
    refused: (count) =>
      until(() => Object.values(pool.stats().servers).reduce((sum, { econ }) => sum + econ, 0) === count),
  };
}

/** Whatever the network would bring by itself has come by then. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('where all others are full, the one that has refused is not asked again at once either', async (t) => {
  const good = await Origin.start(() => {});
  t.after(() => good.stop());
  const { clock, pool, ended, connect, refused } = await scene(t, {
    servers: [REFUSING, { address: good.url, maxconn: 1 }],
  });
  const first = (await connect()).start();
  const held = await good.request(1);
  const second = (await connect()).start();
  await refused(2);
  await quiet();
  assert.deepEqual([pool.stats().servers['s1']?.econ, pool.stats().servers['s1']?.active], [2, 0]);
  held.socket.write(ok());
  await first.end;
  clock.advance(1_010);
  (await good.request(2)).socket.write(ok());
  assert.equal((await second.end).status, 200);
  assert.deepEqual([ended[1]?.retries, ended[1]?.server, ended[1]?.redispatched], [1, 's2', true]);
});

for (const [redispatch, held] of [
  [false, 1],
  [1, 0],
] as const) {
  test(`a second before the only server is asked again, its slot ${held ? 'kept' : 'given back'}`, async (t) => {
    const { clock, pool, ended, connect, refused } = await scene(t, { redispatch });
    const { end } = (await connect()).start();
    for (let attempt = 1; attempt <= 4; attempt++) {
      await refused(attempt);
      if (attempt === 4) break;
      assert.equal(pool.stats().servers['s1']?.active, held);
      clock.advance(999);
      await quiet();
      assert.deepEqual([pool.stats().servers['s1']?.econ, ended.length], [attempt, 0]);
      clock.advance(11);
    }
    assert.equal((await end).status, 503);
    const { flags, retries, redispatched, totalMs } = ended[0] as RequestEvent;
    assert.deepEqual([flags, retries, redispatched], ['SC', 3, false]);
    assert.ok(totalMs >= 3_000 && totalMs <= 3_030, `${totalMs} ms`);
    const { wretr, wredis, stot } = pool.stats().servers['s1'] ?? {};
    assert.deepEqual([wretr, wredis, stot], [3, 0, 4]);
  });
}

test('not longer than timeout.connect', async (t) => {
  const { clock, connect, refused } = await scene(t, { retries: 1, timeout: { connect: 200 } });
  const { end } = (await connect()).start();
  await refused(1);
  clock.advance(199);
  await quiet();
  clock.advance(11);
  await refused(2);
  assert.equal((await end).status, 503);
});

test('none before another server', async (t) => {
  const servers = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((host) => REFUSING.replace('127.0.0.1', host));
  const { ended, connect } = await scene(t, { servers });
  assert.equal((await (await connect()).send()).status, 503);
  assert.deepEqual([ended[0]?.retries, ended[0]?.totalMs], [3, 0]);
});

test('the same after a TLS handshake that failed', async (t) => {
  const plain = await Origin.start(() => {}, { onConnection: ({ socket }) => void socket.end('no TLS here\n') });
  t.after(() => plain.stop());
  const server = plain.url.replace('http:', 'https:');
  const { clock, pool, connect, refused } = await scene(t, { servers: [server], retries: 1 });
  const { end } = (await connect()).start();
  await refused(1);
  clock.advance(999);
  await quiet();
  assert.equal(pool.stats().servers['s1']?.econ, 1);
  clock.advance(11);
  await refused(2);
  assert.equal((await end).status, 503);
});

test('none after a connection that was not made in time', async (t) => {
  const silent = await Origin.start(() => {}, { onConnection: () => false });
  t.after(() => silent.stop());
  const server = { address: silent.url.replace('http:', 'https:'), verify: 'none' } as const;
  const { clock, ended, connect, refused } = await scene(t, { servers: [server], retries: 1 });
  const { end } = (await connect()).start();
  await silent.connection(1);
  clock.advance(5_010);
  await refused(1);
  await silent.connection(2);
  clock.advance(5_010);
  assert.equal((await end).status, 503);
  const { flags, timeout, totalMs } = ended[0] as RequestEvent;
  assert.deepEqual([flags, timeout], ['sC', 'connect']);
  assert.ok(totalMs >= 10_000 && totalMs <= 10_020, `${totalMs} ms`);
});

test('a client that leaves meanwhile has left while connecting', async (t) => {
  const { clock, pool, ended, connect, refused } = await scene(t, { redispatch: false });
  const client = await connect();
  client.start();
  await refused(1);
  client.leave();
  await until(() => ended.length === 1);
  assert.deepEqual([ended[0]?.status, ended[0]?.flags], [499, 'CC']);
  assert.equal(pool.stats().servers['s1']?.active, 0);
  clock.advance(5_000);
  await quiet();
  assert.equal(pool.stats().servers['s1']?.econ, 1);
});

test('close() waits for it, and cuts it when the grace time is over', async (t) => {
  const { clock, pool, ended, connect, refused } = await scene(t);
  const { end } = (await connect()).start();
  await refused(1);
  const closing = pool.close({ graceMs: 1_500 });
  clock.advance(1_010);
  await refused(2);
  clock.advance(490);
  assert.deepEqual(await closing, { cut: 1, leaked: 0 });
  assert.equal((await end).status, 503);
  assert.deepEqual([ended[0]?.flags, ended[0]?.error?.code], ['KC', 'EK_CLOSED']);
});

test('many that wait share one timer', async (t) => {
  const { clock, connect, refused } = await scene(t, { retries: 1 });
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  const answers = clients.map((client) => client.send());
  await refused(20);
  assert.equal(clock.pending, 1);
  clock.advance(1_010);
  await refused(40);
  for (const { status } of await Promise.all(answers)) assert.equal(status, 503);
});
