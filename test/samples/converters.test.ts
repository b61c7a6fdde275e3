import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CONVERTERS } from '#src/samples/converters.ts';
import type { SampleValue } from '#src/samples/index.ts';
import { compileSample } from '#src/samples/index.ts';
import { environment, quoted, read } from './reading.ts';

const json = (value: unknown): string => `str(${quoted(typeof value === 'string' ? value : JSON.stringify(value))})`;
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

const CASES: readonly (readonly [string, SampleValue | undefined])[] = [
  ['str(AbÇÉ1),lower', 'ab\u00c3\u0087\u00c3\u00891'], // UTF-8 bytes beyond ASCII stay
  ['str(aBçé1),upper', 'AB\u00c3\u00a7\u00c3\u00a91'],
  ["str(''),length", 0],
  ['str(abc),length', 3],
  ['str(é),length', 2],

  // Configuration manual 7.3.1, `field` and `word`.
  ['str(f1_f2_f3__f5),field(4,_)', ''],
  ['str(f1_f2_f3__f5),field(5,_)', 'f5'],
  ['str(f1_f2_f3__f5),field(2,_,0)', 'f2_f3__f5'],
  ['str(f1_f2_f3__f5),field(2,_,2)', 'f2_f3'],
  ['str(f1_f2_f3__f5),field(-2,_,3)', 'f2_f3_'],
  ['str(f1_f2_f3__f5),field(-3,_,0)', 'f1_f2_f3'],
  ['str(f1_f2_f3__f5),field(6,_)', undefined],
  ['str(f1_f2_f3__f5),field(-6,_)', undefined],
  ["str(''),field(1,_)", ''],
  ['str(a/b_c),field(2,/_)', 'b'],
  ['str(f1_f2_f3__f5),word(4,_)', 'f5'],
  ['str(f1_f2_f3__f5),word(5,_)', undefined],
  ['str(f1_f2_f3__f5),word(2,_,0)', 'f2_f3__f5'],
  ['str(f1_f2_f3__f5),word(3,_,2)', 'f3__f5'],
  ['str(f1_f2_f3__f5),word(-2,_,3)', 'f1_f2_f3'],
  ['str(f1_f2_f3__f5),word(-3,_,0)', 'f1_f2'],
  ['str(/f1/f2/f3/f4),word(1,/)', 'f1'],
  ['str(/f1////f2/f3/f4),word(2,/)', 'f2'],
  ["str(''),word(1,_)", undefined],

  // The manual's examples of `regsub`.
  ["str(/////a///b/c/xzxyz/),regsub('/+','/','g')", '/a/b/c/xzxyz/'],
  ["str(?;&a=1),regsub([?;&]*,'')", 'a=1'],
  ['str(/FOO42),regsub("(foo|bar)([0-9]+)?","\\2\\1",i)', '/42FOO'],
  ['str(/bar),regsub("(foo|bar)([0-9]+)?","\\2\\1",i)', '/bar'], // a group that took no part is empty
  ['str(/foo),regsub(FOO,x)', '/foo'],
  ['str(aXbX),regsub(x,-,ig)', 'a-b-'],
  ['str(aaa),regsub(a,b)', 'baa'],
  ['str(abc),regsub(b,[\\0])', 'a[b]c'],
  ['str(abc),regsub(b,\\x41\\x2c)', 'aA,c'],
  ["str(abc),regsub(b,'$&\\\\\\\\')", 'a$&\\\\c'], // `$` is nothing special; each pair of backslashes is one
  ['str(abc),regsub(x*,-,g)', '-a-b-c-'],
  ['str(12),regsub(\\d,n,g)', 'nn'],
  ["str('a,b)'),regsub(\\,,;)", 'a;b)'],

  ['str(0123456789),sub-string(3)', '3456789'],
  ['str(0123456789),sub-string(3,2)', '34'],
  ['str(0123456789),sub-string(10)', ''],
  ['str(0123456789),sub-string(8,9)', '89'],
  ['str(012345),bytes(0)', Buffer.from('012345')], // the manual's examples
  ['str(012345),bytes(1,3)', Buffer.from('123')],
  ['str(012345),bytes(6)', Buffer.from('')],
  ['str(012345),bytes(4,9)', Buffer.from('45')],
  ['str(jK~é),hex', '6A4B7EC3A9'],
  ['int(258),hex', '0000000000000102'],
  ['int(-1),hex', 'FFFFFFFFFFFFFFFF'],
  ['src,hex', '0A010203'],
  ['str(ab?>),base64', 'YWI/Pg=='],
  ['src,base64', 'CgECAw=='],

  ['str(a%20b%c3%A9+),url_dec', 'a b\u00c3\u00a9+'],
  ['str(a+b?c+d),url_dec', 'a+b?c d'],
  ['str(a+b),url_dec(1)', 'a b'],
  ['str(a+b),url_dec(0)', 'a+b'],
  ['str(%00%ff),url_dec', '\u0000\u00ff'],
  ['str(a%2),url_dec', undefined],
  ['str(a%),url_dec', undefined],
  ['str(%zz),url_dec', undefined],
  ['str(%%20),url_dec', undefined],

  // test/hashing/ holds the functions themselves to their vectors.
  ['str(123456789),crc32', 0xcbf43926],
  ['str(a),djb2', 177_670],
  ['str(a),sdbm', 97],
  ['str(a),sdbm(0)', 97],
  ['str(a),sdbm()', 97],
  ['str(a),sdbm(1)', 0x6d1eff97],
  ['str(a),wt6', 0x714bf225],
  ["str(''),xxh32", 0x02cc5d05],
  ["str(''),xxh32(2654435761)", 0x36b78ae7],
  ["str(''),xxh64", BigInt.asIntN(64, 0xef46db3751d8e999n)],
  ["str(''),xxh64(2654435761)", BigInt.asIntN(64, 0xac75fda2929b17efn)],
  ['str(abc),xxh64,base64', bytes('44bc2cf5ad770999').toString('base64')],

  ['src,ipmask(24)', '10.1.2.0'],
  ['src,ipmask(255.255.0.255)', '10.1.0.3'],
  ['src,ipmask(0)', '0.0.0.0'],
  ['src,ipmask(32)', '10.1.2.3'],
  ['src,ipmask(13)', '10.0.0.0'],
  ['str(2001:db8:1:2:3::4),ipmask(24,64)', '2001:db8:1:2::'],
  ["str(2001:db8:1:2:3::4),ipmask(24,'ffff:ffff::')", '2001:db8::'],
  ['str(2001:db8::1),ipmask(24)', undefined], // "IPv6 addresses will fail to convert"
  ['str(::ffff:10.1.2.3),ipmask(24)', '10.1.2.0'],
  ['str(nobody),ipmask(24)', undefined],
  ['int(167838211),ipmask(16)', '10.1.0.0'],

  [`${json({ integer: 4 })},json_query('$.integer','int')`, 4],
  [`${json({ 'my.key': 'myvalue' })},json_query('$.my\\.key')`, 'myvalue'],
  [`${json({ 'boolean-false': false })},json_query('$.boolean-false')`, 0],
  [`${json({ t: true })},json_query('$.t')`, 1],
  [`${json({ n: 5 })},json_query('$.n')`, '5'],
  [`${json({ n: 1234567.5 })},json_query('$.n')`, '1234567.5'],
  [`${json({ n: -7.9 })},json_query('$.n',int)`, -7],
  [`${json({ n: 2 ** 53 })},json_query('$.n',int)`, undefined],
  [`${json({ s: '5' })},json_query('$.s',int)`, '5'],
  [`${json({ a: { b: ['x', { c: 'y' }] } })},json_query('$.a.b[1].c')`, 'y'],
  [`${json({ a: { b: 'x' } })},json_query("$['a'].b")`, 'x'],
  [`${json({ a: 'x' })},json_query('$["a"]')`, 'x'],
  [`${json({ roles: ['a', 'b'] })},json_query('$.roles')`, '["a","b"]'],
  [`${json(['x'])},json_query('$[0]')`, 'x'],
  [`${json({ a: 'x' })},json_query('$.b')`, undefined],
  [`${json({ a: 'x' })},json_query('$.a.length')`, undefined],
  [`${json(['x'])},json_query('$.length')`, undefined],
  [`${json(['x'])},json_query('$[1]')`, undefined],
  [`${json({ 0: 'x' })},json_query('$[0]')`, undefined],
  [`${json({ a: null })},json_query('$.a')`, undefined],
  [`${json({ a: {} })},json_query('$.a')`, undefined],
  [`${json({})},json_query('$.toString')`, undefined],
  [`${json('{"__proto__":"x"}')},json_query('$.__proto__')`, 'x'],
  [`${json('{"a":"x"')},json_query('$.a')`, undefined],
  [`${json('"€"')},json_query('$')`, '\u00e2\u0082\u00ac'],
];

