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

/**
 * The slots a server has now: all of `maxconn`, fewer while it warms up. 0 is no limit.
 * @see HAProxy queue.c:srv_dynamic_maxconn: whole seconds, as above
 */
export function effectiveMaxconn(maxconn: number, slowstartMs: number, warmForMs: number | undefined): number {
  if (maxconn === 0 || warmForMs === undefined || slowstartMs === 0) return maxconn;
  const slowstart = Math.ceil(slowstartMs / 1000);
  const elapsed = Math.floor(warmForMs / 1000);
  if (elapsed >= slowstart) return maxconn;
  const percent = Math.floor((100 * elapsed) / slowstart);
  return Math.max(1, Math.floor((maxconn * percent) / 100));
}
