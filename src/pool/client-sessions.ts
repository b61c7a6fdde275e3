import { Socket } from 'node:net';
import { ClientSession } from '../connections/connection-pool.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';

/** Told when the client is gone before its exchange was over. */
export interface Leaver {
  onClientGone(): void;
}

/** One client connection with the exchanges it has open: with pipelining there are several. */
class OpenSession extends ClientSession {
  readonly open: Set<Leaver> = new Set();
}

/**
 * The connections of clients, as one pool sees them. It listens once a connection and not once a request: that is cheaper,
 * and on Node 22 a response that waits behind another gets no `close` when its client leaves.
 */
export class ClientSessions {
  readonly #sessions = new WeakMap<object, OpenSession>();

  /** Takes note of an exchange; `undefined` where there is no connection of its own (HTTP/2, injected requests). */
  enter(request: ClientRequest, response: ClientResponse, leaver: Leaver): ClientSession | undefined {
    const { socket } = request;
    if (!(socket instanceof Socket) || request.httpVersionMajor !== 1) {
      response.once('close', () => leaver.onClientGone());
      return undefined;
    }
    let session = this.#sessions.get(socket);
    if (!session) {
      session = this.#meet(socket);
      if (socket.destroyed) process.nextTick(() => leaver.onClientGone());
    }
    session.requests++;
    session.open.add(leaver);
    return session;
  }

  leave(session: ClientSession | undefined, leaver: Leaver): void {
    if (session instanceof OpenSession) session.open.delete(leaver);
  }

  #meet(socket: Socket): OpenSession {
    const session = new OpenSession();
    this.#sessions.set(socket, session);
    socket.once('close', () => {
      for (const leaver of [...session.open]) leaver.onClientGone();
      session.end();
    });
    return session;
  }
}
