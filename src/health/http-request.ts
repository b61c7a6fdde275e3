import type { OptionReader } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';

/** One request of a check over HTTP. HAProxy: `http-check send`. */
export interface HttpRequestOptions {
  /** Any but CONNECT. Default: `'GET'` (HAProxy: OPTIONS). */
  readonly method?: string;
  /** The request's target, as it is sent. Default: `'/'`. */
  readonly uri?: `/${string}` | '*' | `http://${string}` | `https://${string}`;
  /** Default: `'HTTP/1.1'` (HAProxy: HTTP/1.0). */
  readonly version?: 'HTTP/1.0' | 'HTTP/1.1';
  /**
   * Fields to send. `Host` is the server's own and `Connection` is `close` unless given here; `Content-Length` is set as
   * the body needs it. Default: none.
   */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** A body to send, as UTF-8. Default: none. */
  readonly body?: string;
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
  readonly body: string;
  /** The `Host` that is given; `null`: none is sent; `undefined`: the server's own. */
  readonly host: string | null | undefined;
}

const TARGET = /^(?:\/[!-~]*|\*|https?:\/\/[!-~]+)$/;
const VERSIONS = ['HTTP/1.0', 'HTTP/1.1'] as const;
const WITHOUT_BODY: readonly string[] = ['OPTIONS', 'GET', 'HEAD', 'DELETE'];

export function readRequest(read: OptionReader): CheckRequest {
  const fields = readFields(read);
  return {
    method: read.read('method', 'GET', 'an HTTP method other than CONNECT', asMethod),
    uri: read.string('uri', { default: '/', allowed: "a target: '/health'", test: TARGET }),
    version: read.oneOf('version', VERSIONS, { default: 'HTTP/1.1' }),
    fields,
    body: read.read('body', '', 'a string', (value) => (typeof value === 'string' ? value : undefined)),
    host: fieldOf(fields, 'host'),
  };
}

/** Reads HAProxy's phrase `[<method>] <uri> [<version> [<host>]]`; `undefined`: it is none. */
export function requestOfPhrase(phrase: string): CheckRequest | undefined {
  const words = phrase.trim().split(/ +/);
  if (words.length === 1) words.unshift('OPTIONS');
  const [method, uri = '', version = 'HTTP/1.0', host, ...more] = words;
  const fields: Field[] = host === undefined ? [] : [['Host', host]];
  const fits = asMethod(method) && TARGET.test(uri) && VERSIONS.some((known) => known === version);
  if (!fits || method === undefined || !isFieldValue(host ?? '') || more.length > 0) return undefined;
  return { method, uri, version, fields, body: '', host: host ?? null };
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
  if (sendsLength(request)) head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return body === '' ? bytes : Buffer.concat([bytes, Buffer.from(body)]);
}

/** Whether a request tells the length of its body: it has one, or its method usually has. */
export function sendsLength({ method, body }: CheckRequest): boolean {
  return body !== '' || !WITHOUT_BODY.includes(method);
}

function asMethod(value: unknown): string | undefined {
  return typeof value === 'string' && isToken(value) && value !== 'CONNECT' ? value : undefined;
}

function fieldOf(fields: readonly Field[], wanted: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** Fields that frame the request; they follow from its body. */
const FRAMING: readonly string[] = ['content-length', 'transfer-encoding'];

function readFields(read: OptionReader): Field[] {
  const allowed = 'an object of field names and values (text, or an array of it)';
  const raw = read.read('headers', {}, allowed, (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  );
  const fields: Field[] = [];
  for (const [name, given] of Object.entries(raw)) {
    const key = `headers.${name}`;
    if (!isToken(name)) read.fault(key, name, "a name of letters, digits and !#$%&'*+-.^_`|~");
    else if (FRAMING.includes(name.toLowerCase())) read.fault(key, given, 'nothing: it follows from `body`');
    else {
      for (const value of Array.isArray(given) ? (given as unknown[]) : [given]) {
        if (typeof value === 'string' && isFieldValue(value)) fields.push([name, value]);
        else read.fault(key, value, 'latin1 text without control characters');
      }
    }
  }
  return fields;
}
