import { atOnce } from '../core/at-once.ts';
import { type OptionReader, show } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import type { FieldMap } from '../http1/request-head.ts';

/** A field's name and its value, or a function that gives it; `undefined` leaves the message as it is. */
export type FieldRule<Context> = readonly [name: string, value: string | ((context: Context) => string | undefined)];

/** Fields that rules may change, by lower-case name; repeated ones are arrays. */
export type Headers = Record<string, string | string[] | undefined>;

/** Called when a user's function throws: which one, and what. */
export type ReportFault = (sample: string, error: unknown) => void;

/** Changes fields of a message. */
export type FieldAction<Context> = (context: Context, headers: Headers) => void;

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

/** Reads `setHeader` and `addHeader`. */
export function readFieldRule<Context>(
  read: OptionReader,
  name: 'setHeader' | 'addHeader',
): FieldAction<Context> | undefined {
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

/** Reads `delHeader`. */
export function readFieldRemoval<Context>(read: OptionReader, name: 'delHeader'): FieldAction<Context> | undefined {
  const field = readName(read, name, read.any(name));
  return field === undefined ? undefined : (_context, headers) => void delete headers[field];
}

/** Reads `call`. */
export function readCall<Context>(read: OptionReader, name: 'call'): FieldAction<Context> | undefined {
  const call = read.function<(context: Context) => void>(name);
  return call && ((context) => atOnce(call(context)));
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
