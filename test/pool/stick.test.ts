/** Clients that are kept on their servers by tables: leases on the virtual clock, and tables that answer late. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type EvenkeelError, Pool, type PoolOptions, type RequestContext, StickTable, type Table } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

const OWN = { type: 'ip', size: '1k', expire: '30m' } as const;

class Sticky {
  readonly clock = new VirtualClock();
  readonly pool: Pool<unknown>;
  readonly faults: string[] = [];

  constructor(options: PoolOptions<unknown>, names = 'abc') {
    this.pool = new Pool<unknown>(
      { servers: nowhere(...names), stickTable: OWN, stick: ['on src'], ...options },
      this.clock,
    );
    this.pool.on('sample:error', ({ sample }) => this.faults.push(sample));
  }

  /** The server of a request from this address. */
  from(remoteAddress: string, context: RequestContext = {}): string | undefined {
    const lease = this.pool.tryAcquire({ remoteAddress, ...context });
    lease?.release();
    return lease?.server.name;
  }
}

test('on src: a client keeps its server, and explain says so', () => {
  const { pool, from } = bound(new Sticky({}));
  assert.equal(['1.1.1.1', '2.2.2.2', '1.1.1.1', '3.3.3.3', '2.2.2.2'].map((ip) => from(ip)).join(' '), 'a b a c b');
  const { by, chosen } = pool.explain({ remoteAddress: '2.2.2.2' });
  assert.deepEqual([by, chosen], ['stick', 'b']);
  assert.equal(pool.explain({ remoteAddress: '9.9.9.9' }).by, 'roundrobin');
  assert.equal(pool.table().get('9.9.9.9'), undefined, 'explain has stored nothing');
  assert.equal(pool.table().get('2.2.2.2')?.server, 'b');
});

test('explain puts off no expiry, a choice does', () => {
  const sticky = new Sticky({});
  sticky.from('1.1.1.1');
  sticky.clock.advance(1_000_000);
  sticky.pool.explain({ remoteAddress: '1.1.1.1' });
  assert.equal(sticky.pool.table().get('1.1.1.1')?.expiresInMs, 800_000);
  sticky.from('1.1.1.1');
  assert.equal(sticky.pool.table().get('1.1.1.1')?.expiresInMs, 1_800_000);
  sticky.clock.advance(1_800_001);
  assert.equal(sticky.from('1.1.1.1'), 'b', 'it is balanced anew');
});

test('a server that is down loses its clients for good; one that drains, has no weight or is a backup keeps them', () => {
  const sticky = new Sticky({
    servers: nowhere('a', 'b', 'c').map((server) => ({ ...server, backup: server.name === 'c' })),
  });
  const { pool } = sticky;
  assert.equal(sticky.from('1.1.1.1'), 'a');
  pool.server('a').setState('drain');
  assert.equal(sticky.from('1.1.1.1'), 'a');
  pool.server('a').setState('ready');
  pool.server('a').setWeight(0);
  assert.equal(sticky.from('1.1.1.1'), 'a');
  pool.server('a').setHealth('down');
  assert.equal(sticky.from('1.1.1.1'), 'b');
  pool.server('a').setHealth('up');
  pool.server('a').setWeight(1);
  assert.equal(sticky.from('1.1.1.1'), 'b', 'HAProxy stores the new one');
  pool.server('a').setState('maint');
  pool.server('b').setState('maint');
  assert.equal(sticky.from('1.1.1.1'), 'c');
  pool.server('b').setState('ready');
  assert.equal(sticky.from('1.1.1.1'), 'c', 'on the backup it stays');
});

test('nonStick: clients are not kept on it', () => {
  const sticky = new Sticky({
    servers: nowhere('a', 'b').map((server) => ({
      ...server,
      nonStick: server.name === 'b',
      backup: server.name === 'b',
    })),
  });
  sticky.pool.server('a').setState('maint');
  assert.equal(sticky.from('1.1.1.1'), 'b');
  sticky.pool.server('a').setState('ready');
  assert.equal(sticky.from('1.1.1.1'), 'a');
});

test('persist and forcePersist: a server that is down keeps its clients', () => {
  const persisting = new Sticky({ persist: true });
  persisting.from('1.1.1.1');
  persisting.pool.server('a').setHealth('down');
  assert.equal(persisting.from('1.1.1.1'), 'a');
  const forcing = new Sticky({ forcePersist: ({ url }) => url === '/test' });
  forcing.from('1.1.1.1');
  forcing.pool.server('a').setState('maint');
  assert.equal(forcing.from('1.1.1.1', { url: '/test' }), 'a');
  assert.equal(forcing.from('1.1.1.1'), 'b');
});

