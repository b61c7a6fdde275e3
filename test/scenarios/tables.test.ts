/** Stick rules and `track` over sockets: what responses say is stored, what requests do is counted, and limits hold. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemEnvironment } from '#src/core/environment.ts';
import { Pool, type PoolOptions, type StickResponseContext } from '#src/index.ts';
import type { RequestSpec } from '../support/client-exchange.ts';
import { Origin, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

interface Stage {
  readonly pool: Pool;
  readonly send: (spec?: RequestSpec) => ReturnType<RawClient['send']>;
  readonly faults: string[];
  clockMs: number;
}

async function stage(t: TestContext, options: PoolOptions): Promise<Stage> {
  const opened: Stage = { pool: undefined as never, send: undefined as never, faults: [], clockMs: 0 };
  const now = (): number => systemEnvironment.now() + opened.clockMs;
  const pool = new Pool(options, { ...systemEnvironment, now });
  pool.on('sample:error', ({ sample }) => opened.faults.push(sample));
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  t.after(async () => {
    front.closeAllConnections();
    front.close();
    await pool.close({ graceMs: 0 });
  });
  const send = async (spec: RequestSpec = {}): ReturnType<RawClient['send']> => {
    const client = await RawClient.open((front.address() as AddressInfo).port);
    const answer = await client.send(spec);
    client.leave();
    return answer;
  };
  return Object.assign(opened, { pool, send });
}

async function origins(
  t: TestContext,
  names: string,
  script: (name: string) => Script,
): Promise<NonNullable<PoolOptions['servers']>> {
  const started = await Promise.all(
    [...names].map(async (name) => ({ name, origin: await Origin.start(script(name)) })),
  );
  t.after(() => Promise.all(started.map(({ origin }) => origin.stop())));
  return started.map(({ name, origin }) => ({ name, address: origin.url }));
}

/** Says its name, and sets what the request asks for. */
const says =
  (name: string): Script =>
  (request) => {
    const extra = request.field('x-answer');
    const status = request.field('x-status') ?? '200';
    return request.reply(
      `HTTP/1.1 ${status} OK\r\n${extra ? `${extra.replaceAll('|', '\r\n')}\r\n` : ''}Content-Length: 1\r\n\r\n${name}`,
    );
  };

test('store-response: the session that a server has begun stays with it, wherever the client comes from', async (t) => {
  const { send, pool } = await stage(t, {
    servers: await origins(t, 'abc', says),
    stickTable: { type: 'string', len: 64, size: '1k', expire: '30m' },
    stick: ['match req.cook(sid)', 'store-response res.cook(sid)'],
  });
  const begun = await send({ fields: [['X-Answer', 'Set-Cookie: other=1|Set-Cookie: sid=S1; path=/; HttpOnly']] });
  assert.deepEqual(begun.values('set-cookie'), ['other=1', 'sid=S1; path=/; HttpOnly']);
  for (let i = 0; i < 4; i++) {
    const { body } = await send({ fields: [['Cookie', 'a=1; sid=S1']] });
    assert.equal(body, begun.body);
  }
  assert.deepEqual(
    [...pool.table().entries()].map(({ key, server }) => [key, server]),
    [['S1', begun.body]],
  );
});

test('store-response by a function, with conditions on the response', async (t) => {
  const { send, pool } = await stage(t, {
    servers: await origins(t, 'ab', says),
    stickTable: { type: 'string', size: 10 },
    stick: [
      {
        storeResponse: ({ response }) => String(response.headers['x-session']),
        if: ({ response }: StickResponseContext) => response.status === 201,
      },
    ],
  });
  await send({ fields: [['X-Answer', 'X-Session: one']] });
  assert.equal(pool.table().size, 0);
  await send({
    fields: [
      ['X-Answer', 'X-Session: two'],
      ['X-Status', '201'],
    ],
  });
  assert.equal(pool.table().get('two')?.server, 'b');
});

test('the server that answers is stored, not the one that failed', async (t) => {
  const servers = [{ name: 'gone', address: '127.0.0.1:1' }, ...(await origins(t, 'b', says))];
  const { send, pool } = await stage(t, { servers, stickTable: { type: 'ip', size: 10 }, stick: ['on src'] });
  assert.equal((await send()).body, 'b');
  assert.equal(pool.table().get('127.0.0.1')?.server, 'b');
});

test('429 for clients over 3 requests in 10 s: three lines, and it ends when they are patient', async (t) => {
  const opened = await stage(t, {
    servers: await origins(t, 'a', says),
    stickTable: { type: 'ip', size: '100k', expire: '1m', store: ['http_req_rate(10s)'] },
    httpRequest: [{ track: 'src' }, { deny: 429, if: ({ tracked }) => tracked.http_req_rate > 3 }],
  });
  const statuses = async (count: number): Promise<number[]> => {
    const found: number[] = [];
    for (let i = 0; i < count; i++) found.push((await opened.send()).status);
    return found;
  };
  assert.deepEqual(await statuses(5), [200, 200, 200, 429, 429]);
  opened.clockMs += 20_001;
  assert.deepEqual(await statuses(1), [200]);
  assert.deepEqual(opened.faults, []);
});

