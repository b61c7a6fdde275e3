/** Whom a cookie leads where, and what becomes of those who wait there: leases on the virtual clock. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Lease, Pool, type PoolOptions, type RequestContext, type ServerOptions, StickTable } from '#src/index.ts';
import { Counter } from './counter.ts';
import { nowhere } from './picks.ts';

/** A client that has this cookie. */
function having(value: string, more: RequestContext = {}): RequestContext {
  return { ...more, headers: { cookie: `x=1; SRV=${value}; y=2` } };
}

type Server = ServerOptions & { readonly name: string };

/** A pool of `a`, `b` …, whose cookies are their names, with one slot each; `changed` says what is otherwise with one of them. */
function counterOf(
  names: string,
  options: PoolOptions<unknown> = {},
  changed: Readonly<Record<string, Partial<Server>>> = {},
): Counter {
  const servers = nowhere(...names).map((server) => ({
    ...server,
    maxconn: 1,
    cookie: server.name,
    ...changed[server.name],
  }));
  return new Counter(names, { cookie: 'SRV insert indirect', ...options, servers });
}

/** What `lease.setCookie` holds, the lease released. */
function setBy(lease: Lease | undefined): string {
  assert.ok(lease);
  lease.release();
  return lease.setCookie.join(' and ');
}

/** The server of a lease that was there at once, the lease released. */
function serverOf(pool: Pool<unknown>, context?: RequestContext): string | undefined {
  const lease = pool.tryAcquire(context);
  lease?.release();
  return lease?.server.name;
}

test('acquire, tryAcquire and run go where the cookie says; what explain says is what happens', async () => {
  const { pool } = counterOf('abc');
  for (let i = 0; i < 5; i++) {
    for (const name of ['b', 'c', 'a', 'b']) {
      const { by, chosen, waits, hash } = pool.explain(having(name));
      assert.deepEqual([by, chosen, waits, hash], ['cookie', name, false, undefined]);
      const lease = await pool.acquire(having(name));
      assert.equal(lease.server.name, name);
      assert.deepEqual([pool.explain(having(name)).waits, pool.tryAcquire(having(name))], [true, undefined]);
      lease.release();
      assert.equal(serverOf(pool, having(name)), name);
      assert.equal(await pool.run(having(name), ({ server }) => server.name), name);
    }
  }
  assert.deepEqual([serverOf(pool, having('d')), serverOf(pool, having('')), serverOf(pool)], ['a', 'b', 'c']);
  const { by, chosen } = pool.explain(having('d'));
  assert.deepEqual([by, chosen], ['roundrobin', 'a'], 'what the cookie says nothing of takes turns');
});

test('a lease gives the Cookie field for its server', () => {
  const cookiesOf = (options: PoolOptions<unknown>, cookie?: string): string | undefined => {
    const { pool } = counterOf('ab', options);
    const lease = pool.tryAcquire(cookie === undefined ? {} : { headers: { cookie } });
    lease?.release();
    return lease?.cookie;
  };
  assert.equal(cookiesOf({}, 'x=1; SRV=b; y=2'), 'x=1; y=2');
  assert.equal(cookiesOf({}, 'SRV=b'), undefined);
  assert.equal(cookiesOf({ cookie: 'sid prefix' }, 'x=1; sid=b~7'), 'x=1; sid=7');
  assert.equal(cookiesOf({}), undefined);
  const without = new Pool({ servers: nowhere('a') }).tryAcquire({ headers: { cookie: 'x=1; SRV=b' } });
  without?.release();
  assert.equal(without?.cookie, 'x=1; SRV=b');
});

test('useServer goes before the cookie, where its server may be used', () => {
  const useServer = ({ url }: RequestContext): string | undefined => url?.slice(1);
  const { pool } = counterOf('abc', { useServer });
  assert.deepEqual(
    [pool.explain(having('b', { url: '/c' })).by, serverOf(pool, having('b', { url: '/c' }))],
    ['useServer', 'c'],
  );
  pool.server('c').setHealth('down');
  assert.deepEqual(
    [pool.explain(having('b', { url: '/c' })).by, serverOf(pool, having('b', { url: '/c' }))],
    ['cookie', 'b'],
  );
});

