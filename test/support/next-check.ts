import type { Pool, ServerCheckEvent } from '#src/index.ts';
import type { VirtualClock } from './virtual-clock.ts';

/**
 * How the next check of a pool on a virtual clock ends, over real sockets: however slow the machine is, it has all the time it
 * needs. One that is under way has ended before.
 * @param ms until it is due; 1 for the first
 */
export function nextCheck<R>(pool: Pool<R>, clock: VirtualClock, ms: number): Promise<ServerCheckEvent> {
  const ended = new Promise<ServerCheckEvent>((resolve) => void pool.once('server:check', resolve));
  clock.advance(ms);
  return ended;
}
