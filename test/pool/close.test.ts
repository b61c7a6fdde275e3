import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ConfigError, EvenkeelError, Pool, type RequestEvent } from '#src/index.ts';
import { Origin, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

const isClosed = (error: unknown): boolean => error instanceof EvenkeelError && error.code === 'EK_CLOSED';

async function stage(
  t: TestContext,
  script: Script,
): Promise<{ pool: Pool; origin: Origin; connect: () => Promise<RawClient>; ended: RequestEvent[] }> {
  const origin = await Origin.start(script);
  const pool = new Pool({ servers: [{ address: origin.url, name: 'a' }] });
  const ended: RequestEvent[] = [];
  pool.on('request', (event) => ended.push(event));
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.leave();
    front.close();
    await origin.stop();
  });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open((front.address() as AddressInfo).port);
    clients.push(client);
    return client;
  };
  return { pool, origin, connect, ended };
}

test('closed at once where nothing is under way, and for good', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a'), defaultServer: { check: true, slowstart: '10s' } }, clock);
  const told: unknown[] = [];
  pool.on('close', (event) => told.push(event));
  pool.server('a').setState('maint');
  pool.server('a').setState('ready');
  const closing = pool.close();
  assert.equal(pool.close({ graceMs: 1 }), closing, 'a second call gives the first one’s promise');
  assert.deepEqual(await closing, { cut: 0, leaked: 0 });
  assert.deepEqual([told, clock.pending], [[{ cut: 0, leaked: 0 }], 0]);

  await assert.rejects(pool.acquire(), isClosed);
  await assert.rejects(
    pool.run({}, () => 1),
    isClosed,
  );
  await assert.rejects(pool.ready(), isClosed);
  assert.equal(pool.tryAcquire(), undefined);
  assert.throws(() => pool.addServer('127.0.0.1:2'), isClosed);
  pool.server('a').setState('maint');
  pool.server('a').setState('ready');
  pool.server('a').setHealth('up');
  assert.deepEqual([clock.pending, pool.stats().name], [0, 'pool'], 'nothing starts again, and one may still look');
});

test('leases are waited for, and what is not released in time is told', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a') }, clock);
  const [kept, lost] = [await pool.acquire(), await pool.acquire()];
  const closing = pool.close({ graceMs: 3_000 });
  await assert.rejects(pool.acquire(), isClosed, 'new work is refused from the first moment on');
  assert.equal(clock.holding, 1);
  clock.advance(2_999);
  kept.release();
  clock.advance(1);
  assert.deepEqual(await closing, { cut: 0, leaked: 1 });
  lost.release();
  assert.deepEqual([pool.server('a').active, clock.pending], [0, 0]);
});

test('a grace time that is none is a fault, and nothing is closed', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  for (const options of [{ graceMs: -1 }, { graceMs: 'soon' }, { grace: 5 }])
    assert.throws(() => pool.close(options as never), ConfigError);
  (await pool.acquire()).release();
});

test('a request under way is finished; the connections go with the pool', async (t) => {
  const { pool, origin, connect, ended } = await stage(t, () => {});
  const client = await connect();
  const idle = await connect();
  const answer = client.start();
  const request = await origin.request(1);
  const closing = pool.close();
  const refused = await idle.send();
  assert.deepEqual([refused.status, refused.field('connection')], [503, 'close']);
  await request.reply('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  assert.equal((await answer.end).body, 'ok');
  assert.deepEqual(await closing, { cut: 0, leaked: 0 });
  await request.connection.closed;
  assert.deepEqual(
    ended.map(({ status, flags }) => `${status} ${flags}`),
    ['503 SC', '200 --'],
  );
});

test('what is left after the grace time is cut, and marked K: before an answer, and in the middle of one', async (t) => {
  const { pool, origin, connect, ended } = await stage(t, (request) => {
    if (request.target === '/half') request.socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
  });
  const [silent, half] = [await connect(), await connect()];
  const nothing = silent.start({ path: '/silent' });
  const begun = half.start({ path: '/half' });
  await Promise.all([origin.request(1), origin.request(2), begun.head]);
  assert.deepEqual(await pool.close({ graceMs: 20 }), { cut: 2, leaked: 0 });
  assert.equal((await nothing.end).status, 503);
  const cut = await begun.end;
  assert.deepEqual([cut.status, cut.complete], [200, false]);
  assert.deepEqual(ended.map(({ url, status, flags }) => `${url} ${status} ${flags}`).sort(), [
    '/half 200 KD',
    '/silent 503 KH',
  ]);
  assert.deepEqual([pool.stats().active, pool.server('a').active], [0, 0]);
  for (const connection of origin.connections) await connection.closed;
});

test('removing a server cuts what it has left, and only that', async (t) => {
  const { pool, origin, connect, ended } = await stage(t, () => {});
  const other = await Origin.start(() => {});
  t.after(() => other.stop());
  pool.addServer({ address: other.url, name: 'b' });
  const answers = [await connect(), await connect()].map((client) => client.start());
  await Promise.all([origin.request(1), other.request(1)]);
  assert.deepEqual(await pool.removeServer('a', { graceMs: 20 }), { cut: 1, leaked: 0 });
  assert.deepEqual(
    ended.map(({ server, flags }) => `${server} ${flags}`),
    ['a KH'],
  );
  await (await origin.connection(1)).closed;
  await (await other.request(1)).reply('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  assert.deepEqual((await Promise.all(answers.map(({ end }) => end))).map(({ status }) => status).sort(), [200, 503]);
  await pool.close();
});
