/** What becomes of keys: which are the same, what an operator reads, what is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyFormat, keySample } from '#src/persistence/stick-key.ts';
import { StickTable } from '#src/persistence/stick-table.ts';
import type { StickKey, StickKeyType } from '#src/persistence/table.ts';
import { compileSample } from '#src/samples/index.ts';
import { environment } from '../samples/reading.ts';

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Keys, and what an operator reads of each; `undefined`: there is no such key. */
const TABLES: readonly (readonly [
  type: StickKeyType,
  len: number,
  keys: readonly (readonly [StickKey, string | number | Uint8Array | undefined])[],
])[] = [
  [
    'ip',
    32,
    [
      ['10.0.0.1', '10.0.0.1'],
      ['255.255.255.255', '255.255.255.255'],
      ['0.0.0.0', '0.0.0.0'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['::FFFF:10.0.0.1', '10.0.0.1'],
      ['::ffff:a00:1', '10.0.0.1'],
      ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
      [0x0a000001, '10.0.0.1'],
      [0x0a000001n, '10.0.0.1'],
      ['2001:db8::1', undefined],
      ['::10.0.0.1', '10.0.0.1'],
      ['::1', '0.0.0.1'],
      ['2002:a00:1::', '10.0.0.1'],
      ['::1:0:0', undefined],
      ['10.0.0', undefined],
      ['10.0.0.', undefined],
      ['10.0.0.1.', undefined],
      ['10.0.0.256', undefined],
      ['10.0.0.01', undefined],
      ['10.0.0.1 ', undefined],
      ['10..0.1', undefined],
      ['::ffff:', undefined],
      ['', undefined],
      ['localhost', undefined],
      [bytes(10, 0, 0, 1), undefined],
      [Number.NaN, undefined],
      [1.5, undefined],
    ],
  ],
  [
    'ipv6',
    32,
    [
      ['2001:db8::1', '2001:db8::1'],
      ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
      ['fe80::1%eth0', 'fe80::1'],
      ['::', '::'],
      ['10.0.0.1', '10.0.0.1'],
      ['::ffff:10.0.0.1', '10.0.0.1'],
      [0x0a000001, '10.0.0.1'],
      ['2001:db8', undefined],
      ['[::1]', undefined],
      ['', undefined],
    ],
  ],
  [
    'integer',
    32,
    [
      [0, 0],
      [42, 42],
      ['42', 42],
      ['+42', 42],
      ['0042', 42],
      [42n, 42],
      [-1, 4_294_967_295],
      ['-1', 4_294_967_295],
      [2 ** 32 + 5, 5],
      [2n ** 64n + 5n, 5],
      ['4294967301', 5],
      ['9223372036854775807', 4_294_967_295],
      ['9223372036854775808', undefined],
      ['42x', undefined],
      [' 42', undefined],
      ['1e3', undefined],
      ['0x10', undefined],
      ['', undefined],
      [Number.NaN, undefined],
      [Number.POSITIVE_INFINITY, undefined],
      [1.5, undefined],
      [2 ** 53, undefined],
      [bytes(1), undefined],
    ],
  ],
  [
    'string',
    4,
    [
      ['abc', 'abc'],
      ['', ''],
      ['abcdef', 'abcd'],
      ['a\0b', 'a\0b'],
      ['\xe9', '\xe9'],
      // One character beyond latin1, and the whole is UTF-8: é is two bytes, € three, and the fifth byte is cut.
      ['é€', '\xc3\xa9\xe2\x82'],
      ['abcde€', 'abcd'],
      ['ééé€', '\xc3\xa9\xc3\xa9'],
      ['abc😀', 'abc\xf0'],
      ['\ud800', '\xef\xbf\xbd'],
      [42, '42'],
      [-7n, '-7'],
      [bytes(97, 0, 255), 'a\0\xff'],
      ['x'.repeat(1024 * 1024), 'xxxx'],
      [Number.NaN, undefined],
      [0.5, undefined],
    ],
  ],
  [
    'binary',
    4,
    [
      [bytes(1, 2, 3, 4), bytes(1, 2, 3, 4)],
      [bytes(1), bytes(1, 0, 0, 0)],
      [bytes(), bytes(0, 0, 0, 0)],
      [bytes(1, 2, 3, 4, 5), bytes(1, 2, 3, 4)],
      [Buffer.from([9, 8]), bytes(9, 8, 0, 0)],
      [new Uint8Array([7, 1, 2, 3, 4, 7]).subarray(1, 5), bytes(1, 2, 3, 4)],
      ['\x01\xff', bytes(1, 255, 0, 0)],
      ['€', bytes(0xe2, 0x82, 0xac, 0)],
      ['', bytes(0, 0, 0, 0)],
      [Number.NaN, undefined],
    ],
  ],
  // HAProxy's integers have 64 bits, the highest byte first.
  ['binary', 8, [[258, bytes(0, 0, 0, 0, 0, 0, 1, 2)]]],
  ['binary', 8, [[-1, new Uint8Array(8).fill(255)]]],
];

for (const [type, len, keys] of TABLES)
  test(`keys of type ${type}, ${len} bytes: what an operator reads of each, and what is none`, () => {
    const { read, show } = keyFormat(type, len);
    for (const [key, expected] of keys) {
      const stored = read(key);
      assert.deepEqual(stored === undefined ? undefined : show(stored), expected, String(key).slice(0, 40));
    }
  });

test('what no type of key is, is no key, and nothing throws', () => {
  const others = [undefined, null, {}, [], true, Symbol('key'), () => 1, new Date(), [1, 2]];
  for (const type of ['ip', 'ipv6', 'integer', 'string', 'binary'] as const)
    for (const other of others) assert.equal(keyFormat(type, 8).read(other as never), undefined);
});

test('what is read off an entry finds it again', () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.uint8Array({ maxLength: 40 }),
    fc.maxSafeInteger(),
    fc.bigInt(),
    fc.ipV4(),
    fc.ipV6(),
  );
  const type = fc.constantFrom<StickKeyType>('ip', 'ipv6', 'integer', 'string', 'binary');
  fc.assert(
    fc.property(type, fc.integer({ min: 1, max: 40 }), key, (type, len, key) => {
      const { read, show } = keyFormat(type, len);
      const stored = read(key);
      if (stored === undefined) return;
      assert.equal(read(show(stored)), stored);
      if (typeof stored === 'string' && type !== 'ipv6') assert.ok(stored.length <= len);
    }),
  );
});

