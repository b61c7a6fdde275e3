import type { EvenkeelError, TerminationFlags, TimeLimit } from '../core/errors.ts';
import { DRAIN_BYTES } from '../forward/body-replay.ts';
import { cutResponse } from '../forward/client-response.ts';
import { ClientExchange } from './client-exchange.ts';
import type { Ruling } from './rule-answers.ts';

/** How a request ends that no server answers: with an error of ours, or as a rule has it. */
export abstract class AnsweredExchange extends ClientExchange {
  /** Gives its slot back, if it has one. */
  protected abstract releaseSlot(): void;
  /** It is over: gives back all that it holds, and tells of it. */
  protected abstract settle(status: number, flags: TerminationFlags, timeout?: TimeLimit, error?: EvenkeelError): void;

  /** Answers with an error, unless the framework takes over. */
  protected fail(error: EvenkeelError): void {
    const { clientResponse: response, body } = this;
    let { status } = error;
    this.releaseSlot();
    try {
      if (this.arrival.decline) body.letGo();
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
      this.settle(status, error.flags, error.timeout, error);
    }
  }

  protected answerByRule(ruling: Ruling): void {
    const { clientResponse: response } = this;
    let { status } = ruling;
    this.releaseSlot();
    try {
      if (response.headersSent || response.destroyed) cutResponse(response);
      else status = this.core.answerByRule(this, ruling);
    } catch (fault) {
      this.core.reportFault('rules', fault); // a response that somebody else has tampered with
      cutResponse(response);
    } finally {
      this.settle(status, ruling.flags);
    }
  }
}
