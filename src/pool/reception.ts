import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import { EvenkeelError } from '../core/errors.ts';
import type { Outcome } from '../core/outcome.ts';
import { Wait } from '../core/wait.ts';
import { atTurn, writeContinue } from '../forward/client-response.ts';
import type { MutableHead } from '../forward/forwarder.ts';
import type { FieldMap } from '../http1/request-head.ts';
import { AnsweredExchange } from './answered-exchange.ts';
import { takeIn } from './request-intake.ts';
import type { Ruling } from './rule-answers.ts';
import { copyFields, fieldsOf, listOf } from './rule-fields.ts';
import type { RequestRuleContext } from './rules.ts';
import { announcedMs, overdue, withRemaining } from './total-limit.ts';

/** How much of a body a choice may depend on. HAProxy: tune.bufsize. */
const PEEK_BYTES = 16_384;

const BROKEN_BODY = 'the request body was not whole';

/**
 * What becomes of a request before a server is chosen for it: it is looked at, rules are applied, and where the choice
 * depends on the body, that is begun.
 */
export abstract class Reception extends AnsweredExchange {
  protected over = false;
  /** When all of it must be over, and the watch over that; `undefined`: it may take as long as it likes. */
  protected total: Wait | undefined = undefined;
  /** It waits in there for the answer of a rule. */
  protected tarpit: Wait | undefined = undefined;
  /** It waits for the beginning of its body. */
  protected bodyWait: Wait | undefined = undefined;
  /** The answer of a rule, in place of a server's. */
  protected ruling: Ruling | undefined = undefined;

  /** The request may be carried now. */
  protected abstract choose(): void;
  /** Tells the server of the next attempt how much time is left. */
  tellDeadline(now: number): void {
    const { deadlineHeader } = this.core.options;
    if (this.total && deadlineHeader !== undefined)
      this.headers = withRemaining(this.headers, deadlineHeader, this.total.deadline - now);
  }

  /** `timeout.total` is over. */
  protected abstract onTotalTimeout(): void;

  start(): void {
    const { options } = this.core;
    try {
      const { target, body, headers } = takeIn(
        this.clientRequest,
        this.target,
        options.bufferBody,
        this.core.bodyMemory,
      );
      this.target = target;
      this.body = body;
      this.headers = headers as FieldMap & IncomingHttpHeaders;
    } catch (error) {
      // A parsed body may be anything, also what JSON.stringify throws at.
      this.fail(error instanceof EvenkeelError ? error : new EvenkeelError('EK_BODY_CONSUMED', { cause: error }));
      return;
    }
    if (this.arrival.upgrade) this.#watchForEnd(this.arrival.upgrade.socket);
    if (options.requestRules && this.#applyRules()) return;
    if (this.#limitTotal()) return;
    if (options.balance.readsBodies && this.method === 'POST') this.#peekAtBody();
    else this.choose();
  }

  /** Returns `true` when no time is left at all. */
  #limitTotal(): boolean {
    const { deadlines, options } = this.core;
    const totalMs = Math.min(this.timeouts.totalMs, announcedMs(this.headers, options.deadlineHeader));
    if (totalMs === Number.POSITIVE_INFINITY) return false;
    if (totalMs === 0) {
      this.fail(overdue('H', undefined));
      return true;
    }
    this.total = new Wait(deadlines, this.startedAt + totalMs, () => this.onTotalTimeout());
    return false;
  }

  /** Returns `true` when a rule answers the request. */
  #applyRules(): boolean {
    const headers = copyFields(this.headers);
    const context: RequestRuleContext = { ...this.context, headers, tracked: this.tracked };
    const ruling = this.core.options.requestRules?.apply(context, headers, this, this.core.reportFault);
    this.headers = headers as FieldMap & IncomingHttpHeaders;
    this.ruling = ruling;
    if (!ruling) return false;
    if (ruling.tarpit) {
      const deadline = this.startedAt + this.timeouts.tarpitMs;
      this.tarpit = new Wait(this.core.deadlines, deadline, () => this.answerByRule(ruling));
    } else this.answerByRule(ruling);
    return true;
  }

  /** Returns how the attempt ends, where that response is not to be passed on. */
  protected applyResponseRules(head: MutableHead): Outcome | undefined {
    const { options, reportFault } = this.core;
    const response = { status: head.status, headers: fieldsOf(head.headers) };
    const context = { ...this.context, response, tracked: this.tracked };
    this.ruling = options.responseRules?.apply(context, response.headers, this, reportFault);
    if (this.over) return { kind: 'client-gone', flags: 'CH' }; // a function of the user's has ended it
    if (this.ruling) return { kind: 'ruled' };
    head.headers = listOf(response.headers, head.headers, reportFault);
    if (Number.isInteger(response.status) && response.status >= 200 && response.status <= 599)
      head.status = response.status;
    return undefined;
  }

  /** The pool is closing: nobody is kept waiting for nothing. */
  onPoolClosing(): void {
    if (this.tarpit && this.ruling && !this.over) this.answerByRule(this.ruling);
  }

  /** As Node gives up a request whose client ends its side, so do we an upgrade; only a tunnel may be half closed. */
  #watchForEnd(socket: Duplex): void {
    const leave = (): void => {
      if (this.over || this.tunnelling) return;
      this.onClientGone();
      socket.destroy();
    };
    if (socket.readableEnded) process.nextTick(leave);
    else socket.once('end', leave);
  }

  /** The choice depends on what the body begins with. HAProxy: as with `option http-buffer-request`. */
  #peekAtBody(): void {
    const { body, clientResponse: response } = this;
    let come = false;
    const expectBody = (): void => {
      this.bodyWait = new Wait(this.core.deadlines, this.core.environment.now() + this.timeouts.clientMs, () => {
        const message = 'the client stopped sending its request';
        this.fail(new EvenkeelError('EK_ABORTED', { status: 408, flags: 'cH', timeout: 'client', message }));
      });
    };
    if (this.expectContinue)
      atTurn(response, () => {
        if (this.over || come) return; // it did not wait for long
        this.continued = true;
        writeContinue(response);
        expectBody();
      });
    else expectBody();
    body.peek(PEEK_BYTES, () => {
      come = true;
      if (this.over) return;
      this.bodyWait?.end();
      if (body.replayable) this.choose();
      else if (this.clientRequest.aborted) this.onClientGone();
      else this.fail(new EvenkeelError('EK_ABORTED', { status: 400, flags: 'CH', message: BROKEN_BODY }));
    });
  }
}
