/**
 * What HAProxy made of cookies, recorded by `npm run record:cookies`: our parts make the same of them, but for what
 * `docs/haproxy-differences.md` explains.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CookiePlayer, comparable, type Decided } from '../support/cookie-player.ts';
import { type RecordedRequest, recordedCookies } from '../support/cookie-record.ts';

/** Why a request may come out otherwise, and how it does; each must happen. */
const EXPLAINED: Readonly<Record<string, (request: RecordedRequest, theirs: Decided) => Decided | undefined>> = {
  // HAProxy 2.6 takes `private` and `no-cache` with names behind them for nothing; 3.5 and we do not.
  'directives with an argument': ({ answer = [], expect }, theirs) => {
    if (!answer.some(([, value]) => /^(private|no-cache)="x/.test(value))) return undefined;
    const own = (name: string): string[] => answer.filter(([known]) => known === name).map(([, value]) => value);
    const passed = { ...theirs, cacheControl: own('Cache-Control') };
    return expect.flags.startsWith('PH') ? { ...passed, setCookie: own('Set-Cookie') } : passed;
  },
  // HAProxy blocks it all the same, and logs PH, but says the server's status over its own body.
  'checkcache answers 502': ({ expect }, theirs) =>
    expect.flags.startsWith('PH') ? { ...theirs, status: 502 } : undefined,
  // Node gives one field of several.
  'several fields in one': ({ cookies = [] }, theirs) =>
    cookies.length > 1 && !cookies.some((value) => value === '' || value.includes('"'))
      ? { ...theirs, cookies: [theirs.cookies.join('; ')] }
      : undefined,
  'several fields, one of them empty': ({ cookies = [] }, theirs) =>
    cookies.length > 1 && cookies.includes('') ? { ...theirs, cookies: [] } : undefined,
  'several fields, and a quote of one ends in none': ({ cookies = [] }, theirs) =>
    cookies.length > 1 && cookies[0] === 'x="1'
      ? { ...theirs, server: undefined, cookies: ['x="1', 'SRV=b'], setCookie: ['SRV=b; path=/'], flags: 'NI' }
      : undefined,
};

const scenarios = recordedCookies();
const happened = new Set<string>();

function differs(decided: Decided, theirs: Decided): boolean {
  return JSON.stringify(decided) !== JSON.stringify(theirs);
}

function expectation(request: RecordedRequest, decided: Decided): Decided {
  const theirs = comparable(request.expect, decided);
  if (!differs(decided, theirs)) return theirs;
  for (const [why, explain] of Object.entries(EXPLAINED)) {
    const explained = explain(request, theirs);
    if (explained === undefined) continue;
    happened.add(why);
    return explained;
  }
  return theirs;
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
    assert.deepEqual([...happened].sort(), Object.keys(EXPLAINED).sort());
  });
});
