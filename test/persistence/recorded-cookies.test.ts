/** What HAProxy made of cookies, recorded by `npm run record:cookies`; our pure parts must make the same of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CookiePlayer, comparable } from '../support/cookie-player.ts';
import { recordedCookies } from '../support/cookie-record.ts';

const scenarios = recordedCookies();

test('a thousand requests are recorded', () => {
  assert.ok(scenarios.flatMap(({ requests }) => requests).length >= 1000);
});

describe('the same as HAProxy', () => {
  for (const scenario of scenarios)
    test(scenario.name, () => {
      const player = new CookiePlayer(scenario);
      for (const [at, request] of scenario.requests.entries()) {
        const decided = player.play(request);
        assert.deepEqual(decided, comparable(request.expect, decided), `request ${at}: ${JSON.stringify(request)}`);
      }
    });
});
