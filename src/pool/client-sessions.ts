import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import { ClientSession } from '../connections/connection-pool.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';
import { ExchangeList, type Listed } from './exchange-list.ts';

/** Told when the client is gone before its exchange was over. */
export interface Leaver {
  onClientGone(): void;
}

/** A client's connection, with the session that a pool has noted on it. */
type ClientConnection = (Socket | Http2Session) & Record<symbol, OpenSession | undefined>;

/** One client connection with the exchanges it has open: one, or with pipelining several. */
class OpenSession extends ClientSession implements Listed {
  listIndex = -1;
  readonly connection: ClientConnection;
  #first: Leaver | undefined = undefined;
  #others: Set<Leaver> | undefined = undefined;

  constructor(connection: ClientConnection) {
    super();
    this.connection = connection;
  }

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
  readonly #open = new ExchangeList<OpenSession>();
  /** One function for all: a closure and a `once` each would be a quarter of what a request costs that waits. */
  readonly #onClose: (this: ClientConnection) => void = endSession(this.#key, this.#open);
  #closed = false;

  /** Takes note of an exchange; `undefined` where there is no connection (injected requests). */
  enter(request: ClientRequest, response: ClientResponse, leaver: Leaver): ClientSession | undefined {
    if (this.#closed) return undefined; // it is refused at once
    if (request.httpVersionMajor === 2 && 'stream' in request)
      return this.#enterStream(request.stream, response, leaver);
    const socket = request.socket as Socket & ClientConnection;
    if (!(socket instanceof Socket)) {
      response.on('close', () => leaver.onClientGone());
      return undefined;
    }
    let session = socket[this.#key];
    if (!session) {
      session = this.#meet(socket);
      if (socket.destroyed) process.nextTick(goneAlready, leaver);
    }
    session.requests++;
    session.add(leaver);
    return session;
  }

  leave(session: ClientSession | undefined, leaver: Leaver): void {
    if (session !== undefined) (session as OpenSession).delete(leaver);
  }

  /** The pool is closed and has no exchange left. Connections of clients outlive it, and hold nothing of it. */
  close(): void {
    this.#closed = true;
    for (const session of [...this.#open]) {
      const { connection } = session;
      connection.removeListener('close', this.#onClose);
      this.#open.delete(session);
      delete connection[this.#key];
      session.end();
    }
  }

  /** A stream of HTTP/2 ends by itself; what is private to its client lives as long as the connection. */
  #enterStream(stream: ServerHttp2Stream, response: ClientResponse, leaver: Leaver): ClientSession | undefined {
    response.on('close', () => leaver.onClientGone());
    const connection = stream.session as (Http2Session & Record<symbol, OpenSession | undefined>) | undefined;
    if (!connection) return undefined;
    let session = connection[this.#key];
    if (!session) {
      session = this.#meet(connection);
      session.requests = 1; // HAProxy mux_h2.c: no stream counts as the first request
    }
    session.requests++;
    return session;
  }

  #meet(connection: ClientConnection): OpenSession {
    const session = new OpenSession(connection);
    connection[this.#key] = session;
    if (connection.destroyed) return session; // it will never leave
    this.#open.add(session);
    connection.on('close', this.#onClose);
    return session;
  }
}

function endSession(key: symbol, open: ExchangeList<OpenSession>): (this: ClientConnection) => void {
  return function () {
    const session = this[key];
    if (!session) return;
    open.delete(session);
    session.end();
  };
}

function goneAlready(leaver: Leaver): void {
  leaver.onClientGone();
}
