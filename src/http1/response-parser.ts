import { chunkSize, readWholeChunks } from './chunks.ts';
import {
  BadMessage,
  MAX_HEAD_BYTES,
  mayBeTrailer,
  parseFields,
  parseResponseHead,
  type ResponseHead,
  refuseFraming,
} from './response-head.ts';

/** Most interim (1xx) responses before a final one. */
export const MAX_INTERIM = 100;

/** Longest answer that is read as one string: up to here a string costs the client's response less than a buffer. */
const MAX_WHOLE_BYTES = 32_768;

/** What a `ResponseParser` finds, in this order: interim*, then whole | (head, body*, end) | bad; bad may come at any time. */
export interface ResponseEvents {
  /** A 1xx other than 101. */
  onInterim(head: ResponseHead): void;
  /** A head and its complete body, in latin1, that came together: most small answers. Nothing follows. */
  onWhole(head: ResponseHead, body: string): void;
  onHead(head: ResponseHead): void;
  /** Bytes of the body. The buffer is the one handed to `execute`: copy what must outlive the call. */
  onBody(buffer: Uint8Array, start: number, end: number): void;
  /** The message is complete. `trailers`: names and values in turn. */
  onEnd(trailers: string[] | undefined): void;
  /** The message cannot be trusted any further; the parser takes nothing more until `reset`. */
  onBad(reason: string): void;
}

type State = 'head' | 'length' | 'close' | 'chunk-size' | 'chunk-data' | 'chunk-crlf' | 'trailers' | 'done' | 'bad';

const CR = 13;
const LF = 10;

/**
 * A strict, incremental HTTP/1.1 response parser (RFC 9112). Anything doubtful is bad: a proxy that passes on what the
 * next reader may read otherwise is how responses are smuggled.
 */
export class ResponseParser {
  readonly #events: ResponseEvents;
  #state: State = 'done';
  #method = 'GET';
  /** The part of a head, of a chunk's line or of trailers that has come, while it is incomplete. */
  #partial = '';
  #interim = 0;
  /** Bytes still to come of the body or of the chunk. */
  #remaining = 0;
  #received = false;

  constructor(events: ResponseEvents) {
    this.#events = events;
  }

  /** Expects the response to a request of this method. */
  reset(method: string): void {
    this.#state = 'head';
    this.#method = method;
    this.#partial = '';
    this.#interim = 0;
    this.#remaining = 0;
    this.#received = false;
  }

  /** Whether any byte of the expected response has come. */
  get received(): boolean {
    return this.#received;
  }

  /** Whether the last response was complete (or none is expected). */
  get done(): boolean {
    return this.#state === 'done';
  }

  /** Bytes still to come of a body of known length; 0 otherwise. */
  get remaining(): number {
    return this.#state === 'length' ? this.#remaining : 0;
  }

  /**
   * Takes the next bytes. Returns how many of them belong to the response: fewer than `length` when it ended before.
   */
  execute(buffer: Buffer, length: number): number {
    this.#received = true;
    let at = 0;
    try {
      while (at < length && this.#state !== 'done' && this.#state !== 'bad') at = this.#step(buffer, at, length);
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#bad(error.message);
    }
    return at;
  }

  /** The server has ended the connection. */
  finish(): void {
    if (this.#state === 'close') this.#end(undefined);
    else if (this.#state !== 'done' && this.#state !== 'bad') {
      this.#bad(
        this.#received
          ? 'the connection was closed before the response was complete'
          : 'the connection was closed before a response',
      );
    }
  }

  #step(buffer: Buffer, at: number, length: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(buffer, at, length);
      case 'length':
      case 'chunk-data': {
        const end = Math.min(length, at + this.#remaining);
        this.#remaining -= end - at;
        const last = this.#remaining === 0;
        if (last && this.#state === 'chunk-data') this.#state = 'chunk-crlf';
        else if (last) this.#state = 'done';
        this.#events.onBody(buffer, at, end);
        if (last && this.#state === 'done') this.#events.onEnd(undefined);
        return end;
      }
      case 'close':
        this.#events.onBody(buffer, at, length);
        return length;
      case 'chunk-size':
        return this.#chunkSize(buffer, at, length);
      case 'chunk-crlf':
        return this.#chunkCrlf(buffer, at);
      case 'trailers':
        return this.#trailers(buffer, at, length);
      default:
        return length;
    }
  }

  #head(buffer: Buffer, start: number, length: number): number {
    const before = this.#partial.length;
    const take = length - start > MAX_WHOLE_BYTES ? Math.min(length, start + MAX_HEAD_BYTES) : length;
    const fresh = buffer.toString('latin1', start, take);
    const text = before === 0 ? fresh : this.#partial + fresh;
    const blank = text.indexOf('\r\n\r\n', before > 3 ? before - 3 : 0);
    if (blank === -1 || blank + 4 > MAX_HEAD_BYTES) {
      if (blank !== -1 || text.length >= MAX_HEAD_BYTES)
        throw new BadMessage(`a head of more than ${MAX_HEAD_BYTES} bytes`);
      refuseHopeless(text, before);
      this.#partial = text;
      return take;
    }
    this.#partial = '';
    const head = parseResponseHead(text, blank + 2, this.#method);
    const bodyStart = blank + 4;
    const next = start + bodyStart - before;
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interim > MAX_INTERIM) throw new BadMessage(`more than ${MAX_INTERIM} interim responses`);
      this.#events.onInterim(head);
      return next;
    }
    switch (head.bodyKind) {
      case 'none':
        this.#state = 'done';
        this.#events.onWhole(head, '');
        return next;
      case 'length':
        if (text.length - bodyStart >= head.contentLength) {
          this.#state = 'done';
          this.#events.onWhole(head, text.substring(bodyStart, bodyStart + head.contentLength));
          return next + head.contentLength;
        }
        this.#state = 'length';
        this.#remaining = head.contentLength;
        break;
      case 'chunked': {
        // Looked through first: what is bad in it, or all there is of it, is known before the head goes on.
        const whole = readWholeChunks(text, bodyStart);
        if (whole !== undefined) {
          this.#state = 'done';
          this.#events.onWhole(head, whole.body);
          return next + whole.end - bodyStart;
        }
        this.#state = 'chunk-size';
        break;
      }
      case 'close':
        this.#state = 'close';
        break;
    }
    this.#events.onHead(head);
    return next;
  }

