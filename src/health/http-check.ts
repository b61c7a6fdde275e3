import { serverName } from '../connections/dial.ts';
import type { OptionReader } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import type { HealthCheck } from './health-check.ts';
import { EXPECT_SUCCESS, type Expect, type ExpectOption, readExpects } from './http-expect.ts';
import { HttpProbe } from './http-probe.ts';
import { ProbeConnection } from './probe-connection.ts';

/** What a check over HTTP asks, and what answer it takes. HAProxy: `option httpchk`, `http-check send`, `http-check expect`. */
export interface HttpCheckOptions {
  readonly type: 'http';
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
  /** What the answer must be; of several, all must hold. Default: `'status 200-399'`. Redirects are not followed. */
  readonly expect?: ExpectOption | readonly ExpectOption[];
}

/** HAProxy's phrase, taken literally: method (OPTIONS), target, version (HTTP/1.0) and Host (none), in this order. */
export type HttpchkPhrase = `/${string}` | `${string} ${string}`;

type Field = readonly [name: string, value: string];

interface CheckRequest {
  readonly method: string;
  readonly uri: string;
  readonly version: string;
  readonly fields: readonly Field[];
  readonly body: string;
  /** `Host` is the server's own. */
  readonly ownHost: boolean;
}

const TARGET = /^(?:\/[!-~]*|\*|https?:\/\/[!-~]+)$/;
const VERSIONS = ['HTTP/1.0', 'HTTP/1.1'] as const;
const WITHOUT_BODY: readonly string[] = ['OPTIONS', 'GET', 'HEAD', 'DELETE'];

export function readHttpCheck(read: OptionReader): HealthCheck {
  const method = read.read('method', 'GET', 'an HTTP method other than CONNECT', asMethod);
  const uri = read.string('uri', { default: '/', allowed: "a target: '/health'", test: TARGET });
  const version = read.oneOf('version', VERSIONS, { default: 'HTTP/1.1' });
  const fields = readFields(read);
  const body = read.read('body', '', 'a string', (value) => (typeof value === 'string' ? value : undefined));
  const expects = readExpects(read);
  if (method === 'HEAD' && expects.some(({ kind }) => kind === 'string'))
    read.reject('expect', "an answer to HEAD has no body to look for a string in; allowed with it: 'status 200-299'");
  return httpCheck({ method, uri, version, fields, body, ownHost: !hasField(fields, 'host') }, expects);
}

/** Reads HAProxy's phrase `[<method>] <uri> [<version> [<host>]]`; `undefined`: it is none. */
export function parseHttpchk(phrase: string): HealthCheck | undefined {
  const words = phrase.trim().split(/ +/);
  if (words.length === 1) words.unshift('OPTIONS');
  const [method, uri = '', version = 'HTTP/1.0', host, ...more] = words;
  const fields: Field[] = host === undefined ? [] : [['Host', host]];
  const fits = asMethod(method) && TARGET.test(uri) && VERSIONS.some((known) => known === version);
  if (!fits || method === undefined || !isFieldValue(host ?? '') || more.length > 0) return undefined;
  return httpCheck({ method, uri, version, fields, body: '', ownHost: false }, [EXPECT_SUCCESS]);
}

/** `method`, `uri`, `version` and so on as in `option httpchk`. */
function httpCheck(request: CheckRequest, expects: readonly Expect[]): HealthCheck {
  const givenHost = request.fields.find(([name]) => name.toLowerCase() === 'host')?.[1];
  return {
    run(probe, onResult) {
      const ownHost = request.ownHost ? probe.target.address.authority : undefined;
      const exchange = new HttpProbe(request.method, requestBytes(request, ownHost), expects);
      return new ProbeConnection(probe, serverName(probe.target, givenHost ?? ownHost), exchange, onResult).cancel;
    },
  };
}

function requestBytes({ method, uri, version, fields, body }: CheckRequest, ownHost: string | undefined): Buffer {
  let head = `${method} ${uri} ${version}\r\n`;
  if (ownHost !== undefined) head += `Host: ${ownHost}\r\n`;
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
  if (!hasField(fields, 'connection')) head += 'Connection: close\r\n';
  if (body !== '' || !WITHOUT_BODY.includes(method)) head += `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  return body === '' ? bytes : Buffer.concat([bytes, Buffer.from(body)]);
}

function asMethod(value: unknown): string | undefined {
  return typeof value === 'string' && isToken(value) && value !== 'CONNECT' ? value : undefined;
}

function hasField(fields: readonly Field[], wanted: string): boolean {
  return fields.some(([name]) => name.toLowerCase() === wanted);
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
