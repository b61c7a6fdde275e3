import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckFunction, ConfigError, EvenkeelError, Pool, type PoolOptions } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

/** A pool whose checks end when the test says so. */
function checkedPool(...names: readonly string[]): {
  pool: Pool;
  clock: VirtualClock;
  verdict: (name: string, passed: boolean) => Promise<void>;
} {
  const clock = new VirtualClock();
  const running = new Map<string, (passed: boolean) => void>();
  const check: CheckFunction = ({ name }) => new Promise<boolean>((resolve) => running.set(name, resolve));
  const options: PoolOptions = { servers: nowhere(...names), defaultServer: { check }, timeout: { check: '1h' } };
  const pool = new Pool(options, clock);
  const verdict = async (name: string, passed: boolean): Promise<void> => {
    await clock.advanceAsync(2_000); // by then every first check has begun
    running.get(name)?.(passed);
    await clock.settle();
  };
  return { pool, clock, verdict };
}

const code = (expected: string) => (error: unknown) => error instanceof EvenkeelError && error.code === expected;

test('ready at once where no server is checked', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  await pool.ready();
  await pool.ready({ timeout: 0 });
});

test('ready when every server has its first verdict, whichever it is', async () => {
  const { pool, clock, verdict } = checkedPool('a', 'b', 'off');
  pool.server('off').setState('maint');
  let ready = false;
  const waiting = pool.ready({ timeout: '1h' }).then(() => {
    ready = true;
  });
  assert.equal(clock.holding, 1, 'whoever waits holds the process');
  await verdict('a', false);
  assert.equal(ready, false);
  await verdict('b', true);
  await waiting;
  assert.equal(clock.holding, 0);
  assert.deepEqual([pool.server('a').state, pool.server('b').usable], ['DOWN', true]);
  await pool.close();
});

test('not ready in time says for how many is waited', async () => {
  const { pool, clock } = checkedPool('a', 'b');
  const waiting = pool.ready({ timeout: '5s' });
  waiting.catch(() => {});
  await clock.advanceAsync(5_000);
  await assert.rejects(
    waiting,
    (error) => code('EK_NO_SERVER')(error) && /^2 servers have no verdict yet$/.test((error as Error).message),
  );
  await pool.close();
});

test('a server that is removed, or a pool that is closed, is not waited for', async () => {
  const { pool, verdict } = checkedPool('a', 'b');
  const waiting = pool.ready();
  await verdict('a', true);
  await pool.removeServer('b');
  await waiting;
  const other = checkedPool('a');
  const closed = assert.rejects(other.pool.ready(), code('EK_CLOSED'));
  await other.pool.close();
  await closed;
  await pool.close();
});

test('a wrong time-out is a fault', async () => {
  const pool = new Pool({}, new VirtualClock());
  await assert.rejects(pool.ready({ timeout: 'soon' as never }), ConfigError);
});
