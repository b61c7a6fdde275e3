import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConfigError } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import { addressBytes, formatAddress, parseAddress } from '#src/samples/canonical-address.ts';
import {
  asAddress,
  asBinary,
  asInteger,
  asText,
  compileSample,
  readSample,
  type Sample,
  type SampleFunction,
  type SampleValue,
  sampleOf,
} from '#src/samples/index.ts';
import { environment } from './reading.ts';

const own = (value: unknown): Sample => sampleOf((() => value) as SampleFunction, environment);
const context = { socket: { remoteAddress: '10.1.2.3', localAddress: '2001:db8::1' } };
const latin1 = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

type Text = string | undefined;

/** Sample, its type, and what it is as text, as bytes, as an integer and as an address; HAProxy's `sample_casts`. */
const CASTS: readonly (readonly [string | Sample, string, Text, Text, number | bigint | undefined, Text])[] = [
  ['str(12)', 'str', '12', '12', 12, undefined],
  ['str(-12)', 'str', '-12', '-12', -12, undefined],
  ['str(+0)', 'str', '+0', '+0', 0, undefined],
  ['str(12a)', 'str', '12a', '12a', 12, undefined],
  ['str(a)', 'str', 'a', 'a', 0, undefined],
  ['str(-)', 'str', '-', '-', 0, undefined],
  ['str(4 2)', 'str', '4 2', '4 2', 4, undefined],
  ['str(00000000000000000000000042)', 'str', '00000000000000000000000042', '00000000000000000000000042', 42, undefined],
  ['str(9223372036854775807)', 'str', '9223372036854775807', '9223372036854775807', 2n ** 63n - 1n, undefined],
  ['str(9223372036854775808)', 'str', '9223372036854775808', '9223372036854775808', 2n ** 63n - 1n, undefined],
  ['str(-9223372036854775809)', 'str', '-9223372036854775809', '-9223372036854775809', -(2n ** 63n), undefined],
  ["str('')", 'str', '', '', undefined, undefined],
  ['str(10.0.0.1)', 'str', '10.0.0.1', '10.0.0.1', 10, '10.0.0.1'],
  ['str(010.0.0.01:80)', 'str', '010.0.0.01:80', '010.0.0.01:80', 10, '10.0.0.1'],
  ['str(10.0.0.1/8)', 'str', '10.0.0.1/8', '10.0.0.1/8', 10, '10.0.0.1'],
  ['str(10.0.0.1.)', 'str', '10.0.0.1.', '10.0.0.1.', 10, undefined],
  ['str(10.0.0.256)', 'str', '10.0.0.256', '10.0.0.256', 10, undefined],
  ['str(2001:DB8::)', 'str', '2001:DB8::', '2001:DB8::', 2001, '2001:db8::'],
  ['str(fe80::1%eth0)', 'str', 'fe80::1%eth0', 'fe80::1%eth0', 0, undefined],
  ['int(258)', 'int', '258', latin1('0000000000000102'), 258, '0.0.1.2'],
  ['int(-1)', 'int', '-1', latin1('ffffffffffffffff'), -1, '255.255.255.255'],
  ['src', 'ip', '10.1.2.3', latin1('0a010203'), 0x0a010203, '10.1.2.3'],
  ['dst', 'ip', '2001:db8::1', latin1('20010db8000000000000000000000001'), undefined, '2001:db8::1'],
  [own('12'), 'any', '12', '12', 12, undefined],
  [own('12a'), 'any', '12a', '12a', undefined, undefined],
  [own('é'), 'any', 'é', latin1('e9'), undefined, undefined],
  [own('é€'), 'any', 'é€', latin1('c3a9e282ac'), undefined, undefined],
  [own(Buffer.from('00ff', 'hex')), 'any', '\u0000\u00ff', latin1('00ff'), undefined, undefined],
  [own(new Uint8Array([49])), 'any', '1', '1', undefined, undefined],
  [own(12), 'any', '12', latin1('000000000000000c'), 12, '0.0.0.12'],
  [own(12.5), 'any', '12.5', '12.5', undefined, undefined],
  [own(2n ** 63n - 1n), 'any', '9223372036854775807', latin1('7fffffffffffffff'), 2n ** 63n - 1n, '255.255.255.255'],
  [own(undefined), 'any', undefined, undefined, undefined, undefined],
  [own(null), 'any', undefined, undefined, undefined, undefined],
];

