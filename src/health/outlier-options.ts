import type { OptionReader } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import type { BreakerSettings } from './circuit-breaker.ts';
import { OUTLIER_HINTS } from './option-hints.ts';

/** A share of a hundred. */
export type Percentage = `${number}%`;

/** `outlier.successRate`: a server that fails more often than the others of its group. */
export interface SuccessRateOptions {
  /** Servers with enough requests that it takes to compare them. Default: 5. */
  readonly minimumServers?: number;
  /** Requests of a server in an interval that it takes to judge it. Default: 100. */
  readonly minimumRequests?: number;
  /** How many standard deviations below the mean of all a success rate is an outlier's. Default: 1.9. */
  readonly deviations?: number;
  /** How far below the mean it must be at least, so that chance ejects nobody where all are alike. Default: `5%`. */
  readonly margin?: Percentage;
}

/** `outlier.latency`: a server that answers more slowly than the others of its group. */
export interface LatencyOutlierOptions {
  /** Servers with enough requests that it takes to compare them. Default: 3. */
  readonly minimumServers?: number;
  /** Requests of a server in an interval that it takes to judge it. Default: 50. */
  readonly minimumRequests?: number;
  /** How many times the median of all a server's response time is an outlier's. Default: 3. */
  readonly factor?: number;
  /** How far above that median it must be at least. Default: 20ms. */
  readonly margin?: Duration;
}

/** `outlier.honorRetryAfter`. */
export interface RetryAfterOptions {
  /** Longest ejection for a server's word. Default: 30s. */
  readonly max?: Duration;
}

/** `outlier`: servers that live traffic shows to be worse than the others are ejected for a while. */
export interface OutlierOptions {
  /** Gateway errors in a row that eject a server: no connection, no valid response in time, 502, 503 and 504; 0: never. Default: 5. */
  readonly consecutiveErrors?: number;
  /** How often servers are compared. Default: 10s. */
  readonly interval?: Duration;
  /** Ejects servers that fail more often than others; `false`: never. Default: `{}`. */
  readonly successRate?: false | SuccessRateOptions;
  /** Ejects servers that are slower than others. Default: false. */
  readonly latency?: false | LatencyOutlierOptions;
  /** How long the first ejection lasts; the nth lasts n times as long. Default: 30s. */
  readonly baseEjection?: Duration;
  /** Longest ejection. Default: 5m. */
  readonly maxEjection?: Duration;
  /** Most servers ejected at one time, of those that could serve; one may always be, but never the last. Default: `10%`. */
  readonly maxEjected?: Percentage;
  /** With fewer servers than that left, of all that are in service, nobody counts as ejected; `0%`: never. Default: `50%`. */
  readonly panicThreshold?: Percentage;
  /** Requests at one time that try a server once its ejection is over, and successes in a row that restore it. Default: 3. */
  readonly trials?: number;
  /** Ejects a server that answers 503 or 429 with `Retry-After` for as long as that says. Default: false. */
  readonly honorRetryAfter?: false | RetryAfterOptions;
}

/** The same, read: shares from 0 to 1. */
export interface OutlierSettings extends BreakerSettings {
  readonly consecutiveErrors: number;
  readonly intervalMs: number;
  readonly successRate: SuccessRateSettings | undefined;
  readonly latency: LatencyOutlierSettings | undefined;
  readonly maxEjected: number;
  readonly panicThreshold: number;
  /** `undefined`: `Retry-After` is not looked at. */
  readonly maxRetryAfterMs: number | undefined;
}

export interface SuccessRateSettings {
  readonly minimumServers: number;
  readonly minimumRequests: number;
  readonly deviations: number;
  readonly margin: number;
}

export interface LatencyOutlierSettings {
  readonly minimumServers: number;
  readonly minimumRequests: number;
  readonly factor: number;
  readonly marginMs: number;
}

const LONGEST_MS = 2_147_483_647;

/** Reads `outlier`; `undefined`: nobody is ejected. */
export function readOutlier(parent: OptionReader): OutlierSettings | undefined {
  const read = readerOf(parent, 'outlier', false);
  if (!read) return undefined;
  const baseEjectionMs = read.durationMs('baseEjection', { default: 30_000, min: 1, max: LONGEST_MS });
  const settings = {
    consecutiveErrors: read.integer('consecutiveErrors', { default: 5 }),
    intervalMs: read.durationMs('interval', { default: 10_000, min: 100, max: LONGEST_MS }),
    successRate: readSuccessRate(read),
    latency: readLatency(read),
    baseEjectionMs,
    maxEjectionMs: read.durationMs('maxEjection', { default: 300_000, min: 1, max: LONGEST_MS }),
    maxEjected: readShare(read, 'maxEjected', '10%'),
    panicThreshold: readShare(read, 'panicThreshold', '50%'),
    trials: read.integer('trials', { default: 3, min: 1, max: 100 }),
    maxRetryAfterMs: readRetryAfter(read),
  };
  if (settings.maxEjectionMs < baseEjectionMs) read.reject('maxEjection', "is shorter than 'baseEjection'");
  read.rejectUnknown(OUTLIER_HINTS);
  return settings;
}

function readSuccessRate(parent: OptionReader): SuccessRateSettings | undefined {
  const read = readerOf(parent, 'successRate', true);
  if (!read) return undefined;
  const settings = {
    minimumServers: read.integer('minimumServers', { default: 5, min: 3 }),
    minimumRequests: read.integer('minimumRequests', { default: 100, min: 1 }),
    deviations: read.number('deviations', { default: 1.9 }),
    margin: readShare(read, 'margin', '5%'),
  };
  read.rejectUnknown();
  return settings;
}

function readLatency(parent: OptionReader): LatencyOutlierSettings | undefined {
  const read = readerOf(parent, 'latency', false);
  if (!read) return undefined;
  const settings = {
    minimumServers: read.integer('minimumServers', { default: 3, min: 2 }),
    minimumRequests: read.integer('minimumRequests', { default: 50, min: 1 }),
    factor: read.number('factor', { default: 3, min: 1 }),
    marginMs: read.durationMs('margin', { default: 20, max: LONGEST_MS }),
  };
  read.rejectUnknown();
  return settings;
}

function readRetryAfter(parent: OptionReader): number | undefined {
  const read = readerOf(parent, 'honorRetryAfter', false);
  const maxMs = read?.durationMs('max', { default: 30_000, min: 1, max: LONGEST_MS });
  read?.rejectUnknown();
  return maxMs;
}

/** A reader of options that `false` turns off; `undefined`: they are. @param fallback they are on where nothing is said */
function readerOf(parent: OptionReader, key: string, fallback: boolean): OptionReader | undefined {
  const value = parent.any(key);
  if (value === false || (value === undefined && !fallback)) return undefined;
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value)))
    return parent.object(key);
  parent.fault(key, value, 'false, or an object of options');
  return undefined;
}

function readShare(read: OptionReader, key: string, fallback: Percentage): number {
  const text = read.read(key, fallback, "a percentage from '0%' to '100%'", (value) =>
    typeof value === 'string' && /^\d{1,3}(?:\.\d+)?%$/.test(value) && Number.parseFloat(value) <= 100
      ? value
      : undefined,
  );
  return Number.parseFloat(text) / 100;
}
