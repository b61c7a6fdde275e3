import type { LatencyOutlierSettings, SuccessRateSettings } from './outlier-options.ts';

/** What a server did in an interval. */
export interface IntervalCounts {
  readonly requests: number;
  readonly failures: number;
  /** Requests whose time is known. */
  readonly timed: number;
  /** Sum of the logarithms of those times, in ms. */
  readonly logMs: number;
}

/** Below this success rate a server is an outlier; `undefined`: too little is known. Rates are from 0 to 1. */
export interface SuccessRateLimit {
  readonly limit: number;
  readonly mean: number;
}

/**
 * @see Envoy's outlier detection, success rate: the mean less `success_rate_stdev_factor` standard deviations
 */
export function successRateLimit(
  group: readonly IntervalCounts[],
  { minimumServers, minimumRequests, deviations, margin }: SuccessRateSettings,
): SuccessRateLimit | undefined {
  const rates = group.filter(({ requests }) => requests >= minimumRequests).map(successRate);
  if (rates.length < minimumServers) return undefined;
  const mean = meanOf(rates);
  const deviation = Math.sqrt(meanOf(rates.map((rate) => (rate - mean) ** 2)));
  return { limit: Math.min(mean - deviations * deviation, mean - margin), mean };
}

export function successRate({ requests, failures }: IntervalCounts): number {
  return (requests - failures) / requests;
}

/** Above this typical time a server is an outlier. */
export interface LatencyLimit {
  readonly limitMs: number;
  readonly medianMs: number;
}

/** `undefined`: too little is known. Of two in the middle the lower one is the median: so one of two servers can be too slow. */
export function latencyLimit(
  group: readonly IntervalCounts[],
  { minimumServers, minimumRequests, factor, marginMs }: LatencyOutlierSettings,
): LatencyLimit | undefined {
  const times = group.filter(({ timed }) => timed >= minimumRequests).map(typicalMs);
  if (times.length < minimumServers) return undefined;
  const medianMs = times.sort((a, b) => a - b)[(times.length - 1) >> 1] as number;
  return { limitMs: Math.max(medianMs * factor, medianMs + marginMs), medianMs };
}

/** The geometric mean: one answer of a minute among a hundred of ten milliseconds adds a tenth to it, and not sixtyfold. */
export function typicalMs({ timed, logMs }: IntervalCounts): number {
  return Math.exp(logMs / timed);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
