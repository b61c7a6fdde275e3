/**
 * HAProxy's hash functions over bytes, as 32-bit integers (signed, which V8 keeps without allocating).
 *
 * Bytes come as strings with one character a byte, as Node gives request targets and fields. A string with characters beyond
 * 255, which only a user can have made, is hashed as UTF-8.
 * @see HAProxy hash.c, tools.h:full_hash
 */

/** Hashes the characters of `text` from `start` up to, but not including, `end`. Default: all. */
export type HashFunction = (text: string, start?: number, end?: number) => number;

/** The names of HAProxy's `hash-type` for what turns bytes into a number. */
export type HashFunctionName = 'sdbm' | 'djb2' | 'wt6' | 'crc32' | 'none';

export const HASH_FUNCTIONS: Readonly<Record<HashFunctionName, HashFunction>> = {
  sdbm,
  djb2,
  wt6,
  crc32,
  none: decimal,
};

export function sdbm(text: string, start: number = 0, end: number = text.length): number {
  let hash = 0;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = text.charCodeAt(i);
    all |= byte;
    hash = (byte + (hash << 6) + (hash << 16) - hash) | 0;
  }
  return all > 255 ? sdbm(utf8(text, start, end)) : hash;
}

export function djb2(text: string, start: number = 0, end: number = text.length): number {
  let hash = 5381;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = text.charCodeAt(i);
    all |= byte;
    hash = (Math.imul(hash, 33) + byte) | 0;
  }
  return all > 255 ? djb2(utf8(text, start, end)) : hash;
}

export function wt6(text: string, start: number = 0, end: number = text.length): number {
  let h0 = 0xa53c965a | 0;
  let h1 = 0x5ca6953a | 0;
  let s0 = 6;
  let s1 = 18;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = text.charCodeAt(i);
    all |= byte;
    h0 = ~(h0 ^ byte);
    h1 = ~(h1 + byte);
    const turned = rotateLeft(h1, s0);
    h1 = rotateLeft(h0, s1);
    h0 = turned;
    const mixed = ((h0 >>> 16) ^ h1) & 0xffff;
    s0 = mixed & 0x1f;
    s1 = mixed >> 11;
  }
  return all > 255 ? wt6(utf8(text, start, end)) : h0 ^ h1;
}

/** CRC-32 as of zlib and Ethernet (reflected, polynomial 0xEDB88320). */
export function crc32(text: string, start: number = 0, end: number = text.length): number {
  let crc = -1;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = text.charCodeAt(i);
    all |= byte;
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] as number);
  }
  return all > 255 ? crc32(utf8(text, start, end)) : ~crc;
}

/** HAProxy's `none`: the digits that the text begins with, as a number modulo 2^32. */
export function decimal(text: string, start: number = 0, end: number = text.length): number {
  let at = start;
  while (at < end && (text.charCodeAt(at) === 32 || (text.charCodeAt(at) >= 9 && text.charCodeAt(at) <= 13))) at++;
  const negative = text.charCodeAt(at) === MINUS;
  if (negative || text.charCodeAt(at) === PLUS) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = (Math.imul(value, 10) + digit) | 0;
  }
  return negative ? -value | 0 : value;
}

/** Spreads the bits of a hash, or of a small number. HAProxy: `avalanche`. */
export function avalanche(hash: number): number {
  let a = hash | 0;
  a = (a + 0x7ed55d16 + (a << 12)) | 0;
  a = a ^ 0xc761c23c ^ (a >>> 19);
  a = (a + 0x165667b1 + (a << 5)) | 0;
  a = (a + 0xd3a2646c) ^ (a << 9);
  a = (a + 0xfd7046c5 + (a << 3)) | 0;
  a = a ^ 0xb55a4f09 ^ (a >>> 16);
  return Math.imul(a, 3_221_225_473);
}

const P32_1 = 0x9e3779b1;
const P32_2 = 0x85ebca77;
const P32_3 = 0xc2b2ae3d;
const P32_4 = 0x27d4eb2f;
const P32_5 = 0x165667b1;

