import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CheckVerdict } from '#src/health/health-check.ts';
import { fullHealth, healthAfter, type InitState, initialHealth, isUp } from '#src/health/rise-fall.ts';

const limits = { rise: 2, fall: 3 };

// HAProxy check.c:set_server_check_status, at its defaults: 0 and 1 are down, 2 to 4 are up.
for (const [verdict, after] of [
  ['passed', [1, 4, 4, 4, 4]],
  ['conditional', [1, 4, 4, 4, 4]],
  ['failed', [0, 0, 0, 2, 3]],
  ['neutral', [0, 1, 2, 3, 4]],
] as const) {
  test(`a ${verdict} check turns health 0, 1, 2, 3, 4 into ${after.join(', ')}`, () => {
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((health) => healthAfter(health, verdict, limits)),
      after,
    );
  });
}

// HAProxy server.h:srv_set_init_state
for (const [initState, health, up] of [
  ['none', 2, true],
  ['up', 2, true],
  ['fully-up', 4, true],
  ['down', 1, false],
  ['fully-down', 0, false],
] as const) {
  test(`initState '${initState}' begins with health ${health}, ${up ? 'up' : 'down'}`, () => {
    assert.equal(initialHealth(initState, limits), health);
    assert.equal(isUp(health, limits), up);
  });
}

/** The rule in words: `fall` failures in a row turn it down, `rise` successes in a row turn it up. */
class NaiveHealth {
  up: boolean;
  /** Results in a row that speak against the present state. */
  #against: number;
  readonly #rise: number;
  readonly #fall: number;

  constructor(initState: InitState, rise: number, fall: number) {
    this.#rise = rise;
    this.#fall = fall;
    this.up = initState === 'none' || initState === 'up' || initState === 'fully-up';
    const oneMissing = (this.up ? fall : rise) - 1;
    this.#against = initState === 'fully-up' || initState === 'fully-down' ? 0 : oneMissing;
  }

  take(verdict: CheckVerdict): void {
    if (verdict === 'neutral') return;
    if ((verdict === 'failed') !== this.up) this.#against = 0;
    else if (++this.#against >= (this.up ? this.#fall : this.#rise)) {
      this.up = !this.up;
      this.#against = 0;
    }
  }
}

test('any run of results leaves the counter where consecutive counting would', () => {
  const size = fc.integer({ min: 1, max: 6 });
  const initState = fc.constantFrom<InitState>('none', 'up', 'fully-up', 'down', 'fully-down');
  const verdicts = fc.array(fc.constantFrom<CheckVerdict>('passed', 'failed', 'neutral', 'conditional'), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(size, size, initState, verdicts, (rise, fall, begin, results) => {
      const naive = new NaiveHealth(begin, rise, fall);
      let health = initialHealth(begin, { rise, fall });
      assert.equal(isUp(health, { rise, fall }), naive.up);
      for (const verdict of results) {
        naive.take(verdict);
        health = healthAfter(health, verdict, { rise, fall });
        assert.equal(isUp(health, { rise, fall }), naive.up);
        assert.ok(Number.isInteger(health) && health >= 0 && health <= fullHealth({ rise, fall }));
      }
    }),
  );
});
