import { OptionReader } from '../core/options.ts';

/** A status, a range of them, or several with commas: `200`, `'200-299'`, `'200,204,300-399'`. */
export type StatusSet =
  | number
  | `${number}`
  | `${number}-${number}`
  | `${number},${string}`
  | `${number}-${number},${string}`;

type Statement = `status ${StatusSet}` | `string ${string}`;

/** HAProxy's phrase: `'status 200-299'`, `'string OK'`; after `! ` it is what the answer must not be. */
export type ExpectPhrase = Statement | `! ${Statement}`;

/** What the answer's status must be, or with `not` must not be. HAProxy: `http-check expect status`. */
export interface ExpectStatus {
  readonly status: StatusSet;
  /** Default: `false`. */
  readonly not?: boolean;
}

/**
 * What the first 16 KiB of the answer's body must hold, or with `not` must not hold. Compared byte by byte, as UTF-8; an
 * answer without a body never passes. HAProxy: `http-check expect string`.
 */
export interface ExpectString {
  readonly string: string;
  /** Default: `false`. */
  readonly not?: boolean;
}

/** One thing that an answer must be to pass. */
export type ExpectOption = ExpectPhrase | ExpectStatus | ExpectString;

/** Most bytes of a body that are looked at. HAProxy: tune.bufsize. */
export const MAX_BODY_BYTES = 16_384;

type StatusRange = readonly [from: number, to: number];

/** An expectation of the status, read. */
export interface StatusExpect {
  readonly kind: 'status';
  readonly not: boolean;
  readonly ranges: readonly StatusRange[];
  /** As HAProxy would write it. */
  readonly phrase: string;
}

/** An expectation of the body, read. */
export interface StringExpect {
  readonly kind: 'string';
  readonly not: boolean;
  readonly text: string;
}

export type Expect = StatusExpect | StringExpect;

/** What an answer must be when nothing else is said. */
export const EXPECT_SUCCESS: StatusExpect = {
  kind: 'status',
  not: false,
  ranges: [[200, 399]],
  phrase: 'status 200-399',
};

export function holds({ ranges, not }: StatusExpect, status: number): boolean {
  return ranges.some(([from, to]) => status >= from && status <= to) !== not;
}

const ALLOWED =
  "'status 200-299', 'status 200,204,300-399' or 'string OK', after '! ' what must not be; { status, not? }, { string, not? }; or an array of these";
const STATUSES = "statuses from 100 to 999: 200, '200-299', '200,204,300-399'";
const TEXT = `a text of 1 to ${MAX_BODY_BYTES} bytes`;
const LATER: readonly string[] = ['rstatus', 'hdr', 'fhdr', 'rstring', 'string-lf', 'binary', 'rbinary', 'binary-lf'];

/** Reads the option `expect`: one or several, all of which must hold. */
export function readExpects(read: OptionReader): readonly Expect[] {
  const value = read.any('expect');
  if (value === undefined) return [EXPECT_SUCCESS];
  const expects: Expect[] = [];
  const add = (key: string, item: unknown): void => {
    const expect = typeof item === 'string' ? fromPhrase(read, key, item) : fromObject(read, key, item);
    if (expect) expects.push(expect);
  };
  if (!Array.isArray(value)) add('expect', value);
  else if (value.length === 0) read.fault('expect', value, ALLOWED);
  else for (const [index, item] of (value as unknown[]).entries()) add(`expect[${index}]`, item);
  return expects;
}

function fromPhrase(read: OptionReader, key: string, phrase: string): Expect | undefined {
  const [, negation, word = '', rest] = /^(! ?)?([a-z-]+) (.+)$/s.exec(phrase) ?? [];
  const not = negation !== undefined;
  if (word === 'status') return statusExpect(read, key, rest, not);
  if (word === 'string') return stringExpect(read, key, rest, not);
  if (LATER.includes(word)) {
    const message = `not supported (HAProxy: http-check expect ${word})`;
    read.faults.push({ path: read.pathOf(key), value: phrase, message });
  } else read.fault(key, phrase, ALLOWED);
  return undefined;
}

function fromObject(read: OptionReader, key: string, value: unknown): Expect | undefined {
  if (typeof value !== 'object' || value === null) {
    read.fault(key, value, ALLOWED);
    return undefined;
  }
  const options = new OptionReader(value, read.pathOf(key), read.faults);
  const not = options.boolean('not', { default: false });
  options.notSupported(
    Object.fromEntries(LATER.map((word) => [word, `not supported (HAProxy: http-check expect ${word})`])),
  );
  let expect: Expect | undefined;
  if (options.has('status')) expect = statusExpect(options, 'status', options.any('status'), not);
  else if (options.has('string')) expect = stringExpect(options, 'string', options.any('string'), not);
  else read.fault(key, value, ALLOWED);
  options.rejectUnknown();
  return expect;
}

function statusExpect(read: OptionReader, key: string, value: unknown, not: boolean): StatusExpect | undefined {
  const ranges: StatusRange[] = [];
  for (const part of typeof value === 'number' || typeof value === 'string' ? String(value).split(',') : ['']) {
    const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(part) ?? [];
    if (Number(from) >= 100 && Number(to) >= Number(from)) ranges.push([Number(from), Number(to)]);
    else {
      read.fault(key, value, STATUSES);
      return undefined;
    }
  }
  return { kind: 'status', not, ranges, phrase: `${not ? '! ' : ''}status ${value}` };
}

function stringExpect(read: OptionReader, key: string, value: unknown, not: boolean): StringExpect | undefined {
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_BODY_BYTES)
    return { kind: 'string', not, text: value };
  read.fault(key, value, TEXT);
  return undefined;
}
