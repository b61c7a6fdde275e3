import { EvenkeelError, type TerminationFlags } from '../core/errors.ts';
import type { Outcome } from '../core/outcome.ts';
import { cutResponse } from '../forward/client-response.ts';
import type { Attempt, HttpExchange, MutableHead, OutcomeSink } from '../forward/forwarder.ts';
import { DRAIN_BYTES } from './answers.ts';
import type { BackendServer } from './backend-server.ts';
import type { Hedge } from './hedge.ts';
import { Hedges } from './hedges.ts';
import { Reception } from './reception.ts';
import { decideRetry } from './retry-policy.ts';
import { fieldsOf, listOf } from './rules.ts';

type Failed = Extract<Outcome, { kind: 'failed' }>;

/** Statuses that say the server could not do its work. */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/**
 * One request's way through the pool: admit, choose, carry, settle, and perhaps again. START READING HERE.
 *
 *     start → choose → forwarder → onOutcome → #settle
 *                ▲                      │
 *                └────── retry ─────────┘
 *
 * It is the `HttpExchange` of its attempts and the `RequestContext` of its choices, so that a request costs one object:
 * `ClientExchange` holds what is known of it, `Reception` what comes before the choice.
 */
export class HttpDispatch extends Reception implements HttpExchange, OutcomeSink {
  #server: BackendServer | undefined = undefined;
  #holdsSlot = false;
  #attempt: Attempt | undefined = undefined;
  #retries = 0;
  /** Servers left for another after a failure, the last one last. */
  #tried: BackendServer[] | undefined = undefined;
  #redispatched = false;
  /** `undefined` where the request is not to be hedged. */
  #hedges: Hedges | undefined = undefined;
  /** No attempt has got as far as a connection. */
  #onlyRefused = true;
  listIndex = -1;

  onResponse(head: MutableHead): Outcome | undefined {
    this.#hedges?.onResponse();
    // A time-out middleware, say, may have answered meanwhile.
    if (this.clientResponse.headersSent || this.clientResponse.destroyed) return { kind: 'client-gone', flags: 'CH' };
    const rules = this.core.options.responseRules;
    if (rules) {
      const response = { status: head.status, headers: fieldsOf(head.headers) };
      rules.apply({ ...this.context, response }, response.headers, this.core.reportFault);
      head.headers = listOf(response.headers, head.headers, this.core.reportFault);
      if (Number.isInteger(response.status) && response.status >= 200 && response.status <= 599)
        head.status = response.status;
    }
    return undefined;
  }

  onClientGone(): void {
    if (this.over || this.tunnelling) return;
    this.#attempt?.abort();
    const flags = this.clientResponse.headersSent ? 'CD' : this.connectedAt === 0 ? 'CC' : 'CH';
    if (this.#server) this.#server.counters.cli_abrt++;
    this.#settle(this.clientResponse.headersSent ? this.clientResponse.statusCode : 499, flags);
  }

  /** The grace time is over: ends the request as it stands. HAProxy: flag `K`. */
  cut(): void {
    if (this.over) return;
    this.#attempt?.abort();
    if (this.tunnelling) this.#settle(101, 'KD');
    else if (this.clientResponse.headersSent) {
      cutResponse(this.clientResponse);
      this.#settle(this.clientResponse.statusCode, 'KD');
    } else this.fail(new EvenkeelError('EK_CLOSED', { flags: this.connectedAt === 0 ? 'KC' : 'KH' }));
  }

  isOn(server: BackendServer): boolean {
    return (this.#holdsSlot && this.#server === server) || this.#hedges?.isOn(server) === true;
  }

  /** Servers that have had a part in it, the present one last. */
  get servers(): readonly BackendServer[] {
    return [...(this.#tried ?? []), ...(this.#server ? [this.#server] : [])];
  }

  /** A hedge takes the place of the present attempt, which was slower or has failed. */
  adopt(hedge: Hedge): void {
    this.#attempt?.abort();
    this.#releaseSlot();
    this.#server = hedge.server;
    this.#holdsSlot = true;
    this.#attempt = hedge.attempt;
    this.#redispatched = true;
    this.attemptedAt = hedge.attemptedAt;
    this.connectedAt = hedge.connectedAt;
  }

  onHedgeFailed({ server, attemptedAt }: Hedge, failure: Failed): void {
    this.#noteFailure(failure, server, attemptedAt);
    this.#leave(server);
  }

  protected choose(): void {
    const server = this.core.choose(this, this.session?.preferred);
    if (server instanceof EvenkeelError) this.fail(server);
    else this.#carry(server, false);
  }

  /** Takes a slot of the server and sends the request there. */
  #carry(server: BackendServer, fresh: boolean): void {
    const previous = this.#server;
    this.core.take(server);
    if (!previous) this.core.retryBudget?.request(this.startedAt);
    else if (previous !== server) this.#redispatched = true;
    this.#server = server;
    this.#holdsSlot = true;
    // The first attempt comes at once: one look at the clock less a request.
    this.attemptedAt = previous ? this.core.environment.now() : this.startedAt;
    this.connectedAt = 0;
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
        if (this.core.balancer.observes)
          this.core.balancer.observed(server, this.respondedAt - this.attemptedAt, !FAILURES.has(outcome.status));
        counters.hrsp[classOf(outcome.status)]++;
        this.#settle(outcome.status, '--');
        return;
      case 'cut':
        counters.hrsp[classOf(outcome.status)]++;
        if (outcome.flags[0] === 'S' || outcome.flags[0] === 's' || outcome.flags[0] === 'P') {
          counters.srv_abrt++;
          counters.eresp++;
        } else counters.cli_abrt++;
        this.#settle(outcome.status, outcome.flags);
        return;
      case 'client-gone':
        counters.cli_abrt++;
        this.#settle(499, outcome.flags);
        return;
      case 'refused':
        this.fail(outcome.error);
        return;
      case 'failed':
        this.#noteFailure(outcome, server, this.attemptedAt);
        this.#goOn(outcome, server);
    }
  }

  #noteFailure({ reason, onReusedConnection }: Failed, server: BackendServer, attemptedAt: number): void {
    const { balancer, environment } = this.core;
    if (balancer.observes) balancer.observed(server, environment.now() - attemptedAt, false);
    if (reason === 'conn-failure') server.counters.econ++;
    else {
      this.#onlyRefused = false;
      if (!onReusedConnection) server.counters.eresp++;
    }
  }

  /** With what is left: a hedge that is under way, else another attempt. */
  #goOn(failure: Failed, server: BackendServer): void {
    const hedge = this.#hedges?.next();
    if (hedge) {
      this.#leave(server);
      this.adopt(hedge);
    } else this.#retry(failure, server);
  }

