import { ConnectionPool } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import type { Environment } from '../core/environment.ts';
import type { Endpoint } from '../forward/forwarder.ts';
import type { Http1Connection } from '../forward/http1-connection.ts';
import { checkTarget, goesAsRequests } from '../health/check-target.ts';
import type { HealthSettings } from '../health/settings.ts';
import type { PoolLoad } from '../servers/effective.ts';
import { Server } from '../servers/server.ts';
import { type Lender, lender } from './lending.ts';
import { RequestQueue } from './request-queue.ts';
import type { ResolvedPool, ResolvedServer } from './resolve-options.ts';

/** A server with all that its pool keeps beside it. */
export class BackendServer extends Server implements Endpoint {
  readonly server: this;
  readonly target: DialTarget;
  readonly connections: ConnectionPool<Http1Connection>;
  readonly health: HealthSettings;
  /** Name of the server that it follows. */
  readonly track: string | undefined;
  /** Its value in the pool's cookie; `undefined`: none, or a dynamic one. */
  readonly cookie: string | undefined;
  /** What stands before a target that its clients are to fetch from it themselves. HAProxy: `redir`. */
  readonly redir: string | undefined;
  /** No table is told of it. HAProxy: `non-stick`. */
  readonly nonStick: boolean;
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
    this.track = options.track;
    this.cookie = options.cookie;
    this.redir = options.redir;
    this.nonStick = options.nonStick;
    this.health = {
      ...options,
      target: {
        ...checkTarget(this.target, options.checkTls, options.checkTarget),
        lend: this.#lender(options, pool, environment),
      },
      disableOn404: pool.disableOn404,
      timeoutCheckMs: pool.timeoutCheckMs,
      timeoutConnectMs: pool.timeouts.connectMs,
    };
    this.cutsWhenDown = options.onMarkedDown === 'shutdown-sessions';
    this.cutsBackupsWhenUp = options.onMarkedUp === 'shutdown-backup-sessions';
    if (options.disabled) this.admin = 'maint';
  }

  /** The connections of http-proxy-3 are its own; under `strictMaxconn` a request may need the one that is lent. */
  #lender(
    { checkTarget: settings, connections }: ResolvedServer,
    { engine }: ResolvedPool,
    environment: Environment,
  ): Lender | undefined {
    const mayLend = engine === 'http1' && connections.maxOpen === Number.POSITIVE_INFINITY;
    const lends = settings.reusePool && mayLend && goesAsRequests(this.target, settings);
    return lends ? lender(this.connections, this.target, environment) : undefined;
  }
}