test('who belongs to a server waits for it, and is balanced where its queue is full', async () => {
  const servers = nowhere('a', 'b').map((server) => ({ ...server, maxconn: 1, maxqueue: 1 }));
  const { pool, clock } = new Sticky({ servers });
  const context = { remoteAddress: '1.1.1.1' };
  const first = await pool.acquire(context);
  assert.equal(first.server.name, 'a');
  const second = pool.acquire(context);
  const third = await pool.acquire(context);
  assert.equal(third.server.name, 'b', 'one waits for a already');
  first.release();
  await clock.settle();
  assert.equal((await second).server.name, 'a');
});

test('useServer and cookies go before tables; what they say is stored all the same', () => {
  const sticky = new Sticky({
    useServer: ({ url }) => url?.slice(1) || undefined,
    cookie: 'SRV insert',
    servers: nowhere('a', 'b', 'c').map((server) => ({ ...server, cookie: server.name })),
  });
  assert.equal(sticky.from('1.1.1.1', { url: '/c' }), 'c');
  assert.equal(sticky.from('1.1.1.1'), 'c');
  assert.equal(sticky.from('1.1.1.1', { headers: { cookie: 'SRV=b' } }), 'b');
  assert.equal(sticky.from('1.1.1.1'), 'b');
});

describe('rules', () => {
  test('match and storeRequest apart, each with its own key, table and condition', () => {
    const shared = new StickTable({ type: 'string', size: 100 });
    const sticky = new Sticky({
      tables: { names: { type: 'string', size: 10 }, shared },
      stick: [
        { match: 'req.hdr(x-user)', table: 'names', if: ({ url }) => url !== '/fresh' },
        { storeRequest: 'req.hdr(x-user)', table: 'names', if: ({ url }) => url === '/login' },
        { storeRequest: ({ headers }) => String(headers?.['x-user']), table: shared },
      ],
    });
    const user = (url: string): string | undefined => sticky.from('1.1.1.1', { url, headers: { 'x-user': 'u' } });
    assert.deepEqual(['/', '/', '/login', '/', '/', '/fresh', '/'].map(user).join(' '), 'a b c c c a c');
    assert.equal(sticky.pool.table('names').get('u')?.server, 'c');
    assert.equal(shared.get('u')?.server, 'c');
  });

  test('the first match of a server that may be used counts, and the first key to store of each table', () => {
    const sticky = new Sticky({
      stickTable: { type: 'string', size: 10 },
      stick: ['on req.hdr(x-a)', 'on req.hdr(x-b)', 'match req.hdr(x-c)'],
    });
    const table = sticky.pool.table();
    table.set('1', { server: 'b' });
    table.set('2', { server: 'c' });
    const ask = (headers: Record<string, string>): string | undefined => sticky.from('1.1.1.1', { headers });
    assert.equal(
      ask({ 'x-a': '9', 'x-b': '1', 'x-c': '2' }),
      'c',
      'x-b is of a rule that stores in a table that will have x-a',
    );
    assert.equal(table.get('9')?.server, 'c');
    assert.equal(ask({ 'x-b': '1', 'x-c': '2' }), 'b');
    sticky.pool.server('b').setHealth('down');
    assert.equal(ask({ 'x-b': '1', 'x-c': '2' }), 'c');
    assert.equal(table.get('1')?.server, 'c');
  });

  test('a rule whose key the table cannot have leaves it to the next one', () => {
    const sticky = new Sticky({ stick: ['store-request req.hdr_ip(x-a)', 'store-request req.hdr_ip(x-b)'] });
    sticky.from('1.1.1.1', { headers: { 'x-a': '2001:db8::1', 'x-b': '10.0.0.1' } });
    assert.deepEqual(
      [...(sticky.pool.table() as StickTable)].map(({ key }) => key),
      ['10.0.0.1'],
    );
  });

  test('what throws is reported, and the request goes on', () => {
    const oops = (): never => {
      throw new Error('oops');
    };
    const sticky = new Sticky({
      stick: [{ on: oops }, { on: 'src', if: oops }, { match: 'src', if: () => Promise.resolve(true) as never }],
    });
    assert.equal(sticky.from('1.1.1.1'), 'a');
    assert.deepEqual(sticky.faults, ['stick[0].on', 'stick[1].on', 'stick[2].match']);
  });

  test('a key that is none is left out; names of servers that are not there lead nowhere', () => {
    const sticky = new Sticky({ stick: ['on req.hdr(x-ip)'] });
    assert.equal(sticky.from('1.1.1.1', { headers: { 'x-ip': 'nonsense' } }), 'a');
    assert.equal(sticky.pool.table().size, 0);
    sticky.pool.table().set('5.5.5.5', { server: 'gone' });
    assert.equal(sticky.from('1.1.1.1', { headers: { 'x-ip': '5.5.5.5' } }), 'b');
    assert.equal(sticky.pool.table().get('5.5.5.5')?.server, 'b');
  });

  test('a table that takes nothing more: requests are balanced', () => {
    const sticky = new Sticky({ stickTable: { type: 'ip', size: 1, nopurge: true } });
    assert.equal(['1.1.1.1', '2.2.2.2', '2.2.2.2', '1.1.1.1'].map((ip) => sticky.from(ip)).join(' '), 'a b c a');
  });

  test('two pools share a table', () => {
    const table = new StickTable({ type: 'ip', size: 10 });
    const [one, two] = [new Sticky({ stickTable: table }), new Sticky({ stickTable: table })];
    one.from('9.9.9.9');
    assert.equal(one.from('1.1.1.1'), 'b');
    assert.equal(two.from('1.1.1.1'), 'b');
  });
});

