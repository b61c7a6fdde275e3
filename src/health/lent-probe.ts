import type { ResponseHead } from '../http1/response-head.ts';
import type { ResponseEvents } from '../http1/response-parser.ts';
import type { Cancel, CheckResult, Probe } from './health-check.ts';
import { HttpAnswer } from './http-answer.ts';
import { requestBytes } from './http-request.ts';
import { type HttpExchange, type HttpStage, surroundingsOf } from './http-stage.ts';
import { StepFault, StepRun } from './step-run.ts';

/** A kept connection of a server, lent for one request. Exactly one of the last two is called, once. */
export interface LentConnection {
  ask(method: string, request: Buffer, borrower: Borrower): void;
  /** Nothing is left over: it may serve the next. */
  giveBack(): void;
  discard(): void;
}

/** Who asks over a lent connection. */
export interface Borrower extends ResponseEvents {
  /** All that has come so far was handed on. `complete`: it was the whole answer, and nothing came behind it. */
  onPieces(complete: boolean): void;
  /** The connection is gone, before the answer was complete. @param received any byte of it had come */
  onGone(received: boolean): void;
}

/** What `ask` gives, or the result where a function of the user's failed in it. */
function orFault<T>(ask: () => T): T | CheckResult {
  try {
    return ask();
  } catch (error) {
    if (error instanceof StepFault) return error.result;
    throw error;
  }
}

/**
 * Asks one request over a lent connection. One that was dead before a byte of the answer came says nothing of the server.
 * @param onDead is called in place of `onResult` then
 */
export function runLent(
  lent: LentConnection,
  stage: HttpStage,
  exchange: HttpExchange,
  probe: Probe,
  onResult: (result: CheckResult) => void,
  onDead: () => void,
): Cancel {
  const { environment, target, connectMs, answerMs } = probe;
  const limitMs = answerMs ?? connectMs;
  const answer = new HttpAnswer(exchange, new StepRun(probe), stage.keepsBodies);
  let keepAlive = false;
  let settled = false;
  const settle = (whole: boolean, then: () => void): void => {
    if (settled) return;
    settled = true;
    timer.cancel();
    if (whole && keepAlive) lent.giveBack();
    else lent.discard();
    then();
  };
  const judge = (whole: boolean): void => {
    const verdict = orFault(() => answer.verdict());
    if (verdict !== undefined) settle(whole, () => onResult(verdict === 'held' ? answer.passed() : verdict));
  };
  const timer = environment.setTimer(
    () =>
      settle(false, () =>
        onResult({ result: 'failed', code: answer.timeout, description: `no complete answer within ${limitMs} ms` }),
      ),
    limitMs,
  );
  const { authority, added } = surroundingsOf(stage, target);
  const request = orFault(() => answer.begin());
  if ('result' in request) {
    // The caller must not hear of it before this returns.
    queueMicrotask(() => settle(false, () => onResult(request)));
    return () => settle(false, () => {});
  }
  lent.ask(request.method, requestBytes(request, authority, added, false), {
    onInterim() {},
    onWhole(head: ResponseHead, body: string) {
      this.onHead(head);
      const bytes = Buffer.from(body, 'latin1');
      answer.onBody(bytes, 0, bytes.length);
      answer.onEnd();
    },
    onHead(head: ResponseHead) {
      keepAlive = head.keepAlive;
      answer.onHead(head);
    },
    onBody: (buffer, start, end) => answer.onBody(buffer, start, end),
    onEnd: () => answer.onEnd(),
    onBad: (reason) => answer.onBad(reason),
    onPieces: judge,
    onGone(received) {
      if (!received) {
        settle(false, onDead);
        return;
      }
      answer.onBad('the connection was closed before the response was complete');
      judge(false);
    },
  });
  return () => settle(false, () => {});
}