describe('a server that takes no balanced requests', () => {
  for (const [how, act, takes] of [
    ['drains', (pool: Pool<unknown>) => pool.server('b').setState('drain'), true],
    ['has the weight 0', (pool: Pool<unknown>) => pool.server('b').setWeight(0), true],
    ['is about to stop (404 with disableOn404)', (pool: Pool<unknown>) => pool.server('b').setHealth('stopping'), true],
    ['is down', (pool: Pool<unknown>) => pool.server('b').setHealth('down'), false],
    ['is in maintenance', (pool: Pool<unknown>) => pool.server('b').setState('maint'), false],
  ] as const)
    test(`${how}: it takes ${takes ? 'its own all the same' : 'nobody, unless told to'}`, () => {
      for (const [options, expected] of [
        [{}, takes ? 'b' : 'a'],
        [{ persist: true }, 'b'],
        [{ forcePersist: () => true }, 'b'],
        [{ ignorePersist: () => true }, 'a'],
        [{ ignorePersist: () => true, forcePersist: () => true }, 'b'],
      ] as const) {
        const { pool } = counterOf('ab', options);
        act(pool);
        assert.equal(pool.server('b').usable, false);
        assert.equal(pool.explain(having('b')).by, expected === 'b' ? 'cookie' : 'roundrobin');
        assert.deepEqual([serverOf(pool, having('b')), serverOf(pool)], [expected, 'a'], JSON.stringify(options));
      }
    });

  test('is a backup that has not its turn: it takes its own', () => {
    const { pool } = counterOf('abc', {}, { c: { backup: true } });
    assert.deepEqual([serverOf(pool, having('c')), serverOf(pool), serverOf(pool)], ['c', 'a', 'b']);
  });

  test('is the only one: its own are taken, and all others refused', async () => {
    const counter = counterOf('a', {}, { a: { maxconn: 0 } });
    counter.pool.server('a').setState('drain');
    counter.ask('own', having('a'));
    counter.ask('other');
    assert.equal(await counter.heard(), 'own:a other!EK_NO_SERVER SC');
  });
});

describe('a queue', () => {
  test('who belongs to a server that is full waits for it alone, whoever else has room', async () => {
    const counter = counterOf('abc');
    for (const id of ['1', '2', '3']) counter.ask(id, having('b'));
    assert.equal(await counter.heard(), '1:b');
    assert.deepEqual([counter.pool.server('b').queued, serverOf(counter.pool)], [2, 'a']);
    counter.release('1');
    assert.equal(await counter.heard(), '2:b');
    counter.clock.advance(5_020);
    assert.equal(await counter.heard(), '3!EK_QUEUE_TIMEOUT sQ');
  });

  for (const [what, options, expected] of [
    ['elsewhere', {}, '3:a'],
    ['nowhere without redispatch', { redispatch: false }, '3!EK_QUEUE_FULL SQ'],
    ['nowhere when forced', { forcePersist: () => true }, '3!EK_QUEUE_FULL SQ'],
    ['elsewhere with persist', { persist: true }, '3:a'],
  ] as const)
    test(`that is full: ${what}, and explain says so`, async () => {
      const counter = counterOf('ab', { ...options, defaultServer: { maxqueue: 1 } });
      for (const id of ['1', '2']) counter.ask(id, having('b'));
      const { by, chosen } = counter.pool.explain(having('b'));
      counter.ask('3', having('b'));
      assert.equal(await counter.heard(), `1:b ${expected}`);
      assert.deepEqual([by, chosen], expected === '3:a' ? ['roundrobin', 'a'] : ['cookie', undefined]);
      const [set] = counter.leases.get('3')?.setCookie ?? [];
      assert.equal(set, expected === '3:a' ? 'SRV=a; path=/' : undefined);
    });

  test('a full pool refuses those as well that would wait for their own server', async () => {
    const counter = counterOf('ab', { poolMaxQueue: 1 });
    for (const id of ['1', '2', '3']) counter.ask(id, having('b'));
    assert.equal(await counter.heard(), '1:b 3!EK_QUEUE_FULL SQ');
  });
});

