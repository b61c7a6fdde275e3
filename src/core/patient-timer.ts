import type { Environment, Timer } from './environment.ts';

/** A timer that is later than this has waited for the process, and not for what it watches over; and how long it waits then. */
const HELD_UP_MS = 5;

/**
 * A timer over an answer of another machine. A process that was held up finds its timers due before it has looked at its
 * sockets, where the answer lies: then it has a moment more, once, in which they are read.
 */
export function setPatientTimer(
  environment: Environment,
  callback: () => void,
  ms: number,
  holdsProcess: boolean = false,
): Timer {
  const due = environment.now() + ms;
  const onDue = (): void => {
    if (environment.now() - due < HELD_UP_MS) callback();
    else timer = environment.setTimer(callback, HELD_UP_MS, holdsProcess);
  };
  let timer = environment.setTimer(onDue, ms, holdsProcess);
  return { cancel: () => timer.cancel() };
}
