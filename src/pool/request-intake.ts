import { EvenkeelError } from '../core/errors.ts';
import type { ClientRequest } from '../core/exchange.ts';
import { trimmed } from '../core/field-text.ts';
import type { BodyMemory } from '../forward/body-memory.ts';
import { RequestBody } from '../forward/body-replay.ts';
import { isToken } from '../http1/characters.ts';
import type { FieldMap, RequestFraming } from '../http1/request-head.ts';

/** What a framework's body parser may have left on the request. */
interface ParsedRequest {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/** A request that may be carried: its target and body, and its fields where they are not the request's own. */
export interface Intake {
  readonly target: string;
  readonly body: RequestBody;
  readonly headers: FieldMap;
}

/** HTTP methods of which a second time does no more than the first (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/**
 * Looks at a request as Node's server let it through, which is more than may be passed on.
 * @param target as the adapter gives it
 * @throws {EvenkeelError} with the status to answer
 */
export function takeIn(request: ClientRequest, target: string, bufferBody: number, memory: BodyMemory): Intake {
  const { headers } = request;
  if (request.httpVersionMajor === 0) throw refusal(400, 'HTTP/0.9');
  const method = request.method ?? 'GET';
  // Node's server takes no others, but a middleware may have put another in its place.
  if (!isToken(method)) throw refusal(400, 'an illegal method');
  if (method === 'CONNECT') throw refusal(501, 'CONNECT is not supported');
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (String(coding).toLowerCase() !== 'chunked') throw refusal(501, 'a transfer coding other than chunked');
    if (request.httpVersion === '1.0' || headers['content-length'] !== undefined)
      throw refusal(400, 'ambiguous framing');
  }
  if (countHosts(request.rawHeaders) > 1) throw refusal(400, 'two Host fields');
  const host = headers.host;
  if (host !== undefined && !(typeof host === 'string' && HOST.test(host))) throw refusal(400, 'an illegal Host');
  const origin = originForm(target, method, host);
  const framing = framingOf(request, coding !== undefined);
  if (framing === 'none') return { target: origin, body: RequestBody.none, headers };
  if (framing === 0) return { target: origin, body: RequestBody.empty, headers };
  if (!request.readableDidRead && !request.readableEnded)
    return { target: origin, body: RequestBody.from(request, framing, bufferBody, memory), headers };
  return { target: origin, ...consumedBody(request, headers) };
}

function refusal(status: number, message: string): EvenkeelError {
  return new EvenkeelError('EK_ABORTED', { status, flags: 'PR', message: `the request cannot be carried: ${message}` });
}

/** No white space, no control, no delimiter that would make it more than an authority (HAProxy: http_authority_has_forbidden_char). */
const HOST = /^[\x21\x24-\x2e\x30-\x3b\x3d\x41-\x5b\x5d\x5f\x61-\x7a\x7e]*$/;

/** Visible ASCII without `#`; HAProxy h1.c refuses the same. */
const TARGET = /^[\x21\x22\x24-\x7e]+$/;

function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}

/** The target in origin form; an absolute one must name the host that `Host` names (RFC 9112 §3.2.2). */
function originForm(target: string, method: string, host: string | undefined): string {
  if (!TARGET.test(target)) throw refusal(400, 'an illegal target');
  if (target.charCodeAt(0) === 47 /* / */) return target;
  if (target === '*' && method === 'OPTIONS') return target;
  const absolute = /^(https?):\/\/([^/?]+)(.*)$/i.exec(target);
  if (!absolute) throw refusal(400, 'an illegal target');
  const [, scheme = '', authority = '', path = ''] = absolute;
  if (host !== undefined && withoutDefaultPort(host, scheme) !== withoutDefaultPort(authority, scheme))
    throw refusal(400, 'target and Host name different hosts');
  return path.startsWith('/') ? path : `/${path}`;
}

function withoutDefaultPort(authority: string, scheme: string): string {
  return authority.toLowerCase().replace(scheme.toLowerCase() === 'https' ? /:443$/ : /:80$/, '');
}

function framingOf(request: ClientRequest, chunked: boolean): RequestFraming {
  if (chunked) return 'chunked';
  const length = request.headers['content-length'];
  if (length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw refusal(400, 'an illegal Content-Length');
    return Number(length);
  }
  // Over HTTP/2 a body needs no field to announce it.
  return request.httpVersionMajor === 2 && 'stream' in request && !request.stream.endAfterHeaders ? 'chunked' : 'none';
}

/**
 * A body that a framework has read already, from what it left.
 * @throws {EvenkeelError} `EK_BODY_CONSUMED` when the exact bytes cannot be had again
 */
function consumedBody(
  request: ClientRequest & ParsedRequest,
  headers: FieldMap,
): { body: RequestBody; headers: FieldMap } {
  const bytes = bytesOf(request, String(headers['content-type'] ?? ''));
  if (bytes === undefined || !request.readableEnded) {
    throw new EvenkeelError('EK_BODY_CONSUMED', {
      message:
        'the request body was read before the pool got the request and cannot be sent again: mount the pool before the body parser, ' +
        'or keep the bytes in request.rawBody (express.json({ verify: (req, res, buffer) => { req.rawBody = buffer } }))',
    });
  }
  const declared = headers['content-length'];
  const encoding = headers['content-encoding'];
  // Parsers inflate by default; what is as long as was announced was not inflated.
  const inflated =
    encoding !== undefined && (declared === undefined ? !looksDeflated(bytes) : Number(declared) !== bytes.length);
  return { body: RequestBody.of(bytes), headers: inflated ? { ...headers, 'content-encoding': undefined } : headers };
}

function bytesOf({ rawBody, body }: ParsedRequest, contentType: string): Buffer | undefined {
  for (const exact of [rawBody, body]) {
    if (Buffer.isBuffer(exact)) return exact;
    if (exact instanceof Uint8Array) return Buffer.from(exact.buffer, exact.byteOffset, exact.byteLength);
    if (typeof exact === 'string')
      return Buffer.from(exact, /charset\s*=\s*"?(?:latin1|iso-8859-1)/i.test(contentType) ? 'latin1' : 'utf8');
  }
  if (body === undefined || body === null) return undefined;
  const type = trimmed(contentType.split(';', 1)[0] ?? '').toLowerCase();
  if (type === 'application/json' || type.endsWith('+json')) return Buffer.from(JSON.stringify(body));
  if (type === 'application/x-www-form-urlencoded' && typeof body === 'object') return Buffer.from(urlencode(body));
  return undefined;
}

/** Nested values in brackets, as the parsers of Express and qs read them. */
function urlencode(body: object): string {
  const pairs: string[] = [];
  const add = (name: string, value: unknown): void => {
    if (Array.isArray(value))
      for (const [index, item] of value.entries())
        add(typeof item === 'object' && item !== null ? `${name}[${index}]` : name, item);
    else if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) add(`${name}[${key}]`, item);
    else pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(String(value ?? ''))}`);
  };
  for (const [name, value] of Object.entries(body)) add(name, value);
  return pairs.join('&');
}

/** Begins as gzip (RFC 1952) or zlib (RFC 1950) does. */
function looksDeflated(bytes: Buffer): boolean {
  return (
    (bytes[0] === 0x1f && bytes[1] === 0x8b) ||
    (bytes.length > 1 && ((bytes[0] ?? 0) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0)
  );
}
