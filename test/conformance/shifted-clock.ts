import { type Environment, systemEnvironment, type Timer } from '#src/core/environment.ts';

/** The system's clock, which a test may put forward: what was idle then has been so for longer. Timers keep to real time. */
export class ShiftedClock implements Environment {
  /** In milliseconds. */
  ahead = 0;

  now(): number {
    return systemEnvironment.now() + this.ahead;
  }
  random(): number {
    return systemEnvironment.random();
  }
  setTimer(callback: () => void, ms: number, holdsProcess?: boolean): Timer {
    return systemEnvironment.setTimer(callback, ms, holdsProcess);
  }
}
