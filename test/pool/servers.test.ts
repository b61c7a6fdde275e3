import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type ErrorCode, EvenkeelError, Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere, picks } from './picks.ts';

const code = (expected: ErrorCode) => (error: unknown) => error instanceof EvenkeelError && error.code === expected;
const isConfigError = (error: unknown): boolean => error instanceof ConfigError;

/** What the pool tells of its servers, in short. */
function listen(pool: Pool): string[] {
  const told: string[] = [];
  pool.on('server:added', ({ server, url }) => told.push(`added ${server} ${url}`));
  pool.on('server:removed', ({ server, cut }) => told.push(`removed ${server}, ${cut} cut`));
  pool.on('server:weight', ({ server, from, to }) => told.push(`weight of ${server}: ${from} to ${to}`));
  pool.on('server:state', ({ server, from, to }) => told.push(`state of ${server}: ${from} to ${to}`));
  pool.on('server:up', ({ server, state, reason }) => told.push(`${server} ${state}: ${reason}`));
  pool.on('server:down', ({ server, state, reason }) => told.push(`${server} ${state}: ${reason}`));
  return told;
}

test('servers are found by name, in the order in which they came; ids are their places, or the next that are free', () => {
  const pool = new Pool(
    {
      servers: [
        '127.0.0.1:1',
        { address: '127.0.0.1:2', id: 1 },
        { address: '127.0.0.1:3', name: 'c', id: 9 },
        '127.0.0.1:4',
      ],
    },
    new VirtualClock(),
  );
  assert.deepEqual(
    pool.servers.map(({ name, id, port }) => [name, id, port]),
    [
      ['s2', 2, 1],
      ['s1', 1, 2],
      ['c', 9, 3],
      ['s5', 5, 4],
    ],
  );
  assert.equal(pool.server('c'), pool.servers[2], 'always the same object');
  assert.deepEqual([pool.hasServer('c'), pool.hasServer('d')], [true, false]);
  assert.throws(() => pool.server('d'), code('EK_UNKNOWN_SERVER'));
});

test('a server that is added is live at once, with what all servers share; its name and id may be those of one removed', async () => {
  const pool = new Pool({ servers: nowhere('a', 'b'), defaultServer: { maxconn: 1 } }, new VirtualClock());
  const told = listen(pool);
  const c = pool.addServer({ address: '127.0.0.1:3', name: 'c' });
  assert.deepEqual([c.id, picks(pool, 3).split(' ').sort().join(' ')], [3, 'a b c']);
  assert.equal(pool.stats().servers['c']?.maxconn, 1);

  assert.deepEqual(await pool.removeServer('a'), { cut: 0, leaked: 0 });
  assert.deepEqual([picks(pool, 2).includes('a'), pool.hasServer('a')], [false, false]);
  const again = pool.addServer({ address: '127.0.0.1:5', name: 'a' });
  assert.deepEqual([again.id, again.port, pool.servers.map(({ name }) => name).join()], [1, 5, 'b,c,a']);
  assert.equal(pool.addServer('127.0.0.1:6').name, 's4');
  assert.deepEqual(told, [
    'added c http://127.0.0.1:3',
    'removed a, 0 cut',
    'added a http://127.0.0.1:5',
    'added s4 http://127.0.0.1:6',
  ]);
});

test('a server that cannot be added changes nothing', () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 's2'), defaultServer: { check: true } }, clock);
  const told = listen(pool);
  const [timers, before] = [clock.pending, JSON.stringify(pool.stats())];
  for (const wrong of [
    'nowhere',
    {},
    undefined,
    { address: '127.0.0.1:1', name: 'a' },
    { address: '127.0.0.1:1', id: 1 },
    { address: '127.0.0.1:1', weight: 300 },
    { address: '127.0.0.1:1', colour: 'red' },
  ])
    assert.throws(() => pool.addServer(wrong as never), isConfigError, JSON.stringify(wrong));
  assert.deepEqual([clock.pending, JSON.stringify(pool.stats()), told], [timers, before, []]);
  assert.throws(
    () => pool.addServer({ address: 'x', weight: 300, colour: 'red' } as never),
    (error) => error instanceof ConfigError && error.faults.length === 3,
  );
});

test('a removed server gets nothing new and keeps what it has until its grace time is over', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 'b') }, clock);
  const [kept, lost] = [await pool.acquire({}, { avoid: ['b'] }), await pool.acquire({}, { avoid: ['b'] })];
  let result: unknown;
  const removed = pool.removeServer('a', { graceMs: 5_000 }).then((value) => {
    result = value;
  });
  assert.equal(picks(pool, 3), 'b b b');
  await assert.rejects(pool.removeServer('a'), code('EK_UNKNOWN_SERVER'));
  await clock.advanceAsync(4_999);
  assert.equal(result, undefined);
  kept.release();
  await clock.advanceAsync(1);
  await removed;
  assert.deepEqual(result, { cut: 0, leaked: 1 });
  lost.release(); // later is harmless
  assert.equal(clock.pending, 0);
});

