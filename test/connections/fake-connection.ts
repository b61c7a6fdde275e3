import type { ClientSession, IdleList, PooledConnection } from '#src/connections/connection-pool.ts';

/** A connection to nowhere, that knows whether it was closed. */
export class FakeConnection implements PooledConnection {
  readonly key: string;
  requests = 0;
  keepAliveTimeoutMs: number | undefined = undefined;
  owner: ClientSession | undefined = undefined;
  idleSince = 0;
  list: IdleList | undefined = undefined;
  next: PooledConnection | undefined = undefined;
  previous: PooledConnection | undefined = undefined;
  destroyed = false;
  onDestroy: (connection: FakeConnection) => void;

  constructor(key: string, onDestroy: (connection: FakeConnection) => void) {
    this.key = key;
    this.onDestroy = onDestroy;
  }

  destroy(): void {
    this.destroyed = true;
    this.onDestroy(this);
  }
}
