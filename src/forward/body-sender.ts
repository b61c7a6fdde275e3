import { mayBeTrailer } from '../http1/response-head.ts';
import type { BodySink } from './body-replay.ts';
import type { Endpoint, HttpExchange } from './forwarder.ts';
import type { Http1Connection } from './http1-connection.ts';

/** Whose body is sent. */
export interface BodyOwner {
  /** Some of it has moved. */
  onUpload(): void;
  /** The client's message broke. */
  onUploadBroken(): void;
}

/** Sends one request's body over one connection, in the framing that its head has announced. */
export class BodySender implements BodySink {
  readonly #exchange: HttpExchange;
  readonly #endpoint: Endpoint;
  readonly #connection: Http1Connection;
  readonly #owner: BodyOwner;
  #stopped = false;
  /** Some of it is on its way. */
  started = false;
  /** All of it is on its way. */
  complete = false;
  /** The server does not take it as fast as it comes. */
  heldUp = false;

  constructor(exchange: HttpExchange, endpoint: Endpoint, connection: Http1Connection, owner: BodyOwner) {
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#connection = connection;
    this.#owner = owner;
  }

  start(): void {
    this.#exchange.body.start(this);
  }

  /** Sends no more; what the client still sends is held up. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (!this.complete) this.#exchange.body.stop();
  }

  onDrain(): void {
    if (this.#stopped || !this.heldUp) return;
    this.heldUp = false;
    this.#owner.onUpload();
    this.#exchange.body.resume();
  }

  onRequestBody(chunk: Buffer, ownedBySink: boolean): boolean {
    if (this.#stopped) return false;
    const { socket } = this.#connection;
    const written = ownedBySink && isAlone(chunk) ? (error?: Error | null) => error || giveUp(chunk) : undefined;
    this.started = true;
    this.#exchange.bytesIn += chunk.length;
    this.#endpoint.server.counters.bin += chunk.length;
    if (this.#exchange.body.framing === 'chunked') {
      if (chunk.length === 0) return true; // would be the last chunk
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk, written);
      this.heldUp = !socket.write('\r\n', 'latin1');
      process.nextTick(uncork, socket);
    } else this.heldUp = !socket.write(chunk, written);
    this.#owner.onUpload();
    return !this.heldUp;
  }

  onRequestEnd(trailers: readonly string[]): void {
    if (this.#stopped) return;
    this.complete = true;
    this.heldUp = false;
    if (this.#exchange.body.framing === 'chunked') {
      let end = '0\r\n';
      for (let i = 0; i + 1 < trailers.length; i += 2) {
        if (mayBeTrailer(trailers[i] as string)) end += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
      }
      this.#connection.socket.write(`${end}\r\n`, 'latin1');
    }
    this.#owner.onUpload();
  }

  onRequestBroken(): void {
    if (!this.#stopped) this.#owner.onUploadBroken();
  }
}

/** Smaller chunks are not worth it, and may share Node's pool. */
const GIVEN_UP_FROM = 16_384;

/** Whether nothing else lies in the memory of this chunk. */
function isAlone({ length, buffer }: Buffer): boolean {
  return length >= GIVEN_UP_FROM && length === buffer.byteLength && buffer instanceof ArrayBuffer;
}

/**
 * Frees a chunk that has been sent, at once. Node reads each chunk of an upload into memory of its own, and the collector
 * comes late: a big body grew the process by 60 MiB of garbage.
 */
function giveUp(chunk: Buffer): void {
  (chunk.buffer as ArrayBuffer).transfer(0);
}

/** Lets what was written since `cork` leave in one write. */
export function uncork(socket: { uncork(): void }): void {
  socket.uncork();
}
