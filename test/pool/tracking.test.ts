import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type LeaseResult, Pool, type PoolOptions } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere, picks } from './picks.ts';

const [A, B, C] = nowhere('a', 'b', 'c') as [
  { name: string; address: string },
  { name: string; address: string },
  { name: string; address: string },
];
const never = (): Promise<never> => new Promise(() => {});

function faultsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

test('a loop of tracks is told of once for each server in it, in whatever order they stand', () => {
  const servers = [
    { ...A, track: 'c' },
    { ...B, track: 'a' },
    { ...C, track: 'b' },
    { ...nowhere('d')[0], track: 'a' },
  ];
  assert.deepEqual(
    faultsOf(() => new Pool({ servers } as PoolOptions, new VirtualClock())),
    [
      'servers[0].track: a would track itself, by way of c',
      'servers[1].track: b would track itself, by way of a',
      'servers[2].track: c would track itself, by way of b',
    ],
  );
});

test('a tracked server need not come first, and names given by default will do', async () => {
  const pool = new Pool(
    {
      servers: [
        { ...A, track: 's2' },
        { address: B.address, check: never },
      ],
    },
    new VirtualClock(),
  );
  assert.deepEqual(
    pool.servers.map(({ state }) => state),
    ['UP 1/3', 'UP 1/3'],
  );
  await pool.close();
});

test('defaultServer may say how servers are checked; one that tracks is not', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const check = (): boolean => ++asked < 3;
  const pool = new Pool(
    { servers: [A, { ...B, track: 'a' }], defaultServer: { check, initState: 'fully-up', inter: 1000, fall: 1 } },
    clock,
  );
  await clock.advanceAsync(2500);
  assert.equal(asked, 3);
  assert.deepEqual(
    pool.servers.map(({ state, usable }) => [state, usable]),
    [
      ['DOWN', false],
      ['DOWN', false],
    ],
  );
  await pool.close();
});

test('commands to a server take along what tracks it: choices, idle connections, events and stats', async () => {
  const pool = new Pool(
    { name: 'api', servers: [{ ...A, check: never }, { ...B, track: 'a' }, C] },
    new VirtualClock(),
  );
  const told: string[] = [];
  pool.on('server:state', ({ server, from, to, reason }) => told.push(`${server}: ${from} to ${to}, ${reason}`));
  pool.server('a').setState('maint');
  assert.equal(picks(pool, 3), 'c c c');
  assert.equal(pool.stats().servers['b']?.state, 'MAINT (via api/a)');
  assert.equal(pool.stats().servers['b']?.tracks, 'a');
  assert.deepEqual(pool.explain().excluded, [
    { server: 'a', reason: 'its state is MAINT' },
    { server: 'b', reason: 'its state is MAINT (via api/a)' },
  ]);
  pool.server('a').setState('ready');
  assert.equal(new Set(picks(pool, 3).split(' ')).size, 3);
  assert.deepEqual(told, [
    'a: ready to maint, set by an operator',
    'b: ready to maint, it tracks a: set by an operator',
    'a: maint to ready, set by an operator',
    'b: maint to ready, it tracks a: set by an operator',
  ]);
  await pool.close();
});

test('health is set where it is tracked', async () => {
  const pool = new Pool(
    {
      servers: [
        { ...A, check: never },
        { ...B, track: 'a' },
      ],
    },
    new VirtualClock(),
  );
  const told: string[] = [];
  pool.on('server:down', ({ server, reason, state }) => told.push(`${server} ${state}: ${reason}`));
  assert.deepEqual(
    faultsOf(() => pool.server('b').setHealth('down')),
    ['health: b tracks a: its health is set there'],
  );
  pool.server('a').setHealth('down');
  assert.deepEqual(told, ['a DOWN: set by an operator', 'b DOWN: it tracks a: set by an operator']);
  await pool.close();
});

test('a server that is tracked cannot be removed before those that track it', async () => {
  const pool = new Pool({ servers: [{ ...A, check: never }] }, new VirtualClock());
  pool.addServer({ ...B, track: 'a' });
  pool.addServer({ ...C, track: 'b' });
  await assert.rejects(pool.removeServer('a'), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /removeServer: cannot be removed while it is tracked; remove first: b/);
    return true;
  });
  assert.deepEqual(
    pool.servers.map(({ name }) => name),
    ['a', 'b', 'c'],
    'nothing was changed',
  );
  for (const name of ['c', 'b', 'a']) await pool.removeServer(name);
  assert.equal(pool.servers.length, 0);
  await pool.close();
});

test('a server that is added may track one that is there, and no other', async () => {
  const pool = new Pool({ servers: [{ ...A, check: never }, C] }, new VirtualClock());
  pool.server('a').setState('drain');
  assert.equal(pool.addServer({ ...B, track: 'a' }).state, 'DRAIN 1/3');
  const more = { address: A.address };
  assert.deepEqual(
    faultsOf(() => pool.addServer({ ...more, track: 'nobody' })),
    [
      `server.track: the pool has no server "nobody"; allowed: another server of this pool, by its name alone: 'a', 'c', 'b'`,
    ],
  );
  assert.match(faultsOf(() => pool.addServer({ ...more, track: 'c' })).join(), /server\.track: c has no check/);
  assert.match(
    faultsOf(() => pool.addServer({ ...more, name: 'd', track: 'd' })).join(),
    /server\.track: d would track itself/,
  );
  await pool.close();
});

test('leases count for observe: released as failed an error, as ok not, and without a word nothing', async () => {
  const servers = [
    { ...A, check: never, initState: 'fully-up', observe: 'layer4', errorLimit: 2, onError: 'mark-down' },
  ];
  const pool = new Pool({ servers } as PoolOptions, new VirtualClock());
  const release = async (result?: LeaseResult): Promise<void> => (await pool.acquire()).release(result);
  const told: string[] = [];
  pool.on('server:down', ({ reason }) => told.push(reason));
  for (const result of [{ ok: false }, { ok: true }, { ok: false }, undefined]) await release(result);
  assert.equal(pool.server('a').state, 'UP');
  await release({ ok: false });
  const { state, hanafail, check } = pool.stats().servers['a'] ?? assert.fail();
  assert.deepEqual([state, hanafail, check?.code], ['DOWN', 1, 'HANA']);
  assert.deepEqual(told, ['Health analyze: 2 requests in a row failed, the last: a lease released as failed (HANA)']);
  await pool.close();
});
