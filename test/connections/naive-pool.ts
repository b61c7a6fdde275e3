import type { ClientSession, ConnectionPoolSettings } from '#src/connections/connection-pool.ts';
import type { FakeConnection } from './fake-connection.ts';

interface Idle {
  readonly connection: FakeConnection;
  readonly since: number;
}

const MOST_PRIVATE = 5;
const MARGIN_MS = 1_000;

/**
 * What HAProxy says of idle connections (`http-reuse`, `pool-*`, server.c:srv_cleanup_idle_conns), written plainly over one
 * array. It closes nothing: it knows what must be closed.
 */
export class NaivePool {
  readonly closed: Set<FakeConnection> = new Set<FakeConnection>();
  used = 0;
  /** Shared ones, in the order in which they fell idle. */
  shared: Idle[] = [];
  /** Private ones, in the same order. */
  owned: (Idle & { readonly owner: ClientSession })[] = [];
  #maxUsed = 0;
  #estimate = 0;
  #purgeAt = Number.POSITIVE_INFINITY;
  readonly #settings: ConnectionPoolSettings;

  constructor(settings: ConnectionPoolSettings) {
    this.#settings = settings;
  }

  /** Everything due until then. */
  advanceTo(now: number): void {
    while (this.#purgeAt <= now) this.#purge(this.#purgeAt);
  }

  take(
    key: string,
    session: ClientSession | undefined,
    replayable: boolean,
    maxIdleMs: number,
    now: number,
  ): FakeConnection | undefined {
    const own = this.owned.filter((idle) => idle.owner === session && idle.connection.key === key);
    let connection = this.#firstFit(own, maxIdleMs, now);
    for (const proven of this.#allowed(session, replayable))
      connection ??= this.#firstFit(this.#listed(key, proven, maxIdleMs), maxIdleMs, now);
    if (connection) this.#use();
    return connection;
  }

  open(): void {
    for (;;) {
      const idle = [...this.shared, ...this.owned].sort((a, b) => a.since - b.since)[0];
      if (!idle || this.used + this.shared.length + this.owned.length < this.#settings.maxOpen) break;
      this.#close(idle.connection);
    }
    this.#use();
  }

  release(connection: FakeConnection, now: number): void {
    const { httpReuse, poolMaxConn, poolLowConn, poolPurgeDelayMs, maxReuse } = this.#settings;
    const { owner, keepAliveTimeoutMs = Number.POSITIVE_INFINITY } = connection;
    const sharedEnough =
      this.shared.length > 0 && this.used + this.shared.length > Math.max(this.used, this.#estimate) + poolLowConn;
    const kept =
      poolPurgeDelayMs > 0 &&
      (maxReuse === -1 || connection.requests <= maxReuse) &&
      keepAliveTimeoutMs > MARGIN_MS &&
      (owner
        ? !owner.ended && this.owned.filter((idle) => idle.owner === owner).length < MOST_PRIVATE
        : httpReuse !== 'never' && (poolMaxConn === -1 || this.shared.length < poolMaxConn) && !sharedEnough);
    this.used--;
    if (!kept) this.closed.add(connection);
    else if (owner) this.owned.push({ connection, since: now, owner });
    else {
      this.shared.push({ connection, since: now });
      if (this.#purgeAt === Number.POSITIVE_INFINITY) this.#purgeAt = now + poolPurgeDelayMs;
    }
  }

  /** It is gone, idle or not. */
  lose(connection: FakeConnection): void {
    this.shared = this.shared.filter((idle) => idle.connection !== connection);
    this.owned = this.owned.filter((idle) => idle.connection !== connection);
  }

  endSession(session: ClientSession): void {
    for (const { connection, owner } of this.owned) if (owner === session) this.#close(connection);
  }

  clear(): void {
    for (const { connection } of [...this.shared, ...this.owned]) this.#close(connection);
  }

  /** Which lists a request may take from, proven or not, in turn. */
  #allowed(session: ClientSession | undefined, replayable: boolean): boolean[] {
    const first = session !== undefined && session.requests <= 1;
    switch (this.#settings.httpReuse) {
      case 'never':
        return [];
      case 'safe':
        return first && !replayable ? [] : [false, true];
      case 'aggressive':
        return first && !replayable ? [true] : [false, true];
      case 'always':
        return first ? [true, false] : [false, true];
    }
  }

  #listed(key: string, proven: boolean, maxIdleMs: number): Idle[] {
    const list = this.shared.filter(({ connection }) => connection.key === key && connection.requests > 1 === proven);
    return maxIdleMs === Number.POSITIVE_INFINITY ? list : list.reverse();
  }

  #firstFit(list: readonly Idle[], maxIdleMs: number, now: number): FakeConnection | undefined {
    for (const { connection, since } of list) {
      if (now - since >= maxIdleMs) continue;
      this.lose(connection);
      if (now - since < (connection.keepAliveTimeoutMs ?? Number.POSITIVE_INFINITY) - MARGIN_MS) return connection;
      this.closed.add(connection);
    }
    return undefined;
  }

  #use(): void {
    this.used++;
    this.#maxUsed = Math.max(this.#maxUsed, this.used);
    this.#estimate = Math.max(this.#estimate, this.#maxUsed);
  }

  #purge(now: number): void {
    const exceeding = this.used + this.shared.length - Math.max(this.#maxUsed, this.#estimate);
    this.#estimate = Math.max(Math.floor((this.#estimate + this.#maxUsed) / 2), this.#maxUsed);
    this.#maxUsed = this.used;
    for (const { connection } of this.shared.slice(0, Math.max(0, Math.ceil(exceeding / 2)))) this.#close(connection);
    this.#purgeAt = this.shared.length > 0 ? now + this.#settings.poolPurgeDelayMs : Number.POSITIVE_INFINITY;
  }

  #close(connection: FakeConnection): void {
    this.lose(connection);
    this.closed.add(connection);
  }
}
