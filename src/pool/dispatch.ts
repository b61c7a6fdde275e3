import { EvenkeelError, type TerminationFlags } from '../core/errors.ts';
import type { Outcome } from '../core/outcome.ts';
import { cutResponse } from '../forward/client-response.ts';
import type { Attempt, HttpExchange, MutableHead, OutcomeSink } from '../forward/forwarder.ts';
import { DRAIN_BYTES } from './answers.ts';
import type { BackendServer } from './backend-server.ts';
import type { Priority } from './priority.ts';
import { Reception } from './reception.ts';
import { type Place, type Queued, RequestQueue, type Waiter } from './request-queue.ts';
import { decideRetry } from './retry-policy.ts';
import type { Ruling } from './rule-answers.ts';
import { fieldsOf, listOf } from './rule-fields.ts';

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
export class HttpDispatch extends Reception implements HttpExchange, OutcomeSink, Queued {
  #server: BackendServer | undefined = undefined;
  #holdsSlot = false;
  #attempt: Attempt | undefined = undefined;
  #retries = 0;
  /** Servers left for another after a failure, the last one last. */
  #tried: BackendServer[] | undefined = undefined;
  #redispatched = false;
  /** No attempt has got as far as a connection. */
  #onlyRefused = true;
  #waiter: Waiter | undefined = undefined;
  #queuedMs = 0;
  listIndex = -1;

  onResponse(head: MutableHead): Outcome | undefined {
    // A time-out middleware, say, may have answered meanwhile.
    if (this.clientResponse.headersSent || this.clientResponse.destroyed) return { kind: 'client-gone', flags: 'CH' };
    const rules = this.core.options.responseRules;
    if (rules) {
      const response = { status: head.status, headers: fieldsOf(head.headers) };
      this.ruling = rules.apply({ ...this.context, response }, response.headers, this, this.core.reportFault);
      if (this.ruling) return { kind: 'ruled' };
      head.headers = listOf(response.headers, head.headers, this.core.reportFault);
      if (Number.isInteger(response.status) && response.status >= 200 && response.status <= 599)
        head.status = response.status;
    }
    return undefined;
  }

  onClientGone(): void {
    if (this.over || this.tunnelling) return;
    if (this.#leaveQueue()) {
      this.#settle(499, 'CQ');
      return;
    }
    this.#attempt?.abort();
    const flags = this.clientResponse.headersSent ? 'CD' : this.tarpit ? 'CT' : this.connectedAt === 0 ? 'CC' : 'CH';
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
    return this.#holdsSlot && this.#server === server;
  }

  protected choose(): void {
    this.#go(this.chooseAnew());
  }

  chooseAnew(): Place {
    return this.core.choice.first(this, this.session?.preferred);
  }

  #go(place: Place): void {
    if (place instanceof EvenkeelError) this.fail(place);
    else if (place instanceof RequestQueue) this.#wait(place);
    else this.#carry(place, false);
  }

  #wait(queue: RequestQueue): void {
    const { core } = this;
    if (core.admission.full) {
      this.fail(new EvenkeelError('EK_QUEUE_FULL'));
      return;
    }
    const now = core.environment.now();
    this.#waiter = core.admission.wait(this, queue, this.#priority, now, this.timeouts.queueMs);
  }

  /** What rules have said of it, else what the option `priority` says. */
  get #priority(): Priority {
    const { priorityClass, priorityOffset } = this;
    const ruled = priorityClass !== 0 || priorityOffset !== 0;
    return ruled ? { class: priorityClass, offset: priorityOffset } : this.core.priorityOf(this);
  }

  onTurn(server: BackendServer): void {
    this.#stopWaiting();
    this.#carry(server, false);
  }

  onRefused(error: EvenkeelError): void {
    this.#stopWaiting();
    this.fail(error);
  }

  /** It is in a queue no more. */
  #stopWaiting(): void {
    if (!this.#waiter) return;
    this.#queuedMs += this.core.environment.now() - this.#waiter.since;
    this.#waiter = undefined;
  }

  /** Gives up its place in a queue; `false` if it has none. */
  #leaveQueue(): boolean {
    if (!this.#waiter) return false;
    this.core.admission.leave(this.#waiter);
    this.#stopWaiting();
    return true;
  }

  /** Takes a slot of the server, unless it holds one still, and sends the request there. */
  #carry(server: BackendServer, fresh: boolean): void {
    const previous = this.#server;
    if (!this.#holdsSlot) this.core.take(server);
    if (previous === server) {
      if (!fresh) server.counters.wretr++;
    } else if (previous) {
      previous.counters.wredis++;
      this.#redispatched = true;
    }
    this.#server = server;
    this.#holdsSlot = true;
    // The first attempt comes at once: one look at the clock less a request.
    this.attemptedAt = previous || this.#queuedMs > 0 ? this.core.environment.now() : this.startedAt;
    this.connectedAt = 0;
    this.#attempt = this.core.forwarder.forward(this, server, fresh, this);
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
      case 'ruled':
        this.answerByRule(this.ruling as Ruling);
        return;
      case 'failed':
        if (this.core.balancer.observes)
          this.core.balancer.observed(server, this.core.environment.now() - this.attemptedAt, false);
        if (outcome.reason === 'conn-failure') counters.econ++;
        else {
          this.#onlyRefused = false;
          if (!outcome.onReusedConnection) counters.eresp++;
        }
        this.#retry(outcome, server);
    }
  }

  #retry(failure: Extract<Outcome, { kind: 'failed' }>, server: BackendServer): void {
    const { idempotent, body } = this;
    const { reason, sent, onReusedConnection } = failure;
    const decision = decideRetry(
      { reason, sent, onReusedConnection, idempotent, replayable: body.replayable, retries: this.#retries },
      this.core.options.retry,
    );
    if (decision === 'give-up') {
      this.fail(failure.error);
      return;
    }
    if (decision === 'fresh') {
      this.#carry(server, true);
      return;
    }
    this.#retries++;
    if (decision === 'same') {
      this.#carry(server, false);
      return;
    }
    this.#releaseSlot();
    this.#tried ??= [];
    this.#tried.push(server);
    const isLast = this.#retries === this.core.options.retry.retries;
    this.#go(this.core.choice.again(this, this.#tried, isLast && this.#onlyRefused));
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

  protected answerByRule(ruling: Ruling): void {
    const { clientResponse: response } = this;
    let { status } = ruling;
    this.#releaseSlot();
    try {
      if (response.headersSent || response.destroyed) cutResponse(response);
      else status = this.core.answerByRule(this, ruling);
    } catch (fault) {
      this.core.reportFault('rules', fault); // a response that somebody else has tampered with
      cutResponse(response);
    } finally {
      this.#settle(status, ruling.flags);
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
    this.tarpit?.end();
    this.#releaseSlot();
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
      redispatched: this.#redispatched,
      queueMs: this.#queuedMs,
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
