import { type Field, valuesOf } from './message-reader.ts';

/** A request as a test writes it. */
export interface RequestSpec {
  /** Default: `GET`. */
  readonly method?: string;
  /** The target. Default: `/`. */
  readonly path?: string;
  /** Default: `front.test`; `null` sends none. */
  readonly host?: string | null;
  readonly fields?: readonly Field[];
  /** The whole body. Without it, and with `framing`, the test writes the body piece by piece. */
  readonly body?: string | Buffer;
  /** `chunked`, or the length to announce. Default: the length of `body`, else no body. Over HTTP/2 `chunked` announces nothing. */
  readonly framing?: 'chunked' | number;
  readonly trailers?: readonly Field[];
  /** HTTP/1.1 unless said otherwise. */
  readonly version?: '1.0' | '1.1';
}

/** An interim response. */
export interface Interim {
  readonly status: number;
  readonly fields: readonly Field[];
}

/** How an exchange ended for its client: `complete` is a whole message; `hang` is one that nobody ended. */
export type Ending = 'complete' | 'closed' | 'reset' | 'junk' | 'hang';

/** What a client has seen of a response. */
export class Answer {
  /** 0: no head came. */
  status = 0;
  reason = '';
  readonly interim: Interim[] = [];
  fields: readonly Field[] = [];
  trailers: readonly Field[] = [];
  ended: Ending | undefined = undefined;
  /** Bytes of body that came, kept or not. */
  length = 0;
  readonly #chunks: Buffer[] = [];

  /** The message was whole. */
  get complete(): boolean {
    return this.ended === 'complete';
  }

  /** The body in latin1. */
  get body(): string {
    return this.bytes.toString('latin1');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Values of all fields of that name. */
  values(name: string): string[] {
    return valuesOf(this.fields, name);
  }

  /** The one value of that field; `undefined` without it. */
  field(name: string): string | undefined {
    return this.values(name).join(' | ') || undefined;
  }

  add(chunk: Buffer, keep: boolean): void {
    this.length += chunk.length;
    if (keep) this.#chunks.push(chunk);
  }
}

/** One request and its response, as its client lives through it. */
export abstract class ClientExchange {
  readonly answer: Answer = new Answer();
  /** The final response's head is there, or will never be. */
  readonly head: Promise<Answer>;
  /** It is over, one way or another. */
  readonly end: Promise<Answer>;
  /** Keeps the bytes of the body; switched off by tests of big bodies. */
  keepsBody = true;
  readonly #gotHead = Promise.withResolvers<Answer>();
  readonly #ended = Promise.withResolvers<Answer>();
  readonly #watchdog: NodeJS.Timeout;
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(limitMs: number) {
    this.head = this.#gotHead.promise;
    this.end = this.#ended.promise;
    this.#watchdog = setTimeout(() => {
      this.over('hang');
      this.leave();
    }, limitMs);
  }

  /** Sends a piece of the body. Returns `false` to wait for `drained`. */
  abstract write(bytes: Buffer | string): boolean;
  abstract drained(): Promise<void>;
  /** Ends the body. */
  abstract finish(trailers?: readonly Field[]): void;
  /** The client goes away, without a word. */
  abstract leave(): void;
  abstract pause(): void;
  abstract resume(): void;

  /** Never gives up by itself: what is sent takes its time. */
  endure(): void {
    clearTimeout(this.#watchdog);
  }

  /** Waits until this holds (it is looked at whenever something has come), or the response is over. */
  async until(holds: () => boolean): Promise<void> {
    if (holds() || this.answer.ended !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ until: holds, resolve });
    await promise;
  }

  /** Waits until that many interim responses have come, or the response is over. */
  async interims(count: number): Promise<readonly Interim[]> {
    await this.until(() => this.answer.interim.length >= count);
    return this.answer.interim;
  }

  sawInterim(interim: Interim): void {
    this.answer.interim.push(interim);
    this.#look();
  }

  sawHead(status: number, reason: string, fields: readonly Field[]): void {
    this.answer.status = status;
    this.answer.reason = reason;
    this.answer.fields = fields;
    this.#gotHead.resolve(this.answer);
  }

  sawBody(bytes: Buffer): void {
    this.answer.add(bytes, this.keepsBody);
    this.#look();
  }

  sawTrailers(trailers: readonly Field[]): void {
    this.answer.trailers = trailers;
  }

  over(ending: Ending): void {
    if (this.answer.ended !== undefined) return;
    clearTimeout(this.#watchdog);
    this.answer.ended = ending;
    this.#gotHead.resolve(this.answer);
    this.#ended.resolve(this.answer);
    this.#look();
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ until, resolve }) => {
      if (!until() && this.answer.ended === undefined) return true;
      resolve();
      return false;
    });
  }
}

/** A connection of a client. */
export interface Client {
  /** Sends a request, up to the end of its `body`. */
  start(spec?: RequestSpec): ClientExchange;
  /** Sends a request and waits until its response is over. */
  send(spec?: RequestSpec): Promise<Answer>;
  /** The connection is gone. */
  readonly closed: Promise<void>;
  /** Goes away, without a word. */
  leave(): void;
}

/** A hanging exchange is given up after this long: far more than any pool of these tests takes to give up by itself. */
export const HANG_MS = 10_000;
