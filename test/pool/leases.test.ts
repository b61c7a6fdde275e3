import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, EvenkeelError, type Lease, Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere, picks } from './picks.ts';

const code = (expected: ErrorCode) => (error: unknown) => error instanceof EvenkeelError && error.code === expected;

test('a lease is a slot of the chosen server until it is released, once', async () => {
  const pool = new Pool({ servers: [{ name: 'a', address: 'https://example.com:8443' }] }, new VirtualClock());
  const lease = await pool.acquire();
  const { name, host, port, url, active } = lease.server;
  assert.deepEqual([name, host, port, url, active], ['a', 'example.com', 8443, 'https://example.com:8443', 1]);
  assert.equal(pool.stats().leases, 1);
  lease.release();
  lease.release();
  lease[Symbol.dispose]();
  assert.deepEqual([lease.server.active, pool.stats().leases], [0, 0]);
});

/** A program as text: Node.js 22 cannot read `using`. */
const USING = `return async (pool) => {
  using lease = await pool.acquire();
  if (lease.server.active === 1) throw new Error('work failed');
}`;

test('run does failing work again only as often as the retry budget pays for', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 'b'), retryBudget: { ratio: 0, minPerSecond: 0.5 } }, clock);
  let runs = 0;
  const work = (): never => {
    runs++;
    throw new Error('failed');
  };
  for (let i = 0; i < 4; i++) await assert.rejects(pool.run({}, work, { retry: true }), /failed/);
  assert.deepEqual([runs, pool.stats().retriesRefused], [4 + 5, 3]);
  clock.advance(10_000);
  await assert.rejects(pool.run({}, work), /failed/);
  await assert.rejects(pool.run({}, work, { retry: true }), /failed/);
  assert.equal(runs, 9 + 1 + 4);
});

test('`using` gives it back, also when the work throws', {
  skip: Number.parseInt(process.versions.node, 10) < 24 && 'no `using`',
}, async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const work = new Function(USING)() as (pool: Pool) => Promise<void>;
  await assert.rejects(work(pool), /work failed/);
  assert.equal(pool.server('a').active, 0);
});

test('a result that is not ok counts against the server; a second word does not', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const [good, neutral, bad] = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
  good.release({ ok: true });
  good.release({ ok: false });
  neutral.release();
  bad.release({ ok: false, error: new Error('refused') });
  bad.release({ ok: false });
  const { eresp, stot, smax, active } = pool.stats().servers['a'] ?? {};
  assert.deepEqual([eresp, stot, smax, active], [1, 3, 3, 0]);
});

test('slots are counted: with every server full nothing is to be had, and a slot freed is free at once', async () => {
  const servers = nowhere('a', 'b').map((server) => ({ ...server, maxconn: 2 }));
  const pool = new Pool({ servers, poolMaxQueue: 0 }, new VirtualClock());
  const leases: Lease[] = [];
  for (let i = 0; i < 4; i++) leases.push(await pool.acquire());
  assert.deepEqual(
    leases.map(({ server }) => server.name),
    ['a', 'b', 'a', 'b'],
  );
  await assert.rejects(pool.acquire(), code('EK_QUEUE_FULL'));
  await assert.rejects(pool.acquire({}, { avoid: ['a'] }), code('EK_QUEUE_FULL'));
  assert.equal(pool.tryAcquire(), undefined);
  leases[3]?.release();
  assert.equal(picks(pool, 3), 'b b b');
});

test('no usable server is EK_NO_SERVER, at once', async () => {
  const empty = new Pool({}, new VirtualClock());
  await assert.rejects(empty.acquire(), code('EK_NO_SERVER'));
  assert.equal(empty.tryAcquire(), undefined);
  const resting = new Pool(
    {
      servers: [
        { address: '127.0.0.1:1', disabled: true },
        { address: '127.0.0.1:1', weight: 0 },
      ],
    },
    new VirtualClock(),
  );
  await assert.rejects(resting.acquire(), code('EK_NO_SERVER'));
});

test('an aborted caller gets no slot', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const reason = new Error('changed my mind');
  await assert.rejects(
    pool.acquire({}, { signal: AbortSignal.abort(reason) }),
    (error) => code('EK_ABORTED')(error) && (error as Error).cause === reason,
  );
  assert.equal(pool.server('a').active, 0);
});

test('servers to avoid are used only when no other has room', async () => {
  const pool = new Pool(
    { servers: nowhere('a', 'b', 'c').map((server) => ({ ...server, maxconn: 1 })) },
    new VirtualClock(),
  );
  assert.equal(picks(pool, 4, ['a']), 'b c b c');
  assert.equal(picks(pool, 3, ['a', 'b']), 'c c c');
  assert.equal(
    picks(pool, 3, ['nonesuch', 'b', 'a', 'c']).replaceAll(/[abc]/g, 'x'),
    'x x x',
    'all are to be avoided: any will do',
  );
  const c = await pool.acquire({}, { avoid: ['a', 'b'] });
  assert.equal(c.server.name, 'c');
  assert.equal(picks(pool, 1, ['b', 'c']), 'a');
  const a = await pool.acquire({}, { avoid: ['b'] });
  assert.deepEqual([a.server.name, picks(pool, 1, ['b'])], ['a', 'b'], 'the only one with room');
});

test('run gives its work a lease, and the work’s result back', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const result = await pool.run({ url: '/x' }, async (lease) => {
    assert.equal(lease.server.active, 1);
    return lease.server.name;
  });
  assert.deepEqual([result, pool.server('a').active], ['a', 0]);
  assert.equal(await pool.run({}, (lease) => lease.server.port), 1, 'work may answer at once');
});

test('run with retry goes from server to server, each at most once while there are others', async () => {
  const pool = new Pool({ servers: nowhere('a', 'b', 'c', 'd') }, new VirtualClock());
  const tried: string[] = [];
  const fails = (lease: Lease): never => {
    tried.push(lease.server.name);
    throw new Error(`no. ${tried.length}`);
  };
  await assert.rejects(pool.run({}, fails, { retry: true }), /no\. 4/); // retries: 3
  assert.deepEqual([...tried].sort(), ['a', 'b', 'c', 'd']);
  tried.length = 0;
  await assert.rejects(pool.run({}, fails), /no\. 1/);
  const { servers, leases } = pool.stats();
  assert.deepEqual([Object.values(servers).map(({ eresp }) => eresp), leases], [[2, 1, 1, 1], 0]);
});

test('run with retry stops when it is aborted, or no server is left', async () => {
  const pool = new Pool({ servers: nowhere('a', 'b'), retries: 9 }, new VirtualClock());
  const abort = new AbortController();
  let runs = 0;
  const work = (): never => {
    if (++runs === 3) abort.abort();
    throw new Error(`run ${runs}`);
  };
  await assert.rejects(pool.run({}, work, { retry: true, signal: abort.signal }), /run 3/);
  runs = 0;
  const leaving = (lease: Lease): never => {
    lease.server.setState('maint');
    throw new Error(`run ${++runs}`);
  };
  await assert.rejects(pool.run({}, leaving, { retry: true }), code('EK_NO_SERVER'));
  assert.equal(runs, 2);
});

test('with allbackups, a retry goes through the backups too', async () => {
  const servers = nowhere('a', 'b', 'c').map((server) => ({ ...server, backup: true }));
  const pool = new Pool({ servers, allbackups: true }, new VirtualClock());
  assert.equal(picks(pool, 2, ['a', 'c']), 'b b');
  const first = new Pool({ servers }, new VirtualClock());
  assert.equal(picks(first, 2, ['a', 'c']), 'a a', 'without it only the first backup is used');
});
