import type { ConnectionPool, PooledConnection } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import type { HttpExchange } from './forwarder.ts';

/** A request that cannot be sent again trusts a kept connection only this long. */
const TRUSTED_IDLE_MS = 1_000;

/** Connections of the same key may stand in for one another. */
export function connectionKey(target: DialTarget, sni: string | undefined): string {
  return sni === undefined ? target.address.url : `${target.address.url} ${sni}`;
}

/** A kept connection for the next attempt of an exchange, or `undefined`: a new one must be made. */
export function takeKept<C extends PooledConnection>(
  connections: ConnectionPool<C>,
  key: string,
  exchange: HttpExchange,
  fresh: boolean,
): C | undefined {
  if (fresh || exchange.upgrade !== undefined) return undefined;
  const replayable = exchange.idempotent && exchange.body.replayable;
  const maxIdleMs = replayable ? Number.POSITIVE_INFINITY : TRUSTED_IDLE_MS;
  return connections.take(key, exchange.session, replayable, maxIdleMs, exchange.attemptedAt);
}
