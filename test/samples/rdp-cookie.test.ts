import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRdpCookie } from '#src/samples/index.ts';

/** TPKT version 3 and length, X.224 connection request: 11 bytes. */
function payload(cookie: string): Buffer {
  const length = 11 + cookie.length;
  const header = [3, 0, length >> 8, length & 0xff, length - 5, 0xe0, 0, 0, 0, 0, 0];
  return Buffer.concat([Buffer.from(header), Buffer.from(cookie, 'latin1')]);
}

const CASES: readonly (readonly [string, string | undefined])[] = [
  ['Cookie: mstshash=DOMAIN\\user\r\n', 'DOMAIN\\user'],
  ['Cookie: mstshash=user\r\n\x01\x00\x08\x00\x03\x00\x00\x00', 'user'],
  ['cookie:MSTSHASH=user\r\n', 'user'],
  ['Cookie:   mstshash=a=b c\r\n', 'a=b c'],
  ['Cookie: mstshash=\xe9\r\n', '\xe9'],
  ['Cookie: mstshash=\r\n', undefined],
  ['Cookie: mstshash=user\n', undefined],
  ['Cookie: mstshash=user\rx\r\n', undefined],
  ['Cookie: mstshash=user\0\r\n', undefined],
  ['Cookie: mstshash=user', undefined],
  ['Cookie: mstshash=user\r', undefined],
  ['Cookie: mstshash\r\n', undefined],
  ['Cookie: mstshash =user\r\n', undefined],
  ['Cookie: msts=1.2.3\r\n', undefined],
  ['Cookies: mstshash=user\r\n', undefined],
  ['xCookie: mstshash=user\r\n', undefined],
  ['', undefined],
];

for (const [cookie, expected] of CASES)
  test(`${JSON.stringify(cookie)} is ${JSON.stringify(expected)}`, () => {
    assert.equal(parseRdpCookie(payload(cookie), 'mstshash'), expected);
    assert.equal(parseRdpCookie(payload(cookie), 'MstsHash'), expected);
  });

test('a cookie that is not there as a whole yet is none', () => {
  const whole = payload('Cookie: mstshash=user\r\n');
  for (let length = 0; length < whole.length; length++)
    assert.equal(parseRdpCookie(whole.subarray(0, length), 'mstshash'), undefined);
});

test('a cookie longer than any RDP client sends is none', () => {
  const fits = 1024 - 11 - 'Cookie: mstshash=\r\n'.length;
  assert.equal(parseRdpCookie(payload(`Cookie: mstshash=${'x'.repeat(fits)}\r\n`), 'mstshash')?.length, fits);
  assert.equal(parseRdpCookie(payload(`Cookie: mstshash=${'x'.repeat(fits + 1)}\r\n`), 'mstshash'), undefined);
});

test('the name is a name, not a pattern', () => {
  assert.equal(parseRdpCookie(payload('Cookie: mstshash=user\r\n'), 'm.*'), undefined);
});

test('any bytes are read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string(), (bytes, name) => {
      parseRdpCookie(bytes, name);
      parseRdpCookie(payload(`Cookie: a=${Buffer.from(bytes).toString('latin1')}`), 'a');
    }),
  );
});
