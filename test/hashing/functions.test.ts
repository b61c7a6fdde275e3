import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { avalanche, crc32, decimal, djb2, HASH_FUNCTIONS, sdbm, wt6, xxh32, xxh64 } from '#src/hashing/functions.ts';

const U32 = 0xffff_ffffn;
const bytes = fc.uint8Array({ maxLength: 100 });
const latin1 = (array: Uint8Array): string => Buffer.from(array).toString('latin1');
const unsigned = (hash: number): bigint => BigInt(hash >>> 0);

// HAProxy's formulas over integers without end, cut to 32 bits where C would: hash.c, tools.h:full_hash.

function naiveSdbm(array: Uint8Array): bigint {
  return [...array].reduce((hash, byte) => (BigInt(byte) + (hash << 6n) + (hash << 16n) - hash) & U32, 0n);
}

function naiveDjb2(array: Uint8Array): bigint {
  return [...array].reduce((hash, byte) => (hash * 33n + BigInt(byte)) & U32, 5381n);
}

function naiveWt6(array: Uint8Array): bigint {
  const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (32n - bits))) & U32;
  let [h0, h1, s0, s1] = [0xa53c965an, 0x5ca6953an, 6n, 18n];
  for (const byte of array) {
    h0 = ~(h0 ^ BigInt(byte)) & U32;
    h1 = ~(h1 + BigInt(byte)) & U32;
    [h0, h1] = [rotate(h1, s0), rotate(h0, s1)];
    const mixed = ((h0 >> 16n) ^ h1) & 0xffffn;
    [s0, s1] = [mixed & 0x1fn, mixed >> 11n];
  }
  return h0 ^ h1;
}

function naiveAvalanche(hash: number): bigint {
  let a = unsigned(hash);
  a = (a + 0x7ed55d16n + (a << 12n)) & U32;
  a = a ^ 0xc761c23cn ^ (a >> 19n);
  a = (a + 0x165667b1n + (a << 5n)) & U32;
  a = ((a + 0xd3a2646cn) ^ (a << 9n)) & U32;
  a = (a + 0xfd7046c5n + (a << 3n)) & U32;
  a = a ^ 0xb55a4f09n ^ (a >> 16n);
  return (a * 3_221_225_473n) & U32;
}

test('crc32 has its check value, and is what zlib has', () => {
  assert.equal(crc32('123456789') >>> 0, 0xcbf43926);
  assert.equal(crc32(''), 0);
  fc.assert(fc.property(bytes, (array) => assert.equal(crc32(latin1(array)) >>> 0, zlibCrc32(array))));
});

for (const [name, hash, naive] of [
  ['sdbm', sdbm, naiveSdbm],
  ['djb2', djb2, naiveDjb2],
  ['wt6', wt6, naiveWt6],
] as const)
  test(`${name} is HAProxy's formula`, () => {
    fc.assert(fc.property(bytes, (array) => assert.equal(unsigned(hash(latin1(array))), naive(array))));
  });

test('djb2 and sdbm have the values of their published definitions', () => {
  assert.equal(djb2(''), 5381);
  assert.equal(djb2('a'), 177_670); // 5381 × 33 + 97
  assert.equal(sdbm(''), 0);
  assert.equal(sdbm('ab'), 97 * 65_599 + 98);
});

test("avalanche is HAProxy's full_hash", () => {
  const edges = fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 - 1);
  fc.assert(
    fc.property(fc.oneof(edges, fc.integer(), fc.nat(2 ** 31)), (hash) =>
      assert.equal(unsigned(avalanche(hash)), naiveAvalanche(hash)),
    ),
  );
});

test('avalanche is one to one: its steps can each be undone', () => {
  const seen = new Set(Array.from({ length: 50_000 }, (_, i) => avalanche(i)));
  assert.equal(seen.size, 50_000);
});

