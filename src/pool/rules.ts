import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { type OptionReader, OptionReader as Reader, show } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import type { FieldMap } from '../http1/request-head.ts';

/** A field's name and its value, or a function that gives it; `undefined` leaves the message as it is. */
export type FieldRule<Context> = readonly [name: string, value: string | ((context: Context) => string | undefined)];

interface Condition<Context> {
  /** The rule holds only where this returns true. */
  readonly if?: (context: Context) => boolean;
}

/** One action on a message. HAProxy: `http-request` and `http-response` rules of the same names. */
export type HeaderRule<Context> = Condition<Context> &
  (
    | { /** Takes the place of all fields of that name. */ readonly setHeader: FieldRule<Context> }
    | { /** Adds a line, whatever is there. */ readonly addHeader: FieldRule<Context> }
    | { /** Removes all fields of that name. */ readonly delHeader: string }
    | { /** Calls a function, which may change `context.headers`. */ readonly call: (context: Context) => void }
  );

/** What a request rule sees. Its `headers` are a copy: changes go to the server and not to the framework. */
export interface RequestRuleContext<R = unknown> extends RequestContext<R> {
  readonly headers: Record<string, string | string[] | undefined>;
}

/** The response as a response rule sees it. */
export interface RuleResponse {
  status: number;
  /** By lower-case name; repeated fields are arrays. */
  readonly headers: Record<string, string | string[] | undefined>;
}

/** What a response rule sees; its changes go to the client. */
export interface ResponseRuleContext<R = unknown> extends RequestContext<R> {
  readonly response: RuleResponse;
}

/** Called when a user's function throws: which one, and what. */
export type ReportFault = (sample: string, error: unknown) => void;

/** A list of rules, compiled. */
export interface CompiledRules<Context> {
  /** Applies the rules in order to `headers`. A rule that throws is reported and left out. */
  apply(context: Context, headers: Record<string, string | string[] | undefined>, report: ReportFault): void;
}

type Headers = Record<string, string | string[] | undefined>;
type Action<Context> = (context: Context, headers: Headers) => void;

const ACTIONS = ['setHeader', 'addHeader', 'delHeader', 'call'] as const;

/** HAProxy's actions that are known and not here. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = Object.fromEntries(
  ['deny', 'tarpit', 'return', 'redirect', 'setTimeout', 'setPriority', 'disableL7Retry', 'track'].map((action) => [
    action,
    `not supported (HAProxy: http-request ${action.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)})`,
  ]),
);

/** Fields that frame the message or speak of one connection: ours to decide. */
export const UNTOUCHABLE: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Reads `httpRequest` or `httpResponse`; `undefined` when there are no rules. */
export function readRules<Context>(
  read: OptionReader,
  key: 'httpRequest' | 'httpResponse',
): CompiledRules<Context> | undefined {
  const list = read.list(key, 'an array of rules');
  if (!list || list.length === 0) return undefined;
  const steps = list.map((raw, index) =>
    compile<Context>(new Reader(raw, `${read.pathOf(key)}[${index}]`, read.faults)),
  );
  return {
    apply(context, headers, report) {
      for (const step of steps) {
        try {
          if (step.condition === undefined || atOnce(step.condition(context))) step.action(context, headers);
        } catch (error) {
          report(step.path, error);
        }
      }
    },
  };
}

function compile<Context>(read: OptionReader): {
  path: string;
  condition: ((context: Context) => boolean) | undefined;
  action: Action<Context>;
} {
  const condition = read.function<(context: Context) => boolean>('if');
  read.notSupported(NOT_SUPPORTED);
  const present = ACTIONS.filter((name) => read.has(name));
  const [name] = present;
  let action: Action<Context> = () => {};
  if (present.length > 1) read.reject(present[1] ?? '', 'a rule has one action; make it two rules');
  else if (name === undefined) {
    if (!Object.keys(NOT_SUPPORTED).some((key) => read.has(key))) {
      read.faults.push({
        path: read.path,
        value: undefined,
        message: `the rule has no action; allowed: ${ACTIONS.join(', ')}`,
      });
    }
  } else action = readAction<Context>(read, name) ?? action;
  for (const other of present) read.any(other);
  read.rejectUnknown();
  return { path: name ? read.pathOf(name) : read.path, condition, action };
}

function readAction<Context>(read: OptionReader, name: (typeof ACTIONS)[number]): Action<Context> | undefined {
  if (name === 'call') {
    const call = read.function<(context: Context) => void>('call');
    return call && ((context) => atOnce(call(context)));
  }
  if (name === 'delHeader') {
    const field = readName(read, name, read.any(name));
    return field === undefined ? undefined : (_context, headers) => delete headers[field];
  }
  const pair = read.any(name);
  if (!Array.isArray(pair) || pair.length !== 2) {
    read.fault(name, pair, "[name, value], the value a string or a function: ['x-env', 'prod']");
    return undefined;
  }
  const field = readName(read, name, pair[0]);
  const value = readValue<Context>(read, name, pair[1]);
  if (field === undefined || value === undefined) return undefined;
  const put = name === 'setHeader' ? set : add;
  return (context, headers) => {
    const text = atOnce(value(context));
    if (text === undefined) return;
    if (typeof text !== 'string' || !isFieldValue(text))
      throw new TypeError(`${show(text)} cannot be the value of the field ${field}`);
    put(headers, field, text);
  };
}

function set(headers: Headers, name: string, value: string): void {
  headers[name] = value;
}

function add(headers: Headers, name: string, value: string): void {
  const known = headers[name];
  headers[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
}

function readName(read: OptionReader, key: string, name: unknown): string | undefined {
  if (typeof name === 'string' && isToken(name) && !UNTOUCHABLE.has(name.toLowerCase())) return name.toLowerCase();
  read.fault(key, name, `a field's name, none of ${[...UNTOUCHABLE].join(', ')}`);
  return undefined;
}

function readValue<Context>(
  read: OptionReader,
  key: string,
  value: unknown,
): ((context: Context) => string | undefined) | undefined {
  if (typeof value === 'function') return value as (context: Context) => string | undefined;
  if (typeof value === 'string' && isFieldValue(value)) return () => value;
  read.fault(key, value, "a field's value without control characters, or a function that gives one");
  return undefined;
}

/** A copy of a request's fields that rules may change. */
export function copyFields(headers: FieldMap): Headers {
  const copy: Headers = Object.create(null);
  for (const name in headers) {
    const value = headers[name];
    copy[name] = typeof value === 'string' || value === undefined ? value : [...value];
  }
  return copy;
}

/** Names and values in turn, by lower-case name. */
export function fieldsOf(list: readonly string[]): Headers {
  const fields: Headers = Object.create(null);
  for (let i = 0; i + 1 < list.length; i += 2) add(fields, (list[i] as string).toLowerCase(), list[i + 1] as string);
  return fields;
}

/**
 * Back to names and values in turn. What cannot be sent is reported and left out; framing stays as it was.
 * @param original the list that `fields` were made from
 */
export function listOf(fields: Headers, original: readonly string[], report: ReportFault): string[] {
  const list: string[] = [];
  for (let i = 0; i + 1 < original.length; i += 2) {
    if ((original[i] as string).toLowerCase() === 'content-length')
      list.push(original[i] as string, original[i + 1] as string);
  }
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined || UNTOUCHABLE.has(name.toLowerCase())) continue;
    for (const line of Array.isArray(value) ? value : [value]) {
      if (isToken(name) && typeof line === 'string' && isFieldValue(line)) list.push(name, line);
      else report('httpResponse', new TypeError(`the field ${show(name)} cannot be sent`));
    }
  }
  return list;
}
