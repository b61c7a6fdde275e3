import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

const OPTIONS = {
  listen: { type: 'string' },
  balance: { type: 'string' },
  check: { type: 'string' },
  inter: { type: 'string' },
  config: { type: 'string' },
  grace: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

type OptionName = keyof typeof OPTIONS;
type TextOptionName = Exclude<OptionName, 'help' | 'version'>;

/** A server as an argument: `ADDRESS[;key=value…]`. */
export interface ServerArgument {
  /** As it was written. */
  readonly text: string;
  /** Server options, not looked at yet. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What was asked for on the command line. Values are as written; the pool judges them. */
export interface RunArguments extends Readonly<Partial<Record<TextOptionName, string>>> {
  readonly servers: readonly ServerArgument[];
}

export type CommandLine = { readonly ask: 'help' | 'version' } | ({ readonly ask: 'run' } & RunArguments);

/** Server options that stay text where they look like a number or a truth value. */
const TEXT_KEYS: ReadonlySet<string> = new Set(['name', 'caFile', 'crt', 'sni', 'verifyhost']);

/** @throws {UsageError} for the first thing that cannot be read */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { tokens } = parseArgs({ args: [...argv], options: OPTIONS, strict: false, tokens: true });
  const given = new Map<OptionName, string>();
  const servers: ServerArgument[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') servers.push(parseServer(token.value));
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!isOption(name))
      throw new UsageError(`unknown option '${rawName}'; what has no option goes into a file: --config pool.json`);
    if (given.has(name)) throw new UsageError(`${rawName} is given twice`);
    if (OPTIONS[name].type === 'boolean') {
      if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    } else if (value === undefined || value === '' || (value.startsWith('-') && !inlineValue)) {
      throw new UsageError(`${rawName} needs a value`);
    }
    given.set(name, value ?? '');
  }
  if (given.has('help')) return { ask: 'help' };
  if (given.has('version')) return { ask: 'version' };
  return { ask: 'run', servers, ...Object.fromEntries(given) };
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

function parseServer(text: string): ServerArgument {
  const [address, ...parts] = text.split(';');
  const options = new Map<string, unknown>([['address', address]]);
  for (const part of parts) {
    const [key = '', ...rest] = part.split('=');
    if (key === '') throw new UsageError(`'${text}': '${part}' is no key=value`);
    if (options.has(key)) throw new UsageError(`'${text}': ${key} is given twice`);
    const value = rest.join('=');
    options.set(key, rest.length === 0 ? true : TEXT_KEYS.has(key) ? value : asOption(value));
  }
  return { text, options: Object.fromEntries(options) };
}

/** A word of the command line as an option's value: numbers and truth values are no text. */
export function asOption(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
}
