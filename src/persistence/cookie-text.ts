const TAB = 9;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const SEMICOLON = 59;
const EQUALS = 61;
const BACKSLASH = 92;

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

export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
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
  into.next = at = endOfValue(field, at);
  while (at > into.valueStart && isBlank(field.charCodeAt(at - 1))) at--;
  into.valueEnd = at;
}

function endOfValue(field: string, start: number): number {
  let quoted = false;
  for (let at = start; at < field.length; at++) {
    const code = field.charCodeAt(at);
    if (code === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (code === BACKSLASH) at++;
    } else if (code === SEMICOLON || code === COMMA) return at;
  }
  return field.length;
}
