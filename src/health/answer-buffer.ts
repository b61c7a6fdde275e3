/** Most bytes of an answer, or of its body, that are looked at. HAProxy: tune.bufsize. */
export const MAX_ANSWER_BYTES = 16_384;

const NOTHING = Buffer.alloc(0);

/** The beginning of an answer, as far as it is looked at. */
export class AnswerBuffer {
  #kept: Buffer = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What comes now is not looked at any more. */
  get full(): boolean {
    return this.#length === MAX_ANSWER_BYTES;
  }

  /** All that is kept, until the next `push`. */
  get bytes(): Buffer {
    return this.#kept.subarray(0, this.#length);
  }

  /** Copies the next bytes. */
  push(buffer: Uint8Array, start: number, end: number): void {
    if (this.#kept.length === 0) this.#kept = Buffer.allocUnsafe(MAX_ANSWER_BYTES);
    const fitting = buffer.subarray(start, Math.min(end, start + MAX_ANSWER_BYTES - this.#length));
    this.#kept.set(fitting, this.#length);
    this.#length += fitting.length;
  }

  clear(): void {
    this.#length = 0;
  }
}
