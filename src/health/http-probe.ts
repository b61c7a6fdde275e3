import type { ResponseHead } from '../http1/response-head.ts';
import { type ResponseEvents, ResponseParser } from '../http1/response-parser.ts';
import { BodySearch } from './body-search.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import { type Expect, holds, type StatusExpect } from './http-expect.ts';
import type { ProbeConnection, ProbeProtocol } from './probe-connection.ts';

/** One request of a check over one connection, and the verdict on its answer as soon as there can be one. */
export class HttpProbe implements ProbeProtocol, ResponseEvents {
  readonly reset = false;
  readonly #method: string;
  readonly #request: Buffer;
  readonly #statuses: readonly StatusExpect[];
  readonly #search: BodySearch | undefined;
  readonly #parser: ResponseParser;
  /** 0 until the answer's head has come. */
  #status = 0;
  #complete = false;
  #bad: string | undefined;

  constructor(method: string, request: Buffer, expects: readonly Expect[]) {
    this.#method = method;
    this.#request = request;
    this.#statuses = expects.filter((expect) => expect.kind === 'status');
    const strings = expects.filter((expect) => expect.kind === 'string');
    this.#search = strings.length > 0 ? new BodySearch(strings) : undefined;
    this.#parser = new ResponseParser(this);
  }

  onReady(connection: ProbeConnection): undefined {
    this.#parser.reset(this.#method);
    connection.send(this.#request);
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    this.#parser.execute(buffer, length);
    return this.#verdict();
  }

  onClosed(): CheckResult | undefined {
    this.#parser.finish();
    return this.#verdict();
  }

  onInterim(): void {}

  onWhole(head: ResponseHead, body: string): void {
    this.#status = head.status;
    const bytes = this.#search ? Buffer.from(body, 'latin1') : undefined;
    if (bytes) this.#search?.push(bytes, 0, bytes.length);
    this.#complete = true;
  }

  onHead(head: ResponseHead): void {
    this.#status = head.status;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    this.#search?.push(buffer, start, end);
  }

  onEnd(): void {
    this.#complete = true;
  }

  onBad(reason: string): void {
    this.#bad = reason;
  }

  /** Asked after each piece, not within it, so that an answer that came whole is read whole before the connection closes. */
  #verdict(): CheckResult | undefined {
    const status = this.#status;
    if (status !== 0) {
      const missed = this.#statuses.find((expect) => !holds(expect, status));
      if (missed) return this.#failed('L7STS', `status ${status}, expected ${missed.phrase}`);
      const wrong = this.#search ? this.#search.verdict(this.#complete) : '';
      if (wrong) return this.#failed('L7RSP', wrong);
      if (wrong === '') return { result: 'passed', code: 'L7OK', status, description: `status ${status}` };
    }
    return this.#bad === undefined ? undefined : this.#failed('L7RSP', this.#bad);
  }

  #failed(code: CheckCode, description: string): CheckResult {
    return { result: 'failed', code, status: this.#status || undefined, description };
  }
}
