import { OptionReader, show } from '../core/options.ts';
import { MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { oneLine } from './health-check.ts';
import { asHexBytes, readRegExp } from './patterns.ts';
import type { StepRun } from './step-run.ts';
import { NOT_SUPPORTED_OF_EXPECT, readStatuses, type Statuses, type StatusOptions } from './step-status.ts';
import { askedAt, bytesOf, type StepBytes } from './step-texts.ts';

type Kind = 'string' | 'binary' | 'rstring' | 'rbinary';

/**
 * HAProxy's phrase: `'string +PONG'`, `'rstring ^220 '`, `'binary 2b4f4b'`, `'rbinary ^2B4F'`; after `! ` what must not
 * come.
 */
export type ByteExpectPhrase = `${Kind} ${string}` | `! ${Kind} ${string}`;

/** How an answer is looked at. */
export interface ByteExpectOptions extends StatusOptions {
  /** It must not be there. Default: `false`. */
  readonly not?: boolean;
  /**
   * From how many bytes on the answer is decided upon. -1: while it is not there, more is waited for, until the server
   * closes, 16 KiB have come or the time is up. Give a size where `not` is set, or the server must close. Default: -1.
   */
  readonly minRecv?: number;
}

type OneOf<T> = { [K in keyof T]: { readonly [P in K]: T[P] } }[keyof T];

/**
 * What must be in the answer: a text (or what a function gives), bytes in hex, or a regular expression over the text or over
 * upper-case hex.
 */
export type ByteExpectObject = ByteExpectOptions &
  OneOf<{ string: StepBytes; binary: string; rstring: string | RegExp; rbinary: string | RegExp }>;

/** What an answer must hold to pass. HAProxy: `tcp-check expect`. */
export type ByteExpectOption = ByteExpectPhrase | ByteExpectObject;

/** What bytes must or must not hold, and when that is decided. */
export interface BytesWanted {
  readonly not: boolean;
  readonly minRecv: number;
  /** Fewest bytes that can decide: a text cannot be missing before as many have come as it is long. */
  readonly least: number;
  readonly found: (answer: Buffer) => boolean;
}

/** An expectation, read. */
export interface ByteExpect extends BytesWanted, Statuses {
  /** As HAProxy names it: `expect string '+PONG'`. */
  readonly words: string;
  /** Gives what is expected in this run, where a function says so. */
  readonly bind?: ((run: StepRun) => ByteExpect) | undefined;
}

export type Judgement = 'held' | 'missed' | 'wait';

/** @param last nothing more will come, or be looked at. @see HAProxy tcpcheck.c:tcpcheck_eval_expect */
export function judge({ not, minRecv, least, found }: BytesWanted, answer: Buffer, last: boolean): Judgement {
  if (!last && answer.length < Math.max(least, minRecv)) return 'wait';
  const isFound = found(answer);
  if (!isFound && !last && minRecv === -1) return 'wait';
  return isFound === not ? 'missed' : 'held';
}

/** What came, for a description: as text where it is one, else in hex. */
export function excerpt(answer: Buffer): string {
  const start = answer.subarray(0, 40);
  const text = start.toString('latin1');
  const more = answer.length > start.length ? '...' : '';
  return /^[\t\r\n -~]+$/.test(text)
    ? `${JSON.stringify(oneLine(text))}${more}`
    : `${start.toString('hex')}${more} (hex)`;
}

const ALLOWED =
  "'string +PONG', 'rstring ^220 ', 'binary 2b4f4b' or 'rbinary ^2B4F', after '! ' what must not come; or { string | rstring | binary | rbinary, not?, minRecv?, okStatus?, errorStatus?, toutStatus?, onSuccess?, onError? }";
const KINDS: readonly Kind[] = ['string', 'rstring', 'binary', 'rbinary'];

export function readByteExpect(read: OptionReader, key: string): ByteExpect | undefined {
  const value = read.any(key);
  let given = value;
  if (typeof value === 'string') {
    const [, negation, kind = '', pattern] = /^(! ?)?(r?string|r?binary) (.+)$/s.exec(value) ?? [];
    given = kind === '' ? undefined : { [kind]: pattern, not: negation !== undefined };
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    read.fault(key, value, ALLOWED);
    return undefined;
  }
  const options = new OptionReader(given, read.pathOf(key), read.faults);
  options.notSupported({
    ...NOT_SUPPORTED_OF_EXPECT,
    'string-lf': "not supported (HAProxy: tcp-check expect string-lf); give 'string' a function",
    'binary-lf': "not supported (HAProxy: tcp-check expect binary-lf); give 'string' a function",
  });
  const [kind, ...more] = KINDS.filter((name) => options.has(name));
  if (kind === undefined || more.length > 0) {
    if (kind === undefined) read.fault(key, value, ALLOWED);
    else
      read.reject(
        key,
        `${show(value)} has ${[kind, ...more].map((name) => `'${name}'`).join(' and ')}: for several expectations give several steps`,
      );
    return undefined;
  }
  const asked = kind === 'string' ? askedAt(options, kind) : undefined;
  const pattern = asked ? literal(Buffer.alloc(0), 'string') : readPattern(options, kind);
  const not = options.boolean('not', { default: false });
  const minRecv = options.integer('minRecv', { default: -1, min: -1, max: MAX_ANSWER_BYTES });
  const statuses = readStatuses(options, 'L7RSP');
  options.rejectUnknown();
  const expecting = (what: Pattern): ByteExpect => ({
    ...statuses,
    ...what,
    not,
    minRecv,
    words: `expect ${not ? '! ' : ''}${what.words}`,
  });
  const bind = asked && ((run: StepRun) => expecting(textPattern(bytesOf(run, asked))));
  return pattern && { ...expecting(pattern), bind };
}

type Pattern = Pick<ByteExpect, 'least' | 'found' | 'words'>;

function readPattern(read: OptionReader, kind: Kind): Pattern | undefined {
  switch (kind) {
    case 'string': {
      const text = readText(read, kind);
      return text && textPattern(text);
    }
    case 'binary': {
      const bytes = read.read(kind, undefined, 'pairs of hexadecimal digits', (value) => fitting(asHexBytes(value)));
      return bytes && literal(bytes, `binary '${oneLine(bytes.toString('hex'))}'`);
    }
    case 'rstring': {
      const regExp = readRegExp(read, kind);
      return (
        regExp && { least: 1, found: (answer) => regExp.test(answer.toString()), words: `regex '${regExp.source}'` }
      );
    }
    case 'rbinary': {
      const regExp = readRegExp(read, kind);
      const found = (answer: Buffer): boolean => regExp?.test(answer.toString('hex').toUpperCase()) ?? false;
      return regExp && { least: 1, found, words: `binary regex '${regExp.source}'` };
    }
  }
}

/** A text to look for, as UTF-8. */
export function readText(read: OptionReader, key: string): Buffer | undefined {
  return read.read(key, undefined, `a text of 1 to ${MAX_ANSWER_BYTES} bytes, or a function that gives it`, (value) =>
    typeof value === 'string' && value !== '' ? fitting(Buffer.from(value)) : undefined,
  );
}

function textPattern(text: Buffer): Pattern {
  return literal(text, `string '${oneLine(text.toString())}'`);
}

function literal(pattern: Buffer, words: string): Pattern {
  return { ...containing(pattern), words };
}

/** Bytes that must be somewhere in an answer. */
export function containing(pattern: Buffer): Pick<BytesWanted, 'least' | 'found'> {
  return { least: pattern.length, found: (answer) => answer.includes(pattern) };
}

function fitting(bytes: Buffer | undefined): Buffer | undefined {
  return bytes && bytes.length <= MAX_ANSWER_BYTES ? bytes : undefined;
}
