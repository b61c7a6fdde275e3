import { isIPv6 } from 'node:net';
import type { RequestContext } from '../core/context.ts';
import type { ConfigFault } from '../core/errors.ts';
import { ipv6Bytes } from '../core/ip-address.ts';
import { show } from '../core/options.ts';
import { formatAddress } from '../samples/canonical-address.ts';
import { asAddress, asBinary, asInteger, asText, byteText, wholeInteger } from '../samples/casts.ts';
import type { Sample } from '../samples/sample.ts';
import type { StickKey, StickKeyType } from './table.ts';

/**
 * A key as it lies in a table: 32 bits as a signed number, which V8 keeps without an object, or text with one character a
 * byte.
 */
export type StoredKey = number | string;

/** Turns what a request or an operator gives into keys of one type, and back. */
export interface KeyFormat {
  /** `undefined`: it cannot be a key of this type. Never throws. */
  read(key: StickKey): StoredKey | undefined;
  /** As an operator sees it. */
  show(key: StoredKey): string | number | Uint8Array;
  /** What `read` takes, in words. */
  readonly allowed: string;
}

/** What an operator is told of a key that the table has no entry for. */
export function keyFault(key: unknown, { allowed }: KeyFormat): ConfigFault {
  return { path: 'key', value: key, message: `${show(key)} is not allowed; allowed: ${allowed}` };
}

/** @param len bytes of a text or a block */
export function keyFormat(type: StickKeyType, len: number): KeyFormat {
  switch (type) {
    case 'ip':
      return { read: readIpv4, show: (key) => showIpv4(key as number), allowed: "an IPv4 address: '10.0.0.1'" };
    case 'ipv6':
      return { read: readIpv6, show: showIpv6, allowed: "an IP address: '2001:db8::1'" };
    case 'integer':
      return { read: readInteger, show: (key) => (key as number) >>> 0, allowed: 'an integer: 42' };
    case 'string':
      return {
        read: (key) => bytesOf(key, len)?.slice(0, len),
        show: (key) => key as string,
        allowed: 'a text',
      };
    case 'binary':
      return {
        read: (key) =>
          bytesOf(isInteger(key) ? bytesOfInteger(key) : key, len)
            ?.slice(0, len)
            .padEnd(len, '\0'),
        show: (key) => new Uint8Array(Buffer.from(key as string, 'latin1')),
        allowed: 'bytes, or a text with one character a byte',
      };
  }
}

/**
 * A sample as HAProxy casts it to a table's type.
 * @throws {TypeError} for a sample of bytes where an address or a number is needed
 */
export function keySample(sample: Sample, type: StickKeyType): (context: RequestContext) => StickKey | undefined {
  switch (type) {
    case 'ip': {
      const read = asAddress(sample);
      return (context) => {
        const address = read(context);
        // What is no IPv4 address is no key, so that the next rule is asked.
        return address !== undefined && readIpv4(address) !== undefined ? address : undefined;
      };
    }
    case 'ipv6':
      return asAddress(sample);
    case 'integer':
      return asInteger(sample);
    case 'string':
      return asText(sample);
    case 'binary':
      return asBinary(sample);
  }
}

/**
 * Text that no longer is a part of a longer one, which V8 would keep alive with it. `join` writes all of its pieces into a new
 * string; by way of a buffer that took four times as long (160 and 600 ns of a new entry's 1,300 on a slow machine).
 */
export function detached(key: StoredKey): StoredKey {
  return typeof key === 'number' || key.length < SHORTEST_SLICE ? key : [key.slice(0, 1), key.slice(1)].join('');
}

/** V8 copies what is shorter: SlicedString::kMinLength. */
const SHORTEST_SLICE = 13;

const MAPPED = '::ffff:';
const MAPPED_BYTES = `${'\0'.repeat(10)}\xff\xff`;
const COMPATIBLE_BYTES = '\0'.repeat(12);
const [ZERO, NINE, DOT] = [48, 57, 46];

function readIpv4(key: StickKey): number | undefined {
  if (typeof key !== 'string') return isInteger(key) ? readInteger(key) : undefined;
  return dottedIpv4(key) ?? (key.includes(':') ? ipv4In(readIpv6(key)) : undefined);
}

/** `10.0.0.1`, or `::ffff:10.0.0.1`, as an IPv6 socket names it. */
function dottedIpv4(text: string): number | undefined {
  return ipv4Of(text, text.startsWith(MAPPED) ? MAPPED.length : 0);
}

/** Four numbers of 0 to 255 without leading zeros, as `net.isIPv4`, in one pass. */
function ipv4Of(text: string, start: number): number | undefined {
  if (text.length - start > 15) return undefined;
  let [bits, byte, digits, dots] = [0, 0, 0, 0];
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (digits === 0 || ++dots > 3) return undefined;
      bits = (bits << 8) | byte;
      byte = 0;
      digits = 0;
    } else {
      if (code < ZERO || code > NINE || (digits > 0 && byte === 0)) return undefined;
      byte = byte * 10 + (code - ZERO);
      digits++;
      if (byte > 255) return undefined;
    }
  }
  return dots === 3 && digits > 0 ? (bits << 8) | byte : undefined;
}

/**
 * The IPv4 address in 16 bytes: a mapped one, a compatible one, or that of 6to4.
 * @see HAProxy tools.c:v6tov4
 */
function ipv4In(bytes: string | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  if (bytes.startsWith(MAPPED_BYTES) || bytes.startsWith(COMPATIBLE_BYTES))
    return Buffer.from(bytes, 'latin1').readInt32BE(12);
  return bytes.startsWith('\x20\x02') ? Buffer.from(bytes, 'latin1').readInt32BE(2) : undefined;
}

function readIpv6(key: StickKey): string | undefined {
  const ipv4 = typeof key === 'string' ? dottedIpv4(key) : readIpv4(key);
  if (ipv4 !== undefined)
    return MAPPED_BYTES + String.fromCharCode(ipv4 >>> 24, (ipv4 >>> 16) & 255, (ipv4 >>> 8) & 255, ipv4 & 255);
  return typeof key === 'string' && isIPv6(key) ? Buffer.from(ipv6Bytes(key)).toString('latin1') : undefined;
}

function showIpv4(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

function showIpv6(key: StoredKey): string {
  return formatAddress(Buffer.from(key as string, 'latin1'));
}

/** Whether it is an integer, as all of HAProxy's numbers are. */
function isInteger(key: unknown): key is number | bigint {
  return typeof key === 'bigint' || Number.isSafeInteger(key);
}

/** The lowest 32 bits. HAProxy: smp_to_stkey. */
function readInteger(key: StickKey): number | undefined {
  const value = typeof key === 'string' ? wholeInteger(key) : key;
  if (typeof value === 'bigint') return Number(BigInt.asIntN(32, value));
  return isInteger(value) ? Number(value) | 0 : undefined;
}

/** One character a byte, and of bytes no more than `len`. */
function bytesOf(key: StickKey, len: number): string | undefined {
  if (typeof key === 'string') return byteText(key);
  if (key instanceof Uint8Array)
    return Buffer.from(key.buffer, key.byteOffset, Math.min(key.byteLength, len)).toString('latin1');
  return isInteger(key) ? String(key) : undefined;
}

/** HAProxy: an integer of 64 bits, the highest byte first. */
function bytesOfInteger(key: number | bigint): StickKey {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(key)));
  return bytes;
}
