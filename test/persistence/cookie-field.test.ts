import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readCookieField } from '#src/persistence/cookie-field.ts';
import { readSetCookies } from '#src/persistence/set-cookie-field.ts';
import { naivelyRemoved } from './naive-cookies.ts';

const blanks = fc.constantFrom('', '', ' ', '\t', '  ');
const name = fc.constantFrom('SRV', 'SRV', 'x', 'SRVX', '$Path', 'srv', 'ySRV', '');
const value = fc.constantFrom('=', '=a', '=a b', '="q;r"', '="\\";,"', '=a"b;c"', '=a=b', '=~', '=\xff\x80', '');
const crumb = fc.tuple(blanks, name, value, blanks).map((parts) => parts.join('').replaceAll(/ +=|=[ \t]+$/g, '='));
const field = fc
  .array(fc.tuple(crumb, fc.constantFrom(';', ';', ',')), { maxLength: 9 })
  .map((crumbs) =>
    crumbs
      .map((parts) => parts.join(''))
      .join('')
      .replaceAll(/^[ \t]+|[ \t;]+$/g, ''),
  )
  .filter((text) => !/[ \t]=|=[ \t]/.test(text));

test('removal leaves what a naive model leaves', () => {
  const property = fc.property(field, (text) => {
    assert.equal(readCookieField(text, 'SRV', 'remove').forwarded, naivelyRemoved(text, 'SRV'));
  });
  fc.assert(property, { numRuns: 5000 });
});

test('of a removed cookie nothing is found again, and nothing of the others is lost', () => {
  const property = fc.property(field, (text) => {
    const { forwarded = '' } = readCookieField(text, 'SRV', 'remove');
    assert.deepEqual(readCookieField(forwarded, 'SRV', 'keep').values, []);
    const others = (of: string) => readCookieField(of, 'x', 'keep').values;
    assert.deepEqual(others(forwarded), others(text));
  });
  fc.assert(property, { numRuns: 3000 });
});

test('a field is the same string where it holds no such cookie, whatever bytes it has', () => {
  const property = fc.property(
    fc.string({ unit: fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)) }),
    (text) => {
      fc.pre(!text.includes('SRV'));
      for (const treatment of ['keep', 'remove', 'unprefix'] as const)
        assert.deepEqual(readCookieField(text, 'SRV', treatment), { values: [], forwarded: text });
      assert.equal(readCookieField(`${text};x=1`, 'SRV', 'remove').forwarded, `${text};x=1`);
    },
  );
  fc.assert(property);
});

test('a prefix that is put before a value is taken from it again', () => {
  const values = fc.stringMatching(/^[!#-+\--:<-[\]-}]{0,30}$/);
  const property = fc.property(values, fc.constantFrom('; path=/', '', '; Secure'), (own, rest) => {
    const sent = [`SID=${own}${rest}`];
    const { fields, found } = readSetCookies(sent, 'SID', { kind: 'prefix', value: 's1' });
    assert.deepEqual([fields, found], [[`SID=s1~${own}${rest}`], true]);
    const back = readCookieField(`a=1; SID=s1~${own}; b=2`, 'SID', 'unprefix');
    assert.deepEqual(back, { values: [`s1~${own}`], forwarded: `a=1; SID=${own}; b=2` });
  });
  fc.assert(property);
});

/** Fields of 2 MiB: what took time by the square of their length would not end in time. */
const HOSTILE: Readonly<Record<string, (count: number) => string>> = {
  'ours and others by turns': (count) => 'SRV=a; x=1; '.repeat(count / 12),
  'ours alone': (count) => 'SRV=a;'.repeat(count / 6),
  'others, then ours': (count) => `${'x=1;'.repeat(count / 4)}SRV=a`,
  'delimiters alone': (count) => `${';'.repeat(count)}SRV=a`,
  'blanks before each delimiter': (count) => `x${' '.repeat(1000)};SRV=a;`.repeat(count / 1000),
  'quotes that do not end': (count) => 'SRV="a;'.repeat(count / 7),
  'ours without a prefix, and one at the end': (count) => `${'SRV=a;'.repeat(count / 6)}y=~`,
  'blanks round every sign': (count) => 'SRV = a ; x = 1 ; '.repeat(count / 18),
  'attributes behind ours': (count) => 'SRV=a; $Path=/; $Port; x; '.repeat(count / 26),
  'names without values': (count) => 'SRV;'.repeat(count / 4),
  escapes: (count) => `SRV="${'\\"'.repeat(count / 2)}`,
};

for (const [title, make] of Object.entries(HOSTILE))
  test(`2 MiB: ${title}`, { timeout: 60_000 }, () => {
    const text = make(2 * 1024 * 1024);
    for (const treatment of ['remove', 'unprefix', 'keep'] as const) readCookieField(text, 'SRV', treatment);
    const small = make(2600);
    const { forwarded = '' } = readCookieField(small, 'SRV', 'remove');
    assert.deepEqual(readCookieField(forwarded, 'SRV', 'keep').values, []);
    readSetCookies([text], 'SRV', { kind: 'replace', value: 'a' });
  });

test('fields of servers: only those of the name are touched, however many there are', () => {
  const fields = Array.from({ length: 5000 }, (_, index) =>
    index % 2 ? `c${index}=1; path=/` : `SRV=${index}; path=/`,
  );
  const kept = fields.filter((_, index) => index % 2);
  assert.deepEqual(readSetCookies(fields, 'SRV', { kind: 'remove' }), { fields: kept, found: true });
  assert.equal(readSetCookies(kept, 'SRV', { kind: 'remove' }).fields, kept);
});
