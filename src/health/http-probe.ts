import { ResponseParser } from '../http1/response-parser.ts';
import { AnswerEvents } from './answer-events.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import { HttpAnswer } from './http-answer.ts';
import { requestBytes } from './http-request.ts';
import { connected, type HttpStage, type HttpSurroundings } from './http-stage.ts';
import type { ProbeConnection } from './probe-connection.ts';
import { type Conversation, PROCEED } from './stages.ts';
import type { StepRun } from './step-run.ts';
import { inPlace } from './steps.ts';

/** The requests of a check over one connection of HTTP/1, one after another, and the verdict on each answer. */
export class HttpProbe extends AnswerEvents implements Conversation {
  readonly reset = false;
  readonly #stage: HttpStage;
  readonly #surroundings: HttpSurroundings;
  readonly #run: StepRun;
  readonly #parser: ResponseParser = new ResponseParser(this);
  #link: ProbeConnection | undefined;
  #at = -1;
  #excess = false;
  #over = false;

  constructor(stage: HttpStage, surroundings: HttpSurroundings, run: StepRun) {
    super();
    this.#stage = stage;
    this.#surroundings = surroundings;
    this.#run = run;
  }

  get where(): string {
    if (this.#over) return '';
    return this.answer?.where ?? inPlace(this.#stage.place, 'http-check', this.#stage.connect.words);
  }

  get timeout(): CheckCode {
    return this.answer?.timeout ?? 'L7TOUT';
  }

  onReady(connection: ProbeConnection): CheckResult | undefined {
    this.#link = connection;
    return this.#stage.exchanges.length > 0 ? this.#ask() : connected(this.#stage, connection.overTls);
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    const used = this.#parser.execute(buffer, length);
    this.#excess ||= used < length;
    return this.#verdict();
  }

  onClosed(): CheckResult | undefined {
    this.#parser.finish();
    this.keepAlive = false;
    return this.#verdict();
  }

  get #hasNext(): boolean {
    return this.#at < this.#stage.exchanges.length - 1;
  }

  #ask(): undefined {
    const exchange = this.#stage.exchanges[++this.#at];
    if (!exchange) return;
    const { authority, added } = this.#surroundings;
    this.answer = new HttpAnswer(exchange, this.#run, this.#stage.keepsBodies);
    const request = this.answer.begin();
    this.#parser.reset(request.method);
    this.#link?.send(requestBytes(request, authority, added, !this.#hasNext));
  }

  /** Asked after each piece, not within it, so that an answer that came whole is read whole before the connection closes. */
  #verdict(): CheckResult | undefined {
    const answer = this.answer;
    const verdict = answer?.verdict();
    if (!answer || verdict === undefined) return undefined;
    if (verdict !== 'held') return verdict;
    if (!this.#hasNext) {
      this.#over = true;
      return this.#stage.last ? answer.passed() : PROCEED;
    }
    const end = answer.end();
    if (end !== 'whole') return end;
    if (this.#excess) return answer.failed('bytes behind the answer');
    return this.keepAlive
      ? this.#ask()
      : answer.failed('the server closes the connection after its answer; connect anew for the next request');
  }
}
