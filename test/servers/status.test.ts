import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminState, OperationalState } from '#src/servers/server.ts';
import { type HealthCounters, serverStatus } from '#src/servers/status.ts';

/** Health with rise 2 and fall 3: 0 and 1 are down, 2 to 4 are up. */
function of(health: number): HealthCounters {
  return { health, rise: 2, fall: 3 };
}

// HAProxy stats-proxy.c:stats_fill_sv_computestate
const table: readonly [AdminState, OperationalState, HealthCounters | undefined, string][] = [
  ['ready', 'running', undefined, 'no check'],
  ['ready', 'starting', undefined, 'no check'],
  ['ready', 'running', of(4), 'UP'],
  ['ready', 'running', of(3), 'UP 2/3'],
  ['ready', 'running', of(2), 'UP 1/3'],
  ['ready', 'starting', of(4), 'UP'],
  ['ready', 'stopped', of(0), 'DOWN'],
  ['ready', 'stopped', of(1), 'DOWN 1/2'],
  ['ready', 'stopped', undefined, 'DOWN'],
  ['ready', 'stopping', of(4), 'NOLB'],
  ['ready', 'stopping', of(3), 'NOLB 2/3'],
  ['ready', 'stopping', undefined, 'NOLB'],
  ['drain', 'running', of(4), 'DRAIN'],
  ['drain', 'running', of(2), 'DRAIN 1/3'],
  ['drain', 'running', undefined, 'DRAIN'],
  ['drain', 'stopped', of(0), 'DOWN'],
  ['drain', 'stopping', of(4), 'NOLB'],
  ['maint', 'stopped', of(0), 'MAINT'],
  ['maint', 'stopped', undefined, 'MAINT'],
];

for (const [admin, operational, counters, status] of table) {
  test(`a server that is ${admin} and ${operational} with health ${counters?.health} of 4 is '${status}'`, () => {
    assert.equal(serverStatus({ admin, operational }, counters), status);
  });
}

test('a fall of one leaves nothing between up and down', () => {
  assert.equal(serverStatus({ admin: 'ready', operational: 'running' }, { health: 2, rise: 2, fall: 1 }), 'UP');
});
