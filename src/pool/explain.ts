import type { RequestContext } from '../core/context.ts';
import type { Monitor } from '../health/monitor.ts';
import type { AlgorithmName } from '../schedulers/index.ts';
import type { HashedKey } from '../schedulers/scheduler.ts';
import type { BackendServer } from './backend-server.ts';
import { isRedirectable } from './choice.ts';
import type { Bond } from './persistence.ts';
import type { PoolCore } from './pool-core.ts';

/** How much a server has to do, in `pool.explain()`. */
export interface ServerLoad {
  /** Requests and leases that it has. */
  readonly active: number;
  /** Requests and leases that wait for it, and for no other. */
  readonly queued: number;
  /** Its limit, as its options or its agent say; 0 is none. */
  readonly maxconn: number;
  /** Slots it has now: `maxconn`, fewer during slow start, and with `minconn` while the pool is not full; 0 is no limit. */
  readonly effectiveMaxconn: number;
  /** Weight as it was set, 0 to 256. */
  readonly weight: number;
  /** Weight that schedulers reckon with: `weight` × 16, less during slow start. */
  readonly effectiveWeight: number;
}

/** `pool.explain()`. */
export interface Explanation {
  /** Which group has its turn; `none`: no server is usable. */
  readonly group: 'active' | 'backup' | 'none';
  /** What decides: `useServer`, the request's cookie, a stick table, or the algorithm; `custom` is a scheduler of the user's. */
  readonly by: 'useServer' | 'cookie' | 'stick' | AlgorithmName | 'custom';
  /**
   * Name of the server that a request with this context would be sent to. `undefined`: there is none with room, or it cannot be
   * told without a turn being taken: `random`, `peak-ewma`, `roundrobin` past a full server.
   */
  readonly chosen: string | undefined;
  /** That server is full, and the request would wait for it; but not one that its `redir` answers. */
  readonly waits: boolean;
  /** What of the request is hashed; `undefined` where nothing is. */
  readonly hash: HashedKey | undefined;
  /** Names of servers that can be chosen now. */
  readonly candidates: readonly string[];
  /** The others, and why. */
  readonly excluded: readonly { readonly server: string; readonly reason: string }[];
  /** By name, in the order in which they were declared or added. */
  readonly loads: Readonly<Record<string, ServerLoad>>;
}

const BONDS = { rule: 'useServer', cookie: 'cookie', stick: 'stick' } as const;

export function explain(core: PoolCore, monitor: Monitor, context: RequestContext): Explanation {
  const { balancer, environment, options } = core;
  const { servers, usableCount } = balancer;
  const group =
    usableCount === 0 ? 'none' : servers.some((server) => server.usable && !server.backup) ? 'active' : 'backup';
  const firstBackup = servers.find((server) => server.usable && server.backup);
  const candidates: string[] = [];
  const excluded: { server: string; reason: string }[] = [];
  for (const server of servers) {
    const reason = whyNot(server);
    if (reason === undefined) candidates.push(server.name);
    else excluded.push(Object.freeze({ server: server.name, reason }));
  }
  const bond = core.persistence?.bind(context);
  if (bond) core.persistence?.peek(context, bond);
  const bound = bond && boundServer(bond);
  const server = bound ?? balancer.peek(context);
  const full = server !== undefined && isFull(server);
  const refused = full && server.queueFull;
  const hash = bound ? undefined : options.balance.explainsHash?.(environment, balancer)(context);
  // A server may be called `__proto__`.
  const loads = Object.fromEntries(servers.map((each) => [each.name, loadOf(each)]));
  return Object.freeze({
    group,
    by: bound && bond?.by ? BONDS[bond.by] : options.balance.name,
    chosen: refused ? undefined : server?.name,
    waits: full && !refused,
    hash: hash && Object.freeze(hash),
    candidates: Object.freeze(candidates),
    excluded: Object.freeze(excluded),
    loads: Object.freeze(loads),
  });

  /** A full queue breaks the bond, where requests may go elsewhere at all. */
  function boundServer({ server, forced }: Bond): BackendServer | undefined {
    const stays = forced || options.retry.redispatch === 0 || !server || !isFull(server) || !server.queueFull;
    return stays ? server : undefined;
  }

  /** It has no slot for this request, which needs one unless it is told to go there itself. */
  function isFull(server: BackendServer): boolean {
    return server.saturated && !(server.redir !== undefined && isRedirectable(context.method));
  }

  function whyNot(server: BackendServer): string | undefined {
    if (server.fit && server.ejected) return ejection(server);
    if (!server.usable)
      return server.standing === 'ready' && server.weight === 0
        ? 'its weight is 0'
        : `its state is ${monitor.status(server)}`;
    if (server.backup && group === 'active') return 'it is a backup, and active servers are usable';
    if (server.backup && !options.allbackups && server !== firstBackup) return 'another backup comes first';
    return server.saturated ? `all of its ${server.maxconn} slots are taken` : undefined;
  }

  function ejection(server: BackendServer): string {
    const ms = core.outliers?.report(server)?.ejectedForMs;
    return ms === undefined
      ? 'it was ejected, and as many requests as may are trying it'
      : `it is ejected for ${Math.ceil(ms)} ms more`;
  }
}

function loadOf({ active, queued, limits, maxconn, weight, effectiveWeight }: BackendServer): ServerLoad {
  return Object.freeze({
    active,
    queued,
    maxconn: limits.maxconn,
    effectiveMaxconn: maxconn,
    weight,
    effectiveWeight,
  });
}
