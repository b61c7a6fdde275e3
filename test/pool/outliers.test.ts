import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lease, type OutlierOptions, Pool, type PoolOptions } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

interface Stage {
  readonly pool: Pool<unknown>;
  readonly clock: VirtualClock;
  /** `ejected a consecutive-errors 30000`, `restored a` */
  readonly told: string[];
  /** Each step of a breaker as it is told, and the state that is shown then: `server:ejected open` */
  readonly states: string[];
  /** So many pieces of work for the server, one after another. */
  work(server: string, ok: boolean, times: number, ms?: number): void;
  /** Who gets the next requests. */
  next(count: number): string;
  breakers(): string;
}

function stage(names: string, outlier: OutlierOptions, options: PoolOptions = {}): Stage {
  const clock = new VirtualClock();
  const servers = [...names].map((name, index) => ({
    name,
    address: `192.0.2.${index + 1}:80`,
    backup: name >= 'x',
  }));
  const useServer = ({ url }: { readonly url?: string | undefined }): string | undefined => url;
  const pool = new Pool<unknown>({ servers, outlier, useServer, ...options } as PoolOptions<unknown>, clock);
  const told: string[] = [];
  const states: string[] = [];
  pool.on('server:ejected', ({ server, cause, forMs }) => told.push(`ejected ${server} ${cause} ${forMs}`));
  pool.on('server:restored', ({ server }) => told.push(`restored ${server}`));
  for (const event of ['server:ejected', 'server:half-open', 'server:restored'] as const)
    pool.on(event, ({ server }) => states.push(`${event} ${pool.stats().servers[server]?.breaker}`));
  return {
    pool,
    clock,
    told,
    states,
    work(server, ok, times, ms = 0) {
      for (let i = 0; i < times; i++) {
        const lease = pool.tryAcquire({ url: server });
        clock.advance(ms);
        lease?.release({ ok });
      }
    },
    next: (count) =>
      Array.from({ length: count }, () => {
        const lease = pool.tryAcquire();
        lease?.release();
        return lease?.server.name ?? '-';
      }).join(''),
    breakers: () =>
      Object.values(pool.stats().servers)
        .map(({ breaker }) => breaker)
        .join(' '),
  };
}

const DEFAULTS = { panicThreshold: '0%' } as const;

test('errors in a row eject a server; one that works in between begins anew', () => {
  const { pool, told, work, next, breakers } = stage('abc', {});
  work('a', false, 4);
  work('a', true, 1);
  work('a', false, 4);
  assert.deepEqual([told, next(3)], [[], 'abc']);
  work('a', false, 1);
  assert.deepEqual(told, ['ejected a consecutive-errors 30000']);
  assert.deepEqual([next(4), breakers()], ['bcbc', 'open closed closed']);
  const { ejections, ejectedForMs } = pool.stats().servers['a'] ?? {};
  assert.deepEqual([ejections, ejectedForMs, pool.server('a').usable], [1, 30_000, false]);
  assert.deepEqual(pool.explain().excluded, [{ server: 'a', reason: 'it is ejected for 30000 ms more' }]);
});

test('what belongs to an ejected server reaches it, and says nothing while the breaker is open', () => {
  const { pool, told, work } = stage('ab', {});
  work('a', false, 6);
  assert.equal(pool.tryAcquire({ url: 'a' })?.server.name, 'a');
  work('a', false, 20);
  assert.equal(told.length, 1);
});

