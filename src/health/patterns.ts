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

export const REG_EXP = 'a regular expression, as text or a RegExp';

/** Bytes from pairs of hexadecimal digits; white space between them is allowed. */
export function asHexBytes(value: unknown): Buffer | undefined {
  const digits = typeof value === 'string' ? value.replaceAll(/\s+/g, '') : '';
  return digits !== '' && /^(?:[0-9a-f]{2})+$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined;
}
