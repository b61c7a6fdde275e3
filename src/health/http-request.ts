import type { OptionReader } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import { type Asked, askedOf, type StepFunction, type StepRun } from './step-run.ts';
import { askedAt, bytesOf, type StepBytes, type StepText, textOf } from './step-texts.ts';

/** One request of a check over HTTP. HAProxy: `http-check send`. */
export interface HttpRequestOptions {
  /** Any but CONNECT. Default: `'GET'` (HAProxy: OPTIONS). */
  readonly method?: string;
  /** The request's target, as it is sent, or a function that gives it. Default: `'/'`. */
  readonly uri?: `/${string}` | '*' | `http://${string}` | `https://${string}` | StepFunction<string>;
  /** Default: `'HTTP/1.1'` (HAProxy: HTTP/1.0). */
  readonly version?: 'HTTP/1.0' | 'HTTP/1.1';
  /**
   * Fields to send. `Host` is the server's own and `Connection` is `close` unless given here; `Content-Length` is set as
   * the body needs it. A value may be given by a function. Default: none.
   */
  readonly headers?: Readonly<Record<string, StepText | readonly StepText[]>>;
  /** A body to send, as UTF-8, or a function that gives it. Default: none. */
  readonly body?: StepBytes;
}

/** HAProxy's phrase, taken literally: method (OPTIONS), target, version (HTTP/1.0) and Host (none), in this order. */
export type HttpchkPhrase = `/${string}` | `${string} ${string}`;

/** A field as it is sent. */
export type Field = readonly [name: string, value: string];

/** A request, read. */
export interface CheckRequest {
  readonly method: string;
  readonly uri: string;
  readonly version: string;
  readonly fields: readonly Field[];
  readonly body: Buffer;
  /** The `Host` that is given; `null`: none is sent; `undefined`: the server's own. */
  readonly host: string | null | undefined;
  /** Gives the request of this run, where functions have a part in it. @throws {StepFault} */
  readonly bind?: ((run: StepRun) => CheckRequest) | undefined;
}

const TARGET = /^(?:\/[!-~]*|\*|https?:\/\/[!-~]+)$/;
const VERSIONS = ['HTTP/1.0', 'HTTP/1.1'] as const;
const WITHOUT_BODY: readonly string[] = ['OPTIONS', 'GET', 'HEAD', 'DELETE'];

const NOTHING = Buffer.alloc(0);

export function readRequest(read: OptionReader): CheckRequest {
  const given = readFields(read);
  const [uri, body] = [askedAt(read, 'uri'), askedAt(read, 'body')];
  const fixed = {
    method: read.read('method', 'GET', 'an HTTP method other than CONNECT', asMethod),
    uri: uri
      ? 'a target by a function'
      : read.string('uri', { default: '/', allowed: "a target: '/health', or a function that gives it", test: TARGET }),
    version: read.oneOf('version', VERSIONS, { default: 'HTTP/1.1' }),
    body: body
      ? NOTHING
      : read.read('body', NOTHING, 'a string, or a function that gives it', (value) =>
          typeof value === 'string' ? Buffer.from(value) : undefined,
        ),
  };
  const fields = given.map(([name, value]): Field => [name, typeof value === 'string' ? value : '']);
  const request = { ...fixed, fields, host: fieldOf(fields, 'host') };
  if (!uri && !body && given.every(([, value]) => typeof value === 'string')) return request;
  const bind = (run: StepRun): CheckRequest => {
    const bound = given.map(
      ([name, value]): Field => [name, typeof value === 'string' ? value : fieldText(run, value)],
    );
    return {
      ...fixed,
      ...(uri && { uri: textOf(run, uri, "a target: '/health'", (text) => TARGET.test(text)) }),
      ...(body && { body: bytesOf(run, body, true) }),
      fields: bound,
      host: fieldOf(bound, 'host'),
    };
  };
  return { ...request, bind };
}

function fieldText(run: StepRun, asked: Asked): string {
  return textOf(run, asked, FIELD_TEXT, isFieldValue);
}

/** Reads HAProxy's phrase `[<method>] <uri> [<version> [<host>]]`; `undefined`: it is none. */
export function requestOfPhrase(phrase: string): CheckRequest | undefined {
  const words = phrase.trim().split(/ +/);
  if (words.length === 1) words.unshift('OPTIONS');
  const [method, uri = '', version = 'HTTP/1.0', host, ...more] = words;
  const fields: Field[] = host === undefined ? [] : [['Host', host]];
  const fits = asMethod(method) && TARGET.test(uri) && VERSIONS.some((known) => known === version);
  if (!fits || method === undefined || !isFieldValue(host ?? '') || more.length > 0) return undefined;
  return { method, uri, version, fields, body: NOTHING, host: host ?? null };
}

/** @param isLast no further request follows over the connection */
export function requestBytes(
  request: CheckRequest,
  authority: string,
  added: readonly Field[],
  isLast: boolean,
): Buffer {
  const { method, uri, version, fields, body, host } = request;
  let head = `${method} ${uri} ${version}\r\n`;
  if (host === undefined) head += `Host: ${authority}\r\n`;
  for (const [name, value] of [...fields, ...added]) head += `${name}: ${value}\r\n`;
  if (isLast && fieldOf(fields, 'connection') === undefined) head += 'Connection: close\r\n';
  if (sendsLength(request)) head += `Content-Length: ${body.length}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return body.length === 0 ? bytes : Buffer.concat([bytes, body]);
}

/** Whether a request tells the length of its body: it has one, or its method usually has. */
export function sendsLength({ method, body }: CheckRequest): boolean {
  return body.length > 0 || !WITHOUT_BODY.includes(method);
}

function asMethod(value: unknown): string | undefined {
  return typeof value === 'string' && isToken(value) && value !== 'CONNECT' ? value : undefined;
}

function fieldOf(fields: readonly Field[], wanted: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** Fields that frame the request; they follow from its body. */
const FRAMING: readonly string[] = ['content-length', 'transfer-encoding'];

const FIELD_TEXT = 'latin1 text without control characters';

function readFields(read: OptionReader): (readonly [name: string, value: string | Asked])[] {
  const allowed = 'an object of field names and values (text, a function that gives it, or an array of these)';
  const raw = read.read('headers', {}, allowed, (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  );
  const fields: (readonly [name: string, value: string | Asked])[] = [];
  for (const [name, given] of Object.entries(raw)) {
    const key = `headers.${name}`;
    if (!isToken(name)) read.fault(key, name, "a name of letters, digits and !#$%&'*+-.^_`|~");
    else if (FRAMING.includes(name.toLowerCase())) read.fault(key, given, 'nothing: it follows from `body`');
    else {
      for (const value of Array.isArray(given) ? (given as unknown[]) : [given]) {
        const asked = askedOf(value, read.pathOf(key), key);
        if (asked) fields.push([name, asked]);
        else if (typeof value === 'string' && isFieldValue(value)) fields.push([name, value]);
        else read.fault(key, value, `${FIELD_TEXT}, or a function that gives it`);
      }
    }
  }
  return fields;
}
