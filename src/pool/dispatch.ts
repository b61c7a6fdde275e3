import type { EvenkeelError, TerminationFlags, TimeLimit } from '../core/errors.ts';
import type { Outcome, Sent } from '../core/outcome.ts';
import { Wait } from '../core/wait.ts';
import { cutResponse } from '../forward/client-response.ts';
import type { Attempt, HttpExchange, MutableHead, OutcomeSink } from '../forward/forwarder.ts';
import type { BackendServer } from './backend-server.ts';
import { type CutBy, cutError } from './cut-by.ts';
import { showFailure } from './failure-evidence.ts';
import type { Hedge } from './hedge.ts';
import { Hedges } from './hedges.ts';
import { QueuedExchange } from './queued-exchange.ts';
import type { Place } from './request-queue.ts';
import { decideRetry, type FailedAttempt, goesElsewhere, type RetryDecision, turnAroundMs } from './retry-policy.ts';
import type { Ruling } from './rule-answers.ts';
import { redirectToServer } from './rule-redirect.ts';
import { overdue } from './total-limit.ts';

type Failed = Extract<Outcome, { kind: 'failed' }>;
type Discarded = Extract<Outcome, { kind: 'discarded' }>;

/** Statuses that say the server could not do its work. */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/**
 * One request's way through the pool: admit, choose, carry, settle, and perhaps again. START READING HERE.
 *
 *     start → choose → forwarder → onOutcome → settle
 *                          ▲            │
 *                          └── #retry ──┘
 *
 * It is the `HttpExchange` of its attempts and the `RequestContext` of its choices, so that a request costs one object:
 * `ClientExchange` holds what is known of it, `AnsweredExchange` the answers that no server gives, `Reception` what comes before the choice, `QueuedExchange` the wait for a slot.
 */
export class HttpDispatch extends QueuedExchange implements HttpExchange, OutcomeSink {
  #server: BackendServer | undefined = undefined;
  #holdsSlot = false;
  #attempt: Attempt | undefined = undefined;
  #retries = 0;
  /** Servers left for another after a failure, the last one last. */
  #tried: BackendServer[] | undefined = undefined;
  #redispatched = false;
  /** It waits before a server that refused is asked again. */
  #turnAround: Wait | undefined = undefined;
  /** `undefined` where the request is not to be hedged. */
  #hedges: Hedges | undefined = undefined;
  /** No attempt has got as far as a connection. */
  #onlyRefused = true;
  /** What the server's response says of it has been told. */
  #judged = false;
  listIndex = -1;

  repeatsAfter(status: number, sent: Sent): boolean {
    if (!this.core.options.retry.statuses.has(status) || this.clientResponse.headersSent) return false;
    return (
      this.#hedges?.underWay === true || this.#decide({ reason: status, sent, onReusedConnection: false }) === 'retry'
    );
  }

