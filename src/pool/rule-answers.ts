import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import type { TerminationFlags } from '../core/errors.ts';
import { type OptionReader, OptionReader as Reader } from '../core/options.ts';
import { type Answer, readAnswer } from './answers.ts';

/** An answer that a rule gives in place of a server's. */
export interface RuleAnswer {
  /** 200 to 599. Default: 403 of `deny`, 502 of a response's; 500 of `tarpit`; 200 of `return`. */
  readonly status?: number;
  /** Fields of the answer; those that frame it are ours. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Text goes as UTF-8, and as `text/plain` unless `headers` say otherwise. Default: ours of that status, or that of `errorfiles`; none of `return`. */
  readonly body?: string | Buffer;
}

/** The answer of a rule, which ends the rules: the request goes no further. */
export interface Ruling {
  readonly flags: TerminationFlags;
  readonly status: number;
  readonly headers: Answer['headers'];
  /** `undefined`: the body, and the other fields, are those of our answer of that status. */
  readonly body: Buffer | undefined;
  /** The client is made to wait for it. */
  readonly tarpit: boolean;
}

/** Gives the answer; `undefined` where the rule does not apply after all. */
export type AnswerAction<Context> = (context: Context) => Ruling | undefined;

/** Reads `deny`: `true`, a status, or an answer. */
export function readDenial<Context>(
  read: OptionReader,
  key: 'deny' | 'tarpit',
  status: number,
  flags: TerminationFlags,
): AnswerAction<Context> | undefined {
  const value = read.any(key);
  const allowed = 'true, a status from 200 to 599, or { status, headers, body }';
  const given: unknown = value === true ? {} : typeof value === 'number' ? { status: value } : value;
  if (typeof given !== 'object' || given === null) {
    read.fault(key, value, allowed);
    return undefined;
  }
  const answer = new Reader(given, read.pathOf(key), read.faults);
  const ruling = rulingOf(answer, status, flags, key === 'tarpit');
  return () => ruling;
}

/** Reads `return`: an answer, or a function that gives one. */
export function readReturn<Context>(
  read: OptionReader,
  key: 'return',
  flags: TerminationFlags,
): AnswerAction<Context> | undefined {
  const value = read.any(key);
  if (typeof value === 'function') {
    const give = value as (context: Context) => unknown;
    return (context) => {
      const given = atOnce(give(context));
      if (given === undefined) return undefined;
      const faults: Reader['faults'] = [];
      const ruling = whole(rulingOf(new Reader(given, read.pathOf(key), faults), 200, flags, false));
      if (faults[0]) throw new TypeError(`${faults[0].path}: ${faults[0].message}`);
      return ruling;
    };
  }
  const given: unknown = value === true ? {} : value;
  const ruling = whole(rulingOf(new Reader(given, read.pathOf(key), read.faults), 200, flags, false));
  return () => ruling;
}

function whole(ruling: Ruling): Ruling {
  return { ...ruling, body: ruling.body ?? Buffer.alloc(0) };
}

function rulingOf(read: Reader, status: number, flags: TerminationFlags, tarpit: boolean): Ruling {
  const hasBody = read.has('body');
  const isText = typeof read.any('body') === 'string';
  const answer = readAnswer(read, status);
  const named = answer.headers.some(([name]) => name.toLowerCase() === 'content-type');
  const headers: Answer['headers'] =
    isText && !named ? [...answer.headers, ['content-type', 'text/plain; charset=utf-8']] : answer.headers;
  if (answer.body.length > 0 && (answer.status === 204 || answer.status === 304))
    read.reject('body', `an answer of status ${answer.status} has no body`);
  return { flags, status: answer.status, headers, body: hasBody ? answer.body : undefined, tarpit };
}

/** What the types of rules call a function that gives an answer. */
export type AnswerFunction<Context extends RequestContext> = (context: Context) => RuleAnswer | undefined;
