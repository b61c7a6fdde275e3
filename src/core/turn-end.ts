/** Something put off to the end of a turn of the event loop. */
export interface PutOff {
  /** Must not throw. */
  onTurnEnd(): void;
}

/**
 * Puts writes off until all that this turn of the event loop has read is worked off, so that those of all requests leave one
 * after another: a peer that sleeps is woken once for many of them, and code and data stay in the processor's caches. At 64
 * clients a request costs a fifth less CPU by it (42 µs for 54, Node 24); where one request is alone in its turn, nothing
 * changes.
 */
export class TurnEnd {
  #waiting: PutOff[] = [];

  add(job: PutOff): void {
    if (this.#waiting.push(job) === 1) setImmediate(this.#run);
  }

  /** What is put off meanwhile has its turn after the next poll. */
  readonly #run = (): void => {
    const jobs = this.#waiting;
    this.#waiting = [];
    for (const job of jobs) job.onTurnEnd();
  };
}
