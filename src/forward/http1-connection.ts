import type { Socket } from 'node:net';
import type { ClientSession, ConnectionPool, IdleList, PooledConnection } from '../connections/connection-pool.ts';
import { type Dialer, type DialTarget, readyEvent } from '../connections/dial.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { type ResponseEvents, ResponseParser } from '../http1/response-parser.ts';
import { copyOut, giveBigBuffer, Loan, type Piece, scratchBuffer, takeBigBuffer } from './read-buffers.ts';

/** Who is served by a connection: one attempt at a time. */
export interface ConnectionHandler extends ResponseEvents {
  /** The connection is made and, over TLS, verified. */
  onConnect(): void;
  /** The response is complete. `excess`: bytes came behind it. */
  onComplete(excess: Buffer | undefined): void;
  /** The connection is gone before the response was complete. */
  onClosed(error: Error | undefined): void;
  /** All that has come so far was handed on; more is to come. */
  onPause(): void;
  /** Writing may go on. */
  onDrain(): void;
}

/** Bodies with this much still to come are read into big buffers. */
const BIG_BODY = 32_768;

/** What a smaller read brought is copied, so that it does not hold a big buffer. */
const LEND_FROM = 16_384;

/** Smaller pieces of a read, chunks most likely, are copied: that costs less than a view. */
const VIEW_FROM = 1_024;

/** One HTTP/1.1 connection to a server: socket, parser and read buffers. It never has more than one request under way. */
export class Http1Connection implements PooledConnection, ResponseEvents {
  readonly key: string;
  readonly socket: Socket;
  readonly #pool: ConnectionPool<Http1Connection>;
  readonly #parser: ResponseParser = new ResponseParser(this);
  #handler: ConnectionHandler | undefined = undefined;
  #error: Error | undefined = undefined;
  #buffer: Buffer = scratchBuffer;
  /** Bytes that the read under way has brought. */
  #readBytes = 0;
  /** The big buffer that was lent while the read under way is looked at. */
  #loan: Loan | undefined = undefined;
  /** The buffer that Node reads into. */
  #readsInto: Buffer | undefined = undefined;
  #wantsBig = false;
  #tunnel = false;
  #gone = false;

  // PooledConnection
  requests = 0;
  keepAliveTimeoutMs: number | undefined = undefined;
  owner: ClientSession | undefined = undefined;
  idleSince = 0;
  list: IdleList | undefined = undefined;
  next: PooledConnection | undefined = undefined;
  previous: PooledConnection | undefined = undefined;

