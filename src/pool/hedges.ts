import type { Expiring } from '../core/deadlines.ts';
import type { Outcome } from '../core/outcome.ts';
import type { BackendServer } from './backend-server.ts';
import type { HttpDispatch } from './dispatch.ts';
import { Hedge, type HedgeOwner } from './hedge.ts';
import type { Hedging } from './hedging.ts';
import type { PoolCore } from './pool-core.ts';
import { isIdempotent } from './request-intake.ts';

/**
 * The hedges of one request: when the next is due, which are under way, and which attempt comes first. The first attempt is
 * the request's own; a hedge that is quicker, or left alone by its failure, takes its place. What loses is aborted and counts
 * against nobody.
 */
export class Hedges implements Expiring, HedgeOwner {
  /** Hedges sent so far. */
  sent = 0;
  deadline: number = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly #core: PoolCore;
  readonly #hedging: Hedging;
  readonly #request: HttpDispatch;
  readonly #underWay: Hedge[] = [];
  #delayMs = 0;
  /** The first attempt, or a retry, is under way, and no hedge has taken its place. */
  #firstRuns = false;

  private constructor(core: PoolCore, hedging: Hedging, request: HttpDispatch) {
    this.#core = core;
    this.#hedging = hedging;
    this.#request = request;
    hedging.budget.request();
  }

  /** For a request that may be hedged. */
  static of(core: PoolCore, request: HttpDispatch): Hedges | undefined {
    const { hedging } = core;
    // Not by `idempotent`: that a POST may be sent again when it failed does not mean that it is to be sent twice.
    if (!hedging || !isIdempotent(request.method) || request.upgrade !== undefined || request.expectContinue)
      return undefined;
    // It is not to be sent twice, or belongs to one server, or its client is authenticated to one.
    if (request.l7RetryDisabled || request.binding !== 'none' || request.preferred) return undefined;
    return new Hedges(core, hedging, request);
  }

  /** The request's own attempt has begun. */
  began(): void {
    this.#firstRuns = true;
    const { attemptedAt } = this.#request;
    const delayMs = this.sent < this.#hedging.max ? this.#hedging.delayMs(attemptedAt) : undefined;
    if (delayMs === undefined) return;
    this.#delayMs = delayMs;
    this.#wait(attemptedAt);
  }

  /** A response's head is there, be it the first attempt's or a hedge's. Ends all others. */
  onResponse(): void {
    if (this.#firstRuns) {
      const { respondedAt, attemptedAt } = this.#request;
      this.#hedging.observed(respondedAt - attemptedAt, respondedAt);
    }
    this.end();
  }

  /** The request's attempt has failed. Gives the hedge that goes on in its place. */
  next(): Hedge | undefined {
    this.#firstRuns = false;
    const hedge = this.#underWay.shift();
    if (hedge) hedge.adopted = true;
    else this.#core.deadlines.remove(this);
    return hedge;
  }

  /** The request is over, or has its response. */
  end(): void {
    this.#firstRuns = false;
    this.#core.deadlines.remove(this);
    for (let hedge = this.#underWay.pop(); hedge; hedge = this.#underWay.pop()) this.#drop(hedge);
  }

  /** Ends those on a server that is not to be used any longer. */
  endOn(server: BackendServer): void {
    for (const hedge of this.#underWay.filter((each) => each.server === server)) {
      this.#underWay.splice(this.#underWay.indexOf(hedge), 1);
      this.#drop(hedge);
    }
  }

  #drop(hedge: Hedge): void {
    hedge.attempt?.abort();
    this.#core.free(hedge.server);
  }

  /** Some are, beside the first attempt. */
  get underWay(): boolean {
    return this.#underWay.length > 0;
  }

  /** No response so far. */
  onDeadline(): void {
    this.#core.deadlines.remove(this);
    const { body } = this.#request;
    if (!body.replayable) return;
    const now = this.#core.environment.now();
    if (!body.complete) {
      this.#delayMs *= 2; // not at every tick of a slow upload
      this.#wait(now);
      return;
    }
    const server = this.#choose();
    if (!server) return;
    this.#hedging.budget.spend();
    server.counters.lbtot++;
    server.counters.hedges++;
    this.#core.take(server);
    const hedge = new Hedge(this.#request, this, server, now);
    this.#underWay.push(hedge);
    this.#request.tellDeadline(now);
    this.#carry(hedge, false);
    if (++this.sent < this.#hedging.max) this.#wait(now);
  }

  /** Beside a hedge that has taken nobody's place there always is another attempt. */
  outlives(status: number): boolean {
    return this.#core.options.retry.statuses.has(status);
  }

  onWon(hedge: Hedge): void {
    hedge.server.counters.hedgesWon++;
    if (hedge.adopted) return;
    // It would have taken longer still, but leaving it out would make slow servers look quick.
    if (this.#firstRuns) this.#hedging.observed(hedge.respondedAt - this.#request.attemptedAt, hedge.respondedAt);
    this.#firstRuns = false;
    this.#underWay.splice(this.#underWay.indexOf(hedge), 1);
    hedge.adopted = true;
    this.#request.adopt(hedge);
  }

  onLost(hedge: Hedge, outcome: Outcome): void {
    if (outcome.kind === 'failed' && outcome.onReusedConnection && outcome.reason === 'empty-response') {
      hedge.attemptedAt = this.#core.environment.now();
      this.#carry(hedge, true);
      return;
    }
    this.#underWay.splice(this.#underWay.indexOf(hedge), 1);
    this.#request.onHedgeLost(hedge, outcome);
    this.#core.free(hedge.server);
  }

  #carry(hedge: Hedge, fresh: boolean): void {
    hedge.attempt = this.#core.forwarder.forward(hedge, hedge.server, fresh, hedge);
  }

  #wait(from: number): void {
    this.deadline = from + this.#delayMs;
    if (this.deadlineIndex === -1) this.#core.deadlines.add(this);
    else this.#core.deadlines.moveTo(this, this.deadline);
  }

  /** A server that has a free slot now, and has no part in the request yet. */
  #choose(): BackendServer | undefined {
    if (!this.#hedging.budget.suffices) return undefined;
    const taken = [...this.#request.servers, ...this.#underWay.map(({ server }) => server)];
    const { balancer } = this.#core;
    const server = balancer.pick(this.#request, taken.at(-1));
    if (!server || (!server.saturated && !taken.includes(server))) return server;
    return balancer.untried(server, taken);
  }
}
