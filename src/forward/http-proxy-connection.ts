import type { Socket } from 'node:net';
import type { ClientSession, ConnectionPool, IdleList, PooledConnection } from '../connections/connection-pool.ts';
import { type Dialer, type DialTarget, readyEvent } from '../connections/dial.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { type ResponseEvents, ResponseParser } from '../http1/response-parser.ts';

/** Who is served by a connection: one attempt at a time. */
export interface HttpProxyConnectionHandler extends ResponseEvents {
  /** The connection is made and, over TLS, verified. */
  onConnect(): void;
  /** The connection is gone. */
  onClosed(error: Error | undefined): void;
}

/**
 * A connection to a server that Node's own HTTP client is given to speak over. All that comes in is shown to our strict
 * parser first, so what that parser refuses is refused here too, however Node's parser would have read it.
 */
export class HttpProxyConnection implements PooledConnection, ResponseEvents {
  readonly key: string;
  readonly socket: Socket;
  readonly #pool: ConnectionPool<HttpProxyConnection>;
  readonly #parser: ResponseParser = new ResponseParser(this);
  #handler: HttpProxyConnectionHandler | undefined = undefined;
  #error: Error | undefined = undefined;
  #used = false;
  /** The exchange is over; Node's client has still to say that it is through with the socket. */
  #releasing = false;
  #releasedAt = 0;
  #gone = false;

  /** Bytes came behind the response. */
  excess = false;

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
    localAddress: string | undefined,
    key: string,
    pool: ConnectionPool<HttpProxyConnection>,
  ) {
    this.key = key;
    this.#pool = pool;
    this.socket = dialer.dial(target, sni, undefined, localAddress);
    this.socket.once(readyEvent(target), () => this.#handler?.onConnect());
    this.socket.on('error', (error) => {
      this.#error = error;
    });
    // Ahead of the listeners of Node's client, which come and go with each request.
    this.socket.on('data', this.#onData);
    this.socket.on('end', this.#onEnd);
    this.socket.on('close', () => this.#onClose());
    this.socket.on('free', () => this.#onFree());
  }

  /** Whether any byte of the response has come. */
  get received(): boolean {
    return this.#parser.received;
  }

  /** Whether the response is complete, though Node's client may still hold some of it. */
  get complete(): boolean {
    return this.#parser.done;
  }

  /** The connection can be neither written to nor read from any more. */
  get gone(): boolean {
    return this.#gone || this.socket.destroyed;
  }

  /** Serves `handler` from now on, and expects the response to a request of this method. */
  serve(handler: HttpProxyConnectionHandler, method: string): void {
    this.#handler = handler;
    this.#used = true;
    this.excess = false;
    this.#parser.reset(method);
    this.socket.ref();
  }

  /** Serves nobody. The caller releases or discards the connection. */
  leave(): void {
    this.#handler = undefined;
  }

  /** Back to the pool as soon as Node's client lets go of the socket. @param now when the response came */
  release(now: number): void {
    this.leave();
    this.#releasing = true;
    this.#releasedAt = now;
    this.#pool.part(this);
  }

  /** Not to be used again. */
  discard(): void {
    this.leave();
    this.destroy();
  }

  destroy(): void {
    this.#gone = true;
    this.#endUse();
    this.socket.destroy();
  }

  /** From here on the socket is an ordinary stream of bytes. */
  becomeTunnel(): Socket {
    this.leave();
    this.socket.removeListener('data', this.#onData);
    this.socket.removeListener('end', this.#onEnd);
    return this.socket;
  }

  /** A throw here would be uncaught and leave the socket open. */
  readonly #onData = (chunk: Buffer): void => {
    if (!this.#handler) {
      this.destroy(); // an answer nobody asked for
      return;
    }
    try {
      const used = this.#parser.execute(chunk, chunk.length);
      if (used < chunk.length && this.#parser.done) this.excess = true;
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onEnd = (): void => {
    this.#gone = true;
    if (!this.#handler) {
      this.destroy();
      return;
    }
    try {
      this.#parser.finish();
    } catch (error) {
      this.#fail(error);
    }
  };

  #fail(error: unknown): void {
    this.#error = error instanceof Error ? error : new Error(String(error));
    this.destroy();
  }

  /** Node's client emits it on the socket once a kept connection may serve another request. */
  #onFree(): void {
    if (!this.#releasing || this.gone) return;
    this.#releasing = false;
    this.#used = false;
    this.socket.unref();
    this.#pool.release(this, this.#releasedAt);
  }

  #onClose(): void {
    this.#gone = true;
    this.#endUse();
    this.#pool.forget(this);
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClosed(this.#error);
  }

  #endUse(): void {
    if (this.#used) this.#pool.discard(this);
    this.#used = false;
    this.#releasing = false;
  }

  // ResponseEvents, handed on to whoever is served.
  onInterim(head: ResponseHead): void {
    this.#handler?.onInterim(head);
  }
  onWhole(head: ResponseHead, body: string): void {
    this.#handler?.onWhole(head, body);
  }
  onHead(head: ResponseHead): void {
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
