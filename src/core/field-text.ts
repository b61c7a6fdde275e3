const QUOTE = 34;
const BACKSLASH = 92;

/** The white space that HTTP allows around a value: spaces and tabs (RFC 9110 §5.6.3), and no others. */
export function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * Without the blanks around it. Not `trim`, to which the byte 0xA0 is a blank, nor a regular expression, which takes a square of
 * a run of blanks.
 */
export function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * Where what begins at `start` ends: at one of the separators, given by their codes, outside quoted strings; else with the text.
 * @see HAProxy http.c:http_find_hdr_value_end, http_find_cookie_value_end
 */
export function endOutsideQuotes(text: string, start: number, separator: number, other: number = separator): number {
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (code === BACKSLASH) at++;
    } else if (code === separator || code === other) return at;
  }
  return text.length;
}