for (const [given, type, text, bytes, integer, address] of CASTS) {
  const sample = typeof given === 'string' ? compileSample(given, environment) : given;
  test(`${typeof given === 'string' ? given : `a function's ${text}`} as text, bytes, integer and address`, () => {
    assert.equal(sample.type, type);
    assert.equal(asText(sample)(context), text);
    assert.equal(asBinary(sample)(context), bytes);
    assert.equal(asInteger(sample)(context), integer);
    assert.equal(asAddress(sample)(context), address);
  });
}

test('bytes are text and bytes, but no number and no address', () => {
  const sample = compileSample('str(a\u00e9),bytes(0)', environment);
  assert.equal(sample.type, 'bin');
  assert.deepEqual(sample.read({}), Buffer.from('aé'));
  assert.equal(asText(sample)({}), 'a\u00c3\u00a9');
  assert.equal(asBinary(sample)({}), 'a\u00c3\u00a9');
  assert.throws(() => asInteger(sample), /a sample of type bin cannot be turned into int/);
  assert.throws(() => asAddress(sample), /a sample of type bin cannot be turned into ip/);
});

test('what json_query gives is cast by what it turns out to be', () => {
  const sample = compileSample("req.fhdr(x),json_query('$.id'),hex", environment);
  assert.equal(sample.read({ headers: { x: '{"id":"a"}' } }), '61');
  assert.equal(sample.read({ headers: { x: '{"id":true}' } }), '0000000000000001');
  assert.equal(sample.read({ headers: { x: '{}' } }), undefined);
});

test("a user's function gets the request; what it throws is the caller's", () => {
  const seen: unknown[] = [];
  const sample = sampleOf((request) => {
    seen.push(request);
    throw new RangeError('mine');
  }, environment);
  assert.throws(() => sample.read(context), /mine/);
  assert.deepEqual(seen, [context]);
});

test("a user's function that returns what is no sample is told so", () => {
  for (const [value, shown] of [
    [true, 'true'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [{ a: 1 }, '{"a":1}'],
    [['a'], '["a"]'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 1, 'a function'],
  ] as const)
    assert.throws(
      () => own(value).read({}),
      (error) => error instanceof TypeError && error.message.includes(`returned ${shown};`),
    );
  assert.throws(() => own(Promise.reject(new Error('late'))).read({}), /returned a promise/);
});

test('readSample gathers its fault with the others of the reader', () => {
  const options = { good: 'path,lower', own: () => 'x', bad: 'path,lowr', worse: 5 };
  const reader = new OptionReader(options, 'pool');
  const value = (key: string): SampleValue | undefined => readSample(reader, key, environment)?.read({ url: '/A' });
  assert.deepEqual(['good', 'own', 'bad', 'worse', 'absent'].map(value), ['/a', 'x', undefined, undefined, undefined]);
  reader.rejectUnknown();
  assert.throws(
    () => reader.throwFaults(),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(reader.faults, [
        {
          path: 'pool.bad',
          value: 'path,lowr',
          message:
            "column 6: expected a converter (lower, upper, …), not 'lowr'; did you mean 'lower'?, in 'path,lowr'",
        },
        {
          path: 'pool.worse',
          value: 5,
          message: "5 is not allowed; allowed: a sample, as 'req.hdr(x-key),lower', or a function",
        },
      ]);
      return true;
    },
  );
});

test('addresses are canonical as RFC 5952 wants them', () => {
  for (const [written, canonical] of [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:0DB8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:c000:0221', '192.0.2.33'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1.2.3.4%eth0', undefined],
    ['01.2.3.4', undefined],
    ['1.2.3', undefined],
    [':::', undefined],
    ['', undefined],
  ] as const)
    assert.equal(parseAddress(written), canonical, written);
});

test('an address of any bytes reads back as the same bytes, written as a URL writes it', () => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const full = groups.map((value) => value.toString(16)).join(':');
      const canonical = parseAddress(full) ?? '';
      const bytes = Buffer.from(groups.flatMap((value) => [value >> 8, value & 0xff]));
      if (canonical.includes('.')) return assert.deepEqual(addressBytes(canonical), bytes.subarray(12));
      assert.deepEqual(addressBytes(canonical), bytes);
      assert.equal(formatAddress(bytes), canonical);
      assert.equal(`[${canonical}]`, new URL(`http://[${full}]`).hostname);
    }),
  );
});
