import { type Parameter, parameter } from './parameters.ts';

/** Characters of the subject, and of the result. HAProxy's bound is its buffer. */
const MAX_LENGTH = 65_536;

/** A regular expression, with regard to case and without; both with `g`. */
interface Expression {
  readonly exact: RegExp;
  readonly anyCase: RegExp;
}

/** JavaScript's regular expressions, not PCRE's; they see bytes, as HAProxy's do. */
export function regularExpression(name: string): Parameter<Expression> {
  return parameter(name, `a regular expression (${name})`, (source) => {
    if (source === '') return undefined;
    try {
      return { exact: new RegExp(source, 'g'), anyCase: new RegExp(source, 'gi') };
    } catch {
      return undefined;
    }
  });
}

/** Text, or the number of the group that stands there. */
export type Substitute = readonly (string | number)[];

/**
 * What a match is replaced by: `\0` is the match, `\1` to `\9` its groups, `\x41` a byte, and `\` before anything else that
 * itself.
 * @see HAProxy regex.c:exp_replace
 */
export function substitute(name: string): Parameter<Substitute> {
  return parameter(name, `text, with \\0 to \\9 for groups and \\x41 for a byte (${name})`, (written) => {
    if (!/^(?:[^\\]|\\x[\da-fA-F]{2}|\\[^x])*$/s.test(written)) return undefined;
    return [...written.matchAll(/[^\\]+|\\(\d)|\\x(..)|\\(.)/gs)].map(([plain, group, hex, other]) => {
      if (group !== undefined) return Number(group);
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return other ?? plain;
    });
  });
}

/**
 * Replaces the first match, or all. A group that took no part is empty.
 * @param flags `g` for all matches, `i` without regard to case
 * @returns `undefined` when the text is, or would become, longer than 64 KiB, so that no client decides how long this takes
 */
export function replaceMatches(
  text: string,
  { exact, anyCase }: Expression,
  parts: Substitute,
  flags: string,
): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  let replaced = '';
  let from = 0;
  for (const match of text.matchAll(flags.includes('i') ? anyCase : exact)) {
    replaced += text.slice(from, match.index);
    from = match.index + match[0].length;
    for (const part of parts) replaced += typeof part === 'string' ? part : (match[part] ?? '');
    if (replaced.length > MAX_LENGTH) return undefined;
    if (!flags.includes('g')) break;
  }
  const whole = replaced + text.slice(from);
  return whole.length > MAX_LENGTH ? undefined : whole;
}
