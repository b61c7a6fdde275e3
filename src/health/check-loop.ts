import type { Dialer, DialTarget } from '../connections/dial.ts';
import type { Environment, Timer } from '../core/environment.ts';
import type { Server } from '../servers/server.ts';
import type { Cancel, CheckResult, CheckVerdict, HealthCheck, Probe } from './health-check.ts';
import { type CheckTimeouts, type Intervals, intervalMs, probeLimitsMs, spreadMs } from './intervals.ts';
import type { CheckReport } from './monitor-events.ts';
import { healthAfter } from './rise-fall.ts';

/** What all checks of a pool share. */
export interface CheckParts {
  readonly environment: Environment;
  readonly dialer: Dialer;
  /** How much shorter or longer an interval may be. */
  readonly spreadPercent: number;
  /** Told of functions of the user's that failed. */
  readonly report: (sample: string, error: unknown) => void;
}

/** One kind of check of one server. */
export interface CheckPlan {
  /** `undefined`: it is never run, and its health changes by an operator's word alone. */
  readonly check: HealthCheck | undefined;
  /** An agent says what it knows; that it cannot be reached says nothing. */
  readonly agent: boolean;
  readonly intervals: Intervals;
  readonly timeouts: CheckTimeouts;
  readonly target: DialTarget;
}

/** Runs one kind of check of one server, again and again, and keeps its counter. It never overlaps itself. */
export class CheckLoop implements CheckReport {
  readonly plan: CheckPlan;
  health: number;
  /** Results of the last one's kind in a row; those that change nothing are passed over. */
  streak = 0;
  #streakOf: CheckVerdict | undefined = undefined;
  last: CheckResult | undefined = undefined;
  lastDurationMs: number | undefined = undefined;
  readonly #server: Server;
  readonly #parts: CheckParts;
  readonly #onResult: (result: CheckResult, durationMs: number) => void;
  /** The next check. */
  #timer: Timer | undefined;
  #dueAt = 0;
  /** The running check. */
  #cancel: Cancel | undefined;
  #startedAt = 0;
  /** How the last check was made; most are made alike. */
  #probe: Probe | undefined;
  /** The next interval is the fast one. HAProxy: CHK_ST_FASTINTER. */
  #hurried = false;
  /** Times it was halted. */
  #halts = 0;

  constructor(
    server: Server,
    plan: CheckPlan,
    health: number,
    parts: CheckParts,
    onResult: (result: CheckResult, durationMs: number) => void,
  ) {
    this.#server = server;
    this.plan = plan;
    this.health = health;
    this.#parts = parts;
    this.#onResult = onResult;
  }

  get rise(): number {
    return this.plan.intervals.rise;
  }

  get fall(): number {
    return this.plan.intervals.fall;
  }

  get enabled(): boolean {
    return this.plan.check !== undefined;
  }

  /** A check is running now. */
  get checking(): boolean {
    return this.#cancel !== undefined;
  }

  /** Its health lets the server be up. One that is never run has no say. */
  get consents(): boolean {
    return !this.enabled || this.health >= this.rise;
  }

  /** The next check begins after this time. */
  schedule(delayMs: number): void {
    if (!this.enabled) return;
    this.#timer?.cancel();
    const { environment } = this.#parts;
    this.#dueAt = environment.now() + delayMs;
    this.#timer = environment.setTimer(this.#run, delayMs);
  }

  /** The next check begins after an interval. */
  scheduleNext(): void {
    const { environment, spreadPercent } = this.#parts;
    this.schedule(spreadMs(this.#intervalMs(), spreadPercent, () => environment.random()));
  }

  /** One interval is the fast one, be it the next, or the one that runs. Without `fastinter` it is as it was. */
  hurry(): void {
    this.#hurried = true;
    const { interMs, fastinterMs } = this.plan.intervals;
    if (!this.#timer || fastinterMs === interMs) return;
    if (this.#parts.environment.now() + fastinterMs < this.#dueAt) this.schedule(fastinterMs);
  }

  /** Takes a result to its counter. HAProxy: check.c:set_server_check_status. */
  count(result: CheckResult, durationMs: number): void {
    const { counters } = this.#server;
    this.last = result;
    this.lastDurationMs = durationMs;
    const { agent, intervals } = this.plan;
    switch (result.result) {
      case 'failed':
        if (agent && result.code !== 'L7STS') return;
        if (!agent && this.health > 0) counters.chkfail++;
        break;
      case 'passed':
      case 'conditional':
        if (!agent) counters.chkpass++;
        break;
      case 'neutral':
        return;
    }
    this.streak = this.#streakOf === result.result ? this.streak + 1 : 1;
    this.#streakOf = result.result;
    this.health = healthAfter(this.health, result.result, intervals);
  }

  /** Begins with this health, and no past. */
  reset(health: number): void {
    this.health = health;
    this.streak = 0;
    this.#streakOf = undefined;
  }

  /** Ends what runs or waits to. */
  halt(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#hurried = false;
    this.#halts++;
  }

  #intervalMs(): number {
    return intervalMs(this.#server.operational, this.health, this.plan.intervals, this.#hurried);
  }

  readonly #run = (): void => {
    this.#timer = undefined;
    this.#startedAt = this.#parts.environment.now();
    const probe = this.#nextProbe();
    this.#hurried = false;
    const halts = this.#halts;
    const cancel = this.plan.check?.run(probe, this.#finish);
    // A function of the user's that it has asked may have ended it, and begun the next.
    if (halts === this.#halts) this.#cancel = cancel;
    else cancel?.();
  };

  #nextProbe(): Probe {
    const { environment, dialer, report } = this.#parts;
    const { target, timeouts } = this.plan;
    const [connectMs, answerMs] = probeLimitsMs(this.#intervalMs(), timeouts);
    if (this.#probe?.connectMs !== connectMs)
      this.#probe = { server: this.#server, target, dialer, environment, connectMs, answerMs, report };
    return this.#probe;
  }

  readonly #finish = (result: CheckResult): void => {
    this.#cancel = undefined;
    this.#onResult(result, this.#parts.environment.now() - this.#startedAt);
  };
}
