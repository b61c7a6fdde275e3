import type { Server } from './server.ts';

/** Where a server's health stands between down and up: the counter of HAProxy's `check.health`, and its two limits. */
export interface HealthCounters {
  /** 0 to `rise + fall - 1`; up from `rise` on. */
  readonly health: number;
  readonly rise: number;
  readonly fall: number;
}

/**
 * A server's state in the words of HAProxy's statistics: `UP`, `UP 1/3`, `DOWN`, `DOWN 1/2`, `NOLB`, `DRAIN`, `MAINT`,
 * `no check`.
 * @param counters `undefined` for a server without a check
 * @see HAProxy stats-proxy.c:stats_fill_sv_computestate
 */
export function serverStatus(
  server: Pick<Server, 'admin' | 'operational'>,
  counters: HealthCounters | undefined,
): string {
  if (server.admin === 'maint') return 'MAINT';
  switch (server.operational) {
    case 'stopped':
      return counters && counters.health > 0 ? `DOWN ${counters.health}/${counters.rise}` : 'DOWN';
    case 'stopping':
      return `NOLB${failuresLeft(counters)}`;
    case 'starting':
    case 'running':
      if (server.admin === 'drain') return `DRAIN${failuresLeft(counters)}`;
      return counters ? `UP${failuresLeft(counters)}` : 'no check';
  }
}

/** ` n/fall`: n more failures take it down; empty when its health is full. */
function failuresLeft(counters: HealthCounters | undefined): string {
  if (!counters) return '';
  const { health, rise, fall } = counters;
  return health < rise + fall - 1 ? ` ${health - rise + 1}/${fall}` : '';
}
