import { constants } from 'node:os';

/** npm passes on a signal that a terminal has sent to us already: what follows at once is the same one. */
const ECHO_MS = 300;

/** Calls `stop` at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function onStopSignal(stop: () => void): void {
  let stoppedAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (stoppedAt === undefined) {
        stoppedAt = now;
        stop();
      } else if (now - stoppedAt > ECHO_MS) process.exit(128 + constants.signals[signal]);
    });
  }
}
