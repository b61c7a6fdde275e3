import type { BreakerState } from '../health/circuit-breaker.ts';
import { describe } from '../health/health-check.ts';
import type { Monitor } from '../health/monitor.ts';
import type { CheckReport } from '../health/monitor-events.ts';
import type { OutlierReport } from '../health/outliers.ts';
import type { AdminState } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';
import type { PoolCore } from './pool-core.ts';

/** Responses by class of their status. */
export type ResponseClasses = Readonly<Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'other', number>>;

/** How the last check of a server ended. */
export interface CheckStats {
  /** HAProxy's code: `L7OK`, `L4CON` … */
  readonly code: string;
  readonly status: number | undefined;
  readonly description: string;
  readonly durationMs: number | undefined;
}

/** One server in `pool.stats()`. Counters bear the names of HAProxy's CSV columns. */
export interface ServerStats {
  readonly id: number;
  readonly url: string;
  /** In HAProxy's words: `UP 1/3`, `DOWN`, `MAINT`, `no check` … */
  readonly state: string;
  readonly admin: AdminState;
  readonly backup: boolean;
  readonly weight: number;
  /** Weight that schedulers reckon with: `weight` × 16, less during slow start. */
  readonly effectiveWeight: number;
  /** Its limit, as its options or its agent say; 0 is none. */
  readonly maxconn: number;
  /** Slots it has now: `maxconn`, fewer during slow start, and with `minconn` while the pool is not full; 0 is no limit. */
  readonly effectiveMaxconn: number;
  /** Requests and leases now. */
  readonly active: number;
  /** Requests and leases that wait for it now, and for no other. */
  readonly queued: number;
  /** Idle connections kept. */
  readonly idle: number;
  /** The last check; `undefined` before it, or without checks. */
  readonly check: CheckStats | undefined;
  /** The last answer of its agent; `undefined` before it, or without an agent. */
  readonly agent: CheckStats | undefined;
  /** Name of the server that it tracks. */
  readonly tracks: string | undefined;
  /** With `outlier`: `open` while it is ejected, `half-open` while a few requests try it. Always `closed` without. */
  readonly breaker: BreakerState;
  /** Times it was ejected. */
  readonly ejections: number;
  /** Milliseconds until it is tried again; `undefined` while it is not ejected. */
  readonly ejectedForMs: number | undefined;
  readonly responses: ResponseClasses;
  /** Requests and leases it was given. */
  readonly stot: number;
  /** Times balancing chose it, without repeats for one request. */
  readonly lbtot: number;
  /** Most requests at one time. */
  readonly smax: number;
  /** Most requests that waited for it at one time. */
  readonly qmax: number;
  /** Bytes of request bodies. */
  readonly bin: number;
  /** Bytes of response bodies. */
  readonly bout: number;
  /** Attempts that could not connect. */
  readonly econ: number;
  /** Attempts without a whole valid response. */
  readonly eresp: number;
  /** Retries on the same server. */
  readonly wretr: number;
  /** Retries that left it for another. */
  readonly wredis: number;
  /** Hedges sent to it: second attempts beside one that another server was slow with. */
  readonly hedges: number;
  /** Hedges that it answered first. */
  readonly hedgesWon: number;
  /** Requests whose client left. */
  readonly cli_abrt: number;
  /** Responses it cut. */
  readonly srv_abrt: number;
  /** Connections made. */
  readonly connect: number;
  /** Requests over a kept connection. */
  readonly reuse: number;
  /** Checks failed while it was up. */
  readonly chkfail: number;
  /** Times it went down. */
  readonly chkdown: number;
  /** Times that errors of requests reached `errorLimit`. */
  readonly hanafail: number;
}

/** `pool.stats()`. */
export interface PoolStats {
  readonly name: string;
  /** `UP` while a server can be chosen, or there is none; else `DOWN`. */
  readonly state: 'UP' | 'DOWN';
  /** Requests under way. */
  readonly active: number;
  /** Requests and leases that wait now, for one server or for any. */
  readonly queued: number;
  /** Most that waited for any server at one time. */
  readonly qmax: number;
  /** Leases not released. */
  readonly leases: number;
  /** Bytes of request bodies held to be sent again. */
  readonly bufferedBytes: number;
  /** Retries that `retryBudget` did not allow. */
  readonly retriesRefused: number;
  /** With `outlier`: so many servers are ejected or down that nobody counts as ejected. */
  readonly panic: boolean;
  /** By name, in the order in which they were declared or added. */
  readonly servers: Readonly<Record<string, ServerStats>>;
}

const NEVER_EJECTED: OutlierReport = { breaker: 'closed', ejections: 0, ejectedForMs: undefined };

export function poolStats(name: string, core: PoolCore, monitor: Monitor): PoolStats {
  // A server may be called `__proto__`.
  const servers = Object.fromEntries(
    core.balancer.servers.map((server) => [server.name, serverStats(server, monitor, core.outliers?.report(server))]),
  );
  const state = core.balancer.usableCount > 0 || core.balancer.servers.length === 0 ? 'UP' : 'DOWN';
  return Object.freeze({
    name,
    state,
    active: core.exchanges.size,
    queued: core.admission.waiting,
    qmax: core.admission.sharedMax,
    leases: core.leases.size,
    bufferedBytes: core.bodyMemory.used,
    retriesRefused: core.retryBudget?.refused ?? 0,
    panic: core.outliers?.panics ?? false,
    servers: Object.freeze(servers),
  });
}

function serverStats(
  server: BackendServer,
  monitor: Monitor,
  { breaker, ejections, ejectedForMs }: OutlierReport = NEVER_EJECTED,
): ServerStats {
  const {
    stot,
    lbtot,
    smax,
    qmax,
    bin,
    bout,
    econ,
    eresp,
    wretr,
    wredis,
    hedges,
    hedgesWon,
    cli_abrt,
    srv_abrt,
    connect,
    reuse,
    chkfail,
    chkdown,
    hanafail,
    hrsp,
  } = server.counters;
  return Object.freeze({
    id: server.id,
    url: server.address.url,
    state: monitor.status(server),
    admin: server.admin,
    backup: server.backup,
    weight: server.weight,
    effectiveWeight: server.effectiveWeight,
    maxconn: server.limits.maxconn,
    effectiveMaxconn: server.maxconn,
    active: server.active,
    queued: server.queued,
    idle: server.connections.idle,
    check: checkStats(monitor.report(server)),
    agent: checkStats(monitor.report(server, 'agent')),
    tracks: server.tracks?.name,
    ...{ breaker, ejections, ejectedForMs },
    responses: Object.freeze({
      '1xx': hrsp[1],
      '2xx': hrsp[2],
      '3xx': hrsp[3],
      '4xx': hrsp[4],
      '5xx': hrsp[5],
      other: hrsp[0],
    }),
    ...{
      stot,
      lbtot,
      smax,
      qmax,
      bin,
      bout,
      econ,
      eresp,
      wretr,
      wredis,
      hedges,
      hedgesWon,
      cli_abrt,
      srv_abrt,
      connect,
      reuse,
      chkfail,
      chkdown,
      hanafail,
    },
  });
}

function checkStats(report: CheckReport | undefined): CheckStats | undefined {
  if (!report?.last) return undefined;
  const { code, status } = report.last;
  return Object.freeze({ code, status, description: describe(report.last), durationMs: report.lastDurationMs });
}
