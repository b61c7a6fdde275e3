import { atOnce } from '../core/at-once.ts';
import { show } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';
import { type CheckResult, messageOf, oneLine, type Probe } from './health-check.ts';

/** The answer that a check has had last. */
export interface StepAnswer {
  /** Of an answer over HTTP. */
  readonly status: number | undefined;
  /** Its fields, by their names in small letters; of one that came more than once all values, with commas. Over TCP none. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first 16 KiB of its body, or of what came over TCP, as far as it has come. */
  readonly body: Buffer;
}

/** What a function in a check's steps or options is told of the check that runs. */
export interface StepContext {
  /** The server that is checked. */
  readonly server: ServerView;
  /** What steps `setVar` have set in this run of the check. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** The last answer; `undefined` before anything was asked. */
  readonly answer: StepAnswer | undefined;
}

/** Works something out anew in each run of a check. It must answer at once. HAProxy: a log-format string. */
export type StepFunction<T> = (check: StepContext) => T;

/** A function of the user's, and where it stands. */
export interface Asked {
  /** `servers[0].check.steps[1].send` */
  readonly path: string;
  /** `send` */
  readonly name: string;
  readonly call: StepFunction<unknown>;
}

/** The function, where the value is one. */
export function askedOf(value: unknown, path: string, name: string): Asked | undefined {
  return typeof value === 'function' ? { path, name, call: value as StepFunction<unknown> } : undefined;
}

/** A function of the user's threw, or gave what it must not: the check can say nothing of its server. */
export class StepFault extends Error {
  override readonly name = 'StepFault';

  get result(): CheckResult {
    return { result: 'failed', code: 'PROCERR', description: this.message, byFunction: true };
  }
}

/** Who has the last answer of a run. */
export interface AnswerSource {
  /** As far as it has come. */
  readonly lastAnswer: StepAnswer;
}

/** One run of a check: what its functions may know, and how they are asked. Most checks have none, and pay for none. */
export class StepRun {
  readonly #probe: Pick<Probe, 'server' | 'report'>;
  #vars: Record<string, unknown> | undefined;
  #context: StepContext | undefined;
  #answer: AnswerSource | undefined;

  constructor(probe: Pick<Probe, 'server' | 'report'>) {
    this.#probe = probe;
  }

  get vars(): Record<string, unknown> {
    this.#vars ??= Object.create(null) as Record<string, unknown>;
    return this.#vars;
  }

  /** From now on this has the last answer. */
  hear(answer: AnswerSource): void {
    this.#answer = answer;
  }

  #contextOf(): StepContext {
    const answer = (): StepAnswer | undefined => this.#answer?.lastAnswer;
    return {
      server: this.#probe.server,
      vars: this.vars,
      get answer() {
        return answer();
      },
    };
  }

  /**
   * What a function gives. What is wrong with it is told as `sample:error`, too.
   * @param parse `undefined`: it is not allowed
   * @throws {StepFault}
   */
  ask<T>({ path, name, call }: Asked, allowed: string, parse: (value: unknown) => T | undefined): T {
    let error: unknown;
    try {
      this.#context ??= this.#contextOf();
      const given: unknown = atOnce(call(this.#context));
      const parsed = parse(given);
      if (parsed !== undefined) return parsed;
      error = new TypeError(`it gave ${show(given)}; allowed: ${allowed}`);
    } catch (thrown) {
      error = thrown;
    }
    this.#probe.report?.(path, error);
    throw new StepFault(`the function '${name}' failed: ${oneLine(messageOf(error, 'an error without words'))}`);
  }
}
