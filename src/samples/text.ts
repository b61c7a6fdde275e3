/** A part of a text: from `start` up to, but not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** ASCII letters only, as in HAProxy. */
export function lower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** ASCII letters only, as in HAProxy. */
export function upper(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** What stands between delimiters, of which each is one character. */
export function fieldsOf(text: string, delimiters: string): Span[] {
  const spans: Span[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (!delimiters.includes(text.charAt(i))) continue;
    spans.push({ start, end: i });
    start = i + 1;
  }
  spans.push({ start, end: text.length });
  return spans;
}

/** The fields that are not empty. */
export function wordsOf(text: string, delimiters: string): Span[] {
  return fieldsOf(text, delimiters).filter(({ start, end }) => start < end);
}

/**
 * `count` neighbours of the spans and what stands between them.
 * @param index the first of them, from 1; or the last of them, from -1 at the end
 * @param count with 0, and when there are fewer, all up to the end (or the start) of the text, delimiters too
 */
export function take(text: string, spans: readonly Span[], index: number, count: number): string | undefined {
  const at = index > 0 ? index - 1 : spans.length + index;
  const span = spans[at];
  if (span === undefined) return undefined;
  const others = count === 0 ? Number.POSITIVE_INFINITY : count - 1;
  if (index > 0) return text.slice(span.start, spans[at + others]?.end ?? text.length);
  return text.slice(spans[at - others]?.start ?? 0, span.end);
}

/**
 * The bytes that `%` and two hexadecimal digits stand for; `undefined` when a `%` has no two.
 * @param inForm other than 0: `+` is a space from the start; else it is one from the first `?`
 */
export function decodeUrl(text: string, inForm: number): string | undefined {
  let decoded = '';
  let plusIsSpace = inForm !== 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '?') plusIsSpace = true;
    if (character === '+' && plusIsSpace) decoded += ' ';
    else if (character === '%') {
      const digits = text.slice(i + 1, i + 3);
      if (!/^[\da-f]{2}$/i.test(digits)) return undefined;
      decoded += String.fromCharCode(Number.parseInt(digits, 16));
      i += 2;
    } else decoded += character;
  }
  return decoded;
}