/** A table that asks another machine. */
class Late extends StickTable {
  readonly asked: ((server: string | undefined) => void)[] = [];
  fails = false;

  override lookup(): never {
    const answer = new Promise<string | undefined>((resolve, reject) =>
      this.asked.push(this.fails ? () => reject(new Error('gone')) : resolve),
    );
    return answer as never;
  }
}

describe('a table that has to be waited for', () => {
  const late = (): { table: Late; sticky: Sticky } => {
    const table = new Late({ type: 'ip', size: 10 });
    return { table, sticky: new Sticky({ stickTable: table as Table }) };
  };

  test('its answer is waited for, and counts', async () => {
    const { table, sticky } = late();
    const lease = sticky.pool.acquire({ remoteAddress: '1.1.1.1' });
    await sticky.clock.settle();
    assert.equal(sticky.pool.stats().leases, 0);
    table.asked[0]?.('c');
    assert.equal((await lease).server.name, 'c');
    assert.equal(sticky.clock.pending, 0, 'no timer is left');
  });

  test('not for longer than timeout.stick; a failure is not waited out', async () => {
    const { table, sticky } = late();
    let name: string | undefined;
    sticky.pool.acquire({ remoteAddress: '1.1.1.1' }).then((lease) => {
      name = lease.server.name;
    });
    await sticky.clock.advanceAsync(49);
    assert.equal(name, undefined);
    await sticky.clock.advanceAsync(1);
    assert.equal(name, 'a');
    table.asked[0]?.('c');
    table.fails = true;
    const lease = sticky.pool.acquire({ remoteAddress: '1.1.1.1' });
    await sticky.clock.settle();
    table.asked[1]?.(undefined);
    assert.equal((await lease).server.name, 'b');
  });

  test('tryAcquire does not wait; a signal and close end the wait', async () => {
    const { sticky } = late();
    assert.equal(sticky.from('1.1.1.1'), 'a');
    const controller = new AbortController();
    const leases = [
      sticky.pool.acquire({ remoteAddress: '1.1.1.1' }, { signal: controller.signal }),
      sticky.pool.acquire({ remoteAddress: '1.1.1.1' }),
    ].map((lease) =>
      lease.then(
        () => 'leased',
        (error) => (error as EvenkeelError).code,
      ),
    );
    controller.abort();
    const closing = sticky.pool.close({ graceMs: 10 });
    await sticky.clock.advanceAsync(100);
    assert.deepEqual(await Promise.all(leases), ['EK_ABORTED', 'EK_CLOSED']);
    await closing;
    assert.equal(sticky.clock.pending, 0);
  });
});

for (const [method, says] of [
  ['lookup', 'stick[0].on'],
  ['recall', 'stick[0].on'],
  ['ask', 'stick[0].on'],
  ['get', 'stick[0].on'],
  ['claim', 'stick'],
  ['store', 'stick'],
] as const)
  test(`a table of the user's own that throws in ${method} is done without, and told by sample:error`, async () => {
    const inner = new StickTable({ type: 'ip', size: 10 });
    const table: Table = {
      type: 'ip',
      untracked: inner.untracked,
      lookup: () => (method === 'recall' ? Promise.resolve(undefined) : 'gone'),
      recall: () => undefined,
      ask: async () => undefined,
      claim: () => undefined,
      store: () => {},
      track: () => undefined,
      get: () => undefined,
      set: () => undefined,
      delete: () => false,
      clear: () => 0,
      [method]: () => {
        throw new Error(`no ${method}`);
      },
    };
    const sticky = new Sticky({ stickTable: table });
    const context = { remoteAddress: '1.1.1.1' };
    if (method === 'get') assert.equal(sticky.pool.explain(context).chosen, 'a');
    const lease = await sticky.pool.acquire(context);
    assert.equal(lease.server.name, 'a');
    lease.release();
    assert.deepEqual(sticky.faults, [says]);
    assert.deepEqual([sticky.pool.stats().leases, sticky.clock.pending], [0, 0]);
  });

function bound(sticky: Sticky): { pool: Pool<unknown>; from: Sticky['from'] } {
  return { pool: sticky.pool, from: sticky.from.bind(sticky) };
}