test('after its time a few requests try it: successes restore it', () => {
  const { pool, clock, told, next, work, breakers } = stage('ab', { trials: 2 });
  work('a', false, 5);
  clock.advance(29_999);
  assert.equal(breakers(), 'open closed');
  clock.advance(1);
  assert.equal(breakers(), 'half-open closed');
  const leases: Lease[] = [];
  for (let i = 0; i < 6; i++) leases.push(pool.tryAcquire() as Lease);
  assert.equal(
    leases
      .map(({ server }) => server.name)
      .sort()
      .join(''),
    'aabbbb',
  );
  assert.match(pool.explain().excluded[0]?.reason ?? '', /as many requests as may are trying it/);
  const [first, second] = leases.filter(({ server }) => server.name === 'a');
  first?.release({ ok: true });
  assert.equal(breakers(), 'half-open closed');
  second?.release({ ok: true });
  assert.deepEqual([breakers(), told.at(-1)], ['closed closed', 'restored a']);
  assert.deepEqual([...next(4)].sort().join(''), 'aabb');
});

test('a trial that fails ejects it for longer; one that was given up lets another come', () => {
  const { pool, clock, told, work, next, breakers } = stage('ab', { trials: 1 });
  work('a', false, 5);
  clock.advance(30_000);
  work('a', false, 1);
  assert.deepEqual(told, ['ejected a consecutive-errors 30000', 'ejected a trial 60000']);
  clock.advance(60_000);
  for (let i = 0; i < 5; i++) pool.tryAcquire({ url: 'a' })?.release();
  assert.equal([...next(4)].sort().join(''), 'aabb');
  assert.equal(breakers(), 'half-open closed');
  work('a', true, 1);
  assert.equal(breakers(), 'closed closed');
  // Three times the base, less one for each interval that it was well in.
  work('a', true, 1);
  clock.advance(10_000);
  work('a', false, 5);
  assert.equal(told.at(-1), 'ejected a consecutive-errors 60000');
});

test('a time without work makes the next ejection no longer, as one of good work does', () => {
  for (const idle of [true, false]) {
    const { clock, told, work } = stage('ab', {});
    work('a', false, 5);
    clock.advance(30_000);
    work('a', true, 3);
    assert.equal(told.at(-1), 'restored a');
    if (!idle) work('a', true, 1);
    clock.advance(20_000);
    work('a', false, 5);
    assert.equal(told.at(-1), 'ejected a consecutive-errors 30000', idle ? 'idle' : 'at work');
    clock.advance(600_000);
    assert.equal(clock.pending, 0);
  }
});

test('each step of a breaker is told, with stats in step; a listener may remove the server', async () => {
  const { pool, clock, states, work } = stage('abc', { trials: 1 });
  work('a', false, 5);
  clock.advance(30_000);
  work('a', false, 1);
  clock.advance(60_000);
  work('a', true, 1);
  assert.deepEqual(states, [
    'server:ejected open',
    'server:half-open half-open',
    'server:ejected open',
    'server:half-open half-open',
    'server:restored closed',
  ]);
  pool.on('server:half-open', ({ server }) => void pool.removeServer(server));
  work('b', false, 5);
  clock.advance(30_000);
  assert.deepEqual([states.length, pool.hasServer('b')], [7, false]);
  await pool.close();
  assert.equal(clock.pending, 0);
});

test('work that began before the ejection says nothing of a server that is tried', () => {
  const { pool, clock, work, breakers } = stage('ab', { baseEjection: '1s' });
  const old = pool.tryAcquire({ url: 'a' });
  clock.advance(1);
  work('a', false, 5);
  clock.advance(1_000);
  old?.release({ ok: false });
  assert.equal(breakers(), 'half-open closed');
});

test('one server is never ejected, of two never both, and of all no more than the share', () => {
  const one = stage('a', DEFAULTS);
  one.work('a', false, 50);
  assert.deepEqual([one.told, one.next(1)], [[], 'a']);

  const two = stage('ab', DEFAULTS);
  two.work('a', false, 50);
  two.work('b', false, 50);
  assert.deepEqual([two.told.length, two.next(2)], [1, 'bb']);

  const ten = stage('abcdefghij', { ...DEFAULTS, maxEjected: '35%' });
  for (const name of 'abcdefghij') ten.work(name, false, 50);
  assert.deepEqual([ten.told.length, ten.next(7)], [3, 'defghij']);

  const all = stage('abcd', { ...DEFAULTS, maxEjected: '100%' });
  for (const name of 'abcd') all.work(name, false, 50);
  assert.deepEqual([all.told.length, all.next(2)], [3, 'dd']);
});

