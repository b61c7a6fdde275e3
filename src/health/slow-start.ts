import type { Environment, Timer } from '../core/environment.ts';
import type { Server } from '../servers/server.ts';

const STEP_MS = 1000;

/**
 * The steps in which a server warms up that has just come up: its effective weight and limit grow each second, for as many
 * whole seconds as `slowstart` has begun.
 * @see HAProxy server.c:server_warmup
 */
export class SlowStart {
  readonly #environment: Environment;
  readonly #onStep: (warm: boolean) => void;
  readonly #warmAt: number;
  #dueAt: number;
  #timer: Timer;

  /** @param onStep a second has gone by; `warm`: it was the last */
  constructor(environment: Environment, { settings }: Server, onStep: (warm: boolean) => void) {
    this.#environment = environment;
    this.#onStep = onStep;
    const now = environment.now();
    this.#warmAt = now + Math.ceil(settings.slowstartMs / STEP_MS) * STEP_MS;
    this.#dueAt = now + STEP_MS;
    this.#timer = this.#wait(STEP_MS);
  }

  cancel(): void {
    this.#timer.cancel();
  }

  #wait(ms: number): Timer {
    return this.#environment.setTimer(() => this.#step(), ms);
  }

  #step(): void {
    const now = this.#environment.now();
    if (now >= this.#warmAt) {
      this.#onStep(true);
      return;
    }
    const whole = now >= this.#dueAt;
    if (whole) this.#dueAt += STEP_MS;
    // Node's timers may fire a part of a millisecond early, and only whole seconds count here.
    this.#timer = this.#wait(Math.ceil(this.#dueAt - now));
    if (whole) this.#onStep(false);
  }
}