const client = { socket: { remoteAddress: '10.1.2.3' } };

for (const [expression, expected] of CASES)
  test(`${expression} is ${typeof expected === 'bigint' ? expected : JSON.stringify(expected)}`, () => {
    assert.deepEqual(read(expression, client), expected);
  });

test('every converter has a case', () => {
  const seen = new Set(CASES.map(([expression]) => /.*[,](?=[a-z])([a-z\d_-]+)/.exec(expression)?.[1]));
  for (const name of Object.keys(CONVERTERS)) assert.ok(seen.has(name), name);
});

/** HAProxy's own loop, sample.c:sample_conv_field. */
function haproxyField(text: string, index: number, delimiters: string, given: number): string | undefined {
  let [start, end, field, count] = [0, 0, index < 0 ? -1 : 1, given];
  if (index < 0) {
    start = end = text.length;
    for (; start > 0; start--) {
      if (!delimiters.includes(text.charAt(start - 1))) continue;
      if (field === index) {
        if (count === 1) return text.slice(start, end);
        if (count > 1) count--;
      } else {
        end = start - 1;
        field--;
      }
    }
  } else
    for (; end < text.length; end++) {
      if (!delimiters.includes(text.charAt(end))) continue;
      if (field === index) {
        if (count === 1) return text.slice(start, end);
        if (count > 1) count--;
      } else {
        start = end + 1;
        field++;
      }
    }
  return field === index ? text.slice(start, end) : undefined;
}

