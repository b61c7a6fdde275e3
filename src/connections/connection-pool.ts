import type { Environment, Timer } from '../core/environment.ts';
import type { ServerView } from '../servers/server.ts';

/** HAProxy `http-reuse`. */
export type HttpReuse = 'never' | 'safe' | 'aggressive' | 'always';

/** The server options that rule how long a connection is kept, resolved. */
export interface ConnectionPoolSettings {
  readonly httpReuse: HttpReuse;
  /** Most idle connections; -1 is no limit, 0 keeps none. */
  readonly poolMaxConn: number;
  /** Idle connections kept above the estimated need. */
  readonly poolLowConn: number;
  /** Time between two purges; 0 keeps no idle connection. */
  readonly poolPurgeDelayMs: number;
  /** Requests a connection may carry after its first; -1 is no limit. */
  readonly maxReuse: number;
  /** Most open connections, idle and private ones too; `Infinity` is no limit. */
  readonly maxOpen: number;
}

/** Most idle private connections kept for one client connection. HAProxy: max-session-srv-conns. */
const MAX_PRIVATE_IDLE = 5;

/** A server that says it keeps a connection for N seconds may close it that much earlier; nobody is sent there then. */
const KEEP_ALIVE_MARGIN_MS = 1_000;

const NONE: ReadonlySet<PooledConnection> = new Set();

/** One connection of a client to us, as far as reuse must know it. Connections private to it die with it. */
export class ClientSession {
  /** Requests it has sent. */
  requests = 0;
  /** Made for the first: most clients never have one. */
  #private: Set<PooledConnection> | undefined = undefined;
  /** The server to which a connection was authenticated for this client (NTLM, Negotiate). */
  authenticatedTo: ServerView | undefined = undefined;
  /** The client has left: nothing is kept for it any more. */
  ended = false;

  get privateConnections(): ReadonlySet<PooledConnection> {
    return this.#private ?? NONE;
  }

  /** The server that should have the client's next request, as only there is it authenticated. HAProxy: PREFER_LAST. */
  get preferred(): ServerView | undefined {
    return this.authenticatedTo && this.privateConnections.size > 0 ? this.authenticatedTo : undefined;
  }

  keep(connection: PooledConnection): void {
    this.#private ??= new Set();
    this.#private.add(connection);
  }

  forget(connection: PooledConnection): void {
    this.#private?.delete(connection);
  }

  end(): void {
    this.ended = true;
    for (const connection of this.privateConnections) connection.destroy();
    this.#private = undefined;
  }
}

/** What a connection must tell and keep for its pool. The last five fields are the pool's own. */
export interface PooledConnection {
  /** Connections of the same key may stand in for one another. */
  readonly key: string;
  /** Requests it has completed. */
  requests: number;
  /** What the server promised with `Keep-Alive: timeout=N`. */
  keepAliveTimeoutMs: number | undefined;
  /** Set once it belongs to one client: `httpReuse: 'never'`, or it was authenticated by NTLM or Negotiate. */
  owner: ClientSession | undefined;
  destroy(): void;
  idleSince: number;
  list: IdleList | undefined;
  next: PooledConnection | undefined;
  previous: PooledConnection | undefined;
}

/** Idle connections in the order in which they fell idle; an intrusive list, so that any of them leaves in O(1). */
export class IdleList {
  oldest: PooledConnection | undefined = undefined;
  newest: PooledConnection | undefined = undefined;

  push(connection: PooledConnection): void {
    connection.list = this;
    connection.previous = this.newest;
    connection.next = undefined;
    if (this.newest) this.newest.next = connection;
    else this.oldest = connection;
    this.newest = connection;
  }

  remove(connection: PooledConnection): void {
    const { previous, next } = connection;
    if (previous) previous.next = next;
    else this.oldest = next;
    if (next) next.previous = previous;
    else this.newest = previous;
    connection.list = connection.previous = connection.next = undefined;
  }
}

/** `proven` (HAProxy's safe list) holds what has served two requests or more, so has survived being idle. */
interface IdleLists {
  readonly proven: IdleList;
  readonly fresh: IdleList;
}

/**
 * The connections of one server: which are idle, who may take one, and how many are kept.
 * @see HAProxy `http-reuse`, `pool-max-conn`, `pool-low-conn`, `pool-purge-delay`, `max-reuse`; server.c:srv_cleanup_idle_conns
 */
