/** What cookies decide, as HAProxy's manual and http_ana.c have it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { CookiePersistence, type CookieVisit } from '#src/persistence/cookie.ts';
import { readCookieDate, writeCookieDate } from '#src/persistence/cookie-date.ts';
import { readCookieField } from '#src/persistence/cookie-field.ts';
import { type CookieOption, readCookie } from '#src/persistence/cookie-options.ts';
import { CookieServers } from '#src/persistence/cookie-servers.ts';

interface Target {
  readonly name: string;
  acceptsPersistent: boolean;
}

const NOW = 1_700_000_000;

function stage(cookie: CookieOption) {
  const read = new OptionReader({ cookie }, '');
  const settings = readCookie(read);
  read.throwFaults();
  assert.ok(settings);
  const servers = new CookieServers<Target>();
  const [a, b, bare] = ['a', 'b', 'bare'].map((name) => ({ name, acceptsPersistent: true })) as [
    Target,
    Target,
    Target,
  ];
  servers.add(a, 'A');
  servers.add(b, 'B');
  const persistence = new CookiePersistence<Target>(settings, servers, () => NOW);
  const come = (field: string | undefined, facts = {}): CookieVisit<Target> =>
    persistence.read(field, { assigned: false, ignore: false, persist: false, ...facts });
  /** Server, flags and fields of one exchange; where the cookie leads nowhere, `a` is balanced to. */
  const exchange = (field: string | undefined, setCookie: string[] = [], method = 'GET') => {
    const visit = come(field);
    const by = { server: visit.server ?? a, direct: visit.server !== undefined, method };
    const answer = visit.answer({ setCookie, cacheable: true }, by);
    return [by.server.name, visit.state + answer.deed, visit.forwarded, answer.setCookie];
  };
  return { a, b, bare, come, exchange };
}

test('insert: who comes without a cookie is given one, who has it is not, and an unknown one is replaced', () => {
  const { exchange } = stage('SRV insert');
  assert.deepEqual(exchange(undefined), ['a', 'NI', undefined, ['SRV=A; path=/']]);
  assert.deepEqual(exchange('SRV=B; x=1'), ['b', 'VN', 'SRV=B; x=1', []]);
  assert.deepEqual(exchange('SRV=Z'), ['a', 'II', 'SRV=Z', ['SRV=A; path=/']]);
  assert.deepEqual(exchange('srv=B'), ['a', 'NI', 'srv=B', ['SRV=A; path=/']]);
});

test('insert indirect: the server never sees the cookie, and other cookies stay as they are', () => {
  const { exchange } = stage('SRV insert indirect');
  assert.deepEqual(exchange('x=1; SRV=B; y=2'), ['b', 'VN', 'x=1; y=2', []]);
  assert.deepEqual(exchange('SRV=B'), ['b', 'VN', undefined, []]);
});

test('postonly inserts for a POST alone; preserve leaves what the server sets', () => {
  assert.deepEqual(stage('SRV insert postonly').exchange(undefined), ['a', 'NN', undefined, []]);
  assert.deepEqual(stage('SRV insert postonly').exchange(undefined, [], 'POST')[1], 'NI');
  const own = ['SRV=own; path=/'];
  assert.deepEqual(stage('SRV insert preserve').exchange(undefined, own), ['a', 'NP', undefined, own]);
  assert.deepEqual(stage('SRV insert').exchange(undefined, own), ['a', 'NI', undefined, ['SRV=A; path=/']]);
});

test('prefix puts the server before the value of the server, and takes it off again', () => {
  const { exchange } = stage('SID prefix');
  assert.deepEqual(exchange(undefined, ['SID=abc; path=/']), ['a', 'NR', undefined, ['SID=A~abc; path=/']]);
  assert.deepEqual(exchange('SID=B~abc'), ['b', 'VN', 'SID=abc', []]);
});

test('rewrite replaces the value that the server sets', () => {
  assert.deepEqual(stage('SRV rewrite').exchange(undefined, ['SRV=x; path=/', 'o=1'])[3], ['SRV=A; path=/', 'o=1']);
});

test('a server that is down is left, unless it is to be used all the same', () => {
  const { b, come } = stage('SRV insert');
  b.acceptsPersistent = false;
  const [visit, forced] = [come('SRV=B'), come('SRV=B', { persist: true })];
  assert.deepEqual([visit.state, visit.server], ['D', undefined]);
  assert.deepEqual([forced.state, forced.server?.name], ['D', 'b']);
});

test('a request that has a server, or is to have no bond, does not use its cookie', () => {
  const { come } = stage('SRV insert');
  for (const fact of ['assigned', 'ignore']) {
    const visit = come('SRV=A', { [fact]: true });
    assert.deepEqual([visit.state, visit.server], ['U', undefined]);
  }
});

test('dates: units of four seconds, read as written; idle and old cookies lead nowhere', () => {
  for (const seconds of [4, 1_700_000_000, 2_000_000_000])
    assert.equal(readCookieDate(writeCookieDate(seconds), 0), seconds);
  assert.equal(readCookieDate('AA!AA', 0), 0);
  const { exchange } = stage('SRV insert maxidle 1m maxlife 1h');
  const at = (secondsAgo: number): string => writeCookieDate(NOW - secondsAgo);
  const fresh = `SRV=A|${at(0)}|${at(0)}; path=/`;
  assert.deepEqual(exchange(undefined)[3], [fresh]);
  assert.deepEqual(exchange(`SRV=B|${at(100)}|${at(200)}`).slice(0, 2), ['a', 'EI']);
  assert.deepEqual(exchange(`SRV=B|${at(8)}|${at(4_000)}`).slice(0, 2), ['a', 'OI']);
  assert.deepEqual(exchange(`SRV=B|${at(8)}|${at(-100_000)}`).slice(0, 2), ['a', 'OI']);
  const kept = exchange(`SRV=B|${at(8)}|${at(200)}`);
  assert.deepEqual([kept[0], kept[1], kept[3]], ['b', 'VU', [`SRV=B|${at(0)}|${at(200)}; path=/`]]);
});

test('an answer from a server that has no cookie takes the client its cookie', () => {
  const { bare, come } = stage('SRV insert');
  const { setCookie } = come('SRV=Z').answer(
    { setCookie: [], cacheable: false },
    { server: bare, direct: false, method: 'GET' },
  );
  assert.deepEqual(setCookie, ['SRV=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/']);
});

test('thousands of cookies and 64 KiB of one are read, and what is not ours stays byte for byte', () => {
  const others = Array.from({ length: 5_000 }, (_, index) => `c${index}=${index}`).join('; ');
  assert.deepEqual(readCookieField(others, 'SRV', 'remove'), { values: [], forwarded: others });
  assert.deepEqual(readCookieField(`${others}; SRV=A`, 'SRV', 'remove'), { values: ['A'], forwarded: others });
  const long = 'x'.repeat(65_536);
  assert.deepEqual(readCookieField(`SRV=${long}`, 'SRV', 'keep').values, [long]);
});
