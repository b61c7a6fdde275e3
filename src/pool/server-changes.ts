import type { BackendServer } from './backend-server.ts';
import type { PoolCore } from './pool-core.ts';

/**
 * Gives a server another weight, for an operator or its agent.
 * @returns what is allowed instead, in words; `undefined`: it was done
 */
export function changeWeight(core: PoolCore, server: BackendServer, to: number): string | undefined {
  const { balance } = core.options;
  const { weight: from, declaredWeight } = server;
  if (balance.static && to !== 0 && to !== declaredWeight)
    return `allowed: 0, '0%', ${declaredWeight} and '100%': '${balance.name}' is static, and lays out its turns once`;
  if (to === from) return undefined;
  if (to > from) {
    const servers = core.balancer.servers.map((known) => ({
      backup: known.backup,
      weight: known === server ? to : known.weight,
    }));
    const refusal = balance.refuse(servers);
    if (refusal !== undefined) return refusal;
  }
  server.weight = to;
  server.recalculate(core.environment.now());
  core.serverChanged(server);
  core.emit('server:weight', { server: server.name, from, to });
  return undefined;
}

/**
 * Gives a server another limit, for its agent. One that does not grow with the pool's load still does not.
 * @see HAProxy server.c:server_parse_maxconn_change_request
 */
export function changeMaxconn(core: PoolCore, server: BackendServer, maxconn: number): void {
  const { limits } = server;
  if (maxconn === limits.maxconn) return;
  core.limits.remove(server);
  server.limits = { maxconn, minconn: limits.minconn === limits.maxconn ? maxconn : limits.minconn };
  core.limits.add(server);
  core.slotsChanged(server);
}