  /** The server has failed: it is not asked again while another one has room. */
  #leave(server: BackendServer): readonly BackendServer[] {
    this.#tried ??= [];
    this.#tried.push(server);
    return this.#tried;
  }

  #retry(failure: Failed, server: BackendServer): void {
    const { idempotent, body } = this;
    const { reason, sent, onReusedConnection } = failure;
    const decision = decideRetry(
      { reason, sent, onReusedConnection, idempotent, replayable: body.replayable, retries: this.#retries },
      this.core.options.retry,
    );
    // What replaces a dead kept connection is no retry.
    if (decision === 'give-up' || (decision !== 'fresh' && !this.core.mayRetry())) {
      this.fail(failure.error);
      return;
    }
    this.#releaseSlot();
    if (decision === 'fresh') {
      this.#carry(server, true);
      return;
    }
    this.#retries++;
    if (decision === 'same') {
      server.counters.wretr++;
      this.#carry(server, false);
      return;
    }
    const tried = this.#leave(server);
    const isLast = this.#retries === this.core.options.retry.retries;
    const next = this.core.chooseAgain(this, tried, isLast && this.#onlyRefused);
    if (next instanceof EvenkeelError) this.fail(next);
    else {
      if (next === server) server.counters.wretr++;
      else server.counters.wredis++;
      this.#carry(next, false);
    }
  }

  /** Answers with an error, unless the framework takes over. */
  protected fail(error: EvenkeelError): void {
    const { clientResponse: response, body } = this;
    let { status } = error;
    this.#releaseSlot();
    try {
      if (this.arrival.decline?.(error, !body.touched)) {
        // Behind the framework's answer Node reads on only what nobody has begun to read.
        if (body.touched) body.drain(DRAIN_BYTES, () => this.clientRequest.destroy());
        return;
      }
      if (response.headersSent || response.destroyed) cutResponse(response);
      else status = this.core.answer(this, error);
    } catch (fault) {
      this.core.reportFault('next', fault); // the framework's, or a response that somebody else has tampered with
      cutResponse(response);
    } finally {
      this.#settle(status, error.flags);
    }
  }

  #releaseSlot(): void {
    if (!this.#holdsSlot || !this.#server) return;
    this.#holdsSlot = false;
    this.core.free(this.#server);
  }

  #settle(status: number, flags: TerminationFlags): void {
    if (this.over) return;
    this.over = true;
    this.#attempt = undefined;
    this.#releaseSlot();
    this.#hedges?.end();
    this.core.sessions.leave(this.session, this);
    this.core.ended(this);
    if (!this.core.hearsRequests) return;
    const now = this.core.environment.now();
    this.core.emit('request', {
      method: this.method,
      url: this.target,
      server: this.#server?.name,
      status,
      flags,
      retries: this.#retries,
      hedges: this.#hedges?.sent ?? 0,
      redispatched: this.#redispatched,
      queueMs: (this.attemptedAt || now) - this.startedAt,
      connectMs:
        this.connectedAt === 0 || this.attemptedAt > this.connectedAt ? 0 : this.connectedAt - this.attemptedAt,
      responseMs: this.respondedAt === 0 ? 0 : this.respondedAt - this.connectedAt,
      totalMs: now - this.startedAt,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    });
  }
}

function classOf(status: number): 0 | 1 | 2 | 3 | 4 | 5 {
  const digit = Math.floor(status / 100);
  return digit >= 1 && digit <= 5 ? (digit as 1 | 2 | 3 | 4 | 5) : 0;
}
