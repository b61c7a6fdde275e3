import { trimmed } from '../core/field-text.ts';
import { FIELD_VALUE, TOKEN } from './characters.ts';

/** Largest response head, status line and blank line included, in bytes. */
export const MAX_HEAD_BYTES = 16_384;

/** Most fields in a head or in a trailer section. HAProxy: tune.http.maxhdr. */
export const MAX_FIELDS = 101;

/** How the end of a body is known: by length, by the last chunk, by the end of the connection; or there is none. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

/** A response's head, checked, with what concerns only the connection it came over taken out of `headers`. */
export interface ResponseHead {
  /** 100 to 999. Status, reason and headers are what rules may change on the way. */
  status: number;
  reason: string;
  /** Names and values in turn, as they came: end-to-end fields only, `content-length` at most once. */
  headers: string[];
  readonly bodyKind: BodyKind;
  /** Bytes of the body when `bodyKind` is `length`, else 0. */
  readonly contentLength: number;
  /** The connection may serve another request afterwards. */
  readonly keepAlive: boolean;
  /** What `Keep-Alive: timeout=N` promises, in milliseconds. */
  readonly keepAliveTimeoutMs: number | undefined;
  /** The `Upgrade` field, where `Connection` names it and it is not empty. */
  readonly upgrade: string | undefined;
  /** NTLM or Negotiate asks to authenticate the connection and not the request (RFC 4559 §6). */
  readonly authenticatesConnection: boolean;
}

/** What is wrong with a message, in words for an operator. */
export class BadMessage extends Error {
  override readonly name: string = 'BadMessage';
}

const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;

/**
 * Reads fields from `start` up to the empty line before `end` and hands each to `field`, with the white space that stood
 * behind its value. Returns their number.
 */
export function parseFields(
  text: string,
  start: number,
  end: number,
  field: (name: string, value: string, padding: string) => void,
): number {
  let at = start;
  let count = 0;
  while (at < end) {
    if (++count > MAX_FIELDS) throw new BadMessage(`more than ${MAX_FIELDS} fields`);
    const nameStart = at;
    let code = text.charCodeAt(at);
    while (code !== COLON) {
      if (TOKEN[code] !== 1 || at >= end) throw new BadMessage('an illegal field name');
      code = text.charCodeAt(++at);
    }
    if (at === nameStart) throw new BadMessage('an empty field name');
    const name = text.substring(nameStart, at);
    at++;
    code = text.charCodeAt(at);
    while (code === SPACE || code === TAB) code = text.charCodeAt(++at);
    const valueStart = at;
    let valueEnd = at; // one past the last character that is no white space
    while (FIELD_VALUE[code] === 1) {
      at++;
      if (code !== SPACE && code !== TAB) valueEnd = at;
      code = text.charCodeAt(at);
    }
    // `text` ends in CRLF at `end`, so a line always stops before it.
    if (code !== CR || text.charCodeAt(at + 1) !== 10) throw new BadMessage('an illegal character in a field value');
    field(name, text.substring(valueStart, valueEnd), at === valueEnd ? '' : text.substring(valueEnd, at));
    at += 2;
  }
  return count;
}

/** Gathers what the fields of one head say about the message and its connection. */
class HeadReader {
  /** Names and values in turn; behind the first `#length` are those of an earlier head. */
  readonly #fields: string[] = [];
  #length = 0;
  contentLength = -1;
  transferEncoding: string | undefined = undefined;
  connection: string | undefined = undefined;
  keepAliveTimeoutMs: number | undefined = undefined;
  upgrade: string | undefined = undefined;
  authenticatesConnection = false;
  trailer = false;

  reset(): void {
    this.#length = 0;
    this.contentLength = -1;
    this.transferEncoding = undefined;
    this.connection = undefined;
    this.keepAliveTimeoutMs = undefined;
    this.upgrade = undefined;
    this.authenticatesConnection = false;
    this.trailer = false;
  }

  /** A copy that is just as long: an array that grows by itself has room for 17. */
  get headers(): string[] {
    return this.#fields.slice(0, this.#length);
  }

