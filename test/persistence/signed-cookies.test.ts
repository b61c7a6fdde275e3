/** Cookies that are signed, from one answer to the next request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { CookiePersistence } from '#src/persistence/cookie.ts';
import { type CookieObject, readCookie } from '#src/persistence/cookie-options.ts';
import { CookieServers } from '#src/persistence/cookie-servers.ts';

const [OLD, NEW] = ['old key of 16 by', 'new key of 16 by'];
/** The beginning of a unit of four seconds. */
const START = 1_700_000_000;

function stage(options: Omit<CookieObject, 'name'>) {
  const read = new OptionReader({ cookie: { name: 'SRV', ...options } }, '');
  const settings = readCookie(read);
  read.throwFaults();
  assert.ok(settings);
  const servers = new CookieServers<{ acceptsPersistent: boolean }>();
  const [a, b] = [{ acceptsPersistent: true }, { acceptsPersistent: true }];
  servers.add(a, 'a');
  servers.add(b, 'b');
  const clock = { now: START };
  const persistence = new CookiePersistence(settings, servers, () => clock.now);
  /** Flags, what the server sees, and the cookie that the client has then. Balancing leads to `b`. */
  const exchange = (cookie: string | undefined, setCookie: string[] = []) => {
    const visit = persistence.read(cookie, { assigned: false, ignore: false, persist: false });
    const by = { server: visit.server ?? b, direct: visit.server !== undefined, method: 'GET' };
    const answer = visit.answer({ setCookie, cacheable: false }, by);
    const sent = answer.setCookie[0]?.split(';')[0];
    return { flags: visit.state + answer.deed, seen: visit.forwarded, has: sent ?? cookie };
  };
  return { clock, exchange };
}

test('a client keeps its server by what it was sent, and gets none by what it made up', () => {
  const { exchange } = stage({ mode: 'insert', sign: { keys: [NEW] } });
  const { flags, has } = exchange(undefined);
  assert.equal(flags, 'NI');
  assert.match(has ?? '', /^SRV=b\.[\w-]{22}$/);
  assert.deepEqual(exchange(has), { flags: 'VN', seen: has, has });
  for (const forged of ['SRV=a', 'SRV=b', `SRV=a${has?.slice(5)}`]) assert.equal(exchange(forged).flags, 'II', forged);
});

test('dates are signed too, and sent anew once a unit is over', () => {
  const { clock, exchange } = stage({ mode: 'insert', maxidle: '1m', maxlife: '1h', sign: { keys: [NEW] } });
  const { has = '' } = exchange(undefined);
  assert.match(has, /^SRV=b\|[\w+/]{5}\|[\w+/]{5}\.[\w-]{22}$/);
  assert.equal(exchange(has).flags, 'VN');
  clock.now += 1;
  const later = exchange(has);
  assert.equal(later.flags, 'VU');
  assert.equal(exchange(has.replace(/\|.{5}/, '|zzzzz')).flags, 'II');
  clock.now += 62;
  assert.deepEqual([exchange(has).flags, exchange(later.has).flags], ['EI', 'VU']);
});

test('of many in one request the first eight are looked at', () => {
  const { exchange } = stage({ mode: 'insert', sign: { keys: [NEW] } });
  const { has = '' } = exchange(undefined);
  const behind = (count: number) => exchange(`${`SRV=b.${'A'.repeat(22)}; `.repeat(count)}${has}`).flags;
  assert.deepEqual([behind(7), behind(8)], ['VN', 'II']);
});

test('with a new key, what the old one has signed is believed, and signed anew', () => {
  const { has } = stage({ mode: 'insert', sign: { keys: [OLD] } }).exchange(undefined);
  const { exchange } = stage({ mode: 'insert', sign: { keys: [NEW, OLD] } });
  const renewed = exchange(has);
  assert.equal(renewed.flags, 'VU');
  assert.notEqual(renewed.has, has);
  assert.equal(exchange(renewed.has).flags, 'VN');
  assert.equal(stage({ mode: 'insert', sign: { keys: [NEW] } }).exchange(has).flags, 'II');
});

test('prefix and rewrite: the server is signed, and its own value stays what it was', () => {
  const prefix = stage({ mode: 'prefix', sign: { keys: [NEW] } });
  const { has } = prefix.exchange(undefined, ['SRV=own.value~x; path=/']);
  assert.match(has ?? '', /^SRV=b\.[\w-]{22}~own\.value~x$/);
  assert.deepEqual(prefix.exchange(has), { flags: 'VN', seen: 'SRV=own.value~x', has });
  assert.equal(prefix.exchange('SRV=b~own').flags, 'IN');
  const rewrite = stage({ mode: 'rewrite', sign: { keys: [NEW] } });
  const rewritten = rewrite.exchange(undefined, ['SRV=own; path=/']).has;
  assert.match(rewritten ?? '', /^SRV=b\.[\w-]{22}$/);
  assert.equal(rewrite.exchange(rewritten).flags, 'VN');
});
