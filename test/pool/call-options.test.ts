import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

const faultOf = (pattern: RegExp) => (error: unknown) => error instanceof ConfigError && pattern.test(error.message);

const WRONG: readonly (readonly [options: unknown, fault: RegExp])[] = [
  [5, /5 is not an object/],
  [null, /null is not an object/],
  [{ signal: new AbortController() }, /signal: \{\} is not allowed; allowed: an AbortSignal/],
  [{ signal: 'x' }, /signal: "x" is not allowed/],
  [{ avoid: 'a' }, /avoid: "a" is not allowed; allowed: an array of names/],
  [{ avoid: [1] }, /avoid: \[1\] is not allowed/],
  [{ timeout: 'soon' }, /timeout: "soon" is not allowed; allowed: a duration/],
  [{ timeot: 1 }, /timeot: is not an option; did you mean 'timeout'\?/],
];

test('wrong options of a call are one ConfigError, and take nothing', async () => {
  const pool = new Pool({ servers: nowhere('a').map((server) => ({ ...server, maxconn: 1 })) }, new VirtualClock());
  const held = await pool.acquire();
  for (const [options, fault] of WRONG) {
    await assert.rejects(pool.acquire({}, options as never), faultOf(fault));
    await assert.rejects(
      pool.run({}, () => assert.fail('it ran'), options as never),
      faultOf(fault),
    );
  }
  assert.throws(() => pool.tryAcquire({}, { avoid: 'a' } as never), faultOf(/tryAcquire\.avoid: "a" is not allowed/));
  assert.throws(
    () => pool.tryAcquire({}, { signal: undefined, timeout: 1 } as never),
    faultOf(/tryAcquire\.timeout: is not/),
  );
  await assert.rejects(pool.acquire({}, { retry: true } as never), faultOf(/acquire\.retry: is not an option/));
  await assert.rejects(
    pool.run({}, () => 1, { retry: 3 } as never),
    faultOf(/run\.retry: 3 is not allowed; allowed: true or false/),
  );
  await assert.rejects(
    pool.ready({ timeut: 1 } as never),
    faultOf(/ready\.timeut: is not an option; did you mean 'timeout'/),
  );
  assert.equal(pool.stats().queued, 0);
  held.release();
  (await pool.acquire({}, { signal: new AbortController().signal, timeout: '1s', avoid: ['nope'] })).release();
  assert.equal(pool.stats().leases, 0);
});