test('none reads the decimal number that a text begins with, modulo 2^32', () => {
  for (const [text, value] of [
    ['0', 0],
    ['42', 42],
    ['007', 7],
    ['42abc', 42],
    ['abc', 0],
    ['', 0],
    [' \t42', 42],
    ['-1', -1],
    ['+7', 7],
    ['- 7', 0],
    ['4294967295', -1],
    ['4294967297', 1],
    ['1.9', 1],
  ] as const)
    assert.equal(decimal(text), value, JSON.stringify(text));
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (value) =>
      assert.equal(decimal(String(value)), Number(BigInt.asIntN(32, value))),
    ),
  );
});

for (const [name, hash] of Object.entries(HASH_FUNCTIONS)) {
  test(`${name} gives a signed integer of 32 bits`, () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const value = hash(text);
        assert.ok(value === (value | 0), String(value));
      }),
    );
  });

  test(`${name} of a part is that of the part alone`, () => {
    const text = fc.string({ unit: fc.constantFrom('1', '9', '-', 'a', '\u00ff') });
    fc.assert(
      fc.property(text, text, text, (before, part, behind) => {
        const whole = before + part + behind;
        assert.equal(hash(whole, before.length, before.length + part.length), hash(part));
        assert.equal(hash(whole, before.length), hash(part + behind));
      }),
    );
  });

  if (name !== 'none')
    test(`${name} takes a text with characters beyond 255 as UTF-8, and any other as bytes`, () => {
      const asUtf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
      assert.equal(hash('é€'), hash(asUtf8('é€')));
      assert.equal(hash('x€😀y', 1, 4), hash(asUtf8('€😀')));
      assert.equal(hash('€x', 1), hash('x'));
      assert.notEqual(hash('é'), hash(asUtf8('é')));
    });
}

/** The buffer of xxHash's own sanity check, cli/xsum_sanity_check.c. */
function sanityBuffer(length: number): Uint8Array {
  const buffer = new Uint8Array(length);
  let generator = 2_654_435_761n;
  for (let i = 0; i < length; i++) {
    buffer[i] = Number(generator >> 56n);
    generator = BigInt.asUintN(64, generator * 11_400_714_785_074_694_797n);
  }
  return buffer;
}

/** Length, seed, XXH32 and XXH64: cli/xsum_sanity_check.c. */
const SANITY: readonly (readonly [number, number, number, bigint])[] = [
  [0, 0, 0x02cc5d05, 0xef46db3751d8e999n],
  [0, 2_654_435_761, 0x36b78ae7, 0xac75fda2929b17efn],
  [1, 0, 0xcf65b03e, 0xe934a84adb052768n],
  [1, 2_654_435_761, 0xb4545aa4, 0x5014607643a9b4c3n],
  [14, 0, 0x1208e7e2, 0x8282dcc4994e35c8n],
  [14, 2_654_435_761, 0x6af1d1fe, 0xc3bd6bf63deb6df0n],
  [222, 0, 0x5bd11dbd, 0xb641ae8cb691c174n],
  [222, 2_654_435_761, 0x58803c5f, 0x20cb8ab7ae10c14an],
];

for (const [length, seed, expected32, expected64] of SANITY)
  test(`xxh32 and xxh64 of ${length} bytes with seed ${seed} are xxHash's own`, () => {
    const buffer = sanityBuffer(length);
    assert.equal(xxh32(buffer, seed) >>> 0, expected32);
    assert.equal(xxh64(buffer, BigInt(seed)), expected64);
  });

test('xxh32 and xxh64 read a view from where it begins', () => {
  const whole = sanityBuffer(100);
  for (let start = 0; start < 40; start++) {
    const copy = Uint8Array.from(whole.subarray(start));
    assert.equal(xxh32(whole.subarray(start)), xxh32(copy));
    assert.equal(xxh64(whole.subarray(start)), xxh64(copy));
  }
});

test('xxh32 and xxh64 of a text that many know', () => {
  const text = Buffer.from('Nobody inspects the spammish repetition');
  assert.equal(xxh32(text) >>> 0, 0xe2293b2f);
  assert.equal(xxh64(text), 0xfbcea83c8a378bf1n);
});
