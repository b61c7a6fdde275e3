/**
 * Scenarios by chance, played by the HAProxy that is installed here and by our parts: the same server, fields and log flags at
 * every request. `SEED=7` plays others than those of every day. Left out is what `recorded-cookies.test.ts` explains: of
 * `Cookie` fields there is one at most, and no `checkcache`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CookiePlayer, comparable } from '../support/cookie-player.ts';
import { COOKIE_SCENARIOS } from '../support/cookie-scenarios.ts';
import { findHaproxy, versionOf } from '../support/haproxy-process.ts';
import { LiveCookies } from '../support/live-cookies.ts';
import { randomCookies } from '../support/random-cookies.ts';
import { seededRandom } from '../support/virtual-clock.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const random = seededRandom(SEED);

/** Some of what is recorded, to see that a recording would be the same today; and what nobody has thought of. */
const scenarios = [
  ...COOKIE_SCENARIOS.filter(({ name }) => /^(visits|shapes|dates|states|redispatch|set-cookie|dynamic)/.test(name))
    .map((scenario) => ({ scenario, order: random() }))
    .sort((one, other) => one.order - other.order)
    .slice(0, 10)
    .map(({ scenario }) => scenario),
  ...Array.from({ length: 40 }, (_, index) => randomCookies(SEED * 1009 + index)),
];

const haproxy = process.env['CI'] === undefined ? findHaproxy() : undefined;
if (haproxy === undefined)
  test('cookies as the HAProxy that is installed', (t) =>
    t.skip('no haproxy, or CI: recorded-cookies.test.ts is enough there'));
else
  describe(`cookies as HAProxy ${versionOf(haproxy)} has them: SEED=${SEED}`, () => {
    let live: LiveCookies | undefined;
    before(async () => {
      live = await LiveCookies.start(haproxy, scenarios);
    });
    after(() => live?.stop());
    for (const [index, { name }] of scenarios.entries())
      test(name, async () => {
        assert.ok(live);
        const recorded = await live.record(index);
        const player = new CookiePlayer(recorded);
        for (const request of recorded.requests) {
          const decided = player.play(request);
          const scenario = JSON.stringify({ ...recorded, requests: [request] });
          assert.deepEqual(decided, comparable(request.expect, decided), `SEED=${SEED}: ${scenario}`);
        }
      });
  });
