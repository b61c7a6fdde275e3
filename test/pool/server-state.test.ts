import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';

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