test('where nobody more may be ejected, further errors ask again', () => {
  const { clock, told, work } = stage('abc', { ...DEFAULTS, trials: 1 });
  work('a', false, 5);
  work('b', false, 12);
  assert.equal(told.length, 1);
  clock.advance(30_000);
  work('a', true, 1);
  work('b', false, 2);
  assert.deepEqual(told.slice(1), ['restored a']);
  work('b', false, 1);
  assert.equal(told.at(-1), 'ejected b consecutive-errors 30000');
});

test('with fewer than the threshold left nobody counts as ejected, until enough are', () => {
  const { pool, clock, work, next } = stage('abcd', {
    maxEjected: '100%',
    trials: 1,
    baseEjection: '1m',
    maxEjection: '5m',
  });
  work('a', false, 5);
  work('b', false, 5);
  assert.deepEqual([next(4), pool.stats().panic], ['cdcd', false]);
  work('c', false, 5);
  assert.deepEqual([[...next(4)].sort().join(''), pool.stats().panic], ['abcd', true]);
  clock.advance(60_000);
  work('c', true, 1);
  assert.deepEqual([pool.stats().panic, pool.stats().servers['c']?.breaker], [false, 'closed']);
});

test('servers that are down count as not left', () => {
  const { pool, work, next } = stage('abc', {});
  work('a', false, 5);
  assert.deepEqual([next(2), pool.stats().panic], ['bc', false]);
  pool.server('b').setHealth('down');
  assert.deepEqual([[...next(2)].sort().join(''), pool.stats().panic], ['ac', true]);
  pool.server('b').setHealth('up');
  assert.deepEqual([[...next(2)].sort().join(''), pool.stats().panic], ['bc', false]);
  // One that takes nothing new, or is in maintenance, is not missed.
  pool.server('b').setHealth('stopping');
  assert.deepEqual([next(2), pool.stats().panic], ['cc', false]);
  pool.server('b').setState('maint');
  assert.deepEqual([next(2), pool.stats().panic], ['cc', false]);
});

test('what waits is served by an ejected server when the last other one goes', async () => {
  for (const goes of ['down', 'removed'] as const) {
    const { pool, clock, work } = stage('ab', {}, { defaultServer: { maxconn: 1 } });
    work('a', false, 5);
    pool.tryAcquire();
    const waiting = pool.acquire({}, { timeout: '1m' });
    if (goes === 'down') pool.server('b').setHealth('down');
    else void pool.removeServer('b');
    await clock.settle();
    assert.equal((await waiting).server.name, 'a', goes);
  }
});

test('a server that is added ends a panic, and takes what waits', async () => {
  const { pool, told, work } = stage('ab', {}, { defaultServer: { maxconn: 1 } });
  work('a', false, 5);
  assert.deepEqual(told, ['ejected a consecutive-errors 30000']);
  await pool.removeServer('b');
  assert.ok(pool.stats().panic, 'a alone is left');
  const held = await pool.acquire();
  const waits = pool.acquire();
  pool.addServer({ name: 'c', address: '192.0.2.9:80' });
  assert.deepEqual([held.server.name, (await waits).server.name, pool.stats().panic], ['a', 'c', false]);
});

test('a server that is taken into maintenance comes back with a clean record', () => {
  const { pool, told, work, next } = stage('ab', {});
  work('a', false, 5);
  pool.server('a').setState('maint');
  pool.server('a').setState('ready');
  assert.deepEqual([told.at(-1), [...next(2)].sort().join('')], ['restored a', 'ab']);
  work('a', false, 5);
  assert.equal(told.at(-1), 'ejected a consecutive-errors 30000', 'its next ejection is its first');
});