  constructor(
    dialer: Dialer,
    target: DialTarget,
    sni: string | undefined,
    key: string,
    pool: ConnectionPool<Http1Connection>,
  ) {
    this.key = key;
    this.#pool = pool;
    this.socket = dialer.dial(target, sni, { buffer: this.#nextBuffer, callback: this.#onRead });
    // What holds the process are the deadlines of exchanges under way: `ref` and `unref` at each request cost more.
    this.socket.unref();
    this.socket.once(readyEvent(target), () => this.#handler?.onConnect());
    this.socket.on('error', (error) => {
      this.#error = error;
    });
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('close', () => this.#onClose());
    this.socket.on('drain', () => this.#handler?.onDrain());
  }

  /** Whether any byte of the response has come. */
  get received(): boolean {
    return this.#parser.received;
  }

  /** The connection can be neither written to nor read from any more. */
  get gone(): boolean {
    return this.#gone || this.socket.destroyed;
  }

  /** Serves `handler` from now on, and expects the response to a request of this method. */
  serve(handler: ConnectionHandler, method: string): void {
    this.#handler = handler;
    this.#parser.reset(method);
  }

  /** Serves nobody. The caller releases or destroys the connection. */
  leave(): void {
    this.#handler = undefined;
  }

  /** Back to the pool, for the next request. */
  release(now: number): void {
    this.leave();
    this.#pool.release(this, now);
  }

  /** Not to be used again. */
  discard(): void {
    this.leave();
    this.#pool.discard(this);
    this.destroy();
  }

  destroy(): void {
    this.#gone = true;
    this.socket.destroy();
  }

  /** From here on the socket is an ordinary stream of bytes. */
  becomeTunnel(): Socket {
    this.leave();
    this.#tunnel = true;
    return this.socket;
  }

  /** The bytes of a body apart from the buffer that the next read uses: a view of a big buffer that is lent, or a copy. */
  claim(buffer: Uint8Array, start: number, end: number): Piece {
    if (end - start >= VIEW_FROM) {
      const own = this.#buffer;
      if (buffer === own && own !== scratchBuffer && this.#readBytes >= LEND_FROM) {
        this.#loan = new Loan(own);
        this.#buffer = scratchBuffer;
        this.#wantsBig = true;
      }
      const loan = this.#loan;
      if (loan?.holds(buffer)) return { bytes: loan.view(start, end), giveBack: loan.giveBack };
    }
    return copyOut(buffer, start, end);
  }

  /** Asked before the first read and after each. */
  readonly #nextBuffer = (): Uint8Array | undefined => {
    if (this.#wantsBig && !this.#gone) {
      this.#wantsBig = false;
      if (this.#buffer === scratchBuffer) this.#buffer = takeBigBuffer() ?? scratchBuffer;
    }
    if (this.#buffer === this.#readsInto) return undefined; // as it was
    this.#readsInto = this.#buffer;
    return this.#buffer;
  };

  /** A throw here would be uncaught and leave the socket open. */
  readonly #onRead = (bytes: number, buffer: Uint8Array): boolean => {
    try {
      if (this.#tunnel) return this.socket.push(Buffer.copyBytesFrom(buffer, 0, bytes));
      if (this.#handler) this.#parse(buffer as Buffer, bytes);
      else this.#abandon(); // an answer nobody asked for
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  };

  #parse(buffer: Buffer, bytes: number): void {
    this.#readBytes = bytes;
    const used = this.#parser.execute(buffer, bytes);
    this.#loan = undefined;
    // A body of unknown length earns a big buffer by filling a small one.
    if (bytes === scratchBuffer.length && buffer === scratchBuffer) this.#wantsBig = true;
    if (this.#parser.done) this.#complete(used < bytes ? Buffer.copyBytesFrom(buffer, used, bytes - used) : undefined);
    else this.#handler?.onPause();
  }

  #complete(excess: Buffer | undefined): void {
    this.#returnBuffer();
    this.#wantsBig = false;
    this.#handler?.onComplete(excess);
  }

  #onEnd(): void {
    if (this.#tunnel || !this.#handler) {
      if (!this.#tunnel) this.#abandon();
      return;
    }
    this.#gone = true;
    try {
      this.#parser.finish();
      if (this.#parser.done) this.#complete(undefined);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onClose(): void {
    this.#gone = true;
    this.#returnBuffer();
    this.#pool.forget(this);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClosed(this.#error);
  }

  #fail(error: Error): void {
    this.#error = error;
    this.destroy();
  }

  #abandon(): void {
    this.#pool.forget(this);
    this.destroy();
  }

  #returnBuffer(): void {
    if (this.#buffer === scratchBuffer) return;
    giveBigBuffer(this.#buffer);
    this.#buffer = scratchBuffer;
  }

  // ResponseEvents, handed on to whoever is served.
  onInterim(head: ResponseHead): void {
    this.#handler?.onInterim(head);
  }
  onWhole(head: ResponseHead, body: string): void {
    this.#handler?.onWhole(head, body);
  }
  onHead(head: ResponseHead): void {
    this.#wantsBig = head.contentLength >= BIG_BODY;
    this.#handler?.onHead(head);
  }
  onBody(buffer: Uint8Array, start: number, end: number): void {
    this.#handler?.onBody(buffer, start, end);
  }
  onEnd(trailers: string[] | undefined): void {
    this.#handler?.onEnd(trailers);
  }
  onBad(reason: string): void {
    this.#handler?.onBad(reason);
  }
}
