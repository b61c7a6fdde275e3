import type { Http2ServerRequest, Http2Session } from 'node:http2';
import { Socket } from 'node:net';
import { ClientSession } from '../connections/connection-pool.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';

/** Told when the client is gone before its exchange was over. */
export interface Leaver {
  onClientGone(): void;
}

/** The client's connection is gone or, over HTTP/2, its stream. Whoever is to be told of it may not have been told yet. */
export function hasLeft(request: ClientRequest): boolean {
  return 'stream' in request ? request.stream.closed || request.stream.destroyed : request.socket.destroyed;
}

/** One client connection with the exchanges it has open: one, or with pipelining several. */
class OpenSession extends ClientSession {
  #first: Leaver | undefined = undefined;
  #others: Set<Leaver> | undefined = undefined;

  add(leaver: Leaver): void {
    if (this.#first === undefined) this.#first = leaver;
    else {
      this.#others ??= new Set();
      this.#others.add(leaver);
    }
  }

  delete(leaver: Leaver): void {
    if (this.#first === leaver) this.#first = undefined;
    else this.#others?.delete(leaver);
  }

  override end(): void {
    const leavers = [this.#first, ...(this.#others ?? [])];
    for (const leaver of leavers) leaver?.onClientGone();
    super.end();
  }
}

/**
 * The connections of clients, as one pool sees them. It listens once a connection and not once a request: that is cheaper,
 * and on Node 22 a response that waits behind another gets no `close` when its client leaves.
 */
export class ClientSessions {
  /** A property of the socket's; in a WeakMap a quarter of the process's time went into collecting garbage (Node 24). */
  readonly #key: symbol = Symbol('evenkeel session');

  /** Takes note of an exchange; `undefined` where there is no connection (injected requests). */
  enter(request: ClientRequest, response: ClientResponse, leaver: Leaver): ClientSession | undefined {
    if (request.httpVersionMajor === 2 && 'stream' in request) return this.#enterStream(request, response, leaver);
    const socket = request.socket as Socket & Record<symbol, OpenSession | undefined>;
    if (!(socket instanceof Socket)) {
      whenClosed(request, response, leaver);
      return undefined;
    }
    const session = socket[this.#key] ?? this.#meet(socket);
    session.requests++;
    session.add(leaver);
    if (hasLeft(request)) process.nextTick(() => leaver.onClientGone());
    return session;
  }

  leave(session: ClientSession | undefined, leaver: Leaver): void {
    if (session !== undefined) (session as OpenSession).delete(leaver);
  }

  /** A stream of HTTP/2 ends by itself; what is private to its client lives as long as the connection. */
  #enterStream(request: Http2ServerRequest, response: ClientResponse, leaver: Leaver): ClientSession | undefined {
    whenClosed(request, response, leaver);
    const connection = request.stream.session as (Http2Session & Record<symbol, OpenSession | undefined>) | undefined;
    if (!connection) return undefined;
    let session = connection[this.#key];
    if (!session) {
      const met = new OpenSession();
      met.requests = 1; // HAProxy mux_h2.c: no stream counts as the first request
      connection[this.#key] = session = met;
      connection.once('close', () => met.end());
    }
    session.requests++;
    return session;
  }

  #meet(socket: Socket & Record<symbol, OpenSession | undefined>): OpenSession {
    const session = new OpenSession();
    socket[this.#key] = session;
    socket.once('close', () => session.end());
    return session;
  }
}

/** A middleware may have kept the request for longer than its client has stayed. */
function whenClosed(request: ClientRequest, response: ClientResponse, leaver: Leaver): void {
  if (hasLeft(request)) process.nextTick(() => leaver.onClientGone());
  else response.once('close', () => leaver.onClientGone());
}
