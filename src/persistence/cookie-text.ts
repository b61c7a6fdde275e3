import { endOutsideQuotes, isBlank } from '../core/field-text.ts';

const COMMA = 44;
const SEMICOLON = 59;
const EQUALS = 61;

/** Between a server and the value of the server's own, in prefix mode. */
export const PREFIX_END = '~';

/** Where the parts of `NAME = VALUE` are in a field. */
export interface CookieParts {
  nameStart: number;
  nameEnd: number;
  /** Of the `=`; where there is none, the end of it all. */
  equals: number;
  valueStart: number;
  valueEnd: number;
  /** Of the delimiter behind it, or of the field's end. */
  next: number;
}

/** To be read into. */
export function noParts(): CookieParts {
  return { nameStart: 0, nameEnd: 0, equals: 0, valueStart: 0, valueEnd: 0, next: 0 };
}

/** Whether that is the cookie's name, exactly. */
export function isNamed(field: string, { nameStart, nameEnd }: CookieParts, name: string): boolean {
  return nameEnd - nameStart === name.length && field.startsWith(name, nameStart);
}

/**
 * Reads the cookie that begins at `start`, blanks aside. A value ends at `;` or `,` outside quotes; a name at `=`, at `;` and,
 * in `Cookie` alone, at `,`.
 * @see HAProxy http_ana.c:http_manage_client_side_cookies, http.c:http_find_cookie_value_end
 */
export function readParts(field: string, start: number, commas: boolean, into: CookieParts): void {
  const { length } = field;
  let at = start;
  while (at < length && isBlank(field.charCodeAt(at))) at++;
  into.nameStart = at;
  into.nameEnd = at;
  while (at < length) {
    const code = field.charCodeAt(at);
    if (code === EQUALS || code === SEMICOLON || (commas && code === COMMA)) break;
    at++;
    if (!isBlank(code)) into.nameEnd = at;
  }
  into.equals = at;
  if (at === length || field.charCodeAt(at) !== EQUALS) {
    into.valueStart = into.valueEnd = into.next = at;
    return;
  }
  at++;
  while (at < length && isBlank(field.charCodeAt(at))) at++;
  into.valueStart = at;
  into.next = at = endOutsideQuotes(field, at, SEMICOLON, COMMA);
  while (at > into.valueStart && isBlank(field.charCodeAt(at - 1))) at--;
  into.valueEnd = at;
}
