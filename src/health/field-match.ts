import { OptionReader } from '../core/options.ts';
import { asRegExp, whyNoRegExp } from './patterns.ts';
import { askedOf, type StepRun } from './step-run.ts';
import { type StepText, textOf } from './step-texts.ts';

const METHODS = ['str', 'beg', 'end', 'sub', 'reg'] as const;

type Method = (typeof METHODS)[number];

/**
 * A text as it must be; how it begins or ends, what it holds; or a regular expression. A text may be given by a function.
 * HAProxy: `-m`.
 */
export type TextMatch =
  | StepText
  | RegExp
  | { readonly str: StepText }
  | { readonly beg: StepText }
  | { readonly end: StepText }
  | { readonly sub: StepText }
  | { readonly reg: string | RegExp };

/** Which field an answer must have. Case matters in its value, and not in its name. */
export interface FieldMatch {
  readonly name: TextMatch;
  /** Default: any. */
  readonly value?: TextMatch;
}

type Test = (text: string) => boolean;

/** A field that is looked for, read. */
export interface Field {
  readonly name: Test;
  readonly value: Test;
  /** As HAProxy would write it. */
  readonly phrase: string;
  /** Gives what is looked for in this run, where a function says so. @throws {StepFault} */
  readonly bind?: ((run: StepRun) => Field) | undefined;
}

export const FIELD_FORMS =
  "'name x-role value master', 'name -m beg x- value -m reg ^[0-9]+$', or { name, value? } of texts, RegExps, { str }, { beg }, { end }, { sub } or { reg }";

/** Reads the field at `key`; `undefined` where it is wrong. */
export function readField(read: OptionReader, key: string): Field | undefined {
  const value = read.any(key);
  const given = typeof value === 'string' ? fromPhrase(value) : value;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    read.fault(key, value, FIELD_FORMS);
    return undefined;
  }
  const options = new OptionReader(given, read.pathOf(key), read.faults);
  const name = readMatch(options, 'name', true);
  const wanted = options.has('value') ? readMatch(options, 'value', false) : ANY;
  if (!options.has('name')) options.fault('name', undefined, FIELD_FORMS);
  options.rejectUnknown();
  if (!name || !wanted) return undefined;
  const looking = (one: Match, other: Match): Field => ({
    name: one.test,
    value: other.test,
    phrase: `name ${one.phrase}${other.phrase === undefined ? '' : ` value ${other.phrase}`}`,
  });
  const bind = (name.bind || wanted.bind) && ((run: StepRun) => looking(bound(name, run), bound(wanted, run)));
  return { ...looking(name, wanted), bind };
}

/** A text or an expression that is looked for, read. */
interface Match {
  readonly test: Test;
  /** `undefined`: whatever is there. */
  readonly phrase: string | undefined;
  readonly bind?: (run: StepRun) => Match;
}

const ANY: Match = { test: () => true, phrase: undefined };

function bound(match: Match, run: StepRun): Match {
  return match.bind?.(run) ?? match;
}

/** Whether one of these fields (names and values in turn) is meant. @param whole its value is one, commas and all */
export function hasField(headers: readonly string[], { name, value }: Field, whole: boolean): boolean {
  for (let at = 0; at < headers.length; at += 2) {
    if (!name((headers[at] as string).toLowerCase())) continue;
    const text = headers[at + 1] as string;
    if (whole ? value(text) : splitAtCommas(text).some(value)) return true;
  }
  return false;
}

/** The values of a field that holds a list; commas in quoted strings are none of its own. */
function splitAtCommas(text: string): string[] {
  const values: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (quoted && character === '\\') at++;
    else if (character === '"') quoted = !quoted;
    else if (at === text.length || (character === ',' && !quoted)) {
      values.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return values;
}

function fromPhrase(phrase: string): FieldMatch | undefined {
  const [, name, value] = /^name ((?:-m \w+ )?\S+)(?: value (.+))?$/s.exec(phrase) ?? [];
  if (name === undefined) return undefined;
  const match = (text: string): TextMatch => {
    const [, method, pattern] = /^-m (\w+) (.+)$/s.exec(text) ?? [];
    return method === undefined ? text : ({ [method]: pattern } as unknown as TextMatch);
  };
  return { name: match(name), ...(value !== undefined && { value: match(value) }) };
}

function readMatch(read: OptionReader, key: string, anyCase: boolean): Match | undefined {
  const value = read.any(key);
  const [method, pattern] = methodOf(value);
  if (method === 'reg') {
    const given = asRegExp(pattern);
    const regExp = given && anyCase ? new RegExp(given.source, given.flags.replace('i', '').concat('i')) : given;
    if (regExp) return { test: (text) => regExp.test(text), phrase: `-m reg ${regExp.source}` };
  } else if (method !== undefined) {
    const matching = (text: string): Match => ({
      test: testOf(method, anyCase ? text.toLowerCase() : text),
      phrase: method === 'str' ? text : `-m ${method} ${text}`,
    });
    if (typeof pattern === 'string' && pattern !== '') return matching(pattern);
    const asked = askedOf(pattern, read.pathOf(key), key);
    if (asked) {
      const bind = (run: StepRun): Match =>
        matching(textOf(run, asked, 'a text that is not empty', (text) => text !== ''));
      return { ...matching('by a function'), bind };
    }
  }
  const why = method === 'reg' ? whyNoRegExp(pattern) : undefined;
  if (why !== undefined) read.reject(key, why);
  else if (value !== undefined) read.fault(key, value, FIELD_FORMS);
  return undefined;
}

function methodOf(value: unknown): [Method | undefined, unknown] {
  if (typeof value === 'string' || typeof value === 'function') return ['str', value];
  if (value instanceof RegExp) return ['reg', value];
  if (typeof value !== 'object' || value === null) return [undefined, undefined];
  const entries = Object.entries(value);
  const [name, pattern] = entries[0] ?? [];
  return [entries.length === 1 ? METHODS.find((method) => method === name) : undefined, pattern];
}

function testOf(method: Exclude<Method, 'reg'>, pattern: string): Test {
  switch (method) {
    case 'str':
      return (text) => text === pattern;
    case 'beg':
      return (text) => text.startsWith(pattern);
    case 'end':
      return (text) => text.endsWith(pattern);
    case 'sub':
      return (text) => text.includes(pattern);
  }
}
