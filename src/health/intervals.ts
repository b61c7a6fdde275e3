import type { OperationalState } from '../servers/server.ts';
import { fullHealth, type RiseFall } from './rise-fall.ts';

/** How often a server is checked, in milliseconds. */
export interface Intervals extends RiseFall {
  /** While its health is full. */
  readonly interMs: number;
  /** While it is on its way up or down. */
  readonly fastinterMs: number;
  /** While it is down for good. */
  readonly downinterMs: number;
}

/**
 * From the end of a check to the start of the next one.
 * @param hurried errors of requests have asked for a look (HAProxy: CHK_ST_FASTINTER)
 * @see HAProxy check.c:srv_getinter
 */
export function intervalMs(
  operational: OperationalState,
  health: number,
  intervals: Intervals,
  hurried: boolean = false,
): number {
  if (health === fullHealth(intervals) && !hurried) return intervals.interMs;
  return operational === 'stopped' && health === 0 ? intervals.downinterMs : intervals.fastinterMs;
}

/** Intervals below this do not crowd the first checks of the others. HAProxy: SRV_CHK_INTER_THRES. */
const LEAST_SPREAD_MS = 1000;

/**
 * When each check of a starting pool begins, in milliseconds: spread over the shortest `inter` of at least a second, so
 * that they never all come at once.
 * @param maxMs most of the time to spread them over. HAProxy: `max-spread-checks`
 * @see HAProxy check.c:start_checks
 */
export function startDelaysMs(interMs: readonly number[], maxMs: number = Number.POSITIVE_INFINITY): number[] {
  let shortest = Number.POSITIVE_INFINITY;
  for (const ms of interMs) if (ms >= LEAST_SPREAD_MS && ms < shortest) shortest = ms;
  const spread = shortest === Number.POSITIVE_INFINITY ? 0 : shortest;
  return interMs.map((ms, position) => (Math.min(maxMs, Math.max(spread, ms)) * position) / interMs.length);
}

/** An interval, up to `percent` shorter or longer. HAProxy: `spread-checks`. */
export function spreadMs(interval: number, percent: number, random: () => number): number {
  return percent === 0 ? interval : interval + ((interval * percent) / 100) * (1 - 2 * random());
}

/** Time limits of the pool that concern checks, in milliseconds. */
export interface CheckTimeouts {
  /** `timeout.check`; `undefined`: a check has the interval as its limit. */
  readonly timeoutCheckMs: number | undefined;
  readonly timeoutConnectMs: number;
}

/**
 * How long a probe may take: `[until connected, from then on]`, or without `timeout.check` the interval for all of it.
 * @see HAProxy tcpcheck.c:tcpcheck_eval_connect
 */
export function probeLimitsMs(interval: number, timeouts: CheckTimeouts): [number, number | undefined] {
  const { timeoutCheckMs, timeoutConnectMs } = timeouts;
  return timeoutCheckMs === undefined ? [interval, undefined] : [Math.min(interval, timeoutConnectMs), timeoutCheckMs];
}