test('a sample is turned into a key as HAProxy casts it to the type of the table', () => {
  const context = { socket: { remoteAddress: '10.0.0.1' }, headers: { 'x-user': 'anna', 'x-n': '7' }, url: '/' };
  const keyOf = (sample: string, type: StickKeyType): unknown =>
    keySample(compileSample(sample, environment), type)(context);
  assert.equal(keyOf('src', 'ip'), '10.0.0.1');
  assert.equal(keyOf('src', 'ipv6'), '10.0.0.1');
  assert.equal(keyOf('src', 'integer'), 0x0a000001);
  assert.equal(keyOf('src', 'string'), '10.0.0.1');
  assert.equal(keyOf('src', 'binary'), '\x0a\0\0\x01');
  assert.equal(keyOf('req.hdr(x-user)', 'string'), 'anna');
  assert.equal(keyOf('req.hdr(x-user)', 'ip'), undefined);
  assert.equal(keyOf('req.hdr(x-n)', 'integer'), 7);
  assert.equal(keyOf('req.hdr(x-none)', 'string'), undefined);
});

test('a key that was cut out of a longer text does not keep that text in memory', () => {
  assert.ok(globalThis.gc, 'run with --expose-gc');
  const table = new StickTable({ type: 'string', len: 2_000, size: 1_000 });
  const used = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < 300; i++) {
    const long = Buffer.alloc(100_000, `request ${i} `).toString('latin1');
    table.store(long.slice(7, 7 + (i % 2 === 0 ? 20 : 1_500)), 'a');
  }
  const kept = used() - before;
  assert.ok(table.size > 200, String(table.size));
  assert.ok(kept < 5_000_000, `${kept} bytes are kept`);
});