test('removal does not wait longer than the work does', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a') }, clock);
  const lease = await pool.acquire();
  const removed = pool.removeServer('a', { graceMs: Number.POSITIVE_INFINITY });
  assert.equal(clock.holding, 1, 'whoever waits holds the process');
  lease.release();
  assert.deepEqual(await removed, { cut: 0, leaked: 0 });
  assert.equal(clock.pending, 0);
  await assert.rejects(pool.removeServer('nonesuch'), code('EK_UNKNOWN_SERVER'));
});

test('a weight is a number or a percentage of the configured one, and holds from the very next choice on', () => {
  const pool = new Pool(
    { servers: [{ address: '127.0.0.1:1', name: 'a', weight: 40 }, ...nowhere('b')] },
    new VirtualClock(),
  );
  const told = listen(pool);
  const a = pool.server('a');
  for (const [weight, becomes] of [
    [10, 10],
    [0, 0],
    ['50%', 20],
    ['0%', 0],
    ['100%', 40],
    ['640%', 256],
    [256, 256],
    ['1%', 0],
  ] as const) {
    a.setWeight(weight);
    assert.equal(a.weight, becomes, String(weight));
    assert.equal(picks(pool, 1_000).includes('a'), becomes > 0, String(weight));
  }
  assert.deepEqual(told.slice(0, 3), ['weight of a: 40 to 10', 'weight of a: 10 to 0', 'weight of a: 0 to 20']);
  assert.equal(told.length, 7, 'no change is not told');
  for (const wrong of [-1, 257, 1.5, Number.NaN, '5', '-5%', '1.5%', '650%', '%', null])
    assert.throws(() => a.setWeight(wrong as never), isConfigError, String(wrong));
  assert.equal(a.weight, 0);
});

test('drain and maint take no new work; ready undoes either', () => {
  const pool = new Pool({ servers: nowhere('a', 'b') }, new VirtualClock());
  const told = listen(pool);
  const a = pool.server('a');
  for (const state of ['drain', 'maint', 'ready', 'maint', 'drain', 'ready'] as const) {
    a.setState(state);
    a.setState(state);
    assert.equal(picks(pool, 2).includes('a'), state === 'ready', state);
    assert.equal(a.usable, state === 'ready');
    assert.equal(a.state, { drain: 'DRAIN', maint: 'MAINT', ready: 'no check' }[state]);
  }
  assert.deepEqual(
    told.map((line) => line.replace('state of a: ', '')),
    ['ready to drain', 'drain to maint', 'maint to ready', 'ready to maint', 'maint to drain', 'drain to ready'],
  );
  assert.throws(() => a.setState('down' as never), isConfigError);
});

test('health set by an operator holds until the checks say otherwise', () => {
  const pool = new Pool({ servers: nowhere('a', 'b') }, new VirtualClock());
  const told = listen(pool);
  const a = pool.server('a');
  for (const [health, state] of [
    ['down', 'DOWN'],
    ['up', 'no check'],
    ['stopping', 'NOLB'],
    ['up', 'no check'],
  ] as const) {
    a.setHealth(health);
    assert.deepEqual([a.state, picks(pool, 2).includes('a')], [state, health === 'up'], health);
  }
  assert.deepEqual(told, [
    'a DOWN: set by an operator',
    'a no check: set by an operator',
    'a NOLB: set by an operator',
    'a no check: set by an operator',
  ]);
  assert.throws(() => a.setHealth('ill' as never), isConfigError);
});

test('a server that comes back is warmed up: its share grows second by second', () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 'b'), defaultServer: { slowstart: '10s', maxconn: 10 } }, clock);
  const a = pool.server('a');
  const shareOf = (name: string): number => picks(pool, 1_700).split(name).length - 1;
  assert.equal(shareOf('a'), 850, 'none is warmed up when the pool starts');
  a.setState('maint');
  a.setState('ready');
  assert.deepEqual(
    [pool.stats().servers['a']?.effectiveWeight, Math.round(shareOf('a') / 10)],
    [1, 10],
    'one part in seventeen',
  );
  clock.advance(5_000);
  assert.equal(pool.stats().servers['a']?.effectiveWeight, 9);
  clock.advance(5_000);
  assert.deepEqual([pool.stats().servers['a']?.effectiveWeight, Math.round(shareOf('a') / 10)], [16, 85]);
  a.setState('maint');
  a.setState('ready');
  const { maxconn, effectiveMaxconn } = pool.stats().servers['a'] ?? assert.fail();
  assert.deepEqual([maxconn, effectiveMaxconn], [10, 1], 'what is configured, and what it has of it now');
  assert.deepEqual(
    [pool.explain().loads['a']?.maxconn, pool.explain().loads['a']?.effectiveMaxconn],
    [10, 1],
    'explain() says the same',
  );
  const first = pool.tryAcquire({}, { avoid: ['b'] });
  assert.deepEqual([first?.server.name, picks(pool, 1, ['b'])], ['a', 'b'], 'and of its slots it has but one');
});

test('what is done to a server that was removed does nothing', async () => {
  const pool = new Pool({ servers: nowhere('a', 'b') }, new VirtualClock());
  const a = pool.server('a');
  a.setState('drain');
  await pool.removeServer('a');
  a.setState('ready');
  a.setWeight(5);
  a.setHealth('up');
  assert.deepEqual([picks(pool, 2), a.usable], ['b b', false]);
});
