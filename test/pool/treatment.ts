import { NOTHING_TRACKED } from '#src/pool/request-tracks.ts';
import type { Treatment } from '#src/pool/rule-treatment.ts';

/** A request as rules may treat it, before any has. */
export function treatment(clientTarget = '/'): Treatment {
  return {
    timeouts: {
      connectMs: 1,
      queueMs: 8,
      totalMs: 9,
      serverMs: 2,
      clientMs: 3,
      tunnelMs: 4,
      serverFinMs: 5,
      clientFinMs: 6,
      tarpitMs: 7,
    },
    priority: undefined,
    l7RetryDisabled: false,
    clientTarget,
    track: () => NOTHING_TRACKED,
  };
}
