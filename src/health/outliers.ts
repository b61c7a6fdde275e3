import type { Environment, Timer } from '../core/environment.ts';
import type { EjectionCause, ServerEjectedEvent } from '../core/events.ts';
import type { FailureReason } from '../core/outcome.ts';
import type { Server } from '../servers/server.ts';
import { type BreakerState, CircuitBreaker } from './circuit-breaker.ts';
import { OutlierGroup, Watched } from './outlier-group.ts';
import type { OutlierSettings } from './outlier-options.ts';
import { latencyLimit, successRate, successRateLimit, typicalMs } from './outlier-statistics.ts';
import { retryAfterMs } from './retry-after.ts';

/** An ejection. */
export type Ejection = Omit<ServerEjectedEvent, 'server'>;

/** What is made of it. */
export interface OutlierEvents {
  /** Whether it counts as ejected has changed. */
  onChange(server: Server): void;
  onEjected(server: Server, ejection: Ejection): void;
  /** The time of its ejection is over. */
  onHalfOpen(server: Server): void;
  /** Its trials have passed. */
  onRestored(server: Server): void;
}

/** How a server stands. */
export interface OutlierReport {
  readonly breaker: BreakerState;
  readonly ejections: number;
  readonly ejectedForMs: number | undefined;
}

/** Statuses that say that the server could not do its work, and those that say so of something behind it. */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);
const GATEWAY_ERRORS: ReadonlySet<number> = new Set([502, 503, 504]);

/** What was wrong with an answer, or with the lack of one. */
interface Failure {
  readonly what: string;
  /** It counts among the errors in a row. */
  readonly inRow: boolean;
  /** For so long the server does not want to be asked. */
  readonly asksFor: number | undefined;
}

/**
 * Ejects servers that live traffic shows to be worse than the others of their group (the active ones, the backups), and tries
 * them again: the only writer of `ejected`. It never ejects the last server, nor more than a share of them, and while too few
 * are left nobody counts as ejected: a few servers would break under what all of them are there for.
 * Cost: O(1) an outcome, and a change of a server; O(n log n) an interval. Idle servers need no timer.
 * @see Envoy, outlier detection and panic threshold; Finagle, failure accrual; Beyer et al., "Site Reliability Engineering",
 * 2016, chapter 22, on cascading failures
 */
export class Outliers {
  readonly #environment: Environment;
  readonly #settings: OutlierSettings;
  readonly #events: OutlierEvents;
  readonly #watched = new Map<Server, Watched>();
  readonly #active = new OutlierGroup();
  readonly #backups = new OutlierGroup();
  #timer: Timer | undefined = undefined;
  #stopped = false;

  constructor(environment: Environment, settings: OutlierSettings, events: OutlierEvents) {
    this.#environment = environment;
    this.#settings = settings;
    this.#events = events;
  }

  /** So few servers are left that nobody counts as ejected. */
  get panics(): boolean {
    return this.#active.panics || this.#backups.panics;
  }

