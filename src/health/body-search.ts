import { MAX_BODY_BYTES, type StringExpect } from './http-expect.ts';

/**
 * Looks for texts in a body as it comes, in its first 16 KiB, wherever it is cut into pieces. Keeps no more of it than
 * the longest text needs.
 */
export class BodySearch {
  readonly #expects: readonly StringExpect[];
  readonly #patterns: readonly Buffer[];
  readonly #found: boolean[];
  readonly #overlap: number;
  #taken = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(expects: readonly StringExpect[]) {
    this.#expects = expects;
    this.#patterns = expects.map(({ text }) => Buffer.from(text));
    this.#found = expects.map(() => false);
    this.#overlap = Math.max(0, ...this.#patterns.map((pattern) => pattern.length)) - 1;
  }

  /** Takes the next bytes; the buffer may be used again after the call. */
  push(buffer: Buffer, start: number, end: number): void {
    const piece = buffer.subarray(start, Math.min(end, start + MAX_BODY_BYTES - this.#taken));
    if (piece.length === 0) return;
    this.#taken += piece.length;
    const window = this.#tail.length === 0 ? piece : Buffer.concat([this.#tail, piece]);
    for (const [index, pattern] of this.#patterns.entries()) this.#found[index] ||= window.includes(pattern);
    this.#tail = Buffer.from(window.subarray(Math.max(0, window.length - this.#overlap)));
  }

  /**
   * What is wrong with the body, in words; `''`: nothing; `undefined`: more of it must come.
   * @param ended nothing more will come
   */
  verdict(ended: boolean): string | undefined {
    const conclusive = ended || this.#taken === MAX_BODY_BYTES;
    if (conclusive && this.#taken === 0) return 'the answer has no body';
    let waiting = false;
    for (const [index, { text, not }] of this.#expects.entries()) {
      const found = this.#found[index];
      if (found && not) return `the body holds ${JSON.stringify(text)}`;
      if (!found && !not && conclusive) return `the body does not hold ${JSON.stringify(text)}`;
      if (!found && !conclusive) waiting = true;
    }
    return waiting ? undefined : '';
  }
}
