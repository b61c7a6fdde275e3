import type { RequestContext } from '../core/context.ts';
import { endOutsideQuotes, trimmed } from '../core/field-text.ts';

const COMMA = 44;
const SEMICOLON = 59;

/**
 * The value of a field, all its lines joined; `undefined` when the request has none.
 * @param name in lower case; `host` is `:authority` where HTTP/2 brought no other
 */
export function fieldValue({ headers }: RequestContext, name: string): string | undefined {
  const value = textOf(headers?.[name], name);
  return value === undefined && name === 'host' ? textOf(headers?.[':authority'], name) : value;
}

/**
 * The lines of a field. Only `rawHeaders` tells them apart, and only as long as no rule has changed the field: the value in
 * `headers` is then one line.
 */
export function fieldLines(context: RequestContext, name: string): readonly string[] {
  const value = fieldValue(context, name);
  if (value === undefined) return [];
  const lines = rawLines(context, name);
  return textOf(lines, name) === value ? lines : [value];
}

/**
 * The values of a list, without the blanks around them. A comma in a quoted string does not separate.
 * @see HAProxy http.c:http_find_hdr_value_end
 */
export function listValues(value: string): string[] {
  return splitOutsideQuotes(value, COMMA).map(trimmed);
}

/** The one of that number: 1 is the first, -1 and 0 the last. */
export function occurrence(values: readonly string[], number: number): string | undefined {
  return number > 0 ? values[number - 1] : values.at(number || -1);
}

/**
 * The last cookie of that name, which is case-sensitive; quotes stay. A field that ends behind the `=` has none.
 * @see HAProxy http.c:http_extract_cookie_value; a comma separates as a semicolon does
 */
export function cookieValue(context: RequestContext, name: string): string | undefined {
  const cookies = fieldValue(context, 'cookie');
  if (cookies === undefined) return undefined;
  let last: string | undefined;
  let left = cookies.length;
  for (const cookie of splitOutsideQuotes(cookies, SEMICOLON, COMMA)) {
    if (left > name.length + 1) last = namedValue(cookie, name) ?? last;
    left -= cookie.length + 1;
  }
  return last;
}

/**
 * The value that a `Set-Cookie` field sets that cookie to; `undefined`: it sets another one. HAProxy: each part of it that
 * commas separate is read as a field.
 */
export function setCookieValue(field: string, name: string): string | undefined {
  return splitOutsideQuotes(field, COMMA)
    .map(trimmed)
    .filter((part) => part.length > name.length + 1)
    .map((part) => namedValue(part.slice(0, endOutsideQuotes(part, 0, SEMICOLON)), name))
    .findLast((value) => value !== undefined);
}

function namedValue(pair: string, name: string): string | undefined {
  const equals = pair.indexOf('=');
  return equals !== -1 && trimmed(pair.slice(0, equals)) === name ? trimmed(pair.slice(equals + 1)) : undefined;
}

/** A field as it may come, by a user's hand too. */
function textOf(value: unknown, name: string): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value) || value.length === 0 || !value.every((line) => typeof line === 'string')) return undefined;
  return value.join(name === 'cookie' ? '; ' : ', ');
}

function rawLines(context: RequestContext, name: string): string[] {
  const raw = 'rawHeaders' in context ? context.rawHeaders : undefined;
  const lines: string[] = [];
  if (!Array.isArray(raw)) return lines;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [field, line]: unknown[] = [raw[i], raw[i + 1]];
    if (typeof field === 'string' && typeof line === 'string' && field.toLowerCase() === name) lines.push(line);
  }
  return lines;
}

function splitOutsideQuotes(text: string, separator: number, other: number = separator): string[] {
  const parts: string[] = [];
  for (let start = 0; ; ) {
    const end = endOutsideQuotes(text, start, separator, other);
    parts.push(text.slice(start, end));
    if (end === text.length) return parts;
    start = end + 1;
  }
}