test('counting by hand what passes, a client that never stops has its share of each period all the same', async (t) => {
  const servers = await origins(t, 'a', says);
  const opened = await stage(t, {
    servers,
    stickTable: { type: 'ipv6', size: 100, expire: '1m', store: ['gpc0_rate(10s)'] },
    httpRequest: [
      { track: 'src' },
      { deny: { status: 429, headers: { 'retry-after': '10' } }, if: ({ tracked }) => tracked.gpc0_rate >= 10 },
      { call: ({ tracked }) => tracked.increment('gpc0') },
    ],
  });
  const passed: number[] = [];
  for (let second = 0; second < 40; second++) {
    const period = Math.floor(second / 10);
    for (let i = 0; i < 3; i++) {
      const answer = await opened.send();
      if (answer.status === 200) passed[period] = (passed[period] ?? 0) + 1;
      else assert.deepEqual([answer.status, answer.values('retry-after')], [429, ['10']]);
    }
    opened.clockMs += 1_000;
  }
  for (const count of passed) assert.ok(count >= 7 && count < 20, `about 10 of 30 in 10 s: ${passed.join(' ')}`);
  assert.equal(passed.length, 4);
  assert.deepEqual(opened.faults, []);
});

test('what is counted: requests, connections now, errors, failures and bytes', async (t) => {
  const { send, pool } = await stage(t, {
    servers: await origins(t, 'a', says),
    retries: 0,
    tables: {
      t: {
        type: 'string',
        size: 10,
        store: 'conn_cnt,conn_cur,http_req_cnt,http_err_cnt,http_fail_cnt,bytes_in_cnt,bytes_out_cnt,gpc0,gpt0',
      },
    },
    httpRequest: [
      { track: 'req.hdr(x-user) table t' },
      { deny: true, if: ({ url }) => url === '/denied' },
      { call: ({ tracked }) => tracked.increment('gpc0', 2), if: ({ url }) => url === '/count' },
    ],
    httpResponse: [{ call: ({ response, tracked }) => response.status === 401 && tracked.mark('gpt0', 7) }],
  });
  const ask = (path: string, status = '200', body = ''): ReturnType<typeof send> =>
    send({
      path,
      method: 'POST',
      body,
      fields: [
        ['X-User', 'u'],
        ['X-Status', status],
      ],
    });
  const seen = pool.table('t');
  await ask('/', '200', 'abc');
  await ask('/count');
  await ask('/', '401');
  await ask('/', '500');
  await ask('/', '501');
  await ask('/denied');
  const { server: _server, ...entry } = seen.get('u') ?? {};
  assert.deepEqual(entry, {
    key: 'u',
    expiresInMs: Number.POSITIVE_INFINITY,
    use: 0,
    conn_cnt: 6,
    conn_cur: 0,
    http_req_cnt: 6,
    http_err_cnt: 2,
    http_fail_cnt: 1,
    bytes_in_cnt: 3,
    bytes_out_cnt: 5,
    gpc0: 2,
    gpt0: 7,
  });
});

test('while a request lasts it is one of conn_cur; a client that leaves ends that', async (t) => {
  let asked: () => void = () => {};
  const { pool } = await stage(t, {
    servers: await origins(t, 'a', () => () => asked()),
    stickTable: { type: 'ip', size: 1, store: ['conn_cur'] },
    httpRequest: [{ track: 'src' }],
  });
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  t.after(() => front.close());
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const ended = new Promise<void>((resolve) => pool.once('request', () => resolve()));
  const client = await RawClient.open((front.address() as AddressInfo).port);
  client.start();
  await reached;
  const during = pool.table().get('127.0.0.1');
  assert.deepEqual([during?.conn_cur, during?.use], [1, 1]);
  client.leave();
  await ended;
  const after = pool.table().get('127.0.0.1');
  assert.deepEqual([after?.conn_cur, after?.use], [0, 0]);
});

test('a table full of entries in use: who finds no room is counted as 0, and served', async (t) => {
  const { send, pool, faults } = await stage(t, {
    servers: await origins(t, 'a', says),
    stickTable: { type: 'string', size: 1, store: ['http_req_cnt'] },
    httpRequest: [{ track: 'req.hdr(x-user)' }, { deny: 429, if: ({ tracked }) => tracked.http_req_cnt > 0 }],
  });
  const held = pool.table().track('held');
  assert.equal((await send({ fields: [['X-User', 'u']] })).status, 200);
  held?.release();
  assert.equal((await send({ fields: [['X-User', 'u']] })).status, 429);
  assert.deepEqual(faults, []);
});

test('reading what is not stored or not there, or before anything is tracked, is reported; the rule is left out', async (t) => {
  const { send, faults } = await stage(t, {
    servers: await origins(t, 'a', says),
    stickTable: { type: 'ip', size: 10 },
    httpRequest: [
      { deny: 429, if: ({ tracked }) => tracked.http_req_rate > 0 },
      { track: 'src' },
      { deny: 429, if: ({ tracked }) => tracked.http_req_rate > 0 },
      { deny: 429, if: ({ tracked }) => (tracked as unknown as Record<string, number>)['rate'] === 1 },
    ],
  });
  assert.equal((await send()).status, 200);
  assert.deepEqual(faults, ['httpRequest[0].deny', 'httpRequest[2].deny', 'httpRequest[3].deny']);
});