test('nor is anything left of errors before the maintenance, or of work that began before it', () => {
  const { pool, clock, told, work } = stage('ab', {});
  work('a', false, 3);
  const late = pool.tryAcquire({ url: 'a' });
  clock.advance(1);
  pool.server('a').setState('maint');
  late?.release({ ok: false });
  pool.server('a').setState('ready');
  work('a', false, 4);
  assert.deepEqual(told, []);
  work('a', false, 1);
  assert.equal(told.length, 1);
});

test('that it is restored is told after the command that it follows from, so that a listener may give another', () => {
  const { pool, work } = stage('ab', {});
  work('a', false, 5);
  const told: string[] = [];
  pool.on('server:state', ({ server, from, to }) => told.push(`${server} ${from} > ${to}`));
  pool.on('server:restored', ({ server }) => {
    told.push(`restored ${server}`);
    pool.server(server).setState('drain');
  });
  pool.server('a').setState('maint');
  assert.deepEqual(told, ['a ready > maint', 'restored a', 'a maint > drain']);
});

test('a server that is removed, or a pool that is closed, leaves no timer behind', async () => {
  const { pool, clock, work } = stage('abc', {});
  work('a', false, 5);
  await pool.removeServer('a');
  clock.advance(60_000);
  assert.equal(clock.pending, 0, 'an idle pool compares nothing');
  work('b', false, 5);
  await pool.close();
  assert.equal(clock.pending, 0);
});

test('waiters for an ejected server go elsewhere; those for any server do not crowd the trials', async () => {
  const options = { defaultServer: { maxconn: 4 }, balance: 'leastconn' } as const;
  const { pool, clock, work, breakers } = stage('ab', { trials: 2 }, options);
  work('a', false, 5);
  const held = Array.from({ length: 4 }, () => pool.tryAcquire());
  assert.equal(pool.tryAcquire(), undefined);
  const waiting = Array.from({ length: 4 }, () => pool.acquire({}, { timeout: '10m' }));
  clock.advance(30_000);
  await clock.settle();
  assert.deepEqual([pool.stats().servers['a']?.active, pool.stats().queued, breakers()], [2, 2, 'half-open closed']);
  for (const lease of held) lease?.release();
  const leases = await Promise.all(waiting);
  assert.equal(leases.map(({ server }) => server.name).join(''), 'aabb');
});

test('a hash leads elsewhere while its server is ejected, and is not kept waiting by trials', () => {
  const options = { balance: 'hash str(x)', hashType: 'consistent' } as const;
  const { pool, clock, work } = stage('abc', { trials: 1 }, options);
  const home = pool.tryAcquire()?.server.name ?? '';
  work(home, false, 5);
  const away = pool.tryAcquire()?.server.name ?? '';
  assert.notEqual(away, home);
  clock.advance(30_000);
  assert.deepEqual([pool.tryAcquire()?.server.name, pool.tryAcquire()?.server.name], [home, away]);
});

test('a server whose success rate is far below the others is ejected at the end of an interval', () => {
  const { clock, told, work } = stage('abcdef', { consecutiveErrors: 0 });
  for (const name of 'abcdef') for (let i = 0; i < 100; i++) work(name, i % (name === 'd' ? 3 : 50) !== 0, 1);
  assert.deepEqual(told, []);
  clock.advance(10_000);
  assert.deepEqual(told, ['ejected d success-rate 30000']);
});

test('nobody is ejected where all fail alike, chance aside, nor with too few requests or servers', () => {
  for (const [names, requests, rate] of [
    ['abcdef', 100, 25],
    ['abcdef', 99, 2],
    ['abcd', 100, 2],
  ] as const) {
    const { clock, told, work } = stage(names, { consecutiveErrors: 0 });
    for (const name of names) for (let i = 0; i < requests; i++) work(name, i % (name === 'd' ? rate : 50) !== 0, 1);
    clock.advance(10_000);
    assert.deepEqual(told, [], `${names} ${requests} ${rate}`);
  }
  const off = stage('abcdef', { consecutiveErrors: 0, successRate: false });
  for (const name of 'abcdef') off.work(name, name !== 'd', 200);
  off.clock.advance(10_000);
  assert.deepEqual(off.told, []);
});

