import { type OptionReader, show } from '../core/options.ts';

/** A regular expression of the user's, as text or as it is. `g` and `y` would keep state from one check to the next. */
export function asRegExp(value: unknown): RegExp | undefined {
  if (value instanceof RegExp) return new RegExp(value.source, value.flags.replaceAll(/[gy]/g, ''));
  if (typeof value !== 'string' || value === '') return undefined;
  try {
    return new RegExp(value);
  } catch {
    return undefined;
  }
}

const REG_EXP = 'a regular expression, as text or a RegExp';

/** Reads a regular expression; a fault says what is wrong with it. */
export function readRegExp(read: OptionReader, key: string): RegExp | undefined {
  const value = read.any(key);
  const why = whyNoRegExp(value);
  if (why !== undefined) read.reject(key, why);
  return why === undefined ? read.read(key, undefined, REG_EXP, asRegExp) : undefined;
}

/** What is wrong with a text as a regular expression; `undefined`: nothing, or it is no text. */
export function whyNoRegExp(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    new RegExp(value);
    return undefined;
  } catch (error) {
    const reason = String((error as Error).message).replace(/^Invalid regular expression: .*: /s, '');
    return `${show(value)} is no regular expression: ${reason}`;
  }
}

/** Bytes from pairs of hexadecimal digits; white space between them is allowed. */
export function asHexBytes(value: unknown): Buffer | undefined {
  const digits = typeof value === 'string' ? value.replaceAll(/\s+/g, '') : '';
  return digits !== '' && /^(?:[0-9a-f]{2})+$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined;
}
