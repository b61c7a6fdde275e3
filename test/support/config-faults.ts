import assert from 'node:assert/strict';
import { ConfigError, Pool } from '#src/index.ts';
import { VirtualClock } from './virtual-clock.ts';

/** `path: message` of every fault that a pool finds in its options; nothing may have been started. */
export function faultsOf(options: unknown): string[] {
  const clock = new VirtualClock();
  let faults: string[] = [];
  try {
    void new Pool(options as never, clock).close();
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    faults = error.faults.map(({ path, message }) => `${path}: ${message}`);
    assert.equal(clock.pending, 0, 'no check was started');
  }
  return faults;
}
