/** Characters of a token: RFC 9110 §5.6.2. Index is the character's code. */
export const TOKEN: Uint8Array = table("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

/**
 * Characters a field value may hold: RFC 9110 §5.5 without CR, LF, NUL and the other controls, which Node's own
 * server would refuse to write.
 */
export const FIELD_VALUE: Uint8Array = fieldValues();

/** Value of a hexadecimal digit, 255 for anything else. */
export const HEX: Uint8Array = hexDigits();

/** Whether `text` is a token. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false;
  return text.length > 0;
}

/** Whether `text` can stand as a field's value. */
export function isFieldValue(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (FIELD_VALUE[text.charCodeAt(i)] !== 1) return false;
  return true;
}

function table(characters: string): Uint8Array {
  const flags = new Uint8Array(256);
  for (const character of characters) flags[character.charCodeAt(0)] = 1;
  return flags;
}

function fieldValues(): Uint8Array {
  const flags = new Uint8Array(256).fill(1, 0x20);
  flags[0x09] = 1;
  flags[0x7f] = 0;
  return flags;
}

function hexDigits(): Uint8Array {
  const values = new Uint8Array(256).fill(255);
  for (let digit = 0; digit < 16; digit++) {
    values[digit.toString(16).charCodeAt(0)] = digit;
    values[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
  }
  return values;
}
