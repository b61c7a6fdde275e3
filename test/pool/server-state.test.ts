import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';
import { Origin, ok, response } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

// HAProxy: `http-check send-state`.
test('sendState tells a server how it stands, and its pool', async (t) => {
  const told: (string | undefined)[] = [];
  let status = 200;
  const origin = createServer((request, response) => {
    told.push(request.headers['x-haproxy-server-state'] as string | undefined);
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  t.after(() => origin.close());
  const { port } = origin.address() as AddressInfo;
  const pool = new Pool({
    name: 'web',
    servers: [
      { name: 'a', address: `127.0.0.1:${port}`, weight: 3, check: { type: 'http', sendState: true }, inter: 5 },
      { name: 'b', address: '127.0.0.1:1', weight: 4 },
    ],
  });
  t.after(() => pool.close());
  const lease = await pool.acquire({}, { avoid: ['b'] });
  const next = async (state: RegExp): Promise<string> => {
    for (;;) {
      const said = told.shift();
      if (said !== undefined && state.test(said)) return said;
      await new Promise<void>((resolve) => pool.once('server:check', () => resolve()));
    }
  };
  const rest = (weights: string, sessions: string): string =>
    `; address=127.0.0.1; port=${port}; name=web/a; node=${hostname()}; weight=${weights}; scur=${sessions}; qcur=0`;
  assert.equal(await next(/^UP;/), `UP${rest('3/7', '1/1')}`);
  lease.release();
  assert.equal(await next(/scur=0/), `UP${rest('3/7', '0/0')}`);
  status = 503;
  assert.equal(await next(/^UP \d/), `UP 2/3${rest('3/7', '0/0')}`);
  assert.equal(await next(/^DOWN/), `DOWN${rest('3/4', '0/0')}`);
  status = 200;
  assert.equal(await next(/^DOWN \d/), `DOWN 1/2${rest('3/4', '0/0')}`);
});

// HAProxy: `http-check disable-on-404`.
test('a server that answers 404 with disableOn404 keeps what belongs to it, gets nothing new, and is told so', async (t) => {
  let status = 200;
  const told: string[] = [];
  const origin = await Origin.start((request) => {
    const state = request.field('x-haproxy-server-state')?.split(';')[0];
    if (state === undefined) request.reply(ok('a'));
    else {
      told.push(state);
      request.reply(response(status, '', { Connection: 'close' }));
    }
  });
  const other = await Origin.start((request) => request.reply(ok('b')));
  const pool = new Pool({
    servers: [
      { name: 'a', address: origin.url, cookie: 'A', check: { type: 'http', sendState: true }, inter: 5 },
      { name: 'b', address: other.url, cookie: 'B' },
    ],
    cookie: 'to indirect insert',
    disableOn404: true,
  });
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  t.after(async () => {
    client.leave();
    front.close();
    await pool.close();
    await Promise.all([origin.stop(), other.stop()]);
  });
  const until = async (state: string): Promise<void> => {
    while (pool.server('a').state !== state)
      await new Promise<void>((resolve) => pool.once('server:check', () => resolve()));
  };
  const servedBy = async (cookie?: string): Promise<string> =>
    (await client.send(cookie === undefined ? {} : { fields: [['Cookie', cookie]] })).body;
  await until('UP');
  status = 404;
  await until('NOLB');
  const { code, description } = pool.stats().servers['a']?.check ?? assert.fail();
  assert.deepEqual([code, description], ['L7OKC', 'status 404, no new requests']);
  assert.deepEqual([await servedBy('to=A'), await servedBy(), await servedBy()], ['a', 'b', 'b']);
  status = 503;
  await until('DOWN');
  assert.deepEqual(told.filter((state, at) => told[at - 1] !== state).slice(0, 5), [
    'UP 1/3',
    'UP',
    'NOLB',
    'NOLB 2/3',
    'NOLB 1/3',
  ]);
  assert.equal(await servedBy('to=A'), 'b');
  status = 404;
  const failures = pool.stats().servers['a']?.chkdown;
  for (let checks = 0; checks < 4; checks++)
    await new Promise<void>((resolve) => pool.once('server:check', () => resolve()));
  assert.deepEqual(
    [pool.server('a').state, pool.stats().servers['a']?.chkdown],
    ['DOWN', failures],
    'it must do better to come up',
  );
  status = 200;
  await until('UP');
});
