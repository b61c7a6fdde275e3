import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ipv4Number, ipv6Bytes, unmapped } from '#src/core/ip-address.ts';

const byte = fc.integer({ min: 0, max: 255 });
const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));

/** Groups of an address, all written out. */
const groupsOf = (bytes: Uint8Array): string =>
  Array.from({ length: 8 }, (_, i) => Buffer.from(bytes.subarray(2 * i, 2 * i + 2)).toString('hex')).join(':');

/** As WHATWG's URL writes it. */
const canonical = (address: string): string => new URL(`http://[${address}]`).hostname;

describe('ipv4Number', () => {
  test('is the four bytes, the first one highest', () => {
    fc.assert(
      fc.property(byte, byte, byte, byte, (...bytes) => {
        const text = bytes.join('.');
        assert.equal(ipv4Number(text), Buffer.from(bytes).readInt32BE());
        assert.equal(ipv4Number(`::ffff:${text}`, 7), Buffer.from(bytes).readInt32BE());
      }),
    );
  });

  test('is a signed integer at the bounds', () => {
    for (const [text, number] of [
      ['0.0.0.0', 0],
      ['127.255.255.255', 2 ** 31 - 1],
      ['128.0.0.0', -(2 ** 31)],
      ['255.255.255.255', -1],
      ['10.0.0.1', 0x0a00_0001],
    ] as const)
      assert.equal(ipv4Number(text), number, text);
  });
});

describe('ipv6Bytes', () => {
  test('of any form is what URL reads', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const bytes = ipv6Bytes(text);
        assert.equal(bytes.length, 16);
        assert.equal(canonical(groupsOf(bytes)), canonical(text));
      }),
      { numRuns: 1_000 },
    );
  });

  test('gives back the groups, written out, shortened at any run of zeros, in capitals, with a dotted end', () => {
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.nat(7), fc.nat(8), (groups, start, length) => {
        const expected = Buffer.alloc(16);
        groups.forEach((value, index) => {
          expected.writeUInt16BE(value, 2 * index);
        });
        const hex = groups.map((value) => value.toString(16));
        const dotted = [...hex.slice(0, 6), expected.subarray(12).join('.')].join(':');
        const forms = [
          hex.join(':'),
          groupsOf(expected),
          hex.join(':').toUpperCase(),
          dotted,
          canonical(hex.join(':')).slice(1, -1),
        ];
        if (length > 0 && groups.slice(start, start + length).every((value) => value === 0))
          forms.push(`${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`);
        for (const form of forms) {
          assert.ok(isIPv6(form), form);
          assert.deepEqual(Buffer.from(ipv6Bytes(form)), expected, form);
          assert.deepEqual(Buffer.from(ipv6Bytes(`${form}%eth0.1`)), expected, `${form} with a zone`);
        }
      }),
      { numRuns: 500 },
    );
  });

  const rows: [text: string, hex: string][] = [
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
    ['::FFFF:255.0.0.255', '00000000000000000000ffffff0000ff'],
    ['64:ff9b::192.0.2.1', '0064ff9b0000000000000000c0000201'],
    ['::1.2.3.4', '00000000000000000000000001020304'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:127.0.0.1', '0001000200030004000500067f000001'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['fe80::1%lo', 'fe800000000000000000000000000001'],
    ['fe80::1%25:1::2', 'fe800000000000000000000000000001'],
  ];
  for (const [text, hex] of rows) test(text, () => assert.equal(Buffer.from(ipv6Bytes(text)).toString('hex'), hex));
});

test('unmapped is the IPv4 address by which an IPv6 socket names its client, and anything else as it is', () => {
  for (const [text, address] of [
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['10.1.2.3', '10.1.2.3'],
    ['::1', '::1'],
    ['::ffff:1', '::ffff:1'], // the last group of sixteen bits, not mapped
    ['::ffff:a01:203', '::ffff:a01:203'],
    ['64:ff9b::10.1.2.3', '64:ff9b::10.1.2.3'],
    ['::ffff:0:10.1.2.3', '::ffff:0:10.1.2.3'], // translated, not mapped (RFC 2765)
    ['', ''],
    ['localhost', 'localhost'],
  ] as const)
    assert.equal(unmapped(text), address);
});
