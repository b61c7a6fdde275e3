import { addressBytes, parseAddress } from './canonical-address.ts';
import { type Call, SampleSyntaxError } from './parse.ts';

/** One argument that a fetch or a converter takes. */
export interface Parameter<T> {
  readonly name: string;
  /** What may be written, in words. */
  readonly expected: string;
  /** `undefined` when `text` is not what is expected. */
  readonly parse: (text: string) => T | undefined;
  /** What it is when it is not written; without it, it must be. */
  readonly fallback?: { readonly value: T };
}

/** One parameter for each of the values. */
export type Parameters<Values extends readonly unknown[]> = { readonly [At in keyof Values]: Parameter<Values[At]> };

export function parameter<T>(name: string, expected: string, parse: (text: string) => T | undefined): Parameter<T> {
  return { name, expected, parse };
}

/** May be left out, and is `value` then. */
export function optional<T, D>({ parse, ...named }: Parameter<T>, value: D): Parameter<T | D> {
  return { ...named, parse, fallback: { value } };
}

export function integer(
  name: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): Parameter<number> {
  const from = min === Number.MIN_SAFE_INTEGER ? '' : ` from ${min}`;
  const to = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`;
  return parameter(name, `an integer${from}${to} (${name})`, (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
  });
}

/** Text of at least one character. */
export function text(name: string): Parameter<string> {
  return parameter(name, name, (written) => (written === '' ? undefined : written));
}

/** Text that may be empty. */
export function anyText(name: string): Parameter<string> {
  return parameter(name, name, (written) => written);
}

/** A netmask of 4 or of 16 bytes: how many bits, or the mask as an address. */
export function mask(name: string, length: 4 | 16): Parameter<Buffer> {
  const example = length === 4 ? "'255.255.255.0'" : "'ffff:ffff::'";
  return parameter(name, `bits from 0 to ${length * 8}, or a mask as ${example} (${name})`, (written) => {
    if (/^\d{1,3}$/.test(written)) return Number(written) <= length * 8 ? maskOf(Number(written), length) : undefined;
    const address = parseAddress(written);
    const bytes = address === undefined ? undefined : addressBytes(address);
    return bytes?.length === length ? bytes : undefined;
  });
}

/** `name(a,b[,c])` */
function usage(name: string, parameters: readonly Parameter<unknown>[]): string {
  if (parameters.length === 0) return name;
  const shown = parameters.map(({ name: parameter, fallback }, i) => {
    const separated = i === 0 ? parameter : `,${parameter}`;
    return fallback ? `[${separated}]` : separated;
  });
  return `${name}(${shown.join('')})`;
}

/**
 * The values of what is written. Text is what a configuration file would hold, UTF-8, and thus bytes as a request's are.
 * @throws {SampleSyntaxError} for too many, too few, or one that is not what its parameter takes
 */
export function readArguments(
  { name, arguments: written, end }: Call,
  parameters: readonly Parameter<unknown>[],
): unknown[] {
  const extra = written[parameters.length];
  if (extra !== undefined) {
    const most = parameters.length === 0 ? 'no argument' : `no more than ${usage(name, parameters)}`;
    throw new SampleSyntaxError(extra.column, `${most} for '${name}'`, `'${extra.text}'`);
  }
  return parameters.map(({ expected, parse, fallback }, i) => {
    const argument = written[i];
    if (fallback && (argument === undefined || argument.text === '')) return fallback.value;
    if (argument === undefined)
      throw new SampleSyntaxError(end, `${expected}, as ${usage(name, parameters)}`, 'nothing');
    const value = parse(utf8Bytes(argument.text));
    if (value === undefined) throw new SampleSyntaxError(argument.column, expected, `'${argument.text}'`);
    return value;
  });
}

function utf8Bytes(written: string): string {
  return Buffer.from(written, 'utf8').toString('latin1');
}

function maskOf(bits: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => 0xff << (8 - Math.max(0, Math.min(8, bits - 8 * i)))));
}
