/** Steps in which a weight grows during slow start (HAProxy: BE_WEIGHT_SCALE). */
export const WEIGHT_SCALE = 16;

/** Heaviest weight an operator may give. */
export const MAX_WEIGHT = 256;

/**
 * What schedulers reckon with: the weight times 16, less while the server warms up.
 * @param warmForMs how long the server has been starting; `undefined` when it is warm
 * @see HAProxy `slowstart`; server.c:server_recalc_eweight: whole seconds, 16 steps, 1/16 at the transition
 */
export function effectiveWeight(weight: number, slowstartMs: number, warmForMs: number | undefined): number {
  if (warmForMs === undefined || slowstartMs === 0) return weight * WEIGHT_SCALE;
  const slowstart = Math.ceil(slowstartMs / 1000);
  const elapsed = Math.floor(warmForMs / 1000);
  return weight * Math.min(WEIGHT_SCALE, Math.floor((WEIGHT_SCALE * elapsed + slowstart) / slowstart) || 1);
}

/** How many requests a server may have at one time. */
export interface SlotLimits {
  /** 0 is no limit. */
  readonly maxconn: number;
  /** The limit while the pool is idle; `maxconn`: it is always the same. */
  readonly minconn: number;
}

/** How busy a pool is. */
export interface PoolLoad {
  /** Requests and leases under way, waiting ones too. HAProxy: `be.beconn`. */
  readonly current: number;
  /** Load from which every server may have its whole `maxconn`. HAProxy: `fullconn`. */
  readonly fullconn: number;
}

/**
 * The slots a server has now: from `minconn` to `maxconn` as the pool fills up, fewer while it warms up. 0 is no limit.
 * @see HAProxy queue.c:srv_dynamic_maxconn: whole seconds, as above
 */
export function effectiveMaxconn(
  limits: SlotLimits,
  load: PoolLoad,
  slowstartMs: number,
  warmForMs: number | undefined,
): number {
  const max = loadedMaxconn(limits, load);
  if (max === 0 || warmForMs === undefined || slowstartMs === 0) return max;
  const slowstart = Math.ceil(slowstartMs / 1000);
  const elapsed = Math.floor(warmForMs / 1000);
  if (elapsed >= slowstart) return max;
  const percent = Math.floor((100 * elapsed) / slowstart);
  return Math.max(1, Math.floor((max * percent) / 100));
}

/** The slots of a warm server under this load. */
export function loadedMaxconn({ maxconn, minconn }: SlotLimits, { current, fullconn }: PoolLoad): number {
  if (minconn === maxconn || current >= fullconn) return maxconn;
  return Math.max(minconn, Math.floor((current * maxconn) / fullconn));
}
