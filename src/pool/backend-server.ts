import { ConnectionPool } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import type { Environment } from '../core/environment.ts';
import type { Endpoint } from '../forward/forwarder.ts';
import type { Http1Connection } from '../forward/http1-connection.ts';
import type { HealthSettings } from '../health/settings.ts';
import type { PoolLoad } from '../servers/effective.ts';
import { Server } from '../servers/server.ts';
import { RequestQueue } from './request-queue.ts';
import type { ResolvedPool, ResolvedServer } from './resolve-options.ts';

/** A server with all that its pool keeps beside it. */
export class BackendServer extends Server implements Endpoint {
  readonly server: this;
  readonly target: DialTarget;
  readonly connections: ConnectionPool<Http1Connection>;
  readonly health: HealthSettings;
  /** What waits for it, and for no other. */
  readonly line: RequestQueue;
  /** HAProxy: `on-marked-down shutdown-sessions`. */
  readonly cutsWhenDown: boolean;
  /** HAProxy: `on-marked-up shutdown-backup-sessions`. */
  readonly cutsBackupsWhenUp: boolean;
  /** Weight under which its scheduler knows it now; 0: not at all. The balancer's own. */
  scheduledWeight = 0;

  constructor(id: number, options: ResolvedServer, pool: ResolvedPool, environment: Environment, load: PoolLoad) {
    super(id, options.name ?? `s${id}`, options.address, options, load);
    this.server = this;
    this.line = new RequestQueue(this);
    this.target = { address: options.address, tls: options.tls };
    this.connections = new ConnectionPool(options.connections, environment);
    this.health = {
      ...options,
      target: this.target,
      timeoutCheckMs: pool.timeoutCheckMs,
      timeoutConnectMs: pool.timeouts.connectMs,
    };
    this.cutsWhenDown = options.onMarkedDown === 'shutdown-sessions';
    this.cutsBackupsWhenUp = options.onMarkedUp === 'shutdown-backup-sessions';
    if (options.disabled) this.admin = 'maint';
  }
}
