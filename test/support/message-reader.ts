/** One field as it stood in the message: name and value, neither changed. */
export type Field = readonly [name: string, value: string];

/** The head of a message as it came, in latin1. */
export interface MessageHead {
  /** The request line or the status line. */
  readonly startLine: string;
  readonly fields: readonly Field[];
}

/** How a body is framed: `none`, `chunked`, `close` (until the connection ends), or a number of bytes. */
export type Framing = 'none' | 'chunked' | 'close' | number;

/** What a reader finds in a stream of messages. */
export interface MessageEvents {
  /** Says how the body is framed; an interim response is `'none'`. */
  onHead(head: MessageHead): Framing;
  onBody(bytes: Buffer): void;
  onEnd(trailers: readonly Field[]): void;
  /** What came is no message; nothing more is read. */
  onJunk(reason: string): void;
}

/** All values of the fields of one name, case ignored. */
export function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter(([known]) => known.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/**
 * Reads HTTP/1.1 messages off a connection, for the client and the servers of tests. It shares nothing with the parser
 * under test, and takes heads as loosely as they come: tests look at what was really sent.
 */
export class MessageReader {
  readonly #events: MessageEvents;
  #pending: Buffer = Buffer.alloc(0);
  #state: 'head' | 'body' | 'chunk-size' | 'chunk-end' | 'trailers' | 'junk' = 'head';
  #left = 0;
  #framing: Framing = 'none';

  constructor(events: MessageEvents) {
    this.#events = events;
  }

  /** In the middle of a message, or in front of one of which some bytes have come. */
  get midway(): boolean {
    return this.#state !== 'head' || this.#pending.length > 0;
  }

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#pending.length > 0 && this.#step());
  }

  /** The connection has ended: the end of a body that is framed by it. */
  end(): void {
    if (this.#state === 'body' && this.#framing === 'close') this.#complete([]);
  }

  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#head();
      case 'body':
        return this.#body();
      case 'chunk-size':
        return this.#chunkSize();
      case 'chunk-end':
        return this.#chunkEnd();
      case 'trailers':
        return this.#trailers();
      case 'junk':
        this.#pending = Buffer.alloc(0);
        return false;
    }
  }

  #head(): boolean {
    const text = this.#take('\r\n\r\n');
    if (text === undefined) return false;
    const [startLine = '', ...lines] = text.split('\r\n');
    const framing = this.#events.onHead({ startLine, fields: lines.map(fieldOf) });
    this.#framing = framing;
    if (framing === 'none' || framing === 0) this.#complete([]);
    else if (framing === 'chunked') this.#state = 'chunk-size';
    else {
      this.#state = 'body';
      this.#left = framing === 'close' ? Number.POSITIVE_INFINITY : framing;
    }
    return true;
  }

  #body(): boolean {
    const bytes = this.#pending.subarray(0, Math.min(this.#left, this.#pending.length));
    this.#pending = this.#pending.subarray(bytes.length);
    this.#left -= bytes.length;
    this.#events.onBody(bytes);
    if (this.#left > 0) return false;
    if (this.#framing === 'chunked') this.#state = 'chunk-end';
    else this.#complete([]);
    return true;
  }

  #chunkSize(): boolean {
    const line = this.#take('\r\n');
    if (line === undefined) return false;
    if (!/^[0-9a-f]{1,8}$/i.test(line)) return this.#junk(`not the size of a chunk: ${JSON.stringify(line)}`);
    this.#left = Number.parseInt(line, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'body';
    return true;
  }

  #chunkEnd(): boolean {
    if (this.#pending.length < 2) return false;
    if (this.#pending.toString('latin1', 0, 2) !== '\r\n') return this.#junk('no CRLF behind a chunk');
    this.#pending = this.#pending.subarray(2);
    this.#state = 'chunk-size';
    return true;
  }

  #trailers(): boolean {
    if (this.#pending.toString('latin1', 0, 2) === '\r\n') {
      this.#pending = this.#pending.subarray(2);
      this.#complete([]);
      return true;
    }
    const text = this.#take('\r\n\r\n');
    if (text === undefined) return false;
    this.#complete(text.split('\r\n').map(fieldOf));
    return true;
  }

  #complete(trailers: readonly Field[]): void {
    this.#state = 'head';
    this.#events.onEnd(trailers);
  }

  #junk(reason: string): false {
    this.#state = 'junk';
    this.#events.onJunk(reason);
    return false;
  }

  /** The text up to `mark`, which is taken too; `undefined` while it has not come. */
  #take(mark: string): string | undefined {
    const at = this.#pending.indexOf(mark, 0, 'latin1');
    if (at === -1) return undefined;
    const text = this.#pending.toString('latin1', 0, at);
    this.#pending = this.#pending.subarray(at + mark.length);
    return text;
  }
}

function fieldOf(line: string): Field {
  const colon = line.indexOf(':');
  return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
}
