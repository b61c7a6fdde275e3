import type { Environment, Timer } from '../core/environment.ts';

/** Closed: the server works as any other. Open: it is ejected. Half-open: a few requests try whether it works again. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** How a breaker is set up. */
export interface BreakerSettings {
  /** How long the first ejection lasts; each further one so much longer. */
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** Requests at one time while it is half-open, and successes in a row that close it. */
  readonly trials: number;
}

type Phase =
  | { readonly kind: 'closed'; readonly since: number }
  | { readonly kind: 'open'; readonly until: number; readonly timer: Timer }
  | { readonly kind: 'half-open'; readonly since: number; underWay: number; passed: number };

/**
 * The circuit breaker of one server. It is opened from outside, for a time that grows with each opening and shrinks with each
 * calm interval; then it is half-open until so many trials have passed, or one has failed.
 * @see Nygard, "Release It!", 2nd edition 2018, chapter 5: Circuit Breaker
 * @see Envoy's outlier detection: `base_ejection_time` times the number of ejections, which shrinks as the host is well
 */
export class CircuitBreaker {
  readonly #environment: Environment;
  readonly #settings: BreakerSettings;
  readonly #onHalfOpen: () => void;
  #phase: Phase = { kind: 'closed', since: Number.NEGATIVE_INFINITY };
  /** The last opening was for so many times the base. */
  #factor = 0;
  /** Times it was opened. */
  ejections = 0;

  /** @param onHalfOpen the time of an ejection is over */
  constructor(environment: Environment, settings: BreakerSettings, onHalfOpen: () => void) {
    this.#environment = environment;
    this.#settings = settings;
    this.#onHalfOpen = onHalfOpen;
  }

  get state(): BreakerState {
    return this.#phase.kind;
  }

  /** One more request may be sent. */
  get admits(): boolean {
    const phase = this.#phase;
    return phase.kind === 'closed' || (phase.kind === 'half-open' && phase.underWay < this.#settings.trials);
  }

  /** Until the end of the ejection; `undefined` while there is none. */
  get ejectedForMs(): number | undefined {
    const phase = this.#phase;
    return phase.kind === 'open' ? Math.max(0, phase.until - this.#environment.now()) : undefined;
  }

  /** It is closed, but past ejections make the next one longer still. */
  get remembers(): boolean {
    return this.#phase.kind === 'closed' && this.#factor > 0;
  }

  /** Whether the end of an attempt says something of the present state: those that began before it do not. */
  concerns(attemptedAt: number): boolean {
    const phase = this.#phase;
    return phase.kind !== 'open' && attemptedAt >= phase.since;
  }

  /**
   * Opens it.
   * @param forMs a time that the server has asked for, which makes the next ejection no longer
   * @returns for how long
   */
  open(forMs?: number): number {
    const { baseEjectionMs, maxEjectionMs } = this.#settings;
    this.#stopTimer();
    // What does not make the ejection longer would only take longer to be forgotten.
    if (forMs === undefined && this.#factor * baseEjectionMs < maxEjectionMs) this.#factor++;
    const ms = forMs ?? Math.min(this.#factor * baseEjectionMs, maxEjectionMs);
    const timer = this.#environment.setTimer(() => this.#halfOpen(), ms);
    this.#phase = { kind: 'open', until: this.#environment.now() + ms, timer };
    this.ejections++;
    return ms;
  }

  /** A request was sent. */
  took(): void {
    if (this.#phase.kind === 'half-open') this.#phase.underWay++;
  }

  /**
   * A request has ended. One that was sent before counts as a trial's end, too: then a few more are let through, never fewer.
   */
  freed(): void {
    if (this.#phase.kind === 'half-open' && this.#phase.underWay > 0) this.#phase.underWay--;
  }

  /** A trial has passed. Returns whether it was the last that it takes to close. */
  pass(): boolean {
    return this.#phase.kind === 'half-open' && ++this.#phase.passed >= this.#settings.trials;
  }

  close(): void {
    this.#stopTimer();
    this.#phase = { kind: 'closed', since: this.#environment.now() };
  }

  /** Past ejections make the next one no longer. */
  forget(): void {
    this.#factor = 0;
  }

  /** An interval has gone by. */
  rest(): void {
    if (this.#phase.kind === 'closed' && this.#factor > 0) this.#factor--;
  }

  /** Ends its timer, for good. */
  stop(): void {
    this.#stopTimer();
  }

  #halfOpen(): void {
    this.#phase = { kind: 'half-open', since: this.#environment.now(), underWay: 0, passed: 0 };
    this.#onHalfOpen();
  }

  #stopTimer(): void {
    if (this.#phase.kind === 'open') this.#phase.timer.cancel();
  }
}
