import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

/** Collects garbage until it holds, or has not for long. */
async function collectUntil(holds: () => boolean): Promise<boolean> {
  assert.ok(globalThis.gc, 'run with --expose-gc');
  for (let i = 0; i < 50 && !holds(); i++) {
    await setImmediate(); // what a WeakRef has given is held until the end of its job
    globalThis.gc();
    await setImmediate();
  }
  return holds();
}

test('a lease that is lost frees its slot, and is reported', async () => {
  const pool = new Pool(
    { servers: nowhere('a', 'b').map((server) => ({ ...server, maxconn: 1 })) },
    new VirtualClock(),
  );
  const leaked: string[] = [];
  pool.on('lease:leaked', ({ server }) => leaked.push(server));
  const held = await pool.acquire();
  await (async () => void (await pool.acquire()))();
  assert.equal(pool.tryAcquire(), undefined);

  assert.ok(await collectUntil(() => leaked.length > 0), 'the lost lease was not noticed');
  assert.deepEqual(leaked, ['b']);
  assert.deepEqual([pool.server('a').active, pool.server('b').active], [1, 0], 'the other is held');
  held.release();
});

test('a lease that was released is not reported when it is collected', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  let leaked = 0;
  pool.on('lease:leaked', () => leaked++);
  const released = await (async () => {
    const lease = await pool.acquire();
    lease.release();
    return new WeakRef(lease);
  })();
  assert.ok(await collectUntil(() => released.deref() === undefined));
  await setImmediate();
  assert.deepEqual([leaked, pool.server('a').active], [0, 0]);
});

test('a pool that nobody holds any more is collected, though leases of it were lost', async () => {
  const ref = await (async () => {
    const pool = new Pool({ servers: nowhere('a') });
    await pool.acquire();
    return new WeakRef(pool);
  })();
  assert.ok(await collectUntil(() => ref.deref() === undefined));
});