  #keep(name: string, value: string): void {
    this.#fields[this.#length] = name;
    this.#fields[this.#length + 1] = value;
    this.#length += 2;
  }

  readonly field = (name: string, value: string, padding: string): void => {
    // Only names of these lengths matter here, so most fields cost no lower-casing.
    switch (name.length) {
      case 2:
        if (name.toLowerCase() === 'te') return;
        break;
      case 6:
        // Means nothing in a response, and Node would write the whole head in UTF-8 at once for it.
        if (name.toLowerCase() === 'expect') return;
        break;
      case 7:
        switch (name.toLowerCase()) {
          case 'upgrade':
            this.upgrade = this.upgrade === undefined ? value : `${this.upgrade}, ${value}`;
            return;
          case 'trailer':
            this.trailer = true;
        }
        break;
      case 10:
        switch (name.toLowerCase()) {
          case 'connection':
            this.connection = this.connection === undefined ? value : `${this.connection},${value}`;
            return;
          case 'keep-alive':
            this.#keepAlive(value);
            return;
        }
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') {
          this.#contentLength(name, value);
          return;
        }
        break;
      case 16:
        switch (name.toLowerCase()) {
          case 'proxy-connection':
            return;
          case 'www-authenticate':
            this.#authenticate(value);
        }
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') {
          if (this.transferEncoding !== undefined) throw new BadMessage('two Transfer-Encoding fields');
          // White space by RFC 9112 §5.1, but to llhttp a part of the word: it reads no chunks then.
          if (padding.includes('\t')) throw new BadMessage('a tab behind Transfer-Encoding');
          this.transferEncoding = value;
          return;
        }
        break;
      case 18:
        if (name.toLowerCase() === 'proxy-authenticate') {
          this.#authenticate(value);
          return;
        }
        break;
    }
    this.#keep(name, value);
  };

  /** Equal values, in several fields or in a list, are one (RFC 9110 §8.6); anything else cannot be trusted. */
  #contentLength(name: string, value: string): void {
    if (value.includes(',')) {
      for (const part of value.split(',')) this.#contentLength(name, trimmed(part));
      return;
    }
    let length = 0;
    for (let i = 0; i < value.length; i++) {
      const digit = value.charCodeAt(i) - 48;
      if (digit < 0 || digit > 9) throw new BadMessage('Content-Length is no number');
      length = length * 10 + digit;
    }
    if (value.length === 0) throw new BadMessage('Content-Length is empty');
    if (length > Number.MAX_SAFE_INTEGER) throw new BadMessage('Content-Length is too large');
    if (this.contentLength === -1) {
      this.contentLength = length;
      this.#keep(name, value);
    } else if (length !== this.contentLength) throw new BadMessage('Content-Length values differ');
  }

  #keepAlive(value: string): void {
    const match = /(?:^|[,;\s])timeout\s*=\s*(\d{1,9})/i.exec(value);
    if (match) this.keepAliveTimeoutMs = Number(match[1]) * 1000;
  }

  #authenticate(value: string): void {
    if (/^(?:ntlm|nego)/i.test(value)) this.authenticatesConnection = true;
  }
}

/** One for all: a head is read in one go, and a reader a response would be garbage on the hot path. */
const read = new HeadReader();

/**
 * Reads a whole head. `end` is the index just behind the CRLF of its last line (the empty line follows).
 * @param method of the request: a response to HEAD has no body
 * @throws {BadMessage} for anything that RFC 9112 does not allow and much that it only tolerates
 */