export class ConnectionPool<C extends PooledConnection> {
  readonly #settings: ConnectionPoolSettings;
  readonly #environment: Environment;
  readonly #idle = new Map<string, IdleLists>();
  /** Idle connections that belong to one client each. */
  readonly #private = new IdleList();
  #privateCount = 0;
  /** In use, but by no request any more. */
  readonly #parting = new IdleList();
  #used = 0;
  #idleCount = 0;
  #maxUsed = 0;
  #estimatedNeed = 0;
  #purgeTimer: Timer | undefined = undefined;
  #closed = false;

  constructor(settings: ConnectionPoolSettings, environment: Environment) {
    this.#settings = settings;
    this.#environment = environment;
  }

  get idle(): number {
    return this.#idleCount;
  }

  get used(): number {
    return this.#used;
  }

  /**
   * An idle connection for the next request of `session`, or `undefined`: dial a new one and tell `opened`.
   * @param replayable the request can be sent again should the connection turn out dead
   * @param maxIdleMs takes only a connection that has been idle for less
   * @param now on the environment's clock; whoever asks has it at hand
   */
  take(
    key: string,
    session: ClientSession | undefined,
    replayable: boolean,
    maxIdleMs: number,
    now: number,
  ): C | undefined {
    const own =
      session && session.privateConnections.size > 0 ? this.#takePrivate(key, session, now, maxIdleMs) : undefined;
    if (own) return own;
    const lists = this.#idle.get(key);
    if (!lists) return undefined;
    // Without a session it is a stream of an HTTP/2 client: never counted as first (HAProxy mux_h2.c).
    const first = session !== undefined && session.requests <= 1;
    switch (this.#settings.httpReuse) {
      case 'never':
        return undefined;
      case 'safe':
        // HAProxy never gives a first request an idle connection; one that can be replayed loses nothing by it.
        return first && !replayable
          ? undefined
          : (this.#takeFrom(lists.fresh, now, maxIdleMs) ?? this.#takeFrom(lists.proven, now, maxIdleMs));
      case 'aggressive':
        if (first && !replayable) return this.#takeFrom(lists.proven, now, maxIdleMs);
        return this.#takeFrom(lists.fresh, now, maxIdleMs) ?? this.#takeFrom(lists.proven, now, maxIdleMs);
      case 'always':
        if (first) return this.#takeFrom(lists.proven, now, maxIdleMs) ?? this.#takeFrom(lists.fresh, now, maxIdleMs);
        return this.#takeFrom(lists.fresh, now, maxIdleMs) ?? this.#takeFrom(lists.proven, now, maxIdleMs);
    }
  }

  /**
   * A connection is about to be made: closes the oldest idle ones where there would be too many. That suffices, as `maxOpen`
   * is a server's number of slots, and each request that uses a connection holds one of them.
   */
  makeRoom(): void {
    while (this.#used + this.#idleCount + this.#privateCount >= this.#settings.maxOpen) {
      const oldest = older(this.#oldest(), this.#private.oldest) ?? this.#parting.oldest;
      if (!oldest) return;
      this.#drop(oldest);
    }
  }

  /** A new connection is about to carry a request. */
  opened(connection: C, session: ClientSession | undefined): void {
    if (this.#settings.httpReuse === 'never') connection.owner = session;
    this.#use();
  }

  /** The request is done, and will release its connection a little later; to make room it may be closed until then. */
  part(connection: C): void {
    this.#parting.push(connection);
  }

  /** The request is done and the connection whole: keeps it for the next, or destroys it. */
  release(connection: C, now: number): void {
    this.discard(connection);
    connection.requests++;
    if (!this.#keeps(connection)) {
      connection.destroy();
      return;
    }
    connection.idleSince = now;
    if (connection.owner) {
      connection.owner.keep(connection);
      this.#private.push(connection);
      this.#privateCount++;
      return;
    }
    let lists = this.#idle.get(connection.key);
    if (!lists) this.#idle.set(connection.key, (lists = { proven: new IdleList(), fresh: new IdleList() }));
    (connection.requests > 1 ? lists.proven : lists.fresh).push(connection);
    this.#idleCount++;
    this.#purgeTimer ??= this.#environment.setTimer(this.#purge, this.#settings.poolPurgeDelayMs);
  }

  /** A connection that carried a request is gone. */
  discard(connection: C): void {
    this.#used--;
    connection.list?.remove(connection);
  }

  /** An idle connection was closed by the server, or is to be given up. */
  forget(connection: PooledConnection): void {
    connection.owner?.forget(connection);
    const { list } = connection;
    if (!list) return;
    list.remove(connection);
    if (list === this.#private) this.#privateCount--;
    else if (list !== this.#parting) this.#idleCount--;
  }

  /** Closes what is idle: the server went into maintenance, its address changed. */
  clear(): void {
    while (this.#private.oldest) this.#drop(this.#private.oldest);
    for (const lists of this.#idle.values()) {
      for (const list of [lists.proven, lists.fresh]) while (list.oldest) this.#drop(list.oldest);
    }
  }

  /** Keeps nothing from now on. */
  close(): void {
    this.#closed = true;
    this.#purgeTimer?.cancel();
    this.#purgeTimer = undefined;
    this.clear();
  }

  #use(): void {
    this.#used++;
    if (this.#used > this.#maxUsed) {
      this.#maxUsed = this.#used;
      if (this.#maxUsed > this.#estimatedNeed) this.#estimatedNeed = this.#maxUsed;
    }
  }

  #keeps(connection: C): boolean {
    const { httpReuse, poolMaxConn, poolLowConn, poolPurgeDelayMs, maxReuse } = this.#settings;
    if (this.#closed || poolPurgeDelayMs === 0) return false;
    if (maxReuse !== -1 && connection.requests > maxReuse) return false;
    if (connection.keepAliveTimeoutMs !== undefined && connection.keepAliveTimeoutMs <= KEEP_ALIVE_MARGIN_MS)
      return false;
    if (connection.owner) return !connection.owner.ended && connection.owner.privateConnections.size < MAX_PRIVATE_IDLE;
    if (httpReuse === 'never') return false; // its client is not known
    if (poolMaxConn !== -1 && this.#idleCount >= poolMaxConn) return false;
    return (
      this.#idleCount === 0 || this.#used + this.#idleCount < Math.max(this.#used, this.#estimatedNeed) + poolLowConn
    );
  }

  #takeFrom(list: IdleList, now: number, maxIdleMs: number): C | undefined {
    // Oldest first, as HAProxy: the use is spread. Where only a young one will do, the newest is the safest.
    for (;;) {
      const connection = maxIdleMs === Number.POSITIVE_INFINITY ? list.oldest : list.newest;
      if (!connection || now - connection.idleSince >= maxIdleMs) return undefined;
      if (expired(connection, now)) {
        this.#drop(connection);
        continue;
      }
      this.forget(connection);
      this.#use();
      return connection as C;
    }
  }

  #takePrivate(key: string, session: ClientSession, now: number, maxIdleMs: number): C | undefined {
    for (const connection of session.privateConnections) {
      if (connection.key !== key || now - connection.idleSince >= maxIdleMs) continue;
      if (expired(connection, now)) {
        this.#drop(connection);
        continue;
      }
      this.forget(connection);
      this.#use();
      return connection as C;
    }
    return undefined;
  }

  #drop(connection: PooledConnection): void {
    this.forget(connection);
    connection.destroy();
  }

  /** Every `poolPurgeDelay`: half of what exceeds the need, which itself halves towards what was used of late. */
  readonly #purge = (): void => {
    this.#purgeTimer = undefined;
    // A key may hold what a client has sent: names that nobody asks for any more must not pile up.
    for (const [key, { proven, fresh }] of this.#idle) if (!proven.oldest && !fresh.oldest) this.#idle.delete(key);
    const exceeding = this.#used + this.#idleCount - Math.max(this.#maxUsed, this.#estimatedNeed);
    this.#estimatedNeed = Math.max(Math.floor((this.#estimatedNeed + this.#maxUsed) / 2), this.#maxUsed);
    this.#maxUsed = this.#used;
    for (let excess = Math.ceil(exceeding / 2); excess > 0; excess--) {
      const oldest = this.#oldest();
      if (!oldest) break;
      this.#drop(oldest);
    }
    if (this.#idleCount > 0)
      this.#purgeTimer = this.#environment.setTimer(this.#purge, this.#settings.poolPurgeDelayMs);
  };

  #oldest(): PooledConnection | undefined {
    let oldest: PooledConnection | undefined;
    for (const { proven, fresh } of this.#idle.values()) {
      oldest = older(oldest, older(proven.oldest, fresh.oldest));
    }
    return oldest;
  }
}

/** On a tie the first. */
function older(a: PooledConnection | undefined, b: PooledConnection | undefined): PooledConnection | undefined {
  return a && b ? (b.idleSince < a.idleSince ? b : a) : (a ?? b);
}

function expired(connection: PooledConnection, now: number): boolean {
  const { keepAliveTimeoutMs } = connection;
  return keepAliveTimeoutMs !== undefined && now - connection.idleSince >= keepAliveTimeoutMs - KEEP_ALIVE_MARGIN_MS;
}
