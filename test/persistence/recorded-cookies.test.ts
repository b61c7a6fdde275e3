/**
 * What HAProxy made of cookies, recorded by `npm run record:cookies`: our parts make the same of them, but for what
 * `docs/haproxy-differences.md` explains.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CookieDifferences } from '../support/cookie-differences.ts';
import { CookiePlayer, comparable, type Decided } from '../support/cookie-player.ts';
import { type RecordedRequest, recordedCookies } from '../support/cookie-record.ts';

const scenarios = recordedCookies();
const differences = new CookieDifferences();

function differs(decided: Decided, theirs: Decided): boolean {
  return JSON.stringify(decided) !== JSON.stringify(theirs);
}

function expectation(request: RecordedRequest, decided: Decided): Decided {
  const theirs = comparable(request.expect, decided);
  if (!differs(decided, theirs)) return theirs;
  return comparable({ ...request.expect, ...differences.explained(request, request.expect.server) }, decided);
}

describe('the same as HAProxy', () => {
  for (const scenario of scenarios)
    test(scenario.name, () => {
      const player = new CookiePlayer(scenario);
      for (const [at, request] of scenario.requests.entries()) {
        const decided = player.play(request);
        assert.deepEqual(decided, expectation(request, decided), `request ${at}: ${JSON.stringify(request)}`);
      }
    });

  test('in over a thousand requests, with every state and deed of a cookie; and each difference is one that happens', () => {
    const flags = scenarios.flatMap(({ requests }) => requests.map(({ expect }) => expect.flags.slice(2)));
    assert.ok(flags.length >= 1000);
    assert.deepEqual([...new Set(flags.map((pair) => pair[0]))].sort().join(''), '-DEINOUV');
    assert.deepEqual([...new Set(flags.map((pair) => pair[1]))].sort().join(''), '-DINPRU');
    assert.deepEqual(differences.unmet, []);
  });
});
