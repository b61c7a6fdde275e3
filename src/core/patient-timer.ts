import type { Environment, Timer } from './environment.ts';

/** A timer that is later than this has waited for the process, and not for what it watches over. */
const HELD_UP_MS = 5;

/**
 * A timer over an answer of another machine. A process that was held up finds its timers due before it has looked at its
 * sockets, where the answer lies: then the wait begins anew, once.
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
    else timer = environment.setTimer(callback, ms, holdsProcess);
  };
  let timer = environment.setTimer(onDue, ms, holdsProcess);
  return { cancel: () => timer.cancel() };
}
