/** Choices that depend on what is carried: bodies, and backups as the last resort. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Environment } from '#src/core/environment.ts';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { ShiftedClock } from '../conformance/shifted-clock.ts';
import { answersOk, Origin, REFUSING } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

async function stage(
  t: TestContext,
  options: PoolOptions,
  environment?: Environment,
): Promise<{ pool: Pool; connect: () => Promise<RawClient>; ended: RequestEvent[] }> {
  const pool = new Pool(options, environment);
  const ended: RequestEvent[] = [];
  pool.on('request', (event) => ended.push(event));
  const front = createServer();
  pool.attach(front);
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const clients: RawClient[] = [];
  t.after(async () => {
    for (const client of clients) client.leave();
    front.close();
    await pool.close({ graceMs: 0 });
  });
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open((front.address() as AddressInfo).port);
    clients.push(client);
    return client;
  };
  return { pool, connect, ended };
}

async function origins(t: TestContext, count: number): Promise<Origin[]> {
  const started = await Promise.all(
    Array.from({ length: count }, (_, index) => Origin.start(answersOk(String.fromCharCode(97 + index)))),
  );
  t.after(() => Promise.all(started.map((origin) => origin.stop())));
  return started;
}

test('check_post: the parameter is found in the body of a POST, and the body reaches the server whole', async (t) => {
  const servers = await origins(t, 3);
  const { connect } = await stage(t, {
    balance: 'url_param uid check_post',
    servers: servers.map(({ url }) => url),
  });
  const client = await connect();
  const users = Array.from({ length: 12 }, (_, n) => `user${n}`);
  for (const user of users) {
    const { body: byQuery } = await client.send({ path: `/?uid=${user}` });
    for (const framing of [undefined, 'chunked'] as const) {
      const form = `name=x&uid=${user}&rest=${'y'.repeat(300)}`;
      const exchange = client.start({ method: 'POST', framing: framing ?? form.length });
      exchange.write(form.slice(0, 9));
      await new Promise((resolve) => setImmediate(resolve));
      exchange.write(form.slice(9));
      exchange.finish();
      assert.equal((await exchange.end).body, byQuery);
      const got = servers.flatMap(({ requests }) => requests).filter(({ method }) => method === 'POST');
      assert.ok(
        (await Promise.all(got.map((request) => request.body()))).every((body) => /^name=x&uid=.*y$/.test(body)),
      );
    }
  }
  assert.ok(
    servers.every(({ requests }) => requests.length > 0),
    'they were spread',
  );
});

test('check_post: over kept connections each body is sent once, whatever its size and framing', async (t) => {
  const [server] = await origins(t, 1);
  assert.ok(server);
  const { connect, ended } = await stage(t, { balance: 'url_param uid check_post', servers: [server.url] });
  const client = await connect();
  const sizes = [1, 100, 16_383, 16_384, 16_385, 20_000, 65_000, 200_000];
  const bodies = sizes.flatMap((size) =>
    [size, 'chunked' as const].map((framing) => ({ framing, body: 'uid='.padEnd(size, 'y').slice(0, size) })),
  );
  for (const { framing, body } of bodies) {
    const exchange = client.start({ method: 'POST', framing });
    exchange.write(body);
    exchange.finish();
    assert.equal((await exchange.end).status, 200);
  }
  assert.deepEqual(
    await Promise.all(server.requests.map(async (request) => (await request.body()).length)),
    bodies.map(({ body }) => body.length),
  );
  assert.deepEqual(
    ended.map(({ bytesIn }) => bytesIn),
    bodies.map(({ body }) => body.length),
  );
  assert.equal(server.connections.length, 1, 'nothing came behind a body that would have ended the connection');
});

test('check_post: of a body beyond what is looked at every byte arrives, and an unknown parameter takes turns', async (t) => {
  const servers = await origins(t, 2);
  const { connect } = await stage(t, {
    balance: 'url_param uid check_post',
    bufferBody: 0,
    servers: servers.map(({ url }) => url),
  });
  const client = await connect();
  const body = 'z'.repeat(200_000);
  const answers = [await client.send({ method: 'POST', body }), await client.send({ method: 'POST', body })];
  assert.deepEqual(answers.map((answer) => answer.body).sort(), ['a', 'b']);
  for (const { requests } of servers) assert.equal((await requests[0]?.body())?.length, body.length);
});

test('check_post: an upload that waits for its 100 gets it from us', async (t) => {
  const servers = await origins(t, 2);
  const { connect } = await stage(t, {
    balance: 'url_param uid check_post',
    servers: servers.map(({ url }) => url),
  });
  const client = await connect();
  const exchange = client.start({ method: 'POST', framing: 5, fields: [['Expect', '100-continue']] });
  await exchange.interims(1);
  exchange.write('uid=1');
  exchange.finish();
  assert.equal((await exchange.end).status, 200);
});

test('check_post: the time in which a body is waited for is no time of the server', async (t) => {
  const [server] = await origins(t, 1);
  assert.ok(server);
  const clock = new ShiftedClock();
  const options = { balance: 'url_param uid check_post', servers: [server.url], timeout: { client: '10h' } } as const;
  const { pool, connect, ended } = await stage(t, options, clock);
  const exchange = (await connect()).start({ method: 'POST', framing: 5 });
  await until(() => pool.stats().active === 1);
  const hour = 3_600_000;
  clock.ahead += hour;
  exchange.write('uid=1');
  exchange.finish();
  assert.equal((await exchange.end).status, 200);
  await until(() => ended.length === 1);
  const [{ connectMs, totalMs } = assert.fail()] = ended;
  assert.ok(connectMs < hour && totalMs >= hour, `${connectMs} of ${totalMs} ms`);
});

test('check_post: a client that stops, and one that leaves, while its body is waited for', async (t) => {
  const servers = await origins(t, 2);
  const { connect, pool, ended } = await stage(t, {
    balance: 'url_param uid check_post',
    timeout: { client: 200 },
    servers: servers.map(({ url }) => url),
  });
  const slow = (await connect()).start({ method: 'POST', framing: 10 });
  slow.write('uid');
  assert.equal((await slow.end).status, 408);
  const leaver = await connect();
  const told = new Promise((resolve) => pool.on('request', resolve));
  leaver.start({ method: 'POST', framing: 10 }).write('uid');
  await new Promise((resolve) => setTimeout(resolve, 20)); // the request has to be there to be left
  leaver.leave();
  await told;
  assert.deepEqual(
    ended.map(({ status, flags, timeout }) => [status, flags, timeout]),
    [
      [408, 'cH', 'client'],
      [499, 'CC', undefined],
    ],
  );
  assert.deepEqual(
    servers.map(({ requests }) => requests.length),
    [0, 0],
  );
});

test('when every active server has refused the connection, the last retry goes to a backup', async (t) => {
  const [spare] = await origins(t, 1);
  assert.ok(spare);
  const { connect, pool, ended } = await stage(t, {
    retries: 2,
    servers: [
      { name: 'a', address: REFUSING },
      { name: 'b', address: REFUSING.replace('127.0.0.1', '127.0.0.2') },
      { name: 'spare', address: spare.url, backup: true },
    ],
  });
  const client = await connect();
  assert.equal((await client.send()).body, 'a');
  assert.deepEqual([ended[0]?.server, ended[0]?.retries, ended[0]?.redispatched], ['spare', 2, true]);
  // With a retry left, or with a server that was not tried, there is no need to.
  pool.addServer({ name: 'c', address: REFUSING.replace('127.0.0.1', '127.0.0.3') });
  assert.equal((await client.send()).status, 503);
});
