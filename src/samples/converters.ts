import { isIPv4 } from 'node:net';
import { avalanche, crc32, djb2, type HashFunction, sdbm, wt6, xxh32, xxh64 } from '../hashing/functions.ts';
import { maskAddress } from './canonical-address.ts';
import { byteLength } from './casts.ts';
import { type Converter, defineConverter } from './converter.ts';
import { jsonPath, queryJson } from './json-query.ts';
import { integer, mask, optional, parameter, text } from './parameters.ts';
import { regularExpression, replaceMatches, substitute } from './regular-expression.ts';
import { decodeUrl, fieldsOf, lower, take, upper, wordsOf } from './text.ts';

const index = parameter(
  'index',
  'an integer other than 0 (index)',
  (written) => integer('').parse(written) || undefined,
);
const delimiters = text('delimiters');
const count = optional(integer('count', 0), 1);
const offset = integer('offset', 0);
const length = optional(integer('length', 1), Number.POSITIVE_INFINITY);
const flags = optional(
  parameter('flags', "flags of 'g' and 'i'", (written) => (/^[gi]+$/.test(written) ? written : undefined)),
  '',
);
const seed = optional(integer('seed'), 0);
const outputType = parameter('type', "'int'", (written) => (written === 'int' ? 'int' : undefined));

/** Under HAProxy's names: configuration manual 7.3.1. */
export const CONVERTERS: Readonly<Record<string, Converter>> = {
  lower: defineConverter('str', 'str', [], lower),
  upper: defineConverter('str', 'str', [], upper),
  length: defineConverter('str', 'int', [], byteLength),
  field: defineConverter('str', 'str', [index, delimiters, count], (value, which, separators, many) =>
    take(value, fieldsOf(value, separators), which, many),
  ),
  word: defineConverter('str', 'str', [index, delimiters, count], (value, which, separators, many) =>
    take(value, wordsOf(value, separators), which, many),
  ),
  regsub: defineConverter('str', 'str', [regularExpression('regex'), substitute('substitute'), flags], replaceMatches),
  // Ours: what `bytes` does, of text.
  'sub-string': defineConverter('str', 'str', [offset, length], (value, from, many) => value.slice(from, from + many)),
  url_dec: defineConverter('str', 'str', [optional(integer('in_form'), 0)], decodeUrl),
  json_query: defineConverter('str', 'any', [jsonPath('path'), optional(outputType, undefined)], queryJson),

  bytes: defineConverter('bin', 'bin', [offset, length], (value, from, many) => value.subarray(from, from + many)),
  hex: defineConverter('bin', 'str', [], (value) => value.toString('hex').toUpperCase()),
  base64: defineConverter('bin', 'str', [], (value) => value.toString('base64')),

  crc32: hashOf(crc32),
  djb2: hashOf(djb2),
  sdbm: hashOf(sdbm),
  wt6: hashOf(wt6),
  xxh32: defineConverter('bin', 'int', [seed], (value, start) => xxh32(value, start) >>> 0),
  // With a sign, as HAProxy keeps its integers.
  xxh64: defineConverter('bin', 'int', [seed], (value, start) =>
    BigInt.asIntN(64, xxh64(value, BigInt.asUintN(64, BigInt(start)))),
  ),

  ipmask: defineConverter(
    'ip',
    'ip',
    [mask('bits', 4), optional(mask('bits6', 16), undefined)],
    (value, ipv4, ipv6) => {
      const kept = isIPv4(value) ? ipv4 : ipv6;
      return kept && maskAddress(value, kept);
    },
  ),
};

function hashOf(hash: HashFunction): Converter {
  return defineConverter('bin', 'int', [optional(integer('avalanche'), 0)], (value, spread) => {
    const hashed = hash(value.toString('latin1'));
    return (spread === 0 ? hashed : avalanche(hashed)) >>> 0;
  });
}
