import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ClientSession } from '../connections/connection-pool.ts';
import type { RequestContext } from '../core/context.ts';
import type { Expiring } from '../core/deadlines.ts';
import { EvenkeelError, type TerminationFlags } from '../core/errors.ts';
import type { Arrival, ClientRequest, ClientResponse } from '../core/exchange.ts';
import type { Outcome } from '../core/outcome.ts';
import { RequestBody } from '../forward/body-replay.ts';
import { atTurn, cutResponse, writeContinue } from '../forward/client-response.ts';
import type { Attempt, ExchangeTimeouts, HttpExchange, MutableHead, OutcomeSink } from '../forward/forwarder.ts';
import type { FieldMap } from '../http1/request-head.ts';
import { DRAIN_BYTES } from './answers.ts';
import type { BackendServer } from './backend-server.ts';
import type { Leaver } from './client-sessions.ts';
import type { PoolCore } from './pool-core.ts';
import { isIdempotent, takeIn } from './request-intake.ts';
import { decideRetry } from './retry-policy.ts';
import { copyFields, fieldsOf, listOf, type RequestRuleContext } from './rules.ts';

/** How much of a body a choice may depend on. HAProxy: tune.bufsize. */
const PEEK_BYTES = 16_384;

const BROKEN_BODY = 'the request body was not whole';

/** Statuses that say the server could not do its work. */
const FAILURES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/**
 * One request's way through the pool: admit, choose, carry, settle, and perhaps again. START READING HERE.
 *
 *     start → #choose → forwarder → onOutcome → #settle
 *                ▲                      │
 *                └────── retry ─────────┘
 *
 * It is the `HttpExchange` of its attempts and the `RequestContext` of its choices, so that a request costs one object.
 */
export class HttpDispatch implements HttpExchange, OutcomeSink, RequestContext, Leaver {
  readonly #core: PoolCore;
  readonly #arrival: Arrival;
  readonly #startedAt: number;
  #server: BackendServer | undefined = undefined;
  #holdsSlot = false;
  #attempt: Attempt | undefined = undefined;
  #retries = 0;
  /** Servers left for another after a failure, the last one last. */
  #tried: BackendServer[] | undefined = undefined;
  #redispatched = false;
  /** No attempt has got as far as a connection. */
  #onlyRefused = true;
  #over = false;
  listIndex = -1;

  // HttpExchange
  readonly clientRequest: ClientRequest;
  readonly clientResponse: ClientResponse;
  readonly method: string;
  readonly idempotent: boolean;
  readonly timeouts: ExchangeTimeouts;
  readonly session: ClientSession | undefined;
  target: string;
  headers: FieldMap & IncomingHttpHeaders;
  body: RequestBody = RequestBody.none;
  bytesIn = 0;
  bytesOut = 0;
  attemptedAt = 0;
  connectedAt = 0;
  respondedAt = 0;
  continued = false;
  tunnelling = false;

  constructor(core: PoolCore, request: ClientRequest, response: ClientResponse, arrival: Arrival) {
    this.#core = core;
    this.#arrival = arrival;
    this.#startedAt = core.environment.now();
    this.clientRequest = request;
    this.clientResponse = response;
    this.method = request.method ?? 'GET';
    this.target = arrival.target;
    this.headers = request.headers;
    this.idempotent = core.options.retryNonIdempotent || isIdempotent(this.method);
    this.timeouts = core.options.timeouts;
    this.session = core.sessions.enter(request, response, this);
  }

