import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';
import { nextCheck } from '../support/next-check.ts';
import { Origin, ok, response } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const INTER_MS = 1000;

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
  const clock = new VirtualClock();
  const servers = [
    { name: 'a', address: `127.0.0.1:${port}`, weight: 3, check: { type: 'http', sendState: true }, inter: INTER_MS },
    { name: 'b', address: '127.0.0.1:1', weight: 4 },
  ] as const;
  const pool = new Pool({ name: 'web', servers }, clock);
  t.after(() => pool.close());
  const lease = await pool.acquire({}, { avoid: ['b'] });
  const rest = (weights: string, sessions: string): string =>
    `; address=127.0.0.1; port=${port}; name=web/a; node=${hostname()}; weight=${weights}; scur=${sessions}; qcur=0`;
  const next = async (ms = INTER_MS): Promise<string | undefined> => {
    await nextCheck(pool, clock, ms);
    return told.at(-1);
  };
  assert.equal(await next(1), `UP 1/3${rest('3/7', '1/1')}`);
  lease.release();
  assert.equal(await next(), `UP${rest('3/7', '0/0')}`);
  status = 503;
  assert.equal(await next(), `UP${rest('3/7', '0/0')}`);
  assert.equal(await next(), `UP 2/3${rest('3/7', '0/0')}`);
  assert.equal(await next(), `UP 1/3${rest('3/7', '0/0')}`);
  assert.equal(await next(), `DOWN${rest('3/4', '0/0')}`);
  status = 200;
  assert.equal(await next(), `DOWN${rest('3/4', '0/0')}`);
  assert.equal(await next(), `DOWN 1/2${rest('3/4', '0/0')}`);
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
  const clock = new VirtualClock();
  const servers = [
    { name: 'a', address: origin.url, cookie: 'A', check: { type: 'http', sendState: true }, inter: INTER_MS },
    { name: 'b', address: other.url, cookie: 'B' },
  ] as const;
  const pool = new Pool({ servers, cookie: 'to indirect insert', disableOn404: true }, clock);
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  t.after(async () => {
    client.leave();
    front.close();
    await pool.close();
    await Promise.all([origin.stop(), other.stop()]);
  });
  const servedBy = async (cookie?: string): Promise<string> =>
    (await client.send(cookie === undefined ? {} : { fields: [['Cookie', cookie]] })).body;
  /** The state after a check that is answered so. */
  const after = async (answer: number, ms = INTER_MS): Promise<string> => {
    status = answer;
    await nextCheck(pool, clock, ms);
    return pool.server('a').state;
  };
  assert.deepEqual([await after(200, 1), await after(404), await after(404)], ['UP', 'NOLB', 'NOLB']);
  const { code, description } = pool.stats().servers['a']?.check ?? assert.fail();
  assert.deepEqual([code, description], ['L7OKC', 'status 404, no new requests']);
  assert.deepEqual([await servedBy('to=A'), await servedBy(), await servedBy()], ['a', 'b', 'b']);
  assert.deepEqual([await after(503), await after(503), await after(503)], ['NOLB 2/3', 'NOLB 1/3', 'DOWN']);
  assert.equal(await servedBy('to=A'), 'b');
  assert.deepEqual([await after(404), await after(200), await after(200)], ['DOWN', 'DOWN 1/2', 'UP']);
  assert.deepEqual(told, ['UP 1/3', 'UP', 'NOLB', 'NOLB', 'NOLB 2/3', 'NOLB 1/3', 'DOWN', 'DOWN', 'DOWN 1/2']);
});
