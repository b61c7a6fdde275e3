import type { Deadlines, Expiring } from './deadlines.ts';

/** A wait for a point in time; it holds the process, and costs no timer of its own. */
export class Wait implements Expiring {
  readonly deadline: number;
  deadlineIndex = -1;
  readonly #deadlines: Deadlines;
  readonly #over: () => void;

  /** @param over called once the time has come, unless the wait was ended before */
  constructor(deadlines: Deadlines, deadline: number, over: () => void) {
    this.#deadlines = deadlines;
    this.deadline = deadline;
    this.#over = over;
    deadlines.add(this);
  }

  /** Ends it; harmless when it is over. */
  end(): void {
    this.#deadlines.remove(this);
  }

  onDeadline(): void {
    this.end();
    this.#over();
  }
}