  onResponse(head: MutableHead): Outcome | undefined {
    const server = this.#server;
    server?.observer?.responded(head.status);
    const { outliers } = this.core;
    if (outliers && server) this.#judged = outliers.responded(server, this.attemptedAt, this.respondedAt, head);
    // The server may be down now, and its requests cut or left to a hedge.
    if (this.over || this.#server !== server) return { kind: 'client-gone', flags: 'CH' };
    this.#hedges?.onResponse();
    // A time-out middleware, say, may have answered meanwhile.
    if (this.clientResponse.headersSent || this.clientResponse.destroyed) return { kind: 'client-gone', flags: 'CH' };
    this.tracks?.answered(head.status);
    this.storeIn(server as BackendServer, head);
    const ruled = this.core.options.responseRules && this.applyResponseRules(head);
    const refused = ruled ?? this.keepClient(head, server as BackendServer);
    if (!refused) this.body.forget();
    return refused;
  }

  onClientGone(): void {
    if (this.over || this.tunnelling) return;
    if (this.leaveQueue()) {
      this.settle(499, 'CQ');
      return;
    }
    this.#attempt?.abort();
    const flags = this.clientResponse.headersSent ? 'CD' : this.tarpit ? 'CT' : this.connectedAt === 0 ? 'CC' : 'CH';
    if (this.#server) this.#server.counters.cli_abrt++;
    this.settle(this.clientResponse.headersSent ? this.clientResponse.statusCode : 499, flags);
  }

  /** Ends the request as it stands, whatever its server is about to do. */
  cut(by: CutBy): void {
    if (this.over) return;
    this.#attempt?.abort();
    if (this.tunnelling) this.settle(101, `${by}D`);
    else if (this.clientResponse.headersSent) {
      cutResponse(this.clientResponse);
      this.settle(this.clientResponse.statusCode, `${by}D`);
    } else this.fail(cutError(by, this.#phase, this.#server?.name));
  }

  /** Takes from a server what it has of this request. Gives whether that was the end of the request: no hedge goes on. */
  cutOn(server: BackendServer, by: CutBy): boolean {
    if (this.over) return false;
    this.#hedges?.endOn(server);
    if (!this.#holdsSlot || this.#server !== server) return false;
    this.#goOn(server, () => this.cut(by));
    return this.over;
  }

  protected onTotalTimeout(): void {
    if (this.tunnelling) return;
    const waited = this.leaveQueue();
    this.#attempt?.abort();
    if (this.clientResponse.headersSent) {
      cutResponse(this.clientResponse);
      this.settle(this.clientResponse.statusCode, 'sD', 'total');
    } else this.fail(overdue(waited || this.awaitsTable ? 'Q' : this.#phase, this.#server?.name));
  }

  /** Where it stands, as long as the client has no head: request, connection, response head. */
  get #phase(): 'R' | 'C' | 'H' {
    return !this.#server ? 'R' : this.connectedAt === 0 ? 'C' : 'H';
  }

  /** Servers that have had a part in it, the present one last. */
  override get servers(): readonly BackendServer[] {
    return [...(this.#tried ?? []), ...(this.#server ? [this.#server] : [])];
  }

  /** A hedge takes the place of the present attempt, which was slower or has failed. */
  adopt(hedge: Hedge): void {
    this.#attempt?.abort();
    this.releaseSlot();
    this.#server = hedge.server;
    this.#holdsSlot = true;
    this.#attempt = hedge.attempt;
    this.#redispatched = true;
    this.attemptedAt = hedge.attemptedAt;
    this.connectedAt = hedge.connectedAt;
  }

  onHedgeLost({ server, attemptedAt }: Hedge, outcome: Outcome): void {
    if (outcome.kind === 'failed') this.#noteFailure(outcome, server, attemptedAt);
    else if (outcome.kind === 'discarded') this.#noteDiscarded(outcome, server, attemptedAt);
    this.#leave(server);
  }

  override chooseAnew(): Place {
    return this.#tried ? this.#chooseAgain() : super.chooseAnew();
  }

  protected carry(server: BackendServer): void {
    if (server.redir !== undefined && this.redirectable) this.answerByRule(redirectToServer(server.redir, this.target));
    else this.#carry(server, false);
  }

  /** Sends the request to the server, over a slot of it that it takes unless it holds one. */
  #carry(server: BackendServer, fresh: boolean): void {
    const previous = this.#server;
    if (this.#holdsSlot) server.counters.stot++;
    else this.takeSlot(server);
    if (!previous) this.core.retryBudget?.request(this.startedAt);
    else if (previous === server) {
      if (!fresh) server.counters.wretr++;
    } else {
      previous.counters.wredis++;
      this.#redispatched = true;
    }
    this.#server = server;
    this.#holdsSlot = true;
    // Most first attempts come at once: one look at the clock less a request.
    const comesLate = previous || this.queuedMs > 0 || this.bodyWait;
    this.attemptedAt = comesLate ? this.core.environment.now() : this.startedAt;
    this.connectedAt = 0;
    this.respondedAt = 0;
    this.tellDeadline(this.attemptedAt);
    this.#attempt = this.core.forwarder.forward(this, server, fresh, this);
    if (!previous) this.#hedges = Hedges.of(this.core, this);
    this.#hedges?.began();
  }

  onOutcome(outcome: Outcome): void {
    this.#attempt = undefined;
    if (this.over) return;
    const server = this.#server as BackendServer;
    const { counters } = server;
    switch (outcome.kind) {
      case 'answered':
        this.#observe(server, this.respondedAt - this.attemptedAt, !FAILURES.has(outcome.status));
        if (!this.#judged) this.core.outliers?.succeeded(server, this.attemptedAt, this.respondedAt - this.attemptedAt);
        counters.countResponse(outcome.status);
        this.settle(outcome.status, '--');
        return;
      case 'discarded':
        this.#noteDiscarded(outcome, server, this.attemptedAt);
        this.#goOn(server, () => this.#retry(server, false));
        return;
      case 'cut':
        counters.countResponse(outcome.status);
        if (outcome.flags[0] === 'S' || outcome.flags[0] === 's' || outcome.flags[0] === 'P') {
          counters.srv_abrt++;
          counters.eresp++;
          if (!this.#judged) this.core.outliers?.failed(server, this.attemptedAt, 'a cut response');
        } else counters.cli_abrt++;
        this.settle(outcome.status, outcome.flags, outcome.timeout);
        return;
      case 'client-gone':
        counters.cli_abrt++;
        this.settle(499, outcome.flags);
        return;
      case 'refused':
        this.fail(outcome.error);
        return;
      case 'ruled':
        this.answerByRule(this.ruling as Ruling);
        return;
      case 'failed':
        this.#noteFailure(outcome, server, this.attemptedAt);
        this.#goOn(server, () => this.#onFailure(outcome, server));
    }
  }

  #observe(server: BackendServer, ms: number, ok: boolean): void {
    const { balancer } = this.core;
    if (balancer.observes) balancer.observed(server, ms, ok);
  }

  #noteDiscarded(response: Discarded, server: BackendServer, attemptedAt: number): void {
    this.#onlyRefused = false;
    const now = this.core.environment.now();
    this.#observe(server, now - attemptedAt, !FAILURES.has(response.status));
    this.core.outliers?.responded(server, attemptedAt, now, response);
    server.counters.countResponse(response.status);
    server.observer?.responded(response.status);
  }

  #noteFailure(failure: Failed, server: BackendServer, attemptedAt: number): void {
    const { reason, onReusedConnection } = failure;
    this.#observe(server, this.core.environment.now() - attemptedAt, false);
    if (reason === 'conn-failure') server.counters.econ++;
    else {
      this.#onlyRefused = false;
      if (!onReusedConnection) server.counters.eresp++;
    }
    const { outliers } = this.core;
    if (outliers || server.observer) showFailure(server, outliers, attemptedAt, failure);
  }

  #decide(attempt: Pick<FailedAttempt, 'reason' | 'sent' | 'onReusedConnection'>): RetryDecision {
    const { idempotent, body, l7RetryDisabled } = this;
    const { reason, sent, onReusedConnection } = attempt;
    const decision = decideRetry(
      {
        reason,
        sent,
        onReusedConnection,
        idempotent,
        replayable: body.replayable,
        retries: this.#retries,
        l7RetryDisabled,
      },
      this.core.options.retry,
    );
    return decision === 'retry' && !this.core.mayRetry() ? 'give-up' : decision;
  }

  /** With what is left: a hedge that is under way, else whatever comes next. */
  #goOn(server: BackendServer, otherwise: () => void): void {
    // The server may be down now, and its requests cut or left to a hedge.
    if (this.over || this.#server !== server) return;
    const hedge = this.#hedges?.next();
    if (hedge) {
      this.#leave(server);
      this.adopt(hedge);
    } else otherwise();
  }

  #onFailure(failure: Failed, server: BackendServer): void {
    const decision = this.#decide(failure);
    if (decision === 'give-up') this.fail(failure.error);
    else if (decision === 'fresh') this.#carry(server, true);
    else this.#retry(server, failure.reason === 'conn-failure' && failure.error.timeout === undefined);
  }

  /**
   * Makes one of the retries, on that server or on another. The slot is kept for the former and given back for the latter.
   * @param refused the connection was
   */
  #retry(server: BackendServer, refused: boolean): void {
    const { balancer, options } = this.core;
    const persistent = this.binding !== 'none';
    this.#retries++;
    const accepts = persistent ? server.acceptsPersistent : server.usable;
    const elsewhere =
      !this.forced &&
      goesElsewhere(
        {
          retry: this.#retries,
          serverIsUp: accepts && server.operational !== 'starting',
          persistent,
          activeServers: balancer.activeCount,
          hashes: options.balance.hashes,
        },
        options.retry,
      );
    if (!elsewhere) {
      this.#pauseIf(refused, () => this.#carry(server, false));
      return;
    }
    this.releaseSlot();
    this.#leave(server);
    const alone = balancer.activeCount <= 1;
    this.#pauseIf(refused && alone, () => this.#redispatch(server, refused && !alone));
  }

  #chooseAgain(): Place {
    this.binding = 'none';
    const isLast = this.#retries === this.core.options.retry.retries;
    return this.core.choice.again(this, this, this.#tried ?? [], isLast && this.#onlyRefused);
  }

  /**
   * To another server than those that were tried, while one has room.
   * @param patient before the same one is asked again, as all others are full, some time is to pass
   */
  #redispatch(server: BackendServer, patient: boolean): void {
    const place = this.#chooseAgain();
    if (place === server && patient) this.#pauseIf(true, () => this.#redispatch(server, false));
    else this.go(place);
  }

  /** A server that has refused would most likely refuse again at once. HAProxy: turn-around. */
  #pauseIf(refused: boolean, goOn: () => void): void {
    if (!refused) {
      goOn();
      return;
    }
    const { deadlines, environment } = this.core;
    this.#turnAround = new Wait(deadlines, environment.now() + turnAroundMs(this.timeouts.connectMs), () => {
      this.#turnAround = undefined;
      goOn();
    });
  }

