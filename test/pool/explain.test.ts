import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool, type PoolOptions } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

function poolOf(options: PoolOptions<unknown>, names: readonly string[] = ['a', 'b', 'c']): Pool<unknown> {
  return new Pool<unknown>({ servers: nowhere(...names), ...options }, new VirtualClock());
}

test('what explain says is chosen is what is chosen next, however often it was asked', () => {
  for (const options of [
    { balance: 'roundrobin' },
    { balance: 'static-rr' },
    { balance: 'leastconn' },
    { balance: 'first' },
    { balance: { algorithm: 'sticky' } },
    { balance: 'uri' },
    { balance: 'uri', hashType: 'consistent' },
    { balance: 'uri', hashType: 'maglev' },
    { balance: 'url_param id' },
  ] as const) {
    const asked = poolOf(options);
    const left = poolOf(options);
    for (let i = 0; i < 50; i++) {
      const context = { url: `/item/${i}` };
      const { chosen, by } = asked.explain(context);
      asked.explain({ url: '/another' });
      const server = asked.tryAcquire(context)?.server.name;
      assert.deepEqual([chosen, left.tryAcquire(context)?.server.name], [server, server], by);
    }
  }
});

test('where chance decides nothing is told, and no number is drawn', () => {
  for (const balance of ['random', 'peak-ewma'] as const) {
    const [asked, left] = [poolOf({ balance }), poolOf({ balance })];
    const picks = Array.from({ length: 20 }, () => {
      const { chosen, by, candidates } = asked.explain();
      assert.deepEqual([chosen, by, candidates], [undefined, balance, ['a', 'b', 'c']]);
      return [asked.tryAcquire()?.server.name, left.tryAcquire()?.server.name];
    });
    for (const [one, other] of picks) assert.equal(one, other);
  }
});

test('what is hashed, and to what', () => {
  const of = (balance: PoolOptions<unknown>['balance'], context: object) =>
    poolOf({ ...(balance && { balance }), hashType: 'map-based crc32' }).explain(context).hash;
  const crc = 0xcbf43926; // of '123456789', the check value of CRC-32
  assert.deepEqual(of('uri', { url: '123456789?q' }), { key: '123456789', hash: crc });
  assert.deepEqual(of('url_param id', { url: '/?x=1&id=123456789' }), { key: '123456789', hash: crc });
  assert.deepEqual(of('hdr(x-id)', { headers: { 'x-id': ' 123456789 , b' } }), { key: '123456789', hash: crc });
  assert.deepEqual(of('hash req.hdr(x-id)', { headers: { 'x-id': '123456789' } }), { key: '123456789', hash: crc });
  assert.deepEqual(of('source', { remoteAddress: '10.0.0.1' }), { key: '10.0.0.1', hash: 0x0a000001 });
  assert.equal(of('uri', {}), undefined);
  assert.equal(poolOf({}).explain({ url: '/' }).hash, undefined);
});

test('useServer decides before balancing, and a request waits where it belongs', () => {
  const useServer = ({ url }: { readonly url?: string | undefined }): string | undefined => url?.slice(1) || undefined;
  const pool = poolOf({ useServer, balance: 'uri', defaultServer: { maxconn: 1, maxqueue: 1 } });
  pool.server('b').setState('drain');
  const { by, chosen, waits, hash } = pool.explain({ url: '/b' });
  assert.deepEqual([by, chosen, waits, hash], ['useServer', 'b', false, undefined]);
  pool.tryAcquire({ url: '/b' });
  assert.deepEqual([pool.explain({ url: '/b' }).chosen, pool.explain({ url: '/b' }).waits], ['b', true]);
  pool.acquire({ url: '/b' }).catch(() => undefined);
  assert.equal(pool.explain({ url: '/b' }).by, 'uri', 'its queue is full: the bond breaks');
  pool.server('b').setState('maint');
  assert.equal(pool.explain({ url: '/b' }).by, 'uri');
  assert.equal(pool.explain({ url: '/' }).by, 'uri');
});

test('who is told to go to a server by `redir` does not wait for it', () => {
  const servers = nowhere('a').map((server) => ({ ...server, redir: '/there', maxconn: 1, maxqueue: 1 }));
  const pool = new Pool({ servers, balance: 'uri' }, new VirtualClock());
  pool.tryAcquire();
  pool.acquire().catch(() => undefined);
  const of = (method?: string) => {
    const { chosen, waits } = pool.explain({ method, url: '/' });
    return [chosen, waits];
  };
  assert.deepEqual(
    [of('GET'), of('HEAD'), of('POST'), of()],
    [
      ['a', false],
      ['a', false],
      [undefined, false],
      [undefined, false],
    ],
  );
});

test('a hash waits for its server, until the queue of that is full', () => {
  const pool = poolOf({ balance: 'uri', defaultServer: { maxconn: 1, maxqueue: 1 } });
  const home = pool.tryAcquire({ url: '/x' })?.server.name;
  assert.deepEqual([pool.explain({ url: '/x' }).chosen, pool.explain({ url: '/x' }).waits], [home, true]);
  pool.acquire({ url: '/x' }).catch(() => undefined);
  const { chosen, waits, loads } = pool.explain({ url: '/x' });
  assert.deepEqual([chosen, waits, loads[home ?? '']?.queued], [undefined, false, 1]);
});

test('turns to be skipped at the start are not, and a scheduler of the user is asked or not as it likes', () => {
  const pool = poolOf({ startOffset: 1 });
  assert.deepEqual(
    [pool.explain().chosen, pool.tryAcquire()?.server.name, pool.explain().chosen],
    [undefined, 'b', 'c'],
  );

  const faults: string[] = [];
  for (const peek of [undefined, () => 'nonsense', () => undefined, () => assert.fail('no')]) {
    const own = { add() {}, remove() {}, reweigh() {}, pick: () => undefined, peek };
    const pool = poolOf({ balance: (() => own) as never });
    pool.on('sample:error', ({ sample }) => faults.push(sample));
    const { by, chosen } = pool.explain();
    assert.deepEqual([by, chosen], ['custom', undefined]);
  }
  assert.deepEqual(faults, ['balance']);
});
