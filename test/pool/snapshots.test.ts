import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';
import { Origin, ok } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

function assertFrozen(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  assert.ok(Object.isFrozen(value), `${path} is not frozen`);
  for (const [key, inner] of Object.entries(value)) assertFrozen(inner, `${path}.${key}`);
}

test('stats are a plain frozen snapshot: what is done later does not show', async () => {
  const pool = new Pool(
    {
      name: 'api',
      servers: [
        { address: '127.0.0.1:1', name: 'a', weight: 3, maxconn: 7 },
        { address: 'unix:/run/b', backup: true },
      ],
    },
    new VirtualClock(),
  );
  const before = pool.stats();
  const lease = await pool.acquire();
  const during = pool.stats();
  lease.release({ ok: false });
  assertFrozen(before, 'stats');
  const breaker = { breaker: 'closed', ejections: 0, ejectedForMs: undefined };
  const none = {
    ...breaker,
    check: undefined,
    agent: undefined,
    tracks: undefined,
    responses: { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, other: 0 },
  };
  const zero = Object.fromEntries(
    [
      'stot',
      'lbtot',
      'smax',
      'qmax',
      'bin',
      'bout',
      'econ',
      'eresp',
      'wretr',
      'wredis',
      'hedges',
      'hedgesWon',
      'cli_abrt',
      'srv_abrt',
      'connect',
      'reuse',
      'chkfail',
      'chkdown',
      'hanafail',
    ].map((name) => [name, 0]),
  );
  assert.deepEqual(before, {
    name: 'api',
    state: 'UP',
    active: 0,
    queued: 0,
    qmax: 0,
    leases: 0,
    bufferedBytes: 0,
    retriesRefused: 0,
    panic: false,
    servers: {
      a: {
        id: 1,
        url: 'http://127.0.0.1:1',
        state: 'no check',
        admin: 'ready',
        backup: false,
        weight: 3,
        effectiveWeight: 48,
        maxconn: 7,
        effectiveMaxconn: 7,
        active: 0,
        queued: 0,
        idle: 0,
        ...none,
        ...zero,
      },
      s2: {
        id: 2,
        url: 'unix:/run/b',
        state: 'no check',
        admin: 'ready',
        backup: true,
        weight: 1,
        effectiveWeight: 16,
        maxconn: 0,
        effectiveMaxconn: 0,
        active: 0,
        queued: 0,
        idle: 0,
        ...none,
        ...zero,
      },
    },
  });
  assert.deepEqual([during.leases, during.servers['a']?.active, during.servers['a']?.stot], [1, 1, 1]);
  assert.equal(JSON.parse(JSON.stringify(pool.stats())).servers.a.eresp, 1, 'and can be sent as JSON');
});

test('a pool without a usable server is DOWN; one without any server is not', () => {
  const pool = new Pool({ servers: [{ address: '127.0.0.1:1', name: 'a', weight: 0 }] }, new VirtualClock());
  assert.equal(pool.stats().state, 'DOWN');
  pool.server('a').setWeight(1);
  assert.equal(pool.stats().state, 'UP');
  assert.equal(new Pool({}, new VirtualClock()).stats().state, 'UP');
});

test('servers may have any name that is allowed', () => {
  const pool = new Pool({ servers: nowhere('__proto__', 'constructor', '0') }, new VirtualClock());
  assert.deepEqual(Object.keys(pool.stats().servers).sort(), ['0', '__proto__', 'constructor']);
  assert.equal(pool.server('__proto__').name, '__proto__');
});

test('requests are counted under HAProxy’s names', async () => {
  const answers = [
    ok('hello'),
    ok('x'),
    'HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno',
    'HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n',
    'junk\r\n\r\n',
  ];
  const origin = await Origin.start((request) => request.reply(answers.shift() ?? ''));
  const pool = new Pool({ servers: [{ address: origin.url, name: 'a' }] });
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  const statuses = [
    await client.send({ method: 'POST', body: 'abc' }),
    await client.send(),
    await client.send(),
    await client.send(),
    await client.send(),
  ].map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 404, 999, 502]);
  const { a } = pool.stats().servers;
  const { stot, lbtot, smax, bin, bout, eresp, connect, reuse, responses, active, idle } = a ?? {};
  assert.deepEqual(
    { stot, lbtot, smax, bin, bout, eresp, connect, reuse, active, idle },
    { stot: 5, lbtot: 5, smax: 1, bin: 3, bout: 8, eresp: 1, connect: 1, reuse: 4, active: 0, idle: 0 },
  );
  assert.deepEqual(responses, { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 1, '5xx': 0, other: 1 });
  client.leave();
  front.close();
  await pool.close();
  await origin.stop();
});

test('explain says who can be chosen, and why not the others', async () => {
  const servers = [
    ...nowhere('a', 'full', 'drained', 'off', 'weightless', 'ill').map((server) => ({ ...server, maxconn: 1 })),
    ...nowhere('x', 'y').map((server) => ({ ...server, backup: true })),
  ];
  const pool = new Pool({ servers }, new VirtualClock());
  pool.server('drained').setState('drain');
  pool.server('off').setState('maint');
  pool.server('weightless').setWeight(0);
  pool.server('ill').setHealth('down');
  const held = await pool.acquire({}, { avoid: ['a'] });
  const explanation = pool.explain({ url: '/x' });
  assertFrozen(explanation, 'explanation');
  const { loads, ...rest } = explanation;
  assert.deepEqual(
    Object.keys(loads),
    pool.servers.map(({ name }) => name),
  );
  assert.deepEqual(loads['full'], {
    active: 1,
    queued: 0,
    maxconn: 1,
    effectiveMaxconn: 1,
    weight: 1,
    effectiveWeight: 16,
  });
  assert.deepEqual(rest, {
    group: 'active',
    by: 'roundrobin',
    chosen: 'a',
    waits: false,
    hash: undefined,
    candidates: ['a'],
    excluded: [
      { server: 'full', reason: 'all of its 1 slots are taken' },
      { server: 'drained', reason: 'its state is DRAIN' },
      { server: 'off', reason: 'its state is MAINT' },
      { server: 'weightless', reason: 'its weight is 0' },
      { server: 'ill', reason: 'its state is DOWN' },
      { server: 'x', reason: 'it is a backup, and active servers are usable' },
      { server: 'y', reason: 'it is a backup, and active servers are usable' },
    ],
  });
  for (const name of ['a', 'full']) pool.server(name).setState('maint');
  assert.deepEqual(
    [pool.explain().group, pool.explain().candidates, pool.explain().excluded.at(-1)],
    ['backup', ['x'], { server: 'y', reason: 'another backup comes first' }],
  );
  for (const name of ['x', 'y']) pool.server(name).setHealth('stopping');
  assert.deepEqual(
    [pool.explain().group, pool.explain().candidates, pool.explain().excluded.at(-1)?.reason],
    ['none', [], 'its state is NOLB'],
  );
  held.release();
});
