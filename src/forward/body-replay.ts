import type { ClientRequest } from '../core/exchange.ts';
import type { RequestFraming } from '../http1/request-head.ts';
import { BodyMemory } from './body-memory.ts';

/** Body bytes that a client may still send after its answer, so that it reads the answer and not a reset. */
export const DRAIN_BYTES = 65_536;

/** Takes a request's body on its way to a server. */
export interface BodySink {
  /**
   * Returns `false` to be asked no more until `resume`.
   * @param ownedBySink nobody else will look at the chunk again
   */
  onRequestBody(chunk: Buffer, ownedBySink: boolean): boolean;
  /** @param trailers names and values in turn */
  onRequestEnd(trailers: readonly string[]): void;
  /** The client's message broke: it left, or sent more or less than its Content-Length. */
  onRequestBroken(): void;
}

/**
 * The body of one request, over all attempts: read from the client only once somebody takes it, with a bounded copy kept so
 * that a second attempt can have it again.
 */
export class RequestBody {
  readonly framing: RequestFraming;
  readonly #limit: number;
  readonly #memory: BodyMemory;
  #source: ClientRequest | undefined;
  /** Everything read so far; `undefined` once it exceeded the limit, or is of no use any more. */
  #kept: Buffer[] | undefined = [];
  #keptBytes = 0;
  #received = 0;
  #ended = false;
  #broken = false;
  #reading = false;
  /** It was on its way to somebody else, and is held up. */
  #heldUp = false;
  #sink: BodySink | undefined;
  #peek: { readonly limit: number; readonly done: () => void } | undefined = undefined;

  private constructor(
    framing: RequestFraming,
    source: ClientRequest | undefined,
    limit: number,
    memory: BodyMemory = new BodyMemory(Number.POSITIVE_INFINITY),
  ) {
    this.framing = framing;
    this.#source = source;
    this.#limit = limit;
    this.#memory = memory;
    this.#ended = source === undefined;
  }

  /** No body. */
  static readonly none: RequestBody = new RequestBody('none', undefined, 0);

  /** A body announced with a length of 0. */
  static readonly empty: RequestBody = new RequestBody(0, undefined, 0);

  /** A body that is held whole already. */
  static of(bytes: Buffer): RequestBody {
    const body = new RequestBody(bytes.length, undefined, bytes.length);
    body.#keep(bytes);
    return body;
  }