/** @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
export function xxh32(bytes: Uint8Array, seed: number = 0): number {
  const { length } = bytes;
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let a = (seed + P32_1 + P32_2) | 0;
    let b = (seed + P32_2) | 0;
    let c = seed | 0;
    let d = (seed - P32_1) | 0;
    for (; at + 16 <= length; at += 16) {
      a = round32(a, word(bytes, at));
      b = round32(b, word(bytes, at + 4));
      c = round32(c, word(bytes, at + 8));
      d = round32(d, word(bytes, at + 12));
    }
    hash = (rotateLeft(a, 1) + rotateLeft(b, 7) + rotateLeft(c, 12) + rotateLeft(d, 18)) | 0;
  } else hash = (seed + P32_5) | 0;
  hash = (hash + length) | 0;
  for (; at + 4 <= length; at += 4)
    hash = Math.imul(rotateLeft((hash + Math.imul(word(bytes, at), P32_3)) | 0, 17), P32_4);
  for (; at < length; at++) hash = Math.imul(rotateLeft((hash + Math.imul(bytes[at] as number, P32_5)) | 0, 11), P32_1);
  hash = Math.imul(hash ^ (hash >>> 15), P32_2);
  hash = Math.imul(hash ^ (hash >>> 13), P32_3);
  return hash ^ (hash >>> 16);
}

const P64_1 = 0x9e3779b185ebca87n;
const P64_2 = 0xc2b2ae3d27d4eb4fn;
const P64_3 = 0x165667b19e3779f9n;
const P64_4 = 0x85ebca77c2b2ae63n;
const P64_5 = 0x27d4eb2f165667c5n;

/**
 * An unsigned number of 64 bits.
 * @see https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export function xxh64(bytes: Uint8Array, seed: bigint = 0n): bigint {
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let at = 0;
  let hash: bigint;
  if (length >= 32) {
    const lanes = [u64(seed + P64_1 + P64_2), u64(seed + P64_2), u64(seed), u64(seed - P64_1)] as [
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    for (; at + 32 <= length; at += 32)
      for (let i = 0; i < 4; i++) lanes[i] = round64(lanes[i] as bigint, view.getBigUint64(at + 8 * i, true));
    const [a, b, c, d] = lanes;
    hash = u64(rotateLeft64(a, 1n) + rotateLeft64(b, 7n) + rotateLeft64(c, 12n) + rotateLeft64(d, 18n));
    for (const lane of lanes) hash = u64((hash ^ round64(0n, lane)) * P64_1 + P64_4);
  } else hash = u64(seed + P64_5);
  hash = u64(hash + BigInt(length));
  for (; at + 8 <= length; at += 8)
    hash = u64(rotateLeft64(hash ^ round64(0n, view.getBigUint64(at, true)), 27n) * P64_1 + P64_4);
  for (; at + 4 <= length; at += 4)
    hash = u64(rotateLeft64(hash ^ u64(BigInt(view.getUint32(at, true)) * P64_1), 23n) * P64_2 + P64_3);
  for (; at < length; at++) hash = u64(rotateLeft64(hash ^ u64(BigInt(view.getUint8(at)) * P64_5), 11n) * P64_1);
  hash = u64((hash ^ (hash >> 33n)) * P64_2);
  hash = u64((hash ^ (hash >> 29n)) * P64_3);
  return hash ^ (hash >> 32n);
}

const MINUS = 45;
const PLUS = 43;
const ZERO = 48;

const CRC_TABLE: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function utf8(text: string, start: number, end: number): string {
  return Buffer.from(text.slice(start, end), 'utf8').toString('latin1');
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function round32(lane: number, input: number): number {
  return Math.imul(rotateLeft((lane + Math.imul(input, P32_2)) | 0, 13), P32_1);
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}

function rotateLeft64(value: bigint, bits: bigint): bigint {
  return u64(value << bits) | (value >> (64n - bits));
}

function round64(lane: bigint, input: bigint): bigint {
  return u64(rotateLeft64(u64(lane + input * P64_2), 31n) * P64_1);
}