/** HAProxy's own loop, sample.c:sample_conv_word; from the end it is the same over the text turned around. */
function haproxyWord(text: string, index: number, delimiters: string, given: number): string | undefined {
  const turned = (forward: string): string => (index < 0 ? [...forward].reverse().join('') : forward);
  const subject = turned(text);
  let [start, end, word, count, inWord] = [0, 0, 0, given, false];
  for (; end < subject.length; end++) {
    const isDelimiter = delimiters.includes(subject.charAt(end));
    if (!inWord && !isDelimiter) {
      if (word !== Math.abs(index)) {
        word++;
        start = end;
      }
      inWord = true;
    } else if (inWord && isDelimiter) {
      if (word === Math.abs(index)) {
        if (count === 1) break;
        if (count > 1) count--;
      }
      inWord = false;
    }
  }
  return word === Math.abs(index) ? turned(subject.slice(start, end)) : undefined;
}

const cut = {
  text: fc.string({ unit: fc.constantFrom('a', 'b', '_', '/'), maxLength: 12 }),
  index: fc.integer({ min: -5, max: 5 }).filter((index) => index !== 0),
  delimiters: fc.constantFrom('_', '/', '_/'),
  count: fc.nat(4),
};

for (const [name, model] of [
  ['field', haproxyField],
  ['word', haproxyWord],
] as const)
  test(`${name} gives what HAProxy's loop gives`, () => {
    fc.assert(
      fc.property(fc.record(cut), ({ text, index, delimiters, count }) => {
        const sample = compileSample(`path,${name}(${index},'${delimiters}',${count})`, environment);
        assert.equal(sample.read({ url: `/${text}` }), model(`/${text}`, index, delimiters, count));
      }),
      { numRuns: 2000 },
    );
  });

test('what is escaped for a URL comes back as its bytes', () => {
  const sample = compileSample('req.fhdr(x),url_dec', environment);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const context = { headers: { x: encodeURIComponent(text) } };
      assert.equal(sample.read(context), Buffer.from(text, 'utf8').toString('latin1'));
    }),
  );
});

test('regsub does what replaceAll does', () => {
  const sample = compileSample('req.fhdr(x),regsub("(a+)(b)?","<\\2\\1>",g)', environment);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'b', 'c') }), (x) => {
      const expected = x.replaceAll(/(a+)(b)?/g, (_, first, second = '') => `<${second}${first}>`);
      assert.equal(sample.read({ headers: { x } }), expected);
    }),
  );
});

test('regsub neither takes nor makes more than 64 KiB', () => {
  const twice = compileSample('req.fhdr(x),regsub(a,aa,g)', environment);
  const all = compileSample('req.fhdr(x),regsub("(?=(.*))",\\1,g)', environment);
  assert.equal(String(twice.read({ headers: { x: 'a'.repeat(32_768) } })).length, 65_536);
  assert.equal(twice.read({ headers: { x: 'a'.repeat(32_769) } }), undefined);
  assert.equal(twice.read({ headers: { x: 'b'.repeat(65_536) } }), 'b'.repeat(65_536));
  assert.equal(twice.read({ headers: { x: 'b'.repeat(65_537) } }), undefined);
  assert.equal(all.read({ headers: { x: 'b'.repeat(65_536) } }), undefined);
});