  /** A body still to be read; up to `limit` bytes of it are kept, while `memory` has room for them. */
  static from(source: ClientRequest, framing: RequestFraming, limit: number, memory: BodyMemory): RequestBody {
    // Somebody else listens to it, and has it flow from the next tick on: before a server is there to take it.
    const body = new RequestBody(framing, source, limit, memory);
    body.#heldUp = source.readableFlowing === true;
    if (body.#heldUp) source.pause();
    return body;
  }

  /** Nobody will take it here: what was held up before anything was read goes on as it was. */
  letGo(): void {
    if (this.#heldUp && !this.#reading) this.#source?.resume();
    this.#heldUp = false;
  }

  /** All that was read is still held, so that it can be sent again. */
  get replayable(): boolean {
    return this.#kept !== undefined && !this.#broken;
  }

  /** Some of it was read off the client. */
  get touched(): boolean {
    return this.#reading;
  }

  /** The client has sent all of it. */
  get complete(): boolean {
    return this.#ended;
  }

  /**
   * Reads the beginning of the body, to be looked at before a server is chosen.
   * @param done called once `limit` bytes are held, or all that comes: perhaps at once
   */
  peek(limit: number, done: () => void): void {
    if (this.#ended || this.#broken || this.#keptBytes >= limit) {
      done();
      return;
    }
    this.#peek = { limit, done };
    if (this.#reading) this.#source?.resume();
    else this.#read();
  }

  /** What is held of the body, one character a byte. */
  get heldText(): string {
    return Buffer.concat(this.#kept ?? []).toString('latin1');
  }

  /** Sends all that is held to `sink`, then what still comes. */
  start(sink: BodySink): void {
    this.#sink = sink;
    let flowing = true;
    for (const chunk of this.#kept ?? []) flowing = sink.onRequestBody(chunk, false);
    if (this.#sink !== sink) return; // the sink gave up on a chunk
    if (this.#broken) sink.onRequestBroken();
    else if (this.#ended) sink.onRequestEnd(this.#source?.rawTrailers ?? []);
    else if (!this.#reading) this.#read();
    else if (flowing) this.#source?.resume();
  }

  /** The sink takes no more; the client is held up. */
  stop(): void {
    this.#sink = undefined;
    if (this.#reading && !this.#ended) this.#source?.pause();
  }

  resume(): void {
    if (!this.#ended) this.#source?.resume();
  }

  /** Nobody will ask for it again: what is held is given back. */
  forget(): void {
    // What has no source holds no memory of the pool's; some of it is shared by all requests.
    if (!this.#source || !this.#kept) return;
    this.#kept = undefined;
    this.#memory.give(this.#keptBytes);
  }

  /** Reads and forgets what still comes, up to `limit` bytes, then calls back unless all had come. */
  drain(limit: number, exceeded: () => void): void {
    const source = this.#source;
    // What has no source is shared by all requests without a body.
    if (this.#ended || this.#broken || !source) return;
    this.forget();
    this.#peek = undefined;
    let left = limit;
    this.#sink = {
      onRequestBody: (chunk) => {
        left -= chunk.length;
        if (left < 0) {
          this.stop();
          exceeded();
        }
        return left >= 0;
      },
      onRequestEnd: () => {},
      onRequestBroken: () => {},
    };
    if (this.#reading) source.resume();
    else this.#read();
  }

  #read(): void {
    const source = this.#source;
    if (!source) return;
    this.#reading = true;
    source.on('data', this.#onData);
    source.on('end', this.#onEnd);
    source.on('error', this.#onBroken);
    source.on('aborted', this.#onBroken);
    source.resume(); // it may have been held up, by us or by a middleware
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (typeof this.framing === 'number' && this.#received > this.framing) {
      this.#onBroken();
      return;
    }
    this.#keep(chunk);
    if (this.#peek) {
      if (this.#keptBytes >= this.#peek.limit) this.#endPeek();
      return; // a sink that came of it has had this chunk among those that are held
    }
    if (!this.#sink) return;
    const ownedBySink = this.#kept === undefined && this.#source?.listenerCount('data') === 1;
    if (!this.#sink.onRequestBody(chunk, ownedBySink)) this.#source?.pause();
  };

  readonly #onEnd = (): void => {
    if (typeof this.framing === 'number' && this.#received !== this.framing) {
      this.#onBroken();
      return;
    }
    this.#ended = true;
    if (this.#peek) this.#endPeek();
    else this.#sink?.onRequestEnd(this.#source?.rawTrailers ?? []);
  };

  readonly #onBroken = (): void => {
    if (this.#broken || this.#ended) return;
    this.#broken = true;
    if (this.#peek) this.#endPeek();
    else this.#sink?.onRequestBroken();
  };

  /** No more is read until a sink takes it. A sink that comes of it is told by `start` how the body stands. */
  #endPeek(): void {
    const peek = this.#peek;
    if (!peek) return;
    this.#peek = undefined;
    if (!this.#ended) this.#source?.pause();
    peek.done();
  }

  #keep(chunk: Buffer): void {
    if (!this.#kept) return;
    const { length } = chunk;
    // What was peeked at has to be held until it is sent, however little is kept otherwise.
    const fits = this.#keptBytes + length <= this.#limit && this.#memory.fits(length);
    if (!fits && !this.#peek) {
      this.forget();
      return;
    }
    this.#memory.take(length);
    this.#keptBytes += length;
    this.#kept.push(chunk);
  }
}
