import { isIPv4 } from 'node:net';
import type { RequestContext } from '../core/context.ts';
import { addressBytes, formatAddress, leadingIpv4, parseAddress } from './canonical-address.ts';
import type { FixedType, Sample, SampleType, SampleValue, SampleValues } from './sample.ts';

export type Cast = (value: SampleValue) => SampleValue | undefined;

/**
 * A row a type, a column a type to turn it into; what is not here cannot be.
 * @see HAProxy sample.c, `sample_casts`
 */
const CASTS: {
  readonly [From in FixedType]: {
    readonly [To in Exclude<FixedType, From>]?: (value: SampleValues[From]) => SampleValues[To] | undefined;
  };
} = {
  str: { bin: bytesOfText, int: integerOfText, ip: addressOfText },
  bin: { str: (bytes) => bytes.toString('latin1') },
  int: { str: String, bin: bytesOfInteger, ip: addressOfInteger },
  ip: { str: (address) => address, bin: addressBytes, int: integerOfAddress },
};

/** How a value of one type becomes one of another; `undefined` when it cannot. */
export function castBetween(from: SampleType, to: SampleType): Cast | undefined {
  if (from === to || to === 'any') return (value) => value;
  if (from === 'any')
    return (value) =>
      to === 'int' && typeof value === 'string' ? wholeInteger(value) : castBetween(typeOf(value), to)?.(value);
  return (CASTS[from] as { readonly [To in FixedType]?: Cast })[to];
}

/** @throws {TypeError} when its type cannot be text; that one does not exist today */
export function asText(sample: Sample): (context: RequestContext) => string | undefined {
  return as(sample, 'str');
}

/**
 * Its bytes, as text with one character a byte: what the hash functions take. An integer is the 8 bytes of HAProxy's, highest
 * first; an address its 4 or 16.
 */
export function asBinary(sample: Sample): (context: RequestContext) => string | undefined {
  const { type } = sample;
  const bytesOf = as(sample, 'bin');
  if (type !== 'str') return (context) => bytesOf(context)?.toString('latin1');
  return (context) => {
    const text = sample.read(context) as string | undefined;
    return text === undefined ? undefined : byteText(text);
  };
}

/** @throws {TypeError} for a sample of bytes, which HAProxy does not turn into a number */
export function asInteger(sample: Sample): (context: RequestContext) => number | bigint | undefined {
  return as(sample, 'int');
}

/**
 * The address in canonical text.
 * @throws {TypeError} for a sample of bytes, which HAProxy does not turn into an address
 */
export function asAddress(sample: Sample): (context: RequestContext) => string | undefined {
  return as(sample, 'ip');
}

/** The bytes of a text, of one character each: characters beyond 255 make the whole of it UTF-8. */
export function byteText(text: string): string {
  return isWide(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** How many bytes a text stands for. */
export function byteLength(text: string): number {
  return isWide(text) ? Buffer.byteLength(text, 'utf8') : text.length;
}

function as<To extends FixedType>(sample: Sample, to: To): (context: RequestContext) => SampleValues[To] | undefined {
  const cast = castBetween(sample.type, to);
  if (cast === undefined) throw new TypeError(`a sample of type ${sample.type} cannot be turned into ${to}`);
  return (context) => {
    const value = sample.read(context);
    return value === undefined ? undefined : (cast(value) as SampleValues[To] | undefined);
  };
}

function typeOf(value: SampleValue): FixedType {
  if (typeof value === 'string') return 'str';
  return typeof value === 'object' ? 'bin' : 'int';
}

function isWide(text: string): boolean {
  return /[\u0100-\uffff]/.test(text);
}

function bytesOfText(text: string): Buffer {
  return Buffer.from(text, isWide(text) ? 'utf8' : 'latin1');
}

/** The integer of 64 bits that a text is as a whole: what a function of the user's gives, or an operator, is not guessed at. */
export function wholeInteger(text: string): number | bigint | undefined {
  const value = /^[+-]?\d{1,19}$/.test(text) ? integerOfText(text) : undefined;
  return value !== undefined && BigInt(value) === BigInt(text.replace('+', '')) ? value : undefined;
}

const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

/**
 * The integer of 64 bits that a text begins with, as a bigint where a number would not be exact; 0 if it begins with none.
 * What is too large is the largest. @see HAProxy sample.c:c_str2int, tools.c:read_int64
 */
function integerOfText(text: string): number | bigint | undefined {
  if (text === '') return undefined;
  const [, sign = '', digits = ''] = /^([+-]?)(\d*)/.exec(text) ?? [];
  // Nearly all are short, and need no bigint.
  if (digits.length <= 15) return Number(sign === '-' ? `-${digits || 0}` : digits) + 0;
  const size = BigInt(digits.replace(/^0+/, '').slice(0, MOST_DIGITS));
  const value = sign === '-' ? -size : size;
  const exact = value < LEAST ? LEAST : value > MOST ? MOST : value;
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** More of them are too large anyway, and cost time. */
const MOST_DIGITS = 20;

function bytesOfInteger(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)));
  return bytes;
}

/** A zone has no meaning here that came in a request. HAProxy: c_str2addr. */
function addressOfText(text: string): string | undefined {
  return leadingIpv4(text)?.address ?? (text.includes('%') ? undefined : parseAddress(text));
}

function addressOfInteger(value: number | bigint): string {
  return formatAddress(bytesOfInteger(value).subarray(4));
}

function integerOfAddress(address: string): number | undefined {
  return isIPv4(address) ? addressBytes(address).readUInt32BE() : undefined;
}
