import type { Server } from './server.ts';

/** Where a server's health stands between down and up: the counter of HAProxy's `check.health`, and its two limits. */
export interface HealthCounters {
  /** 0 to `rise + fall - 1`; up from `rise` on. */
  readonly health: number;
  readonly rise: number;
  readonly fall: number;
}

/** How the checks stand of a server, or of the one that it follows in the end. */
export interface HealthFacts {
  readonly operational: Server['operational'];
  readonly check: HealthCounters;
  /** It is checked; else `check` changes by an operator's word alone. */
  readonly checked: boolean;
  /** The health that its agent gives it; `undefined`: it has no agent. */
  readonly agentHealth: number | undefined;
}

/**
 * A server's state in the words of HAProxy's statistics: `UP`, `UP 1/3`, `DOWN`, `DOWN 1/2`, `DOWN (agent)`, `NOLB`,
 * `DRAIN`, `DRAIN (agent)`, `MAINT`, `MAINT (via pool/server)`, `no check`.
 * @param facts of the end of its chain of tracked servers: its own when it tracks none
 * @see HAProxy stats-proxy.c:stats_fill_sv_computestate
 */
export function serverStatus(
  server: Pick<Server, 'standing' | 'draining' | 'inheritedMaint' | 'operational' | 'tracks'>,
  facts: HealthFacts,
  pool: string,
): string {
  if (server.inheritedMaint) return `MAINT (via ${pool}/${server.tracks?.name})`;
  if (server.standing === 'maint') return 'MAINT';
  const { check, checked, agentHealth } = facts;
  const isFull = check.health === check.rise + check.fall - 1;
  switch (server.operational) {
    case 'stopped':
      if (agentHealth === 0) return 'DOWN (agent)';
      if (!checked && agentHealth === undefined) return 'DOWN';
      return checked && check.health === 0 ? 'DOWN' : `DOWN ${progressOf(facts)}`;
    case 'stopping':
      return isFull || (!checked && !server.tracks) ? 'NOLB' : `NOLB ${progressOf(facts)}`;
    case 'starting':
    case 'running': {
      const failing = checked && !isFull ? ` ${progressOf(facts)}` : '';
      if (server.draining) return agentHealth === undefined ? `DRAIN${failing}` : 'DRAIN (agent)';
      return checked ? `UP${failing}` : 'no check';
    }
  }
}

/** `n/fall`: n more failures take it down; or `n/rise`: n checks on its way up. */
function progressOf({ operational, check: { health, rise, fall } }: HealthFacts): string {
  return operational === 'stopped' ? `${health}/${rise}` : `${health - rise + 1}/${fall}`;
}