  add(server: Server): void {
    const breaker = new CircuitBreaker(this.#environment, this.#settings, () => {
      this.#note(watched);
      this.#events.onHalfOpen(server);
    });
    const watched = new Watched(server, breaker);
    this.#watched.set(server, watched);
    this.#note(watched);
  }

  remove(server: Server): void {
    const watched = this.#watched.get(server);
    if (!watched) return;
    watched.breaker.stop();
    this.#watched.delete(server);
    const group = this.#groupOf(watched);
    group.remove(watched);
    this.#weigh(group);
  }

  /**
   * Its health or its operator's will changed. In maintenance its past is forgotten, and what it still has under way counts for
   * nothing.
   * @returns whether that has restored it, which is for the caller to tell: after the command that it follows from
   */
  serverChanged(server: Server): boolean {
    const watched = this.#watched.get(server);
    if (!watched) return false;
    if (server.standing !== 'maint') {
      this.#note(watched);
      return false;
    }
    const wasOut = watched.breaker.state !== 'closed';
    watched.breaker.forget();
    this.#close(watched);
    return wasOut;
  }

  report(server: Server): OutlierReport | undefined {
    const breaker = this.#watched.get(server)?.breaker;
    return breaker && { breaker: breaker.state, ejections: breaker.ejections, ejectedForMs: breaker.ejectedForMs };
  }

  /** A slot was taken. */
  took(server: Server): void {
    const watched = this.#watched.get(server);
    if (watched?.breaker.state !== 'half-open') return;
    watched.breaker.took();
    this.#apply(watched);
  }

  /** A slot was freed; how the work went has been told before. */
  freed(server: Server): void {
    const watched = this.#watched.get(server);
    if (watched?.breaker.state !== 'half-open') return;
    watched.breaker.freed();
    this.#apply(watched);
  }

  /**
   * A response's head has come.
   * @param now when it did
   * @param headers names and values in turn
   * @returns whether that was all there is to be known of it; else its end is told, too
   */
  responded(
    server: Server,
    attemptedAt: number,
    now: number,
    { status, headers }: { readonly status: number; readonly headers: readonly string[] },
  ): boolean {
    if (status === 101) {
      this.#ended(server, attemptedAt, undefined, now - attemptedAt);
      return true;
    }
    const asksFor = status === 503 || status === 429 ? this.#asksFor(headers) : undefined;
    if (asksFor === undefined && !FAILURES.has(status)) return false;
    this.#ended(
      server,
      attemptedAt,
      { what: `status ${status}`, inRow: GATEWAY_ERRORS.has(status), asksFor },
      undefined,
    );
    return true;
  }

  /** Work has ended well. @param ms until the response's head; of a lease, how long it was held */
  succeeded(server: Server, attemptedAt: number, ms: number): void {
    this.#ended(server, attemptedAt, undefined, ms);
  }

  /** Work under a lease has failed, or a response was cut. */
  failed(server: Server, attemptedAt: number, what: string): void {
    this.#ended(server, attemptedAt, { what, inRow: true, asksFor: undefined }, undefined);
  }

  /** An attempt has ended without a response. A kept connection that the server has closed meanwhile is nobody's fault. */
  attemptFailed(server: Server, attemptedAt: number, reason: FailureReason, onReusedConnection: boolean): void {
    if (reason === 'local' || (reason === 'empty-response' && onReusedConnection)) return;
    this.failed(server, attemptedAt, reason);
  }

  /** Ends all timers, for good. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    for (const { breaker } of this.#watched.values()) breaker.stop();
  }

  #ended(server: Server, attemptedAt: number, failure: Failure | undefined, ms: number | undefined): void {
    const watched = this.#watched.get(server);
    if (!watched?.breaker.concerns(attemptedAt) || this.#stopped) return;
    if (watched.breaker.state === 'half-open') {
      this.#tried(watched, failure, ms);
      return;
    }
    watched.count(failure === undefined);
    if (ms !== undefined) watched.time(ms);
    this.#compareLater();
    watched.errorsInRow = failure?.inRow ? watched.errorsInRow + 1 : 0;
    if (!failure) return;
    const { consecutiveErrors } = this.#settings;
    if (failure.asksFor !== undefined)
      this.#eject(watched, 'retry-after', `${failure.what} with Retry-After`, failure.asksFor);
    // Where nobody more may be ejected, it is asked again after as many errors.
    else if (failure.inRow && consecutiveErrors > 0 && watched.errorsInRow % consecutiveErrors === 0)
      this.#eject(watched, 'consecutive-errors', `${watched.errorsInRow} errors in a row, the last: ${failure.what}`);
  }

  #tried(watched: Watched, failure: Failure | undefined, ms: number | undefined): void {
    if (failure) {
      const cause = failure.asksFor === undefined ? 'trial' : 'retry-after';
      this.#open(watched, cause, `a trial failed: ${failure.what}`, failure.asksFor);
      return;
    }
    if (ms !== undefined) watched.time(ms);
    if (!watched.breaker.pass()) return;
    const took = typicalMs(watched);
    if (watched.cause === 'latency' && watched.timed > 0 && took > this.#slowMs(watched))
      this.#open(watched, 'latency', `its trials took ${round(took)} ms`, undefined);
    else this.#restore(watched);
  }

  /** Unless too many are ejected, or it is the last. */
  #eject(watched: Watched, cause: EjectionCause, reason: string, forMs?: number): void {
    if (!watched.server.fit || watched.breaker.state !== 'closed') return;
    if (this.#groupOf(watched).mayEject(this.#settings.maxEjected)) this.#open(watched, cause, reason, forMs);
  }

  #open(watched: Watched, cause: EjectionCause, reason: string, askedMs: number | undefined): void {
    // What a trial has shown tells nothing new of the cause.
    if (cause !== 'trial') watched.cause = cause;
    watched.errorsInRow = 0;
    watched.forget();
    const forMs = watched.breaker.open(askedMs);
    this.#note(watched);
    this.#events.onEjected(watched.server, { cause, reason, forMs });
  }

  #restore(watched: Watched): void {
    this.#close(watched);
    // Its past is forgotten by and by, be there work or not.
    this.#compareLater();
    this.#events.onRestored(watched.server);
  }

  #close(watched: Watched): void {
    watched.errorsInRow = 0;
    watched.forget();
    watched.breaker.close();
    this.#note(watched);
  }

  /** Something of a server has changed. */
  #note(watched: Watched): void {
    const group = this.#groupOf(watched);
    group.note(watched);
    this.#weigh(group);
    this.#apply(watched);
  }

  /** Too few of those that are in service may be left, or no more. */
  #weigh(group: OutlierGroup): void {
    const panics = group.isShort(this.#settings.panicThreshold);
    if (panics === group.panics) return;
    group.panics = panics;
    for (const watched of [...group.out]) this.#apply(watched);
  }

  #apply(watched: Watched): void {
    const { server, breaker } = watched;
    const ejected = !breaker.admits && !this.#groupOf(watched).panics;
    if (server.ejected === ejected) return;
    server.ejected = ejected;
    this.#events.onChange(server);
  }

  #compareLater(): void {
    this.#timer ??= this.#environment.setTimer(this.#compare, this.#settings.intervalMs);
  }

  /** An interval is over. */
  readonly #compare = (): void => {
    this.#timer = undefined;
    const all = [...this.#watched.values()];
    for (const { breaker } of all) breaker.rest();
    for (const backup of [false, true])
      this.#compareGroup(all.filter(({ server, breaker }) => server.backup === backup && breaker.state === 'closed'));
    const busy = all.some(({ requests, breaker }) => requests > 0 || breaker.remembers);
    for (const watched of all) if (watched.breaker.state === 'closed') watched.forget();
    if (busy && !this.#stopped) this.#compareLater();
  };

  #compareGroup(group: Watched[]): void {
    const { successRate: rates, latency } = this.#settings;
    const rateLimit = rates && successRateLimit(group, rates);
    if (rates && rateLimit) {
      const { limit, mean } = rateLimit;
      const worse = group.filter((each) => each.requests >= rates.minimumRequests && successRate(each) < limit);
      for (const each of worse.sort((a, b) => successRate(a) - successRate(b)))
        this.#eject(
          each,
          'success-rate',
          `${percent(successRate(each))} of its requests succeed, and ${percent(mean)} of all`,
        );
    }
    const timeLimit = latency && latencyLimit(group, latency);
    const first = group[0];
    if (!latency || !timeLimit || !first) return;
    const { limitMs, medianMs } = timeLimit;
    const until = this.#environment.now() + this.#settings.maxEjectionMs + this.#settings.intervalMs;
    this.#groupOf(first).slow = { limitMs, until };
    const slower = group.filter((each) => each.timed >= latency.minimumRequests && typicalMs(each) > limitMs);
    for (const each of slower.sort((a, b) => typicalMs(b) - typicalMs(a)))
      this.#eject(
        each,
        'latency',
        `it takes ${round(typicalMs(each))} ms, where the median of all is ${round(medianMs)} ms`,
      );
  }

  #groupOf({ server }: Watched): OutlierGroup {
    return server.backup ? this.#backups : this.#active;
  }

  /** Where nobody has been compared since the longest ejection would have begun, it is not known what is slow. */
  #slowMs(watched: Watched): number {
    const { limitMs, until } = this.#groupOf(watched).slow;
    return this.#environment.now() <= until ? limitMs : Number.POSITIVE_INFINITY;
  }

  #asksFor(headers: readonly string[]): number | undefined {
    const { maxRetryAfterMs } = this.#settings;
    const ms = maxRetryAfterMs === undefined ? undefined : retryAfterMs(headers);
    return ms && Math.min(ms, maxRetryAfterMs as number);
  }
}

function percent(share: number): string {
  return `${round(share * 100)} %`;
}

function round(number: number): number {
  return Number(number.toPrecision(3));
}
