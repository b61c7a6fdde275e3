import type { Deadlines, Expiring } from '../core/deadlines.ts';

/** One request that is made to wait for its refusal. */
export class Tarpit implements Expiring {
  readonly #deadlines: Deadlines;
  readonly #over: () => void;
  readonly deadline: number;
  deadlineIndex = -1;

  /** @param over called once, when the time has come */
  constructor(deadlines: Deadlines, deadline: number, over: () => void) {
    this.#deadlines = deadlines;
    this.deadline = deadline;
    this.#over = over;
    deadlines.add(this);
  }

  onDeadline(): void {
    this.leave();
    this.#over();
  }

  /** It waits no longer, for whatever reason; harmless if it does not wait. */
  leave(): void {
    this.#deadlines.remove(this);
  }
}