describe('its server goes while they wait for it', () => {
  type Act = 'down' | 'maint' | 'drain' | 'removed';

  function act(pool: Pool<unknown>, how: Act): void {
    if (how === 'down') pool.server('b').setHealth('down');
    else if (how !== 'removed') pool.server('b').setState(how);
    else void pool.removeServer('b');
  }

  const MOVED = '2:a';
  const STAYS = '';
  for (const [name, options, expected] of [
    ['with redispatch', {}, { down: MOVED, maint: MOVED, drain: STAYS, removed: MOVED }],
    ['without redispatch', { redispatch: false }, { down: STAYS, maint: MOVED, drain: STAYS, removed: MOVED }],
    ['with persist', { persist: true }, { down: STAYS, maint: STAYS, drain: STAYS, removed: MOVED }],
    ['forced', { forcePersist: () => true }, { down: STAYS, maint: STAYS, drain: STAYS, removed: MOVED }],
  ] as const)
    for (const how of ['down', 'maint', 'drain', 'removed'] as const) {
      const told = expected[how];
      test(`${how}, ${name}: they ${told === MOVED ? 'go elsewhere at once' : 'stay'}`, async () => {
        const counter = counterOf('ab', options);
        for (const id of ['1', '2', '3']) counter.ask(id, having('b'));
        await counter.heard();
        act(counter.pool, how);
        assert.equal(await counter.heard(), told);
        if (told === MOVED) {
          assert.deepEqual(counter.leases.get('2')?.setCookie, ['SRV=a; path=/']);
          counter.release('2');
          assert.equal(await counter.heard(), '3:a');
        } else {
          counter.release('1');
          assert.equal(await counter.heard(), '2:b', 'a slot that comes free is for them');
          assert.deepEqual(counter.leases.get('2')?.setCookie, []);
          counter.clock.advance(5_020);
          assert.equal(await counter.heard(), '3!EK_QUEUE_TIMEOUT sQ');
        }
        assert.equal(counter.waiting, 0);
      });
    }

  test('the last one, down: who may not go elsewhere waits on, all others are refused at once', async () => {
    const counter = counterOf('b', { forcePersist: ({ url }) => url === '/forced' });
    counter.ask('1', having('b'));
    counter.ask('2', having('b'));
    counter.ask('forced', having('b', { url: '/forced' }));
    counter.ask('any');
    await counter.heard();
    counter.pool.server('b').setHealth('down');
    assert.equal(await counter.heard(), '2!EK_NO_SERVER SC any!EK_NO_SERVER SC');
    counter.release('1');
    assert.equal(await counter.heard(), 'forced:b');
  });

  test('what a hash has brought there stays as well with persist, and when forced: as HAProxy has it', async () => {
    for (const [options, expected] of [
      [{}, '2:a'],
      [{ persist: true }, ''],
      [{ forcePersist: () => true }, ''],
    ] as const) {
      const counter = counterOf('ab', { balance: 'hdr(x)', hashType: 'map-based crc32', ...options });
      const key = Array.from('0123456789').find((x) => counter.pool.explain({ headers: { x } }).chosen === 'b');
      for (const id of ['1', '2']) counter.ask(id, { headers: { x: key } });
      assert.equal(await counter.heard(), '1:b');
      counter.pool.server('b').setHealth('down');
      assert.equal(await counter.heard(), expected, JSON.stringify(options));
    }
  });

  test('what they are to avoid, they avoid when they are moved, too', async () => {
    const counter = counterOf('abc');
    counter.ask('1', having('b'));
    counter.ask('2', having('b'), { avoid: ['a'] });
    await counter.heard();
    counter.pool.server('b').setHealth('down');
    assert.equal(await counter.heard(), '2:c');
    assert.deepEqual(counter.leases.get('2')?.setCookie, ['SRV=c; path=/']);
  });

  test('back before they have a slot elsewhere: they belong to it again only when they next ask', async () => {
    const counter = counterOf('ab');
    counter.ask('any');
    for (const id of ['1', '2']) counter.ask(id, having('b'));
    assert.equal(await counter.heard(), 'any:a 1:b');
    counter.pool.server('b').setHealth('down');
    assert.equal(await counter.heard(), '', 'it waits for any');
    counter.pool.server('b').setHealth('up');
    counter.release('any');
    assert.equal(await counter.heard(), '2:a');
    counter.ask('3', having('b'));
    counter.release('1');
    assert.equal(await counter.heard(), '3:b');
  });
});

