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

for (const [names, said] of [
  [['a'], 'server a'],
  [['a', 'b'], 'servers a, b'],
  [['a', 'b', 'c', 'd', 'e', 'f', 'g'], 'servers a, b, c, d, e and 2 more'],
] as const) {
  test(`not ready in time says for whom is waited: ${said}`, async () => {
    const { pool, clock, verdict } = checkedPool('known', ...names);
    const waiting = pool.ready({ timeout: '5s' });
    waiting.catch(() => {});
    await verdict('known', true);
    await clock.advanceAsync(3_000);
    const message = `no first check of ${said} has ended within 5000 ms`;
    await assert.rejects(waiting, (error) => code('EK_NO_SERVER')(error) && (error as Error).message === message);
    await pool.close();
  });
}

test('ready when all servers are down, too, as late as inter and maxSpreadChecks let the last check be', async () => {
  for (const [maxSpreadChecks, ms] of [
    ['1h', 7_500],
    ['100ms', 75],
  ] as const) {
    const clock = new VirtualClock();
    const check = (): boolean => false;
    const defaultServer = { check, inter: '10s' } as const;
    const pool = new Pool({ servers: nowhere('a', 'b', 'c', 'd'), defaultServer, maxSpreadChecks }, clock);
    let ready = false;
    void pool.ready().then(() => {
      ready = true;
    });
    await clock.advanceAsync(ms - 1);
    assert.equal(ready, false);
    await clock.advanceAsync(1);
    assert.deepEqual([ready, pool.stats().state], [true, 'DOWN']);
    await pool.close();
  }
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
