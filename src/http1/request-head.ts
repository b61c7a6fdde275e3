import { type BlockList, isIP, isIPv6 } from 'node:net';
import { trimmed } from '../core/field-text.ts';

/** How a request's body is framed on its way to the server: none, chunked, or this many bytes. */
export type RequestFraming = 'none' | 'chunked' | number;

/** Fields by lower-case name, as Node gives them in `IncomingMessage.headers`. */
export type FieldMap = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a pool adds to each request, and whose name it sends; the options of the same names, read. */
export interface ForwardingOptions {
  readonly forwardfor:
    | { readonly header: string; readonly ifNone: boolean; readonly except: BlockList | undefined }
    | undefined;
  readonly forwarded:
    | { readonly proto: boolean; readonly host: boolean; readonly by: boolean; readonly for: boolean }
    | undefined;
  readonly forwardedHeaders: { readonly proto: boolean; readonly host: boolean };
  readonly changeOrigin: boolean;
  /** Fields of the client that ours take the place of; `undefined`: none. See `replacedFields`. */
  readonly replaced: ReadonlySet<string> | undefined;
}

/** The fields that a client's own must not survive under these options, as it could lie in them. */
export function replacedFields(options: Omit<ForwardingOptions, 'replaced'>): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  if (options.forwardedHeaders.proto) names.add('x-forwarded-proto');
  if (options.forwardedHeaders.host) names.add('x-forwarded-host');
  if (options.forwarded) names.add('forwarded'); // written again with our element behind the client's
  return names.size > 0 ? names : undefined;
}

/** One request as it is about to be sent. What few heads need may be getters. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: FieldMap;
  /** What `headers` was made from; keeps the lines of repeated fields apart. */
  readonly rawHeaders: readonly string[];
  readonly clientAddress: string | undefined;
  /** Our own address on the client's connection, for `Forwarded: by=`. */
  readonly localAddress: string | undefined;
  /** The client came over TLS. */
  readonly secure: boolean;
  /** The protocol asked for, on an upgrade. */
  readonly upgrade: string | undefined;
  /** Passes `Expect: 100-continue` on: the server's word is waited for. */
  readonly expectContinue: boolean;
}

/**
 * Fields that speak of one connection only (RFC 9110 §7.6.1), and those that we frame or answer ourselves. `expect` is
 * sent only where we wait for the 100; `proxy-authorization` is for us.
 */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'http2-settings', 'keep-alive'],
  ...['proxy-authorization', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'],
]);

/** Of these Node keeps the first and drops the rest; sending both would let a server read another than we judged by. */
const SINGLETONS: ReadonlySet<string> = new Set([
  ...[
    'age',
    'authorization',
    'content-type',
    'etag',
    'expires',
    'from',
    'if-modified-since',
    'if-unmodified-since',
    'last-modified',
  ],
  ...['location', 'max-forwards', 'referer', 'retry-after', 'server', 'user-agent'],
]);

const ILLEGAL_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const LOWER_CASE_TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** A field that a middleware or rule has set to what cannot be sent. */
export class UnsendableField extends Error {
  override readonly name: string = 'UnsendableField';
}

/**
 * Writes a request's head as it goes to a server: the fields as they stand in `headers`, framing decided by us, hop-by-hop
 * fields left out, forwarding fields added.
 * @param authority `Host` of the server itself
 * @throws {UnsendableField} when a field's name or value cannot stand in a head
 */
export function writeRequestHead(
  request: OutgoingRequest,
  framing: RequestFraming,
  authority: string,
  options: ForwardingOptions,
): string {
  const { headers } = request;
  let head = `${request.method} ${request.target} HTTP/1.1\r\nhost: ${hostOf(request.headers, authority, options)}\r\n`;
  const connection = headers['connection'];
  const named = connection === undefined ? undefined : namedByConnection(connection);
  const repeated = repeatedFields(request.rawHeaders);
  const { replaced } = options;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || NOT_FORWARDED.has(name) || name.charCodeAt(0) === 58 /* an HTTP/2 pseudo-field */)
      continue;
    if (named?.has(name) || replaced?.has(name)) continue;
    if (typeof value === 'string') {
      const lines = repeated?.get(name);
      head +=
        lines !== undefined && lines.join(name === 'cookie' ? '; ' : ', ') === value
          ? fieldLines(name, lines)
          : fieldLine(name, value);
    } else head += fieldLines(name, Array.isArray(value) ? value : [String(value)]);
  }
  head += forwardingFields(request, options);
  if (framing === 'chunked') head += 'transfer-encoding: chunked\r\n';
  else if (framing !== 'none') head += `content-length: ${framing}\r\n`;
  if (request.expectContinue) head += 'expect: 100-continue\r\n';
  if (request.upgrade !== undefined) head += `connection: upgrade\r\n${fieldLine('upgrade', request.upgrade)}`;
  return `${head}\r\n`;
}

