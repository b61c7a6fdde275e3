/** Tables that processes share: a server that was chosen is agreed on before it is used. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type EvenkeelError, type Lease, Pool, type PoolOptions, StickTable, type Table } from '#src/index.ts';
import { portOf } from '../support/fronts.ts';
import { answersOk, Origin } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

interface Claim {
  readonly server: string;
  readonly known: string | undefined;
  readonly answer: (server: string) => void;
}

/** A table of several processes, whose answers a test gives. */
class SharedTable extends StickTable implements Table {
  readonly claims: Claim[] = [];

  constructor() {
    super({ type: 'string', size: 10 });
  }

  claim(_key: unknown, server: string, known?: string): Promise<string> {
    return new Promise((answer) => this.claims.push({ server, known, answer }));
  }
}

const KNOWN = { headers: { 'x-user': 'u' } };

class Sharing {
  readonly clock = new VirtualClock();
  readonly table = new SharedTable();
  readonly pool: Pool<unknown>;

  constructor(options: PoolOptions<unknown> = {}) {
    const stickTable: Table = this.table;
    const servers = nowhere('a', 'b', 'c');
    this.pool = new Pool<unknown>({ servers, stickTable, stick: ['on req.hdr(x-user)'], ...options }, this.clock);
  }

  acquire(options?: Parameters<Pool<unknown>['acquire']>[1]): Promise<Lease> {
    return this.pool.acquire(KNOWN, options);
  }

  /** The claim of that number, once it is made. */
  async claim(nth: number): Promise<Claim> {
    await this.clock.settle();
    assert.equal(this.table.claims.length, nth);
    return this.table.claims[nth - 1] as Claim;
  }

  counts(server: string): number[] {
    const { active, stot } = this.pool.stats().servers[server] ?? {};
    return [active ?? -1, stot ?? -1];
  }
}

test('the server that was chosen, where nobody has chosen another: its slot is held meanwhile', async () => {
  const sharing = new Sharing();
  const lease = sharing.acquire();
  const { server, known, answer } = await sharing.claim(1);
  assert.deepEqual([server, known], ['a', undefined]);
  assert.deepEqual(sharing.counts('a'), [1, 1]);
  answer('a');
  assert.equal((await lease).server.name, 'a');
  assert.deepEqual(sharing.counts('a'), [1, 1]);
  assert.equal(sharing.clock.pending, 0, 'no timer is left');
});

test('the server of whoever was first: the slot of the other is given back', async () => {
  const sharing = new Sharing({ defaultServer: { maxconn: 1 } });
  const lease = sharing.acquire();
  const { answer } = await sharing.claim(1);
  const others = [1, 2, 3].map(() => sharing.pool.acquire());
  await sharing.clock.settle();
  assert.equal(sharing.pool.stats().queued, 1);
  answer('c');
  assert.equal((await others[2])?.server.name, 'a', 'who has waited has it now');
  (await others[1])?.release();
  assert.equal((await lease).server.name, 'c');
  assert.deepEqual(sharing.counts('a'), [1, 1]);
  assert.equal(sharing.table.get('u')?.server, 'c');
});

test('that of another is of no use here: it is replaced, and no other', async () => {
  const sharing = new Sharing();
  sharing.pool.server('b').setHealth('down');
  const lease = sharing.acquire();
  (await sharing.claim(1)).answer('b');
  const { server, known, answer } = await sharing.claim(2);
  assert.deepEqual([server, known], ['a', 'b']);
  answer('a');
  assert.equal((await lease).server.name, 'a');
});

test('so is one that is to be avoided, and names that lead nowhere; but not for ever', async () => {
  const sharing = new Sharing();
  const lease = sharing.acquire({ avoid: ['a', 'c'] });
  for (const [index, server] of ['c', 'z', 'c'].entries()) (await sharing.claim(index + 1)).answer(server);
  assert.equal((await lease).server.name, 'b');
});

test('a server that is taken away meanwhile is not used', async () => {
  const sharing = new Sharing();
  const lease = sharing.acquire();
  const { answer } = await sharing.claim(1);
  sharing.pool.server('a').setState('maint');
  answer('a');
  (await sharing.claim(2)).answer('b');
  assert.equal((await lease).server.name, 'b');
  assert.deepEqual(sharing.counts('a'), [0, 0]);
});

test('not for longer than timeout.stick', async () => {
  const sharing = new Sharing();
  const lease = sharing.acquire();
  await sharing.claim(1);
  await sharing.clock.advanceAsync(50);
  assert.equal((await lease).server.name, 'a');
});

