const FLAGS = ['indirect', 'nocache', 'postonly', 'preserve', 'httponly', 'secure', 'dynamic'] as const;
const MODES = ['insert', 'prefix', 'rewrite'] as const;

/** Words that have no argument. */
export type CookieFlag = (typeof FLAGS)[number];
export type CookieMode = (typeof MODES)[number];

export const COOKIE_FLAGS: readonly CookieFlag[] = FLAGS;
export const COOKIE_MODES: readonly CookieMode[] = MODES;

const WORDS: readonly string[] = [...MODES, ...FLAGS, 'domain', 'maxidle', 'maxlife', 'attr'];

/** Bare numbers are seconds here. HAProxy: parse_time_err with TIME_UNIT_S. */
const TIME = /^\d+(?:ms|s|m|h|d)?$/;

/**
 * HAProxy's words behind `cookie` as an object of options; a sentence where they are wrong.
 * @see HAProxy cfgparse-listen.c:cfg_parse_listen
 */
export function fromCookiePhrase(phrase: string): Record<string, unknown> | string {
  const words = wordsOf(phrase);
  if (!words) return 'has a quote without an end';
  const [name, ...rest] = words;
  if (name === undefined) return 'has no name';
  // HAProxy takes such a name, and forgets what it was meant to be.
  if (WORDS.includes(name))
    return `begins with '${name}', where the name of the cookie is missing (for a cookie of that name: { name: '${name}' })`;
  const options: Record<string, unknown> = { name };
  const domains: string[] = [];
  const attributes: string[] = [];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if ((FLAGS as readonly string[]).includes(word)) options[word] = true;
    else if ((MODES as readonly string[]).includes(word)) {
      const { mode } = options;
      if (mode !== undefined && mode !== word) return `cannot be '${String(mode)}' and '${word}'`;
      options['mode'] = word;
    } else if (word === 'domain' || word === 'attr' || word === 'maxidle' || word === 'maxlife') {
      const argument = rest.shift();
      if (argument === undefined) return `'${word}' needs a value behind it`;
      if (word === 'domain') domains.push(argument);
      else if (word === 'attr') attributes.push(argument);
      else if (TIME.test(argument)) options[word] = /\d$/.test(argument) ? `${argument}s` : argument;
      else return `'${argument}' is no time behind '${word}'; allowed: 90, '90s', '30m', '8h', '1d'`;
    } else return `'${word}' is not a word of it; allowed: ${WORDS.join(', ')}`;
  }
  if (domains.length > 0) options['domain'] = domains;
  if (attributes.length > 0) options['attr'] = attributes;
  return options;
}

/** Words apart by blanks, with HAProxy's quotes and backslashes; `undefined`: a quote has no end. */
function wordsOf(phrase: string): string[] | undefined {
  const words = phrase.match(/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+|["'\\]/gs) ?? [];
  if (words.some((word) => word === '"' || word === "'" || word === '\\')) return undefined;
  return words.map((word) =>
    word.replaceAll(
      /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
      (_whole, double?: string, single?: string, one?: string) =>
        double === undefined ? (single ?? one ?? '') : double.replaceAll(/\\(.)/gs, '$1'),
    ),
  );
}