  start(): void {
    const { options } = this.#core;
    if (this.#core.closing) {
      this.#fail(new EvenkeelError('EK_CLOSED'));
      return;
    }
    try {
      const { target, body, headers } = takeIn(this.clientRequest, this.target, options.bufferBody);
      this.target = target;
      this.body = body;
      this.headers = headers as FieldMap & IncomingHttpHeaders;
    } catch (error) {
      // A parsed body may be anything, also what JSON.stringify throws at.
      this.#fail(error instanceof EvenkeelError ? error : new EvenkeelError('EK_BODY_CONSUMED', { cause: error }));
      return;
    }
    if (options.requestRules) this.#applyRequestRules();
    if (this.#arrival.upgrade) this.#watchForEnd(this.#arrival.upgrade.socket);
    if (options.balance.readsBodies && this.method === 'POST') this.#peekAtBody();
    else this.#choose();
  }

  /** As Node gives up a request whose client ends its side, so do we an upgrade; only a tunnel may be half closed. */
  #watchForEnd(socket: Duplex): void {
    const leave = (): void => {
      if (this.#over || this.tunnelling) return;
      this.onClientGone();
      socket.destroy();
    };
    if (socket.readableEnded) process.nextTick(leave);
    else socket.once('end', leave);
  }

  /** The choice depends on what the body begins with. HAProxy: as with `option http-buffer-request`. */
  #peekAtBody(): void {
    const { body, clientResponse: response } = this;
    const { deadlines, environment } = this.#core;
    const wait: Expiring = {
      deadline: this.#startedAt + this.timeouts.clientMs,
      deadlineIndex: -1,
      onDeadline: () => {
        deadlines.remove(wait);
        const message = 'the client stopped sending its request';
        this.#fail(new EvenkeelError('EK_ABORTED', { status: 408, flags: 'cH', message }));
      },
    };
    deadlines.add(wait);
    if (this.expectContinue)
      atTurn(response, () => {
        if (this.#over) return;
        this.continued = true;
        writeContinue(response);
        deadlines.moveTo(wait, environment.now() + this.timeouts.clientMs);
      });
    body.peek(PEEK_BYTES, () => {
      deadlines.remove(wait);
      if (this.#over) return;
      if (body.replayable) this.#choose();
      else if (this.clientRequest.aborted) this.onClientGone();
      else this.#fail(new EvenkeelError('EK_ABORTED', { status: 400, flags: 'CH', message: BROKEN_BODY }));
    });
  }

  // RequestContext
  get bodyStart(): string | undefined {
    return this.#core.options.balance.readsBodies ? this.body.heldText : undefined;
  }
  get url(): string {
    return this.target;
  }
  get remoteAddress(): string | undefined {
    return this.clientRequest.socket.remoteAddress;
  }
  get socket(): { readonly remoteAddress?: string | undefined } {
    return this.clientRequest.socket;
  }
  get request(): unknown {
    return this.#arrival.frameworkRequest;
  }

  // HttpExchange, what is seldom asked for
  get clientAddress(): string | undefined {
    return this.#core.forwardedAddressOf(this);
  }
  get rawHeaders(): readonly string[] {
    return this.clientRequest.rawHeaders;
  }
  get localAddress(): string | undefined {
    return this.clientRequest.socket.localAddress;
  }
  get secure(): boolean {
    return 'encrypted' in this.clientRequest.socket;
  }
  get upgrade(): string | undefined {
    return this.#arrival.upgrade?.protocol;
  }
  get upgradeHead(): Buffer | undefined {
    return this.#arrival.upgrade?.head;
  }
  get upgradeSocket(): Duplex | undefined {
    return this.#arrival.upgrade?.socket;
  }
  get expectContinue(): boolean {
    return this.#arrival.expectContinue && !this.continued;
  }

  /** What rules are given: a plain object, so that it can be spread and kept. */
  get context(): RequestContext {
    const { method, url, headers, socket, remoteAddress, request } = this;
    return { method, url, headers, socket, remoteAddress, request };
  }

  onResponse(head: MutableHead): Outcome | undefined {
    // A time-out middleware, say, may have answered meanwhile.
    if (this.clientResponse.headersSent || this.clientResponse.destroyed) return { kind: 'client-gone', flags: 'CH' };
    const rules = this.#core.options.responseRules;
    if (rules) {
      const response = { status: head.status, headers: fieldsOf(head.headers) };
      rules.apply({ ...this.context, response }, response.headers, this.#core.reportFault);
      head.headers = listOf(response.headers, head.headers, this.#core.reportFault);
      if (Number.isInteger(response.status) && response.status >= 200 && response.status <= 599)
        head.status = response.status;
    }
    return undefined;
  }

  onClientGone(): void {
    if (this.#over || this.tunnelling) return;
    this.#attempt?.abort();
    const flags = this.clientResponse.headersSent ? 'CD' : this.connectedAt === 0 ? 'CC' : 'CH';
    if (this.#server) this.#server.counters.cli_abrt++;
    this.#settle(this.clientResponse.headersSent ? this.clientResponse.statusCode : 499, flags);
  }

  /** The grace time is over: ends the request as it stands. HAProxy: flag `K`. */
  cut(): void {
    if (this.#over) return;
    this.#attempt?.abort();
    if (this.tunnelling) this.#settle(101, 'KD');
    else if (this.clientResponse.headersSent) {
      cutResponse(this.clientResponse);
      this.#settle(this.clientResponse.statusCode, 'KD');
    } else this.#fail(new EvenkeelError('EK_CLOSED', { flags: this.connectedAt === 0 ? 'KC' : 'KH' }));
  }

  isOn(server: BackendServer): boolean {
    return this.#holdsSlot && this.#server === server;
  }

  #applyRequestRules(): void {
    const headers = copyFields(this.headers);
    const context: RequestRuleContext = { ...this.context, headers };
    this.#core.options.requestRules?.apply(context, headers, this.#core.reportFault);
    this.headers = headers as FieldMap & IncomingHttpHeaders;
  }

  #choose(): void {
    const server = this.#core.choose(this, this.session?.preferred);
    if (server instanceof EvenkeelError) this.#fail(server);
    else this.#carry(server, false);
  }

  /** Takes a slot of the server and sends the request there. */
  #carry(server: BackendServer, fresh: boolean): void {
    const previous = this.#server;
    this.#core.take(server);
    if (previous && previous !== server) this.#redispatched = true;
    this.#server = server;
    this.#holdsSlot = true;
    // The first attempt comes at once: one look at the clock less a request.
    this.attemptedAt = previous ? this.#core.environment.now() : this.#startedAt;
    this.connectedAt = 0;
    this.#attempt = this.#core.forwarder.forward(this, server, fresh, this);
  }

  onOutcome(outcome: Outcome): void {
    this.#attempt = undefined;
    if (this.#over) return;
    const server = this.#server as BackendServer;
    const { counters } = server;
    switch (outcome.kind) {
      case 'answered':
        if (this.#core.balancer.observes)
          this.#core.balancer.observed(server, this.respondedAt - this.attemptedAt, !FAILURES.has(outcome.status));
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
        this.#fail(outcome.error);
        return;
      case 'failed':
        if (this.#core.balancer.observes)
          this.#core.balancer.observed(server, this.#core.environment.now() - this.attemptedAt, false);
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
      this.#core.options.retry,
    );
    if (decision === 'give-up') {
      this.#fail(failure.error);
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
    this.#tried ??= [];
    this.#tried.push(server);
    const isLast = this.#retries === this.#core.options.retry.retries;
    const next = this.#core.chooseAgain(this, this.#tried, isLast && this.#onlyRefused);
    if (next instanceof EvenkeelError) this.#fail(next);
    else {
      if (next === server) server.counters.wretr++;
      else server.counters.wredis++;
      this.#carry(next, false);
    }
  }

  /** Answers with an error, unless the framework takes over. */
  #fail(error: EvenkeelError): void {
    const { clientResponse: response, body } = this;
    let { status } = error;
    this.#releaseSlot();
    try {
      if (this.#arrival.decline?.(error, !body.touched)) {
        // Behind the framework's answer Node reads on only what nobody has begun to read.
        if (body.touched) body.drain(DRAIN_BYTES, () => this.clientRequest.destroy());
        return;
      }
      if (response.headersSent || response.destroyed) cutResponse(response);
      else status = this.#core.answer(this, error);
    } catch (fault) {
      this.#core.reportFault('next', fault); // the framework's, or a response that somebody else has tampered with
      cutResponse(response);
    } finally {
      this.#settle(status, error.flags);
    }
  }

  #releaseSlot(): void {
    if (!this.#holdsSlot || !this.#server) return;
    this.#holdsSlot = false;
    this.#core.free(this.#server);
  }

  #settle(status: number, flags: TerminationFlags): void {
    if (this.#over) return;
    this.#over = true;
    this.#attempt = undefined;
    this.#releaseSlot();
    this.#core.sessions.leave(this.session, this);
    this.#core.ended(this);
    if (!this.#core.hearsRequests) return;
    const now = this.#core.environment.now();
    this.#core.emit('request', {
      method: this.method,
      url: this.target,
      server: this.#server?.name,
      status,
      flags,
      retries: this.#retries,
      redispatched: this.#redispatched,
      queueMs: (this.attemptedAt || now) - this.#startedAt,
      connectMs:
        this.connectedAt === 0 || this.attemptedAt > this.connectedAt ? 0 : this.connectedAt - this.attemptedAt,
      responseMs: this.respondedAt === 0 ? 0 : this.respondedAt - this.connectedAt,
      totalMs: now - this.#startedAt,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    });
  }
}

function classOf(status: number): 0 | 1 | 2 | 3 | 4 | 5 {
  const digit = Math.floor(status / 100);
  return digit >= 1 && digit <= 5 ? (digit as 1 | 2 | 3 | 4 | 5) : 0;
}
