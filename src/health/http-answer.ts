import { AnswerBuffer, MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { judge } from './byte-expect.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import type { AnswerHead, Expect } from './http-expect.ts';
import type { CheckRequest } from './http-request.ts';
import type { HttpExchange, PlacedExpect } from './http-stage.ts';
import type { AnswerSource, StepAnswer, StepRun } from './step-run.ts';
import { resultOf } from './step-status.ts';
import { commentOf, inPlace, type VarStep } from './steps.ts';

const CHECK = 'http-check';

/** The answer to one request of a check, as it comes, held against what is expected of it. */
export class HttpAnswer implements AnswerSource {
  readonly #exchange: HttpExchange;
  readonly #run: StepRun;
  readonly #keepsBody: boolean;
  #request: CheckRequest;
  #varStep: VarStep | undefined;
  /** The user's words stand for a failure's place. */
  #told = false;
  #head: AnswerHead | undefined;
  readonly #body = new AnswerBuffer();
  #bodyBytes = 0;
  #complete = false;
  #bad: string | undefined;
  #lookedAt: PlacedExpect | undefined;

  constructor(exchange: HttpExchange, run: StepRun, keepsBody: boolean) {
    this.#exchange = exchange;
    this.#run = run;
    this.#keepsBody = keepsBody || exchange.bodies.length > 0;
    this.#request = exchange.request;
  }

  /** The request as it is to be sent in this run. Call once. @throws {StepFault} */
  begin(): CheckRequest {
    for (const step of this.#exchange.before ?? []) {
      this.#varStep = step;
      step.act(this.#run);
    }
    this.#varStep = undefined;
    this.#request = this.#request.bind?.(this.#run) ?? this.#request;
    this.#run.hear(this);
    return this.#request;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** The step that is being judged, for a description. */
  get where(): string {
    const [lookedAt, varStep] = [this.#lookedAt, this.#varStep];
    if (this.#told) return commentOf(lookedAt?.place);
    if (varStep) return inPlace(varStep.place, CHECK, 'variables');
    if (lookedAt) return inPlace(lookedAt.place, CHECK, `expect ${lookedAt.expect.phrase}`);
    return inPlace(this.#exchange.place, CHECK, `send ${this.#request.method} ${this.#request.uri}`);
  }

  /** The code of a time-out now. */
  get timeout(): CheckCode {
    return (this.#lookedAt ?? this.#exchange.last)?.expect.timeout ?? 'L7TOUT';
  }

  onHead(head: AnswerHead): void {
    this.#head = head;
  }

  onBody(buffer: Uint8Array, start: number, end: number): void {
    this.#bodyBytes += end - start;
    if (this.#keepsBody) this.#body.push(buffer, start, end);
  }

  onEnd(): void {
    this.#complete = true;
  }

  /** All of it at once. @param body of one character a byte */
  onWhole(head: AnswerHead, body: string): void {
    this.#head = head;
    if (this.#keepsBody) {
      const bytes = Buffer.from(body, 'latin1');
      this.onBody(bytes, 0, bytes.length);
    } else this.#bodyBytes += body.length;
    this.#complete = true;
  }

  onBad(reason: string): void {
    this.#bad = reason;
  }

  /** `'held'`: all that is expected has come, be the rest cut or not; `undefined`: more of the answer must come. */
  verdict(): CheckResult | 'held' | undefined {
    const head = this.#head;
    if (head) {
      for (const placed of this.#exchange.heads) {
        const expect = this.#lookAt(placed);
        if (!expect.holds(head)) return this.#missed(expect, `status ${head.status}, expected ${expect.phrase}`);
      }
      const body = this.#judgeBody();
      if (body !== undefined) return body;
    }
    return this.#bad === undefined ? undefined : this.failed(this.#bad);
  }

  /** Of an answer that held: `'whole'`, and the next request may be asked; a failure; `undefined`: more of it must come. */
  end(): CheckResult | 'whole' | undefined {
    if (this.#bad !== undefined) return this.failed(this.#bad);
    if (this.#bodyBytes > MAX_ANSWER_BYTES)
      return this.failed(`a body of more than ${MAX_ANSWER_BYTES} bytes; connect anew for the next request`);
    return this.#complete ? 'whole' : undefined;
  }

  passed(): CheckResult {
    const status = this.#head?.status;
    const expect = this.#exchange.last?.expect;
    return resultOf(expect?.ok ?? 'L7OK', expect?.onSuccess?.(this.#run) ?? `status ${status}`, status);
  }

  /** A failure of the answer itself. */
  failed(reason: string): CheckResult {
    return this.#failed('L7RSP', reason);
  }

  #judgeBody(): CheckResult | 'held' | undefined {
    const last = this.#complete || this.#body.full;
    for (const placed of this.#exchange.bodies) {
      const expect = this.#lookAt(placed);
      if (this.#body.length === 0) {
        if (!last) return undefined;
        return this.#failed(expect.error, 'the answer has no body');
      }
      const judgement = judge(expect, this.#body.bytes, last);
      if (judgement === 'wait') return undefined;
      if (judgement === 'missed')
        return this.#missed(expect, `the body ${expect.not ? 'holds' : 'does not hold'} ${expect.text}`);
    }
    return 'held';
  }

  /** What is expected in this run. Where it stands is noted before a function of the user's is asked, which may fail. */
  #lookAt<E extends Expect & { readonly bind?: ((run: StepRun) => E) | undefined }>(placed: PlacedExpect<E>): E {
    this.#lookedAt = placed;
    const bind: ((run: StepRun) => E) | undefined = placed.expect.bind;
    const expect = bind?.(this.#run) ?? placed.expect;
    if (expect !== placed.expect) this.#lookedAt = { expect, place: placed.place };
    return expect;
  }

  #missed(expect: Expect, description: string): CheckResult {
    const words = expect.onError?.(this.#run);
    this.#told = words !== undefined;
    return this.#failed(expect.error, words ?? description);
  }

  get lastAnswer(): StepAnswer {
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    const fields = this.#head?.headers ?? [];
    for (let at = 0; at < fields.length; at += 2) {
      const [name, value] = [(fields[at] as string).toLowerCase(), fields[at + 1] as string];
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
    }
    return { status: this.#head?.status, headers, body: Buffer.from(this.#body.bytes) };
  }

  #failed(code: CheckCode, description: string): CheckResult {
    return { ...resultOf(code, description), status: this.#head?.status };
  }
}