  #chunkSize(buffer: Buffer, start: number, length: number): number {
    let end = start;
    while (end < length && buffer[end] !== LF) end++;
    const complete = end < length;
    if (complete) end++;
    const line = this.#partial + buffer.toString('latin1', start, end);
    const size = chunkSize(line, complete);
    if (!complete) {
      this.#partial = line;
      return end;
    }
    this.#partial = '';
    this.#remaining = size;
    this.#state = size === 0 ? 'trailers' : 'chunk-data';
    return end;
  }

  #chunkCrlf(buffer: Buffer, at: number): number {
    const expected = this.#partial === '' ? CR : LF;
    if (buffer[at] !== expected) throw new BadMessage('a chunk that does not end where its size says');
    if (expected === CR) this.#partial = '\r';
    else {
      this.#partial = '';
      this.#state = 'chunk-size';
    }
    return at + 1;
  }

  #trailers(buffer: Buffer, start: number, length: number): number {
    const before = this.#partial.length;
    const text = this.#partial + buffer.toString('latin1', start, Math.min(length, start + MAX_HEAD_BYTES));
    if (text.startsWith('\r\n')) {
      this.#end(undefined);
      return start + 2 - before;
    }
    const blank = text.indexOf('\r\n\r\n', before > 3 ? before - 3 : 0);
    if (blank === -1 || blank + 4 > MAX_HEAD_BYTES) {
      if (text.length >= MAX_HEAD_BYTES) throw new BadMessage(`trailers of more than ${MAX_HEAD_BYTES} bytes`);
      refuseBareLineFeed(text, before);
      this.#partial = text;
      return length;
    }
    const trailers: string[] = [];
    parseFields(text, 0, blank + 2, (name, value) => {
      refuseFraming(name);
      if (mayBeTrailer(name)) trailers.push(name, value);
    });
    this.#end(trailers);
    return start + blank + 4 - before;
  }

  #end(trailers: string[] | undefined): void {
    this.#state = 'done';
    this.#partial = '';
    this.#events.onEnd(trailers);
  }

  #bad(reason: string): void {
    this.#state = 'bad';
    this.#partial = '';
    this.#events.onBad(reason);
  }
}

/** An incomplete head that can become none is refused now: its server may keep the connection open for ever. */
function refuseHopeless(text: string, from: number): void {
  if (from < 7 && !(text.length < 7 ? 'HTTP/1.'.startsWith(text) : text.startsWith('HTTP/1.'))) {
    throw new BadMessage('the answer is not HTTP/1.1');
  }
  refuseBareLineFeed(text, from);
}

function refuseBareLineFeed(text: string, from: number): void {
  for (let at = text.indexOf('\n', from); at !== -1; at = text.indexOf('\n', at + 1)) {
    if (text.charCodeAt(at - 1) !== CR) throw new BadMessage('a line that ends without CR');
  }
}