export function parseResponseHead(text: string, end: number, method: string): ResponseHead {
  if (!text.startsWith('HTTP/1.')) throw new BadMessage('the answer is not HTTP/1.1');
  const minor = text.charCodeAt(7) - 48;
  if ((minor !== 0 && minor !== 1) || text.charCodeAt(8) !== SPACE)
    throw new BadMessage('the HTTP version is neither 1.0 nor 1.1');
  const hundreds = text.charCodeAt(9) - 48;
  const tens = text.charCodeAt(10) - 48;
  const ones = text.charCodeAt(11) - 48;
  if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9)
    throw new BadMessage('an illegal status code');
  const status = hundreds * 100 + tens * 10 + ones;
  if (minor === 0 && status < 200 && status !== 101) throw new BadMessage('an interim response of HTTP/1.0');
  let at = 12;
  if (text.charCodeAt(at) === SPACE) at++;
  else if (text.charCodeAt(at) !== CR) throw new BadMessage('an illegal status code');
  const reasonStart = at;
  while (FIELD_VALUE[text.charCodeAt(at)] === 1) at++;
  if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== 10)
    throw new BadMessage('an illegal character in the status line');
  const reason = text.substring(reasonStart, at);

  read.reset();
  parseFields(text, at + 2, end, read.field);

  let keepAlive = minor === 1;
  let upgrade: string | undefined;
  let { headers } = read;
  const { connection } = read;
  if (connection === 'close') keepAlive = false;
  else if (connection === 'keep-alive') keepAlive = true;
  else if (connection !== undefined) {
    const tokens = connection.toLowerCase().split(',').map(trimmed);
    if (tokens.includes('close')) keepAlive = false;
    else if (minor === 0) keepAlive = tokens.includes('keep-alive');
    if (tokens.includes('upgrade')) upgrade = read.upgrade || undefined;
    headers = withoutFields(headers, tokens);
  }

  const bodyless = method === 'HEAD' || status === 204 || status === 304 || status < 200;
  let bodyKind: BodyKind;
  let contentLength = 0;
  if (read.transferEncoding !== undefined) {
    if (read.transferEncoding.toLowerCase() !== 'chunked') throw new BadMessage('a transfer coding other than chunked');
    if (read.contentLength !== -1) throw new BadMessage('both Content-Length and Transfer-Encoding');
    if (minor === 0) throw new BadMessage('Transfer-Encoding in an HTTP/1.0 response');
    bodyKind = bodyless ? 'none' : 'chunked';
  } else if (bodyless) {
    bodyKind = 'none';
    // RFC 9110 §8.6: a server must not send it with these.
    if (read.contentLength !== -1 && (status < 200 || status === 204))
      headers = withoutFields(headers, ['content-length'], true);
  } else if (read.contentLength !== -1) {
    bodyKind = read.contentLength === 0 ? 'none' : 'length';
    contentLength = read.contentLength;
  } else {
    bodyKind = 'close';
    keepAlive = false;
  }
  // Trailers come only behind chunks, and Node's server throws at the announcement of any others.
  if (read.trailer && bodyKind !== 'chunked') headers = withoutFields(headers, ['trailer']);
  return new ReadHead(status, reason, headers, bodyKind, contentLength, keepAlive, upgrade, read);
}

/** No literal: V8 may come to make those of one place in its old space, and each would hold its texts until that is swept. */
class ReadHead implements ResponseHead {
  status: number;
  reason: string;
  headers: string[];
  readonly bodyKind: BodyKind;
  readonly contentLength: number;
  readonly keepAlive: boolean;
  readonly keepAliveTimeoutMs: number | undefined;
  readonly upgrade: string | undefined;
  readonly authenticatesConnection: boolean;

  constructor(
    status: number,
    reason: string,
    headers: string[],
    bodyKind: BodyKind,
    contentLength: number,
    keepAlive: boolean,
    upgrade: string | undefined,
    { keepAliveTimeoutMs, authenticatesConnection }: HeadReader,
  ) {
    this.status = status;
    this.reason = reason;
    this.headers = headers;
    this.bodyKind = bodyKind;
    this.contentLength = contentLength;
    this.keepAlive = keepAlive;
    this.upgrade = upgrade;
    this.keepAliveTimeoutMs = keepAliveTimeoutMs;
    this.authenticatesConnection = authenticatesConnection;
  }
}

/** Drops the fields that `Connection` names; `content-length` only when asked, since it is framing and not an option. */
function withoutFields(headers: string[], names: readonly string[], framing = false): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const lower = name.toLowerCase();
    if (names.includes(lower) && (framing || lower !== 'content-length')) continue;
    kept.push(name, headers[i + 1] as string);
  }
  return kept;
}

/** Fields that frame, route or authenticate a message must not come behind its body (RFC 9110 §6.5.1). */
const NEVER_A_TRAILER: ReadonlySet<string> = new Set([
  ...['connection', 'content-encoding', 'content-length', 'content-range', 'content-type', 'host', 'keep-alive'],
  ...[
    'proxy-authenticate',
    'proxy-connection',
    'set-cookie',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'www-authenticate',
  ],
]);

/**
 * Refuses a field behind a body that would say once more how long it is: whoever merges trailers with the head's fields
 * would read another message.
 * @throws {BadMessage}
 */
export function refuseFraming(name: string): void {
  if (/^(?:content-length|transfer-encoding)$/i.test(name)) throw new BadMessage(`${name} in the trailers`);
}

/** Whether a field may stand behind a body. */
export function mayBeTrailer(name: string): boolean {
  return !NEVER_A_TRAILER.has(name.toLowerCase());
}
