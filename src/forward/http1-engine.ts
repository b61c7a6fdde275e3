import type { Dialer } from '../connections/dial.ts';
import { serverName } from '../connections/dial.ts';
import type { Deadlines } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import type { TurnEnd } from '../core/turn-end.ts';
import { clientHost, type ForwardingOptions } from '../http1/request-head.ts';
import type { Attempt, Endpoint, Forwarder, HttpExchange, OutcomeSink } from './forwarder.ts';
import { Http1Attempt } from './http1-attempt.ts';
import { Http1Connection } from './http1-connection.ts';
import { connectionKey, takeKept } from './kept-connection.ts';

/** What all attempts of one pool share. */
export interface EngineParts {
  readonly environment: Environment;
  readonly dialer: Dialer;
  readonly deadlines: Deadlines;
  readonly turnEnd: TurnEnd;
  readonly forwarding: ForwardingOptions;
}

/** The default engine: a thin HTTP/1.1 client on sockets of its own. */
export class Http1Engine implements Forwarder {
  readonly #parts: EngineParts;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  forward(exchange: HttpExchange, endpoint: Endpoint, fresh: boolean, sink: OutcomeSink): Attempt {
    const { target, connections } = endpoint;
    const sni = target.tls ? serverName(target, clientHost(exchange.headers)) : undefined;
    const key = connectionKey(target, sni);
    let connection = takeKept(connections, key, exchange, fresh);
    const reused = connection !== undefined;
    if (!connection) {
      connections.makeRoom();
      connection = new Http1Connection(this.#parts.dialer, target, sni, key, connections);
      connections.opened(connection, exchange.session);
    }
    const attempt = new Http1Attempt(this.#parts, exchange, endpoint, connection, reused, sink);
    attempt.start();
    return attempt;
  }
}
