import { hostname } from 'node:os';
import { WEIGHT_SCALE } from '../servers/effective.ts';
import type { HealthCounters, HealthFacts } from '../servers/status.ts';
import { serverStatus } from '../servers/status.ts';
import type { BackendServer } from './backend-server.ts';
import type { PoolCore } from './pool-core.ts';

/**
 * What a server is told of itself, and of its pool, by checks with `sendState`:
 * `UP 2/3; address=10.0.0.1; port=80; name=pool/s1; node=host; weight=1/2; scur=13/22; qcur=0`.
 * @see HAProxy `http-check send-state`; tcpcheck.c:httpchk_build_status_header
 */
export function serverState(server: BackendServer, core: PoolCore, report: HealthCounters | undefined): string {
  const { address, operational, startedAt, settings } = server;
  const place =
    address.socketPath === undefined
      ? `address=${address.host}; port=${address.port}`
      : `address=${address.socketPath}`;
  const inTurn = core.balancer.servers.filter((other) => core.balancer.hasItsTurn(other));
  const total = inTurn.reduce((sum, { effectiveWeight }) => sum + effectiveWeight, 0);
  const warmForMs =
    operational === 'starting' && startedAt !== undefined ? core.environment.now() - startedAt : undefined;
  return [
    serverStatus({ ...UNCOMMANDED, operational }, { ...factsOf(report), operational }, core.options.name),
    place,
    `name=${core.options.name}/${server.name}`,
    `node=${hostname()}`,
    `weight=${Math.ceil(server.effectiveWeight / WEIGHT_SCALE)}/${Math.ceil(total / WEIGHT_SCALE)}`,
    `scur=${server.active}/${core.limits.current - core.admission.waiting}`,
    `qcur=${server.queued}`,
    ...(warmForMs === undefined ? [] : [`throttle=${throttle(warmForMs, settings.slowstartMs)}%`]),
  ].join('; ');
}

/** What operators have said of it is not told. */
const UNCOMMANDED = { standing: 'ready', draining: false, inheritedMaint: false, tracks: undefined } as const;

function factsOf(report: HealthCounters | undefined): Omit<HealthFacts, 'operational'> {
  const check = report ?? { health: 0, rise: 1, fall: 1 };
  return { check, checked: report !== undefined, agentHealth: undefined };
}

/** How much of a server's weight slow start lets it have. */
function throttle(warmForMs: number, slowstartMs: number): number {
  return Math.min(100, Math.max(1, Math.floor((100 * warmForMs) / slowstartMs)));
}
