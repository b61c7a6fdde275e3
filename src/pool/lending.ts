import type { ConnectionPool } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import type { Environment } from '../core/environment.ts';
import type { Http1Connection } from '../forward/http1-connection.ts';
import { connectionKey } from '../forward/kept-connection.ts';
import type { Borrower, LentConnection } from '../health/lent-probe.ts';

/** Lends an idle connection for a name in the TLS handshake, where there is one. */
export type Lender = (sni: string | undefined) => LentConnection | undefined;

/** Lends idle connections of a server to its checks. HAProxy: `check-reuse-pool`. */
export function lender(
  connections: ConnectionPool<Http1Connection>,
  target: DialTarget,
  environment: Environment,
): Lender {
  return (sni) => {
    const key = connectionKey(target, sni);
    const connection = connections.take(key, undefined, true, Number.POSITIVE_INFINITY, environment.now());
    return connection && new Loan(connection, environment);
  };
}

class Loan implements LentConnection {
  readonly #connection: Http1Connection;
  readonly #environment: Environment;

  constructor(connection: Http1Connection, environment: Environment) {
    this.#connection = connection;
    this.#environment = environment;
  }

  get received(): boolean {
    return this.#connection.received;
  }

  ask(method: string, request: Buffer, borrower: Borrower): void {
    this.#connection.serve(borrower, method);
    this.#connection.socket.write(request);
  }

  giveBack(): void {
    if (this.#connection.gone) this.discard();
    else this.#connection.release(this.#environment.now());
  }

  discard(): void {
    this.#connection.discard();
  }
}
