import type { Timer } from '../core/environment.ts';
import type { ResponseEvents } from '../http1/response-parser.ts';
import { AnswerEvents } from './answer-events.ts';
import type { Cancel, CheckResult, HealthCheck, Probe } from './health-check.ts';
import { HttpAnswer } from './http-answer.ts';
import { type CheckRequest, requestBytes } from './http-request.ts';
import { type HttpExchange, type HttpStage, surroundingsOf } from './http-stage.ts';
import { StepFault, StepRun } from './step-run.ts';

/** A kept connection of a server, lent for one request. Exactly one of the last two is called, once. */
export interface LentConnection {
  /** Whether any byte of the answer has come. */
  readonly received: boolean;
  ask(method: string, request: Buffer, borrower: Borrower): void;
  /** Nothing is left over: it may serve the next. */
  giveBack(): void;
  discard(): void;
}

/** Who asks over a lent connection. */
export interface Borrower extends ResponseEvents {
  onConnect(): void;
  onDrain(): void;
  /** All that has come so far was handed on; more is to come. */
  onPause(): void;
  /** The answer is complete. @param excess bytes that came behind it */
  onComplete(excess: Buffer | undefined): void;
  /** The connection is gone, before the answer was complete. */
  onClosed(): void;
}

/**
 * Asks one request over a lent connection. One that was dead before a byte of the answer came says nothing of the server:
 * then the check is run over a connection of its own.
 *
 * One object is all that a check over it costs, and when it is over it lets go of all that it knew: of closures in its place,
 * each kept the next alive through the young generation once one of them had grown old, 2.7 KB a check and 11 µs of collection.
 */
export class LentProbe extends AnswerEvents implements Borrower {
  readonly #probe: Probe;
  readonly #onResult: (result: CheckResult) => void;
  readonly #otherwise: HealthCheck['run'];
  #lent: LentConnection | undefined;
  #timer: Timer | undefined;
  /** Ends what is run in its place. */
  #cancelOther: Cancel | undefined;

  /** @param otherwise runs the check where the connection was dead */
  constructor(
    lent: LentConnection,
    stage: HttpStage,
    exchange: HttpExchange,
    probe: Probe,
    onResult: (result: CheckResult) => void,
    otherwise: HealthCheck['run'],
  ) {
    super();
    this.#lent = lent;
    this.#probe = probe;
    this.#onResult = onResult;
    this.#otherwise = otherwise;
    const answer = new HttpAnswer(exchange, new StepRun(probe), stage.keepsBodies);
    this.answer = answer;
    const { authority, added } = surroundingsOf(stage, probe.target);
    let request: CheckRequest;
    try {
      request = answer.begin();
    } catch (error) {
      const result = faultIn(error);
      // The caller must not hear of it before this returns.
      queueMicrotask(() => this.#end(false) && onResult(result));
      return;
    }
    this.#timer = probe.environment.setTimer(() => this.#onLimit(), this.#limitMs);
    lent.ask(request.method, requestBytes(request, authority, added, false), this);
  }

  /** Ends it without a result. */
  readonly cancel = (): void => {
    this.#cancelOther?.();
    this.#end(false);
  };

  onConnect(): void {}
  onDrain(): void {}
  onPause(): void {
    this.#judge(false);
  }

  onComplete(excess: Buffer | undefined): void {
    this.#judge(excess === undefined);
  }

  onClosed(): void {
    if (this.#lent?.received) {
      this.answer?.onBad('the connection was closed before the response was complete');
      this.#judge(false);
    } else if (this.#end(false)) this.#cancelOther = this.#otherwise(this.#probe, this.#onResult);
  }

  get #limitMs(): number {
    return this.#probe.answerMs ?? this.#probe.connectMs;
  }

  #onLimit(): void {
    const code = this.answer?.timeout ?? 'L7TOUT';
    const description = `no complete answer within ${this.#limitMs} ms`;
    if (this.#end(false)) this.#onResult({ result: 'failed', code, description });
  }

  /** @param whole the answer was complete, and nothing came behind it */
  #judge(whole: boolean): void {
    const answer = this.answer;
    if (!answer) return;
    let result: CheckResult | undefined;
    try {
      const verdict = answer.verdict();
      result = verdict === 'held' ? answer.passed() : verdict;
    } catch (error) {
      result = faultIn(error);
    }
    if (result && this.#end(whole && this.keepAlive)) this.#onResult(result);
  }

  /** Gives the connection up. @returns `false`: it was over already */
  #end(reusable: boolean): boolean {
    const lent = this.#lent;
    if (!lent) return false;
    this.#lent = this.answer = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (reusable) lent.giveBack();
    else lent.discard();
    return true;
  }
}

/** The result where a function of the user's has failed; any other error is ours. */
function faultIn(error: unknown): CheckResult {
  if (error instanceof StepFault) return error.result;
  throw error;
}