test('a signal and close end the wait, and give the slot back', async () => {
  const sharing = new Sharing();
  const controller = new AbortController();
  const leases = [sharing.acquire({ signal: controller.signal }), sharing.acquire()].map((lease) =>
    lease.then(
      () => 'leased',
      (error) => (error as EvenkeelError).code,
    ),
  );
  await sharing.claim(2);
  controller.abort();
  const closing = sharing.pool.close({ graceMs: 10 });
  await sharing.clock.advanceAsync(10);
  for (const { answer } of sharing.table.claims) answer('c');
  assert.deepEqual(await Promise.all(leases), ['EK_ABORTED', 'EK_CLOSED']);
  assert.equal((await closing).leaked, 0);
  assert.deepEqual([...sharing.counts('a'), ...sharing.counts('b')], [0, 0, 0, 0]);
  assert.equal(sharing.pool.stats().leases, 0);
});

test('nobody is asked about who has its server, by whatever, or is not to stick', async () => {
  const sharing = new Sharing({ useServer: ({ headers }) => headers?.['x-server'] as string | undefined });
  sharing.table.store('u', 'b');
  assert.equal((await sharing.acquire()).server.name, 'b');
  const named = await sharing.pool.acquire({ headers: { 'x-user': 'v', 'x-server': 'c' } });
  assert.equal(named.server.name, 'c');
  assert.equal((await sharing.pool.acquire({})).server.name, 'a');
  assert.equal(sharing.pool.tryAcquire({ headers: { 'x-user': 'w' } })?.server.name, 'b', 'which cannot wait');
  assert.equal(sharing.table.claims.length, 0);
});

test('what is stored and not looked up binds nobody; what two rules store and look up does', async () => {
  const apart = new Sharing({ stick: ['match req.hdr(x-other)', 'store-request req.hdr(x-user)'] });
  assert.equal((await apart.acquire()).server.name, 'a');
  assert.equal(apart.table.claims.length, 0);
  const together = new Sharing({ stick: ['match req.hdr(x-user)', 'store-request req.hdr(x-user)'] });
  const lease = together.acquire();
  (await together.claim(1)).answer('c');
  assert.equal((await lease).server.name, 'c');
});

async function front(t: TestContext, pool: Pool): Promise<number> {
  const server = createServer(pool.middleware());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await pool.close({ graceMs: 0 });
  });
  return portOf(server);
}

test('a client that leaves meanwhile has had no server, and keeps no slot', async (t) => {
  const table = new SharedTable();
  const options = { stickTable: table as Table, stick: ['on req.hdr(x-user)'], timeout: { stick: '10s' } } as const;
  const pool = new Pool({ ...options, servers: nowhere('a', 'b') });
  const ended: (string | undefined)[][] = [];
  pool.on('request', ({ server, flags }) => ended.push([server, flags]));
  const client = await RawClient.open(await front(t, pool));
  client.start({ fields: [['x-user', 'u']] }).endure();
  await until(() => table.claims.length === 1);
  assert.equal(pool.stats().servers['a']?.active, 1);
  client.leave();
  await until(() => ended.length === 1);
  assert.deepEqual(ended, [[undefined, 'CC']]);
  table.claims[0]?.answer('b');
  await new Promise(setImmediate);
  const { a, b } = pool.stats().servers;
  assert.deepEqual([a?.active, a?.stot, b?.stot], [0, 0, 0]);
});

test('a request whose server fails goes where another process has moved its client', async (t) => {
  const table = new SharedTable();
  const origin = await Origin.start(answersOk('c'));
  t.after(() => origin.stop());
  const options = { stickTable: table as Table, stick: ['on req.hdr(x-user)'], timeout: { stick: '10s' } } as const;
  const pool = new Pool({ ...options, servers: [...nowhere('a', 'b'), { name: 'c', address: origin.url }] });
  const client = await RawClient.open(await front(t, pool));
  t.after(() => client.leave());
  const answer = client.send({ fields: [['x-user', 'u']] });
  await until(() => table.claims.length === 1);
  table.claims[0]?.answer('a'); // which refuses
  await until(() => table.claims.length === 2);
  const { server, known } = table.claims[1] as Claim;
  assert.deepEqual([server, known], ['b', 'a']);
  table.claims[1]?.answer('c');
  assert.equal((await answer).body, 'c');
  assert.equal(table.get('u')?.server, 'c');
  assert.deepEqual(
    Object.values(pool.stats().servers).map(({ stot }) => stot),
    [1, 0, 1],
  );
});
