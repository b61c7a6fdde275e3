import { AnswerBuffer } from './answer-buffer.ts';
import { judge } from './byte-expect.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import type { AnswerHead, BodyExpect, Expect, HeadExpect } from './http-expect.ts';
import { resultOf } from './step-status.ts';
import { inPlace, type StepPlace } from './steps.ts';

/** An expectation and the step it stands in; without one in a check that has no steps. */
export interface PlacedExpect<E extends Expect = Expect> {
  readonly expect: E;
  readonly place: StepPlace | undefined;
}

const CHECK = 'http-check';

/** The answer to one request of a check, as it comes, held against what is expected of it. */
export class HttpAnswer {
  readonly #heads: readonly PlacedExpect<HeadExpect>[];
  readonly #bodies: readonly PlacedExpect<BodyExpect>[];
  readonly #last: PlacedExpect | undefined;
  readonly #sent: string;
  #head: AnswerHead | undefined;
  readonly #body = new AnswerBuffer();
  #bodyBytes = 0;
  #complete = false;
  #bad: string | undefined;
  #lookedAt: PlacedExpect | undefined;

  /** @param sent where its request stands, for a description */
  constructor(expects: readonly PlacedExpect[], sent: string) {
    this.#heads = expects.filter((placed): placed is PlacedExpect<HeadExpect> => placed.expect.kind === 'head');
    this.#bodies = expects.filter((placed): placed is PlacedExpect<BodyExpect> => placed.expect.kind === 'body');
    this.#last = expects.at(-1);
    this.#sent = sent;
  }

  get complete(): boolean {
    return this.#complete;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** The step that is being judged, for a description. */
  get where(): string {
    const lookedAt = this.#lookedAt;
    return lookedAt ? inPlace(lookedAt.place, CHECK, `expect ${lookedAt.expect.phrase}`) : this.#sent;
  }

  /** The code of a time-out now. */
  get timeout(): CheckCode {
    return (this.#lookedAt ?? this.#last)?.expect.timeout ?? 'L7TOUT';
  }

  onHead(head: AnswerHead): void {
    this.#head = head;
  }

  onBody(buffer: Uint8Array, start: number, end: number): void {
    this.#bodyBytes += end - start;
    if (this.#bodies.length > 0) this.#body.push(buffer, start, end);
  }

  onEnd(): void {
    this.#complete = true;
  }

  onBad(reason: string): void {
    this.#bad = reason;
  }

  /** `'held'`: all that is expected has come; `undefined`: more of the answer must come. */
  verdict(): CheckResult | 'held' | undefined {
    const head = this.#head;
    if (head) {
      for (const placed of this.#heads) {
        this.#lookedAt = placed;
        const { expect } = placed;
        if (!expect.holds(head)) return this.#failed(expect.error, `status ${head.status}, expected ${expect.phrase}`);
      }
      const body = this.#judgeBody();
      if (body !== undefined) return body;
    }
    return this.#bad === undefined ? undefined : this.failed(this.#bad);
  }

  passed(): CheckResult {
    const status = this.#head?.status;
    return resultOf(this.#last?.expect.ok ?? 'L7OK', `status ${status}`, status);
  }

  /** A failure of the answer itself. */
  failed(reason: string): CheckResult {
    return this.#failed('L7RSP', reason);
  }

  #judgeBody(): CheckResult | 'held' | undefined {
    const last = this.#complete || this.#body.full;
    for (const placed of this.#bodies) {
      this.#lookedAt = placed;
      const { expect } = placed;
      if (this.#body.length === 0) {
        if (!last) return undefined;
        return this.#failed(expect.error, 'the answer has no body');
      }
      const judgement = judge(expect, this.#body.bytes, last);
      if (judgement === 'wait') return undefined;
      if (judgement === 'missed')
        return this.#failed(expect.error, `the body ${expect.not ? 'holds' : 'does not hold'} ${expect.text}`);
    }
    return 'held';
  }

  #failed(code: CheckCode, description: string): CheckResult {
    return { ...resultOf(code, description), status: this.#head?.status };
  }
}
