/** What a pool's options say about the choice, beyond what schedulers do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, Pool, type PoolOptions, type RequestContext, type ServerOptions } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

function makePool(options: PoolOptions<unknown>): { pool: Pool<unknown>; reported: string[] } {
  const pool = new Pool<unknown>({ servers: nowhere('a', 'b', 'c'), ...options }, new VirtualClock());
  const reported: string[] = [];
  pool.on('sample:error', ({ sample, error }) => reported.push(`${sample}: ${(error as Error).message}`));
  return { pool, reported };
}

function pickOf(pool: Pool<unknown>, context: RequestContext = {}): string | undefined {
  const lease = pool.tryAcquire(context);
  lease?.release();
  return lease?.server.name;
}

describe('useServer', () => {
  const useServer = ({ url }: RequestContext): string | undefined => (url === '/' ? undefined : url?.slice(1));

  test('names the server, whatever its weight, draining or not, backup or not', () => {
    const servers = [...nowhere('a', 'b'), ...nowhere('x').map((server) => ({ ...server, backup: true }))];
    const { pool } = makePool({ servers, useServer });
    pool.server('b').setWeight(0);
    assert.equal(pickOf(pool, { url: '/b' }), 'b');
    pool.server('b').setState('drain');
    assert.equal(pickOf(pool, { url: '/b' }), 'b');
    assert.equal(pickOf(pool, { url: '/x' }), 'x');
    assert.equal(pickOf(pool, { url: '/' }), 'a');
    assert.equal(pool.stats().servers['b']?.lbtot, 0, 'it was not balanced to');
  });

  test('a server that is down or in maintenance is not used', () => {
    const { pool } = makePool({ useServer, defaultServer: { check: true } });
    pool.server('b').setState('maint');
    pool.server('c').setHealth('down');
    assert.deepEqual([pickOf(pool, { url: '/b' }), pickOf(pool, { url: '/c' })], ['a', 'a']);
  });

  test('a full one is waited for, and no other takes its place', async () => {
    const { pool } = makePool({ useServer, defaultServer: { maxconn: 1 } });
    const held = pool.tryAcquire({ url: '/b' });
    assert.equal(held?.server.name, 'b');
    const waiting = pool.acquire({ url: '/b' });
    assert.deepEqual([pool.server('b').queued, pickOf(pool)], [1, 'a']);
    held.release();
    assert.equal((await waiting).server.name, 'b');
  });

  test('a name that nobody has, and a throw, are told of once and leave the choice to balancing', () => {
    for (const [bad, told] of [
      [() => 'nobody', /^useServer: it gave "nobody"/],
      [() => 7, /^useServer: it gave 7/],
      [() => assert.fail('oh'), /^useServer: oh/],
      [async () => 'a', /^useServer: the function returned a promise/],
    ] as const) {
      const { pool, reported } = makePool({ useServer: bad as never });
      assert.deepEqual([pickOf(pool), pickOf(pool), pickOf(pool)], ['a', 'b', 'c']);
      assert.equal(reported.length, 1);
      assert.match(reported[0] ?? '', told);
    }
  });
});

describe('a key to be hashed', () => {
  test('what throws, and what is no key, falls back as a missing one does, and is told of once', () => {
    for (const bad of [() => assert.fail('oh'), () => ({}), async () => 'x', () => Number.NaN]) {
      const { pool, reported } = makePool({ balance: { algorithm: 'hash', key: bad as never } });
      assert.deepEqual([pickOf(pool), pickOf(pool), pickOf(pool), pickOf(pool)], ['a', 'b', 'c', 'a']);
      assert.equal(reported.length, 1);
      assert.match(reported[0] ?? '', /^balance: the key function: /);
    }
  });

  test('is read off the context, and the client’s address as clientAddress has it', () => {
    const { pool } = makePool({ balance: { algorithm: 'hash', key: ({ request }) => String(request) } });
    const first = pickOf(pool, { request: 'k1' });
    for (let i = 0; i < 5; i++) assert.equal(pickOf(pool, { request: 'k1' }), first);
    const bySource = makePool({
      balance: 'source',
      clientAddress: ({ headers }) => String(headers?.['x-client'] ?? '127.0.0.1'),
    }).pool;
    const pickFor = (address: string): unknown =>
      pickOf(bySource, { headers: { 'x-client': address }, remoteAddress: '9.9.9.9' });
    // 10.0.0.1 is 167,772,161: modulo three, 2.
    assert.deepEqual([pickFor('10.0.0.1'), pickFor('10.0.0.2'), pickFor('10.0.0.3')], ['c', 'a', 'b']);
  });

  test('a full server is waited for, with any hashType', () => {
    for (const hashType of ['map-based', 'consistent', 'maglev'] as const) {
      const { pool } = makePool({ balance: 'uri', hashType, defaultServer: { maxconn: 1 } });
      assert.ok(pool.tryAcquire({ url: '/k' }));
      assert.equal(pool.tryAcquire({ url: '/k' }), undefined, hashType);
    }
    const { pool } = makePool({
      balance: 'uri',
      hashType: 'consistent',
      hashPreserveAffinity: 'maxconn',
      defaultServer: { maxconn: 1 },
    });
    assert.ok(pool.tryAcquire({ url: '/k' }) && pool.tryAcquire({ url: '/k' }) && pool.tryAcquire({ url: '/k' }));
    assert.equal(pool.tryAcquire({ url: '/k' }), undefined);
  });

  test('another try goes to another server', () => {
    for (const hashType of ['map-based', 'consistent', 'maglev'] as const) {
      const { pool } = makePool({ balance: 'uri', hashType });
      const first = pickOf(pool, { url: '/k' });
      const second = pool.tryAcquire({ url: '/k' }, { avoid: [first ?? ''] });
      assert.notEqual(second?.server.name, first, hashType);
      second?.release();
      assert.equal(pickOf(pool, { url: '/k' }), first);
    }
  });
});

test('the weights of static algorithms change only to 0 and back, and anything else changes nothing', () => {
  for (const options of [{ balance: 'static-rr' }, { balance: 'uri' }] as const) {
    const servers = nowhere('a', 'b').map((server) => ({ ...server, weight: 4 }));
    const { pool } = makePool({ ...options, servers });
    const server = pool.server('a');
    for (const weight of [3, 256, '50%', '200%'] as const)
      assert.throws(
        () => server.setWeight(weight),
        (error) => error instanceof ConfigError && /is static/.test(error.message) && /'100%'/.test(error.message),
      );
    assert.equal(server.weight, 4);
    server.setWeight('0%');
    assert.deepEqual([server.weight, pickOf(pool, { url: '/1' })], [0, 'b']);
    server.setWeight('100%');
    assert.equal(server.weight, 4);
  }
  const { pool } = makePool({ balance: 'uri', hashType: 'consistent' });
  pool.server('a').setWeight(7);
  assert.equal(pool.server('a').weight, 7);
});

describe('more servers than an algorithm holds', () => {
  const addresses = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:80`);

  test('4095 for roundrobin, in each group; the error names algorithms without that limit', () => {
    const refused = (error: unknown): boolean =>
      error instanceof ConfigError && /'roundrobin' holds at most 4095 .*'leastconn'/.test(error.message);
    assert.throws(() => new Pool({ servers: addresses(4_096) }, new VirtualClock()), refused);
    const pool = new Pool({ servers: addresses(4_095), defaultServer: { disabled: true } }, new VirtualClock());
    assert.throws(() => pool.addServer('10.200.0.1:80'), refused);
    pool.addServer({ address: '10.200.0.1:80', backup: true });
    assert.equal(pool.servers.length, 4_096);
  });

  test('4,000,000 nodes for a ring; the error says what to do', () => {
    const servers = addresses(1_000).map((address) => ({ address, weight: 256 }));
    assert.throws(
      () => new Pool({ servers, balance: 'uri', hashType: 'consistent' }, new VirtualClock()),
      (error) => error instanceof ConfigError && /4000000 nodes.*smaller weights.*maglev/.test(error.message),
    );
    const pool = new Pool(
      { servers: servers.slice(0, 976), balance: 'uri', hashType: 'consistent' },
      new VirtualClock(),
    );
    assert.throws(() => pool.addServer({ address: '10.200.0.1:80', weight: 256 }), ConfigError);
    assert.equal(pool.servers.length, 976);
    pool.addServer({ name: 'light', address: '10.200.0.1:80', weight: 1 });
    assert.throws(() => pool.server('light').setWeight(256), ConfigError);
    assert.equal(pool.server('light').weight, 1);
  });

  test('the others take 20,000', () => {
    const servers = addresses(20_000);
    for (const options of [{ balance: 'leastconn' }, { balance: 'uri', hashType: 'consistent' }] as const) {
      const pool = new Pool<unknown>({ servers, ...options }, new VirtualClock());
      const seen = new Set(Array.from({ length: 2_000 }, (_, n) => pickOf(pool, { url: `/${n}` })));
      assert.ok(seen.size > 1_500, options.balance);
    }
  });
});

describe('as a real HAProxy has it, when commands come before or between requests', () => {
  const weighed = (...weights: number[]): ServerOptions[] =>
    nowhere('a', 'b').map((server, index) => ({ ...server, weight: weights[index] ?? 1 }));
  const picksOf = (pool: Pool<unknown>, count: number): string =>
    Array.from({ length: count }, () => pickOf(pool)).join(' ');

  test('roundrobin: a server that is enabled before the first request joins those that were declared', () => {
    const [a, b] = weighed(2, 1) as [ServerOptions, ServerOptions];
    const { pool } = makePool({ servers: [{ ...a, disabled: true }, b] });
    pool.server('a').setState('ready');
    assert.equal(picksOf(pool, 4), 'b a a b');
  });

  test('static-rr: weights are divided by what divides those that were declared', () => {
    const { pool } = makePool({ balance: 'static-rr', servers: weighed(2, 1) });
    pool.server('b').setWeight(0);
    picksOf(pool, 2);
    pool.server('b').setWeight(1);
    assert.equal(pickOf(pool), 'b');
  });

  test('a ring: the walk of requests without a key moves with each command', () => {
    const { pool } = makePool({ balance: 'uri', hashType: 'consistent', servers: weighed(2, 1) });
    picksOf(pool, 2);
    pool.server('a').setState('maint');
    pool.server('b').setWeight(15);
    pool.server('a').setState('ready');
    assert.equal(pickOf(pool), 'b');
  });
});
