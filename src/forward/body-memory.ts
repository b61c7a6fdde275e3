/** The memory in which the requests of one pool hold what they have read of their bodies, to send it again. */
export class BodyMemory {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held now. */
  get used(): number {
    return this.#used;
  }

  /** Whether there is room for so many bytes more. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.#limit;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