  /** The server has failed: it is not asked again while another one has room. */
  #leave(server: BackendServer): void {
    this.#tried ??= [];
    this.#tried.push(server);
  }

  protected releaseSlot(): void {
    this.endReservation();
    if (!this.#holdsSlot || !this.#server) return;
    this.#holdsSlot = false;
    this.core.free(this.#server);
  }

  protected settle(status: number, flags: TerminationFlags, timeout?: TimeLimit, error?: EvenkeelError): void {
    if (this.over) return;
    this.over = true;
    this.#attempt = undefined;
    this.tarpit?.end();
    this.bodyWait?.end();
    this.total?.end();
    this.#turnAround?.end();
    this.body.forget();
    this.releaseSlot();
    this.#hedges?.end();
    this.tracks?.end(flags, this.bytesIn, this.bytesOut);
    this.core.sessions.leave(this.session, this);
    this.core.ended(this);
    if (!this.core.hears('request')) return;
    const now = this.core.environment.now();
    this.core.emit('request', {
      method: this.method,
      url: this.target,
      server: this.#server?.name,
      status,
      flags,
      cookieFlags: this.cookieFlagsAt(this.#server),
      timeout,
      error,
      retries: this.#retries,
      hedges: this.#hedges?.sent ?? 0,
      redispatched: this.#redispatched,
      queueMs: this.queuedMs,
      connectMs:
        this.connectedAt === 0 || this.attemptedAt > this.connectedAt ? 0 : this.connectedAt - this.attemptedAt,
      responseMs: this.respondedAt === 0 ? 0 : this.respondedAt - this.connectedAt,
      totalMs: now - this.startedAt,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    });
  }
}
