/** All servers of a big pool go down in one tick, with requests under way and waiting, and come back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvenkeelError, type Lease, Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SERVERS = 4_095;
const WAITING = 1_000;

test('4,095 servers that go down in one tick: each is told of once, who waits is refused, and all come back', async () => {
  const clock = new VirtualClock();
  let passes = true;
  let held: PromiseWithResolvers<boolean> | undefined;
  let running = 0;
  const check = async (): Promise<boolean> => {
    running++;
    return held ? held.promise : passes;
  };
  const pool = new Pool<unknown>(
    {
      servers: Array.from({ length: SERVERS }, (_, index) => `192.0.2.1:${index + 1}`),
      defaultServer: { check, inter: '2s', fall: 1, rise: 1, downinter: '10s', maxconn: 1 },
      timeout: { queue: '1h', check: '1h' },
    },
    clock,
  );
  const told = { down: new Map<string, number>(), up: new Map<string, number>() };
  pool.on('server:down', ({ server }) => void told.down.set(server, (told.down.get(server) ?? 0) + 1));
  pool.on('server:up', ({ server }) => void told.up.set(server, (told.up.get(server) ?? 0) + 1));
  await clock.advanceAsync(2_000);
  const leases = Array.from({ length: SERVERS }, () => pool.tryAcquire() as Lease);
  const outcomes = Array.from({ length: WAITING }, () =>
    pool.acquire().then(
      () => 'served',
      (error: unknown) => (error instanceof EvenkeelError ? error.code : 'another error'),
    ),
  );
  assert.equal(pool.stats().queued, WAITING);

  // One more round of checks begins, and all of them end together.
  held = Promise.withResolvers<boolean>();
  running = 0;
  await clock.advanceAsync(2_000);
  assert.equal(running, SERVERS);
  const before = clock.now();
  held.resolve(false);
  held = undefined;
  passes = false;
  await clock.settle();
  assert.equal(clock.now(), before);
  assert.deepEqual([told.down.size, ...new Set(told.down.values())], [SERVERS, 1]);
  assert.deepEqual(new Set(Object.values(pool.stats().servers).map(({ state }) => state)), new Set(['DOWN']));
  assert.deepEqual(new Set(await Promise.all(outcomes)), new Set(['EK_NO_SERVER']));
  assert.deepEqual([pool.stats().queued, pool.tryAcquire()], [0, undefined]);
  for (const lease of leases) lease.release({ ok: false });

  passes = true;
  await clock.advanceAsync(10_000);
  assert.deepEqual([told.up.size, ...new Set(told.up.values())], [SERVERS, 1]);
  const again = Array.from({ length: SERVERS }, () => pool.tryAcquire() as Lease);
  assert.equal(new Set(again.map(({ server }) => server.name)).size, SERVERS);
  for (const lease of again) lease.release();
  await pool.close({ graceMs: 0 });
  assert.equal(clock.pending, 0);
});
