import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCookieDate, writeCookieDate } from '#src/persistence/cookie-date.ts';
import { CookieServers } from '#src/persistence/cookie-servers.ts';
import { readCookieValue } from '#src/persistence/cookie-value.ts';
import { dynamicCookie } from '#src/persistence/dynamic-cookie.ts';
import { CookieSigner } from '#src/persistence/signed-cookie.ts';

const [OLD, NEW, OTHER] = ['old', 'new', 'other'].map((text) => Buffer.from(text.padEnd(16, '-'))) as [
  Buffer,
  Buffer,
  Buffer,
];
const anyServer = (): boolean => true;

test('dates are read as they were written, to four seconds, until 2106', () => {
  const property = fc.property(fc.integer({ min: 1, max: 2 ** 32 - 8 }), (seconds) => {
    const text = writeCookieDate(seconds);
    assert.match(text, /^[A-Za-z\d+/]{5}$/);
    assert.equal(readCookieDate(text, 0) >>> 0, Math.ceil(seconds / 4) * 4);
    assert.equal(readCookieDate(`ab|${text}|`, 3) >>> 0, Math.ceil(seconds / 4) * 4);
  });
  fc.assert(property);
  for (const text of ['', 'AAAA', 'AAAAA', '=AAAA', 'AAAA=', 'AA-AA', 'AA_AA', '\xff\xff\xff\xff\xff', 'ĀĀĀĀĀ'])
    assert.equal(readCookieDate(text, 0), 0, text);
});

test('whatever a cookie holds is read, and forged dates are none', () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab|~.=AZ09+/-_\xff!'), maxLength: 40 });
  const property = fc.property(text, fc.boolean(), (value, prefix) => {
    const { server, lastDate, firstDate } = readCookieValue(value, prefix, undefined, anyServer);
    assert.equal(server, value.split(prefix ? '~' : '|')[0]);
    for (const date of [lastDate, firstDate]) assert.ok(Number.isInteger(date) && (!prefix || date === 0));
  });
  fc.assert(property);
});

test('a signed value is believed, with its dates; and no other, however little it differs', () => {
  const signer = new CookieSigner('SRV', [NEW]);
  const value = `s.1|${writeCookieDate(1_700_000_000)}|${writeCookieDate(1_600_000_000)}`;
  const signed = signer.sign(value);
  assert.match(signed, /^s\.1\|[\w+/]{5}\|[\w+/]{5}\.[\w-]{22}$/);
  const read = (text: string, prefix = false) => readCookieValue(text, prefix, signer, anyServer);
  assert.deepEqual(read(signed), { server: 's.1', lastDate: 1_700_000_000, firstDate: 1_600_000_000, stale: false });
  assert.deepEqual(read(`${signer.sign('s1')}~own.value`, true), {
    server: 's1',
    lastDate: 0,
    firstDate: 0,
    stale: false,
  });
  for (let at = 0; at < signed.length; at++)
    for (const other of ['', '.', 'A', '|', '\xff', 'Ā']) {
      const forged = signed.slice(0, at) + other + signed.slice(at + 1);
      if (forged !== signed) assert.equal(read(forged).server, '', forged);
    }
  for (const forged of [
    '',
    '.',
    value,
    signed.slice(1),
    `${signed}A`,
    signed.slice(0, -1),
    `.${signed.slice(-22)}`,
    `s1${signed.slice(-23)}`,
    new CookieSigner('SRW', [NEW]).sign(value),
  ])
    assert.equal(read(forged).server, '', forged);
});

test('older keys are still believed, and what they have signed is to be sent anew', () => {
  const signed = (keys: Buffer[]): string => new CookieSigner('SRV', keys).sign('s1');
  const rotated = new CookieSigner('SRV', [NEW, OLD]);
  assert.deepEqual(rotated.verify(signed([OLD])), { value: 's1', stale: true });
  assert.deepEqual(rotated.verify(signed([NEW, OLD])), { value: 's1', stale: false });
  assert.equal(rotated.verify(signed([OTHER])), undefined);
});

test('a signature is worked out for no server that there is not', () => {
  const asked: string[] = [];
  const signer = new CookieSigner('SRV', [NEW]);
  for (const value of ['zz.AAAAAAAAAAAAAAAAAAAAAA', 'zz|AAAAA.AAAAAAAAAAAAAAAAAAAAAA', 'z.z.x', 'zz'])
    readCookieValue(value, false, signer, (server) => asked.push(server) < 0);
  assert.deepEqual(asked, ['zz', 'zz', 'z.z', 'z']);
});

test('dynamic cookies: as HAProxy makes them of a key, an address and a port; none of a name', () => {
  // The value of haproxy 2.6 for this line is in test/fixtures/haproxy-cookies.json too, at ports of its own.
  assert.match(dynamicCookie('key', '127.0.0.1', 80) ?? '', /^[\da-f]{16}$/);
  assert.equal(dynamicCookie('key', '::1', 80), dynamicCookie('key', '0:0:0:0:0:0:0:1', 80));
  assert.equal(
    new Set(
      [
        ['key', '127.0.0.1', 80],
        ['key', '127.0.0.1', 81],
        ['key', '127.0.0.2', 80],
        ['kez', '127.0.0.1', 80],
        ['key', '::1', 80],
      ].map(([key, host, port]) => dynamicCookie(String(key), String(host), Number(port))),
    ).size,
    5,
  );
  for (const host of ['localhost', '', 'a.example', '1.2.3']) assert.equal(dynamicCookie('key', host, 80), undefined);
});

test('4,095 servers: a value leads to its own alone, in the order of declaration, as they come and go', () => {
  let asked = 0;
  const make = () => ({
    get acceptsPersistent() {
      asked++;
      return true;
    },
  });
  const servers = new CookieServers<ReturnType<typeof make>>();
  const all = Array.from({ length: 4095 }, make);
  for (const [index, server] of all.entries()) servers.add(server, `s${index % 4000}`);
  assert.deepEqual(servers.withValue('s7'), [all[7], all[4007]]);
  assert.deepEqual(servers.withValue('s3999'), [all[3999]]);
  assert.equal(asked, 0);
  servers.remove(all[7] as ReturnType<typeof make>);
  assert.deepEqual(servers.withValue('s7'), [all[4007]]);
  assert.deepEqual(servers.add(all[7] as ReturnType<typeof make>, 's8'), [all[8], all[4008]]);
  assert.equal(servers.valueOf(all[7] as ReturnType<typeof make>), 's8');
  assert.deepEqual(servers.withValue('zz'), []);
});