function fieldLine(name: string, value: string): string {
  if (!LOWER_CASE_TOKEN.test(name)) {
    // Node's names are in lower case; what a middleware calls `Content-Length` is one all the same.
    if (!TOKEN.test(name)) throw new UnsendableField(`the request field ${JSON.stringify(name)} cannot be sent`);
    if (NOT_FORWARDED.has(name.toLowerCase())) return '';
  }
  if (ILLEGAL_IN_VALUE.test(value))
    throw new UnsendableField(`the request field ${JSON.stringify(name)} cannot be sent`);
  return `${name}: ${value}\r\n`;
}

function fieldLines(name: string, values: readonly string[]): string {
  let lines = '';
  for (const value of values) lines += fieldLine(name, String(value));
  return lines;
}

function hostOf(headers: FieldMap, authority: string, options: ForwardingOptions): string {
  if (options.changeOrigin) return authority;
  const host = clientHost(headers);
  if (host === undefined || host === '') return authority;
  if (ILLEGAL_IN_VALUE.test(host)) throw new UnsendableField('the Host field cannot be sent');
  return host;
}

/** What the client called us: `Host`, or over HTTP/2 `:authority`. */
export function clientHost(headers: FieldMap): string | undefined {
  const host = headers['host'] ?? headers[':authority'];
  return typeof host === 'string' ? host : undefined;
}

function namedByConnection(connection: string | readonly string[]): ReadonlySet<string> | undefined {
  const text = typeof connection === 'string' ? connection : connection.join(',');
  if (/^(?:keep-alive|close|upgrade)$/i.test(text)) return undefined;
  return new Set(text.toLowerCase().split(',').map(trimmed));
}

/** The lines of each field that came more than once; `undefined` when none did. */
function repeatedFields(rawHeaders: readonly string[]): Map<string, string[]> | undefined {
  if (!repeatsAName(rawHeaders)) return undefined;
  const lines = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const known = lines.get(name);
    if (known) known.push(rawHeaders[i + 1] as string);
    else if (!SINGLETONS.has(name)) lines.set(name, [rawHeaders[i + 1] as string]);
  }
  for (const [name, values] of lines) if (values.length === 1) lines.delete(name);
  return lines;
}

/** Pairs of equal length and first letter are rare: for ten fields this costs a tenth of putting them into a Set. */
function repeatsAName(rawHeaders: readonly string[]): boolean {
  for (let i = 2; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const first = name.charCodeAt(0) | 0x20;
    for (let j = 0; j < i; j += 2) {
      const other = rawHeaders[j] as string;
      if (other.length !== name.length || (other.charCodeAt(0) | 0x20) !== first) continue;
      if (other === name || other.toLowerCase() === name.toLowerCase()) return true;
    }
  }
  return false;
}

function forwardingFields(
  request: OutgoingRequest,
  { forwardfor, forwarded, forwardedHeaders }: ForwardingOptions,
): string {
  let fields = '';
  if (!forwardfor && !forwarded && !forwardedHeaders.proto && !forwardedHeaders.host) return fields;
  const { clientAddress, secure, headers } = request;
  // HAProxy `option forwardfor`: a line of its own, behind any that the client sent.
  if (
    forwardfor &&
    clientAddress !== undefined &&
    !(forwardfor.ifNone && headers[forwardfor.header] !== undefined) &&
    !excepted(forwardfor.except, clientAddress)
  ) {
    fields += fieldLine(forwardfor.header, clientAddress);
  }
  if (forwardedHeaders.proto) fields += `x-forwarded-proto: ${secure ? 'https' : 'http'}\r\n`;
  const host = forwardedHeaders.host || forwarded?.host ? clientHost(headers) : undefined;
  if (forwardedHeaders.host && host) fields += fieldLine('x-forwarded-host', host);
  if (forwarded) {
    const parts: string[] = [];
    if (forwarded.proto) parts.push(`proto=${secure ? 'https' : 'http'}`);
    if (forwarded.host && host) parts.push(`host="${host.replaceAll(/["\\]/g, '\\$&')}"`);
    if (forwarded.by) parts.push(`by=${forwardedNode(request.localAddress)}`);
    if (forwarded.for) parts.push(`for=${forwardedNode(clientAddress)}`);
    const earlier = headers['forwarded'];
    fields += fieldLine('forwarded', typeof earlier === 'string' ? `${earlier}, ${parts.join(';')}` : parts.join(';'));
  }
  return fields;
}

/** A node identifier of RFC 7239 §6: an IPv6 address in brackets and quotes. */
function forwardedNode(address: string | undefined): string {
  if (address === undefined || isIP(address) === 0) return 'unknown';
  return isIPv6(address) ? `"[${address}]"` : address;
}

function excepted(except: BlockList | undefined, address: string): boolean {
  return except !== undefined && isIP(address) !== 0 && except.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
