const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const LENGTH = 5;

/** Value of a digit; 255 for what is none. Index is the character's code. */
const VALUES: Uint8Array = new Uint8Array(128).fill(255);
for (let value = 0; value < DIGITS.length; value++) VALUES[DIGITS.charCodeAt(value)] = value;

/**
 * A date in a cookie: five digits of base64 that count units of four seconds, of which the last one that has begun counts as
 * over.
 * @param unixSeconds since 1970
 * @see HAProxy base64.c:s30tob64, http_ana.c:http_process_res_common
 */
export function writeCookieDate(unixSeconds: number): string {
  const units = Math.floor((unixSeconds + 3) / 4);
  let text = '';
  for (let shift = 6 * (LENGTH - 1); shift >= 0; shift -= 6) text += DIGITS[(units >>> shift) & 63];
  return text;
}

/**
 * The seconds since 1970 that the five characters at `at` say, as a signed number of 32 bits, which is what HAProxy reckons
 * with; 0 where they are not five digits, or all zero.
 * @see HAProxy base64.c:b64tos30
 */
export function readCookieDate(text: string, at: number): number {
  if (at + LENGTH > text.length) return 0;
  let units = 0;
  for (let i = at; i < at + LENGTH; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255;
    if (value === 255) return 0;
    units = (units << 6) | value;
  }
  return units << 2;
}
