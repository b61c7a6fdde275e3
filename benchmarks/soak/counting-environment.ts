import { type Environment, systemEnvironment } from '#src/core/environment.ts';

/** The system's environment, which knows how many of its timers have neither fired nor been cancelled. */
export function countingEnvironment(): Environment & { readonly pending: number } {
  const pending = new Set<object>();
  return {
    now: systemEnvironment.now,
    random: systemEnvironment.random,
    setTimer(callback, ms, holdsProcess) {
      const timer = systemEnvironment.setTimer(
        () => {
          pending.delete(timer);
          callback();
        },
        ms,
        holdsProcess,
      );
      pending.add(timer);
      return {
        cancel() {
          pending.delete(timer);
          timer.cancel();
        },
      };
    },
    get pending() {
      return pending.size;
    },
  };
}
