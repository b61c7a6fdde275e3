import type { StickScenario, StickServer, StickStep } from './stick-record.ts';

export const THREE: readonly StickServer[] = [{ name: 's1' }, { name: 's2' }, { name: 's3' }];

/** Requests with these values of a field. */
export function asks(name: string, ...values: readonly string[]): StickStep[] {
  return values.map((value) => ({ ask: { headers: { [name]: value } } }));
}

/** The table of the backend itself. */
export function own(words: string): { readonly '': string } {
  return { '': words };
}

/** Keys of every shape, each in an empty table. */
const shapes = (name: string, table: string, key: string, values: readonly string[]): StickScenario => ({
  name: `shapes: ${name}`,
  tables: own(table),
  stick: [{ rule: `on ${key}` }],
  servers: THREE,
  steps: values.flatMap((value) => [{ clearAll: null }, ...asks('x-key', value)]),
});

const WORDS = [
  ...['abc', 'abcd', 'abcde', 'abcdef', 'ab', 'a', '', 'a b', 'a=b', 'a\\b', '"a"', 'a, b', 'a,b', 'b', ','],
  ...['caf\xe9', '\xc3\xa9\xc3\xa9\xc3', '\xff\xfe', 'a\tb', '0', '-1'],
];
const NUMBERS = [
  ...['42', '+42', '0042', '-1', '4294967295', '4294967296', '4294967301', '9223372036854775807'],
  ...['9223372036854775808', '-9223372036854775808', '-9223372036854775809', '18446744073709551616'],
  ...['42x', 'x42', '4 2', '', '-', '+', '--1', '+-1', '0x10', '1e3', '1.5', '42,43', '00000000000000000000042'],
];
const ADDRESSES = [
  ...['10.0.0.1', '10.0.0.2', '10.0.0.1', '255.255.255.255', '0.0.0.0', '10.0.0', '10.1', '1', '10.0.0.256'],
  ...['10.0.0.01', '010.0.0.1', '10.0.0.1.', '.10.0.0.1', '10..0.1', '10.0.0.1:80', '10.0.0.1/8', '0x0a.0.0.1'],
  ...['::ffff:10.0.0.1', '::FFFF:a00:1', '::10.0.0.1', '2001:db8::1', '2001:DB8:0:0:0:0:0:1', '::', '::1', '[::1]'],
  ...['fe80::1%eth0', '2001:db8', 'nonsense', '', '10.0.0.1, 10.0.0.2', '10.0.0.1 x', '64:ff9b::10.0.0.1'],
  ...['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::', '2002:a00:1::'],
];

/** What tables make of keys. */
export const KEY_SCENARIOS: readonly StickScenario[] = [
  shapes('string', 'type string len 4 size 100', 'req.hdr(x-key)', WORDS),
  shapes('string of the whole field', 'type string len 8 size 100', 'req.fhdr(x-key)', WORDS),
  shapes('string, length by default', 'type string size 100', 'req.hdr(x-key)', [
    'x'.repeat(31),
    'x'.repeat(32),
    'x'.repeat(33),
    'x'.repeat(300),
  ]),
  shapes('binary', 'type binary len 4 size 100', 'req.hdr(x-key)', WORDS),
  shapes('integer', 'type integer size 100', 'req.hdr(x-key)', NUMBERS),
  shapes('integer in a string', 'type string len 4 size 100', 'req.hdr(x-key),length', ['', 'a', 'aa', 'x'.repeat(12)]),
  shapes('integer in bytes', 'type binary len 6 size 100', 'req.hdr(x-key),length', ['', 'a', 'x'.repeat(300)]),
  shapes('integer as an address', 'type ip size 100', 'req.hdr(x-key),length', ['', 'a', 'x'.repeat(300)]),
  shapes('ip', 'type ip size 100', 'req.hdr(x-key)', ADDRESSES),
  shapes('ipv6', 'type ipv6 size 100', 'req.hdr(x-key)', ADDRESSES),
  shapes('address, as ip', 'type ip size 100', 'req.hdr_ip(x-key)', ADDRESSES),
  shapes('address, as ipv6', 'type ipv6 size 100', 'req.hdr_ip(x-key)', ADDRESSES),
  shapes('address as a string', 'type string len 64 size 100', 'req.hdr_ip(x-key)', ADDRESSES),
  shapes('address as an integer', 'type integer size 100', 'req.hdr_ip(x-key)', ADDRESSES),
  shapes('address as bytes', 'type binary len 8 size 100', 'req.hdr_ip(x-key)', ADDRESSES),
];