describe('servers that come and go', () => {
  test('one that is added is found by its cookie at once; one that is removed is found no more', async () => {
    const { pool } = counterOf('a');
    assert.equal(serverOf(pool, having('b')), 'a');
    pool.addServer({ name: 'b', address: '127.0.0.1:1', cookie: 'b' });
    assert.deepEqual([serverOf(pool, having('b')), pool.explain(having('b')).by], ['b', 'cookie']);
    await pool.removeServer('b');
    assert.deepEqual([serverOf(pool, having('b')), pool.explain(having('b')).by], ['a', 'roundrobin']);
    pool.addServer({ name: 'other', address: '127.0.0.1:1', cookie: 'b' });
    assert.equal(serverOf(pool, having('b')), 'other');
  });

  test('of several that share a value, the first declared that is fit takes its clients', () => {
    const { pool } = counterOf('abcd', { balance: 'first' }, { b: { cookie: 'x' }, c: { cookie: 'x' } });
    assert.equal(serverOf(pool, having('x')), 'b');
    pool.server('b').setHealth('down');
    assert.equal(serverOf(pool, having('x')), 'c');
    pool.server('c').setState('maint');
    assert.equal(serverOf(pool, having('x')), 'a');
    pool.server('b').setHealth('up');
    assert.equal(serverOf(pool, having('x')), 'b');
    assert.equal(setBy(pool.tryAcquire(having('x'))), '', 'whichever of them it is, the cookie is right');
  });

  test('4,095 servers: each is found by its own', () => {
    const servers = Array.from({ length: 4_095 }, (_, at) => ({
      name: `s${at}`,
      address: '127.0.0.1:1',
      cookie: `c${at}`,
    }));
    const { pool } = new Counter('', { servers, cookie: 'SRV insert' });
    for (let at = 4_094; at >= 0; at--) assert.equal(serverOf(pool, having(`c${at}`)), `s${at}`);
    assert.equal(serverOf(pool, having('c4095')), 's0');
  });
});

describe('dynamic cookies', () => {
  const dynamic = { cookie: 'SRV insert dynamic', dynamicCookieKey: 'a key' } as const;
  const addresses = ['127.0.0.1:8001', '127.0.0.1:8002', '10.0.0.1:8001', '[::1]:8001'];

  /** What each server of a pool sets, by its address. */
  function valuesOf(options: PoolOptions<unknown>): Map<string, string> {
    const { pool } = new Counter('', options);
    return new Map(
      addresses.map(() => {
        const lease = pool.tryAcquire() as Lease;
        return [lease.server.url, setBy(lease)];
      }),
    );
  }

  test('are the same in every pool with that key, in whatever order its servers are; another key makes others', () => {
    const one = valuesOf({ ...dynamic, servers: addresses.map((address) => ({ address })) });
    const other = valuesOf({ ...dynamic, servers: addresses.toReversed().map((address) => ({ address, weight: 7 })) });
    assert.deepEqual([...one].sort(), [...other].sort());
    assert.equal(new Set(one.values()).size, 4);
    for (const value of one.values()) assert.match(value, /^SRV=[\da-f]{16}; path=\/$/);
    const foreign = valuesOf({ ...dynamic, dynamicCookieKey: 'another', servers: addresses });
    assert.deepEqual(
      [...one.values()].filter((value) => [...foreign.values()].includes(value)),
      [],
    );
  });

  test('lead back; a server with a cookie of its own keeps that, and one whose address is a name has none', () => {
    const { pool } = new Counter('', {
      ...dynamic,
      servers: [
        { name: 'a', address: '127.0.0.1:8001' },
        { name: 'b', address: '127.0.0.1:8002', cookie: 'mine' },
        { name: 'c', address: 'localhost:8003' },
      ],
    });
    const values = Array.from({ length: 3 }, () => setBy(pool.tryAcquire()).replace(/^SRV=(.*?);.*/, '$1'));
    assert.deepEqual([values[1], values[2]], ['mine', '']);
    for (let i = 0; i < 3; i++) assert.equal(serverOf(pool, having(values[0] ?? '')), 'a');
    assert.equal(serverOf(pool, having('mine')), 'b');
  });
});

