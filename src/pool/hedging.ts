import type { OptionReader } from '../core/options.ts';
import { type Duration, parseDuration } from '../core/units.ts';
import { LatencyQuantile } from './latency-quantile.ts';

/** A quantile of response times: `p50` to `p99.9`. */
export type Quantile = `p${number}`;

/** `hedge`: a second attempt for requests that wait longer than most. */
export interface HedgeOptions {
  /**
   * How long a server has to begin its response before another one is asked, too: a time, or the quantile of the response
   * times of the last minute, `p50` to `p99.9`. Default: `p95`.
   */
  readonly after?: Quantile | Duration;
  /** Most hedges of one request, 1..4: each when the attempts before it have had that time. Default: 1. */
  readonly max?: number;
  /** Hedges that each request pays for, 0..1: 0.05 is one for every twenty requests. Default: 0.05. */
  readonly budget?: number;
}

/** The same, read. */
export interface HedgeSettings {
  readonly after: { readonly ms: number } | { readonly percent: number };
  readonly max: number;
  readonly budget: number;
}

const LONGEST_MS = 2_147_483_647;

/** Reads `hedge`; `undefined`: no request is hedged. */
export function readHedge(read: OptionReader): HedgeSettings | undefined {
  const value = read.any('hedge');
  if (value === undefined || value === false) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    read.fault('hedge', value, 'false, or { after, max, budget }');
    return undefined;
  }
  const options = read.object('hedge');
  const after = options.read(
    'after',
    'p95',
    "'p50' to 'p99.9', or a duration (250, '250ms', '2s') from 1 ms to 24 days",
    readAfter,
  );
  const settings = {
    after: after === 'p95' ? { percent: 95 } : after,
    max: options.integer('max', { default: 1, min: 1, max: 4 }),
    budget: options.number('budget', { default: 0.05, max: 1 }),
  };
  options.rejectUnknown();
  return settings;
}

function readAfter(value: unknown): HedgeSettings['after'] | undefined {
  const quantile = typeof value === 'string' ? /^p(\d\d(?:\.\d)?)$/.exec(value) : null;
  if (quantile) return Number(quantile[1]) >= 50 ? { percent: Number(quantile[1]) } : undefined;
  const ms = parseDuration(value);
  return ms !== undefined && ms >= 1 && ms <= LONGEST_MS ? { ms } : undefined;
}

/** Hedges that may be saved up, so that a quiet hour does not pay for a burst. */
const MOST_SAVED = 10;

/** A sum of shares is not exact. */
const ROUNDING = 1e-9;

/** Hedges that are paid for: never more than the share of all requests, and never many at one time. */
export class HedgeBudget {
  readonly #share: number;
  #saved = 0;

  constructor(share: number) {
    this.#share = share;
  }

  /** A request came that may be hedged. */
  request(): void {
    this.#saved = Math.min(MOST_SAVED, this.#saved + this.#share);
  }

  /** There is enough for a hedge. */
  get suffices(): boolean {
    return this.#saved >= 1 - ROUNDING;
  }

  spend(): void {
    this.#saved -= 1;
  }
}

/** Before so many response times are known, a quantile of them means nothing. */
const ENOUGH = 100;

/** How long a quantile is taken for the present one: to work it out costs a microsecond. */
const FRESH_MS = 250;

/**
 * When and how often requests of a pool are hedged.
 * @see Dean, Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013: hedged requests after the 95th percentile
 * @see gRFC A6 "gRPC Retry Design", hedging policy
 */
export class Hedging {
  /** Most hedges of one request. */
  readonly max: number;
  readonly budget: HedgeBudget;
  readonly #after: HedgeSettings['after'];
  readonly #times = new LatencyQuantile();
  #delayMs: number | undefined = undefined;
  #workedOutAt = Number.NEGATIVE_INFINITY;

  constructor({ after, max, budget }: HedgeSettings) {
    this.max = max;
    this.budget = new HedgeBudget(budget);
    this.#after = after;
  }

  /** A first attempt began its response after so long, or was given up then, as a hedge was quicker: it takes longer still. */
  observed(ms: number, now: number): void {
    if ('percent' in this.#after) this.#times.observe(ms, now);
  }

  /** How long an attempt has before it is hedged; `undefined`: not known yet, so it is not. */
  delayMs(now: number): number | undefined {
    if ('ms' in this.#after) return this.#after.ms;
    if (this.#times.count(now) < ENOUGH) return undefined;
    if (now - this.#workedOutAt >= FRESH_MS) {
      this.#workedOutAt = now;
      this.#delayMs = this.#times.quantile(this.#after.percent / 100, now);
    }
    return this.#delayMs;
  }
}
