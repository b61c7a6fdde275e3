/** A fetch or a converter as it is written: its name and its arguments. */
export interface Call {
  readonly name: string;
  /** 1-based, as all columns. */
  readonly column: number;
  readonly arguments: readonly WrittenArgument[];
  /** Where another argument would stand. */
  readonly end: number;
}

export interface WrittenArgument {
  /** Without quotes and escapes. */
  readonly text: string;
  readonly column: number;
}

/** An expression that HAProxy's language does not have. */
export class SampleSyntaxError extends Error {
  override readonly name = 'SampleSyntaxError';
  /** 1-based: where something else was expected. */
  readonly column: number;
  readonly expected: string;

  /** @param found what stands there, in words */
  constructor(column: number, expected: string, found: string, hint: string = '') {
    super(`column ${column}: expected ${expected}, not ${found}${hint}`);
    this.column = column;
    this.expected = expected;
  }
}

/**
 * Reads `fetch(argument,…),converter(argument,…),…` without knowing any names.
 *
 * An argument ends at a comma or a parenthesis outside quotes. '…' takes everything literally. Elsewhere a backslash does what
 * it does in HAProxy: `\n`, `\r` and `\t` are control characters, and before a backslash, a quote or a space it is dropped;
 * before anything else it stays, so that `\d` and `\1` reach a regular expression as they are. Outside quotes `\,` and `\)`
 * are the comma and the parenthesis themselves, for which HAProxy needs the quotes.
 * @throws {SampleSyntaxError}
 * @see HAProxy arg.c:make_arg_list
 */
export function parseCalls(text: string): [fetch: Call, ...converters: Call[]] {
  let at = 0;
  const fetch = call();
  const converters: Call[] = [];
  while (at < text.length) {
    if (text[at] !== ',') throw new SampleSyntaxError(at + 1, "',' or the end", found());
    at++;
    converters.push(call());
  }
  return [fetch, ...converters];

  function found(): string {
    return at < text.length ? `'${text[at]}'` : 'the end';
  }

  function call(): Call {
    const start = at;
    while (at < text.length && !'(),'.includes(text.charAt(at))) at++;
    const name = text.slice(start, at);
    if (text[at] !== '(') return { name, column: start + 1, arguments: [], end: at + 1 };
    const open = at++;
    const written = [argument()];
    while (text[at] === ',') {
      at++;
      written.push(argument());
    }
    if (at === text.length) throw new SampleSyntaxError(at + 1, `')' for the '(' of column ${open + 1}`, found());
    const end = ++at;
    const none = end - open === 2; // `()` is no argument at all
    return { name, column: start + 1, arguments: none ? [] : written, end };
  }

  /** Leaves `at` at the comma or parenthesis behind it, or at the end of the text. */
  function argument(): WrittenArgument {
    const column = at + 1;
    let value = '';
    let quote = '';
    let quotedFrom = 0;
    for (; at < text.length; at++) {
      const character = text.charAt(at);
      if (character === quote) quote = '';
      else if (quote === '' && (character === "'" || character === '"')) {
        quote = character;
        quotedFrom = at + 1;
      } else if (character === '\\' && quote !== "'") {
        const escaped = unescaped(text.charAt(at + 1), quote);
        value += escaped ?? character;
        if (escaped !== undefined) at++;
      } else if (quote === '' && (character === ',' || character === ')')) break;
      else value += character;
    }
    if (quote !== '') throw new SampleSyntaxError(at + 1, `${quote} for the ${quote} of column ${quotedFrom}`, found());
    return { text: value, column };
  }
}

const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** What a backslash and this character stand for; `undefined`: for themselves. */
function unescaped(character: string, quote: string): string | undefined {
  if (character === '') return undefined;
  return CONTROLS[character] ?? (`\\ '"${quote === '' ? ',)' : ''}`.includes(character) ? character : undefined);
}