test('a slow server is ejected where latency is looked at, and again while it stays so', () => {
  const latency = { minimumRequests: 10 };
  const { clock, told, work } = stage('abc', { latency, trials: 2, interval: '20s', baseEjection: '10s' });
  for (const [name, ms] of [
    ['a', 10],
    ['b', 100],
    ['c', 12],
  ] as const)
    work(name, true, 10, ms);
  clock.advance(20_000);
  assert.deepEqual(told, ['ejected b latency 10000']);
  clock.advance(10_000);
  work('b', true, 2, 100);
  assert.equal(told.at(-1), 'ejected b latency 20000');
  clock.advance(20_000);
  work('b', true, 2, 11);
  assert.equal(told.at(-1), 'restored b');
});

test('where nobody has been compared for long, a server that was slow once is not held to what was measured then', () => {
  for (const [restMs, last] of [
    [300_000, 'ejected b latency 20000'],
    [320_001, 'restored b'],
  ] as const) {
    const latency = { minimumRequests: 10 };
    const { clock, told, work } = stage('abc', { latency, trials: 1, interval: '20s', baseEjection: '10s' });
    for (const name of 'abc') work(name, true, 10, name === 'b' ? 100 : 10);
    clock.advance(20_000);
    assert.deepEqual(told, ['ejected b latency 10000']);
    clock.advance(restMs - 100);
    work('b', true, 1, 100);
    assert.equal(told.at(-1), last, `after ${restMs} ms`);
  }
});

test('times that differ by little in milliseconds are no reason', () => {
  const { clock, told, work } = stage('ab', { latency: { minimumRequests: 10, minimumServers: 2 } });
  work('a', true, 10, 1);
  work('b', true, 10, 15);
  clock.advance(20_000);
  assert.deepEqual(told, []);
});

test('active servers and backups are two groups', () => {
  const { told, work, next } = stage('abxy', { ...DEFAULTS });
  work('a', false, 5);
  work('b', false, 5);
  work('x', false, 5);
  work('y', false, 5);
  assert.deepEqual(told.length, 2);
  assert.equal(next(2), 'bb');
});

test('wrong options are told of, each', () => {
  for (const [outlier, path] of [
    [true, 'outlier'],
    [{ consecutiveErrors: -1 }, 'outlier.consecutiveErrors'],
    [{ interval: '1ms' }, 'outlier.interval'],
    [{ maxEjected: '101%' }, 'outlier.maxEjected'],
    [{ maxEjected: 0.1 }, 'outlier.maxEjected'],
    [{ panicThreshold: 'half' }, 'outlier.panicThreshold'],
    [{ successRate: true }, 'outlier.successRate'],
    [{ successRate: { minimumServers: 2 } }, 'outlier.successRate.minimumServers'],
    [{ latency: { factor: 0.5 } }, 'outlier.latency.factor'],
    [{ latency: { quantile: 'p99' } }, 'outlier.latency.quantile'],
    [{ honorRetryAfter: { max: 0 } }, 'outlier.honorRetryAfter.max'],
    [{ baseEjection: '1m', maxEjection: '1s' }, 'outlier.maxEjection'],
    [{ consecutive5xx: 5 }, 'outlier.consecutive5xx'],
  ] as const)
    assert.throws(
      () => new Pool({ outlier } as unknown as PoolOptions, new VirtualClock()),
      (error: { faults: { path: string }[] }) => error.faults.map((fault) => fault.path).join() === path,
      path,
    );
});