describe('a lease', () => {
  test('knows the cookie that brings its client back: for newcomers and who was moved, for nobody else', () => {
    const { pool } = counterOf('ab', { cookie: 'SRV insert indirect httponly' });
    assert.equal(setBy(pool.tryAcquire()), 'SRV=a; path=/; HttpOnly');
    assert.equal(setBy(pool.tryAcquire(having('b'))), '');
    pool.server('a').setHealth('down');
    assert.equal(setBy(pool.tryAcquire(having('a'))), 'SRV=b; path=/; HttpOnly');
  });

  test('whose client is balanced by no cookie of the pool is to set none', () => {
    const { pool: none } = new Counter('a');
    assert.deepEqual(none.tryAcquire()?.setCookie, []);
    const { pool: rewriting } = counterOf('a', { cookie: 'SRV rewrite' });
    assert.deepEqual(rewriting.tryAcquire()?.setCookie, []);
    const { pool: ignoring } = counterOf('a', { ignorePersist: () => true });
    assert.deepEqual(ignoring.tryAcquire(having('b'))?.setCookie, []);
  });

  test('with postonly sets it for POST alone; of a server without a cookie it takes away what the client has', () => {
    const { pool } = counterOf('a', { cookie: 'SRV insert postonly' });
    const sets = [undefined, 'GET', 'POST'].map((method) => setBy(pool.tryAcquire({ method })));
    assert.deepEqual(sets, ['', '', 'SRV=a; path=/']);
    const servers = [...nowhere('a'), ...nowhere('b').map((server) => ({ ...server, cookie: 'b' }))];
    const { pool: mixed } = new Counter('', { cookie: 'SRV insert', servers });
    assert.equal(setBy(mixed.tryAcquire(having('c'))), 'SRV=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/');
  });

  test('with maxidle refreshes the date of a client that comes back, and balances one that was away for longer', () => {
    const { pool, clock } = counterOf('ab', { cookie: 'SRV insert maxidle 30m' });
    const come = (cookie: string): [string | undefined, string] => {
      const lease = pool.tryAcquire({ headers: { cookie } });
      return [lease?.server.name, setBy(lease).replace(/;.*/, '')];
    };
    const [, first] = come('');
    clock.advance(29 * 60_000);
    const [server, second] = come(first);
    assert.equal(server, 'a');
    assert.match(`${first} ${second}`, /^SRV=a\|[\w+/]{5} SRV=a\|[\w+/]{5}$/);
    assert.notEqual(first, second);
    clock.advance(29 * 60_000);
    assert.equal(come(second)[0], 'a');
    clock.advance(29 * 60_000);
    assert.equal(come(second)[0], 'b', 'an hour old, it takes the next turn');
  });

  test('avoid: the server of the cookie is left only where it is the one to avoid, and never when forced', () => {
    const { pool } = counterOf('abc', { forcePersist: ({ url }) => url === '/forced' });
    const avoiding = (name: string, avoid: string[], url = '/'): [string | undefined, string] => {
      const lease = pool.tryAcquire(having(name, { url }), { avoid });
      return [lease?.server.name, setBy(lease)];
    };
    assert.deepEqual(avoiding('b', ['a']), ['b', '']);
    assert.deepEqual(avoiding('a', ['a']), ['b', 'SRV=b; path=/']);
    assert.deepEqual(avoiding('a', ['b', 'a'], '/forced'), ['a', '']);
    pool.server('b').setState('maint');
    assert.deepEqual(avoiding('b', ['a']), ['c', 'SRV=c; path=/']);
  });

  test('a table binds as a cookie does: its client needs no cookie, and is not moved for a server that it is not on', () => {
    const { pool } = counterOf('abc', {
      stickTable: new StickTable({ type: 'string', size: 100 }),
      stick: [{ on: 'req.hdr(x-user)' }],
    });
    const ann = { headers: { 'x-user': 'ann' } };
    const first = pool.tryAcquire(ann, { avoid: ['a'] });
    assert.deepEqual([first?.server.name, setBy(first)], ['b', 'SRV=b; path=/']);
    const second = pool.tryAcquire(ann, { avoid: ['a'] });
    assert.deepEqual([second?.server.name, setBy(second)], ['b', '']);
    const third = pool.tryAcquire(ann, { avoid: ['b'] });
    assert.deepEqual([third?.server.name === 'b', setBy(third).startsWith('SRV=')], [false, true]);
  });

  test('run with retry leaves the server of the cookie when it fails, unless forced', async () => {
    const { pool } = counterOf('abc', { forcePersist: ({ url }) => url === '/forced', retries: 2 });
    for (const [url, expected] of [
      ['/', ['c', 'a', 'b']],
      ['/forced', ['c', 'c', 'c']],
    ] as const) {
      const tried: [string, boolean][] = [];
      const work = ({ server, setCookie }: Lease): never => {
        tried.push([server.name, setCookie.length > 0]);
        throw new Error('no');
      };
      await assert.rejects(pool.run(having('c', { url }), work, { retry: true }), /no/);
      assert.deepEqual(
        tried,
        expected.map((name) => [name, name !== 'c']),
      );
    }
  });
});
