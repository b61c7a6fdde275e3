import type { EjectionCause } from '../core/events.ts';
import type { Server } from '../servers/server.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { IntervalCounts } from './outlier-statistics.ts';

/** A share is not exact: 0.29 × 100 is a little less than 29. */
const ROUNDING = 1e-9;

/** One server and what its traffic has shown in this interval. */
export class Watched implements IntervalCounts {
  readonly server: Server;
  readonly breaker: CircuitBreaker;
  /** Why it was ejected last. */
  cause: EjectionCause | undefined = undefined;
  errorsInRow = 0;
  requests = 0;
  failures = 0;
  timed = 0;
  logMs = 0;
  /** How its group counts it: written there. */
  inService = false;
  left = false;

  constructor(server: Server, breaker: CircuitBreaker) {
    this.server = server;
    this.breaker = breaker;
  }

  count(ok: boolean): void {
    this.requests++;
    if (!ok) this.failures++;
  }

  time(ms: number): void {
    this.timed++;
    this.logMs += Math.log(Math.max(ms, 0.1));
  }

  forget(): void {
    this.requests = this.failures = this.timed = this.logMs = 0;
  }
}

/**
 * The active servers of a pool, or its backups: how many could serve, and how many of them do. Counted as each changes, so that
 * all of them may go down at once.
 */
export class OutlierGroup {
  /** Those whose breaker is not closed. */
  readonly out: Set<Watched> = new Set();
  /** So few are left that nobody counts as ejected. */
  panics = false;
  /** Above this time a server that was ejected for being slow is so still; and until when that says something. */
  slow: { readonly limitMs: number; readonly until: number } = { limitMs: Number.POSITIVE_INFINITY, until: 0 };
  /** Those that should serve, be they able to or not. */
  #inService = 0;
  /** Those of them that are able to, and not ejected. */
  #left = 0;

  /** Counts a server anew, of which something has changed. */
  note(watched: Watched): void {
    const { server, breaker } = watched;
    const closed = breaker.state === 'closed';
    const inService = server.standing === 'ready' && server.weight > 0 && server.operational !== 'stopping';
    this.#count(watched, inService, server.fit && closed);
    if (closed) this.out.delete(watched);
    else this.out.add(watched);
  }

  remove(watched: Watched): void {
    this.#count(watched, false, false);
    this.out.delete(watched);
  }

  /** Somebody is ejected, and less than this share of those in service is left. */
  isShort(share: number): boolean {
    return this.out.size > 0 && this.#left < this.#inService * share;
  }

  /** Whether one more of those that are left may be ejected: not the last, and no more than this share; but one always. */
  mayEject(share: number): boolean {
    let ejected = 0;
    for (const { server } of this.out) if (server.fit) ejected++;
    const able = this.#left + ejected;
    return ejected < Math.min(able - 1, Math.max(1, Math.floor(able * share + ROUNDING)));
  }

  #count(watched: Watched, inService: boolean, left: boolean): void {
    this.#inService += Number(inService) - Number(watched.inService);
    this.#left += Number(left) - Number(watched.left);
    watched.inService = inService;
    watched.left = left;
  }
}
