import type { ResponseHead } from '../http1/response-head.ts';
import type { ResponseEvents } from '../http1/response-parser.ts';
import type { HttpAnswer } from './http-answer.ts';

/** Leads what is read of HTTP/1 to the answer that is waited for. */
export abstract class AnswerEvents implements ResponseEvents {
  protected answer: HttpAnswer | undefined = undefined;
  /** The connection may serve another request behind this answer. */
  protected keepAlive = false;

  onInterim(): void {}

  onWhole(head: ResponseHead, body: string): void {
    this.keepAlive = head.keepAlive;
    this.answer?.onWhole(head, body);
  }

  onHead(head: ResponseHead): void {
    this.keepAlive = head.keepAlive;
    this.answer?.onHead(head);
  }

  onBody(buffer: Uint8Array, start: number, end: number): void {
    this.answer?.onBody(buffer, start, end);
  }

  onEnd(): void {
    this.answer?.onEnd();
  }

  onBad(reason: string): void {
    this.answer?.onBad(reason);
  }
}
