import { OptionReader, show } from '../core/options.ts';
import { MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { type BytesWanted, containing, readText } from './byte-expect.ts';
import { type Field, type FieldMatch, hasField, readField } from './field-match.ts';
import { oneLine } from './health-check.ts';
import { EXPECT_HINTS } from './option-hints.ts';
import { readRegExp } from './patterns.ts';
import type { StepRun } from './step-run.ts';
import { NOT_SUPPORTED_OF_EXPECT, readStatuses, type Statuses, type StatusOptions } from './step-status.ts';
import { askedAt, bytesOf, type StepBytes } from './step-texts.ts';

/** A status, a range of them, or several with commas: `200`, `'200-299'`, `'200,204,300-399'`. */
export type StatusSet =
  | number
  | `${number}`
  | `${number}-${number}`
  | `${number},${string}`
  | `${number}-${number},${string}`;

type Statement = `status ${StatusSet}` | `${Exclude<Kind, 'status'>} ${string}`;

/**
 * HAProxy's phrase: `'status 200-299'`, `'rstatus ^2'`, `'hdr name x-role value master'`, `'string OK'`, `'rstring ^OK'`;
 * after `! ` it is what the answer must not be.
 */
export type ExpectPhrase = Statement | `! ${Statement}`;

/** HAProxy: the options of `http-check expect`. */
interface Common extends StatusOptions {
  /** Default: `false`. */
  readonly not?: boolean;
}

/** What the answer's status must be, or with `not` must not be. HAProxy: `http-check expect status`. */
export interface ExpectStatus extends Common {
  readonly status: StatusSet;
}

/** The same by a regular expression. HAProxy: `http-check expect rstatus`. */
export interface ExpectRegexStatus extends Common {
  readonly rstatus: string | RegExp;
}

/** A field that the answer must have: one of its values, set apart by commas. HAProxy: `http-check expect hdr`. */
export interface ExpectField extends Common {
  readonly hdr: FieldMatch | string;
}

/** A field that the answer must have, by its whole line. HAProxy: `http-check expect fhdr`. */
export interface ExpectWholeField extends Common {
  readonly fhdr: FieldMatch | string;
}

/**
 * What the first 16 KiB of the answer's body must hold, or with `not` must not hold; a text, or what a function gives. Compared byte by byte, as UTF-8; an
 * answer without a body never passes. HAProxy: `http-check expect string`.
 */
export interface ExpectString extends Common {
  readonly string: StepBytes;
  /** From how many bytes of the body on it is decided. -1: while it is not there, more is waited for. Default: -1. */
  readonly minRecv?: number;
}

/** The same by a regular expression. HAProxy: `http-check expect rstring`. */
export interface ExpectRegexString extends Common {
  readonly rstring: string | RegExp;
  /** From how many bytes of the body on it is decided. -1: while it is not there, more is waited for. Default: -1. */
  readonly minRecv?: number;
}

/** One thing that an answer must be to pass. */
export type ExpectOption =
  | ExpectPhrase
  | ExpectStatus
  | ExpectRegexStatus
  | ExpectField
  | ExpectWholeField
  | ExpectString
  | ExpectRegexString;

type Kind = 'status' | 'rstatus' | 'hdr' | 'fhdr' | 'string' | 'rstring';

/** What is known of an answer once its head has come. */
export interface AnswerHead {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
}

/** An expectation of an answer's head, read. */
export interface HeadExpect extends Statuses {
  readonly kind: 'head';
  readonly holds: (head: AnswerHead) => boolean;
  /** As HAProxy would write it. */
  readonly phrase: string;
  /** Gives what is expected in this run, where a function says so. @throws {StepFault} */
  readonly bind?: ((run: StepRun) => HeadExpect) | undefined;
}

/** An expectation of an answer's body, read. */
export interface BodyExpect extends BytesWanted, Statuses {
  readonly kind: 'body';
  /** What is looked for, in quotes. */
  readonly text: string;
  readonly phrase: string;
  readonly bind?: ((run: StepRun) => BodyExpect) | undefined;
}

export type Expect = HeadExpect | BodyExpect;

/** What an answer must be when nothing else is said. */
export const EXPECT_SUCCESS: HeadExpect = {
  kind: 'head',
  holds: ({ status }) => status >= 200 && status <= 399,
  phrase: 'status 200-399',
  ...{ ok: 'L7OK', error: 'L7STS', timeout: 'L7TOUT' },
};

const ALLOWED =
  "'status 200-299', 'rstatus ^2', 'hdr name x-role value master', 'string OK' or 'rstring ^OK', after '! ' what must not be; { status | rstatus | hdr | fhdr | string | rstring, not?, okStatus?, errorStatus?, toutStatus?, onSuccess?, onError? }; or an array of these";
const ONE_EACH = 'for several expectations give an array of them, and among steps several steps';
const STATUSES = "statuses from 100 to 999: 200, '200-299', '200,204,300-399'";
const KINDS: readonly Kind[] = ['status', 'rstatus', 'hdr', 'fhdr', 'string', 'rstring'];
const LATER: readonly string[] = ['string-lf'];

/** Reads the option `expect`: one or several, all of which must hold. */
export function readExpects(read: OptionReader): readonly Expect[] {
  const value = read.any('expect');
  if (value === undefined) return [EXPECT_SUCCESS];
  const items: readonly [string, unknown][] = Array.isArray(value)
    ? (value as unknown[]).map((item, index) => [`expect[${index}]`, item])
    : [['expect', value]];
  if (items.length === 0) read.fault('expect', value, ALLOWED);
  return items.map(([key, item]) => readExpect(read, key, item)).filter((expect) => expect !== undefined);
}

/** Reads one expectation; `undefined` where it is wrong. */
export function readExpect(read: OptionReader, key: string, value: unknown): Expect | undefined {
  if (typeof value !== 'string') return fromObject(read, key, value);
  const [, negation, word = '', rest] = /^(! ?)?([a-z-]+) (.+)$/s.exec(value) ?? [];
  if (LATER.includes(word)) {
    read.faults.push({ path: read.pathOf(key), value, message: notSupported(word) });
    return undefined;
  }
  const kind = KINDS.find((known) => known === word);
  if (kind) return ofKind(new OptionReader({ [key]: rest }, read.path, read.faults), kind, key, negation !== undefined);
  read.fault(key, value, ALLOWED);
  return undefined;
}

function fromObject(read: OptionReader, key: string, value: unknown): Expect | undefined {
  if (Array.isArray(value)) {
    read.faults.push({ path: read.pathOf(key), value, message: `${show(value)} is an array: ${ONE_EACH}` });
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    read.fault(key, value, ALLOWED);
    return undefined;
  }
  const options = new OptionReader(value, read.pathOf(key), read.faults);
  const not = options.boolean('not', { default: false });
  options.notSupported({
    ...NOT_SUPPORTED_OF_EXPECT,
    ...Object.fromEntries(LATER.map((word) => [word, notSupported(word)])),
  });
  const [kind, ...more] = KINDS.filter((known) => options.has(known));
  if (more.length > 0) {
    const message = `${show(value)} has ${[kind, ...more].map((name) => `'${name}'`).join(' and ')}: ${ONE_EACH}`;
    read.faults.push({ path: read.pathOf(key), value, message });
    return undefined;
  }
  const expect = kind && ofKind(options, kind, kind, not);
  if (!kind && !LATER.some((word) => options.has(word))) read.fault(key, value, ALLOWED);
  options.rejectUnknown(EXPECT_HINTS);
  return expect;
}

/** @param key where the pattern stands: under its kind in an object, under the expectation itself in a phrase */
function ofKind(read: OptionReader, kind: Kind, key: string, not: boolean): Expect | undefined {
  const negation = not ? '! ' : '';
  switch (kind) {
    case 'status': {
      const value = read.any(key);
      const ranges = rangesOf(value);
      if (!ranges) read.fault(key, value, STATUSES);
      const holds = ({ status }: AnswerHead): boolean =>
        ranges?.some(([from, to]) => status >= from && status <= to) !== not;
      return ranges && head(read, holds, `${negation}status ${value}`);
    }
    case 'rstatus': {
      const regExp = readRegExp(read, key);
      return (
        regExp && head(read, ({ status }) => regExp.test(String(status)) !== not, `${negation}rstatus ${regExp.source}`)
      );
    }
    case 'hdr':
    case 'fhdr': {
      const field = readField(read, key);
      if (!field) return undefined;
      const statuses = readStatuses(read, 'L7STS');
      const having = (wanted: Field): HeadExpect => ({
        kind: 'head',
        holds: ({ headers }) => hasField(headers, wanted, kind === 'fhdr') !== not,
        phrase: `${negation}${kind} ${wanted.phrase}`,
        ...statuses,
      });
      const { bind } = field;
      return { ...having(field), bind: bind && ((run) => having(bind(run))) };
    }
    case 'string': {
      const asked = askedAt(read, key);
      const text = asked ? Buffer.from('by a function') : readText(read, key);
      if (!text) return undefined;
      const expect = body(read, not, containing(text), '', '');
      const holding = (wanted: Buffer): BodyExpect => ({
        ...expect,
        ...containing(wanted),
        text: JSON.stringify(oneLine(wanted.toString())),
        phrase: `${negation}string '${oneLine(wanted.toString())}'`,
      });
      return { ...holding(text), bind: asked && ((run) => holding(bytesOf(run, asked))) };
    }
    case 'rstring': {
      const regExp = readRegExp(read, key);
      const wanted = regExp && { least: 1, found: (answer: Buffer) => regExp.test(answer.toString()) };
      return wanted && body(read, not, wanted, `what matches ${regExp}`, `${negation}rstring ${regExp.source}`);
    }
  }
}

function head(read: OptionReader, holds: HeadExpect['holds'], phrase: string): HeadExpect {
  return { kind: 'head', holds, phrase, ...readStatuses(read, 'L7STS') };
}

function body(
  read: OptionReader,
  not: boolean,
  wanted: Pick<BytesWanted, 'least' | 'found'>,
  text: string,
  phrase: string,
): BodyExpect {
  const minRecv = read.integer('minRecv', { default: -1, min: -1, max: MAX_ANSWER_BYTES });
  return { kind: 'body', not, minRecv, ...wanted, text, phrase, ...readStatuses(read, 'L7RSP') };
}

function rangesOf(value: unknown): readonly (readonly [from: number, to: number])[] | undefined {
  const ranges: [number, number][] = [];
  for (const part of typeof value === 'number' || typeof value === 'string' ? String(value).split(',') : ['']) {
    const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(part) ?? [];
    if (!(Number(from) >= 100 && Number(to) >= Number(from))) return undefined;
    ranges.push([Number(from), Number(to)]);
  }
  return ranges;
}

function notSupported(word: string): string {
  return `not supported (HAProxy: http-check expect ${word}); give 'string' a function`;
}
