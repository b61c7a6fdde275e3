import type { FailureReason, Sent } from '../core/outcome.ts';
import type { RetrySettings } from './retry-options.ts';

/** What is known of an attempt that failed. */
export interface FailedAttempt {
  /** Why; or the status of a response that nobody has seen yet. */
  readonly reason: FailureReason | number;
  /** How far the request had got. */
  readonly sent: Sent;
  readonly onReusedConnection: boolean;
  /** The request may reach a server twice. */
  readonly idempotent: boolean;
  /** All of its body that was read is still there. */
  readonly replayable: boolean;
  /** Attempts made after the first, without those that only replaced a dead connection. */
  readonly retries: number;
  /** Only what could not be connected may be tried again. HAProxy: `http-request disable-l7-retry`. */
  readonly l7RetryDisabled: boolean;
}

/** Again over a new connection to the same server; as one of the retries; or not at all. */
export type RetryDecision = 'fresh' | 'retry' | 'give-up';

/**
 * Whether a failed attempt is made again.
 * @see HAProxy `retries`, `retry-on`; backend.c:back_handle_st_cer, http_ana.c:do_l7_retry
 */
export function decideRetry(attempt: FailedAttempt, settings: RetrySettings): RetryDecision {
  const { reason, sent } = attempt;
  const mayBeSent = sent === 'nothing' || (attempt.idempotent && attempt.replayable);
  if (!mayBeSent) return 'give-up';
  // A kept connection that the server had given up says nothing about the server: no retry is spent on it.
  if (attempt.onReusedConnection && reason === 'empty-response')
    return attempt.l7RetryDisabled && sent !== 'nothing' ? 'give-up' : 'fresh';
  if (attempt.l7RetryDisabled && reason !== 'conn-failure') return 'give-up';
  const named = typeof reason === 'number' ? settings.statuses.has(reason) : settings.retryOn.has(reason);
  return named && attempt.retries < settings.retries ? 'retry' : 'give-up';
}

/** What the place of a retry depends on. */
export interface Circumstances {
  /** Which retry it is, from 1. */
  readonly retry: number;
  /** The server that failed is fully up, and takes requests. */
  readonly serverIsUp: boolean;
  /** The request belongs to that server. */
  readonly persistent: boolean;
  /** Active servers that are usable. HAProxy: `srv_act`. */
  readonly activeServers: number;
  /** The algorithm is a hash. */
  readonly hashes: boolean;
}

/**
 * Whether a retry goes to another server.
 * @see HAProxy `option redispatch`; stream.h:stream_choose_redispatch
 */
export function goesElsewhere(circumstances: Circumstances, settings: RetrySettings): boolean {
  const { retry, serverIsUp, persistent, activeServers, hashes } = circumstances;
  if (settings.redispatch === 0) return false;
  return !serverIsUp || isTurn(retry, settings) || (!persistent && activeServers > 1 && !hashes);
}

/** Interval N > 0: every Nth retry; N < 0: the retry that many before the last, -1 being the last. */
function isTurn(retry: number, { redispatch, retries }: RetrySettings): boolean {
  if (redispatch > 0) return retry % redispatch === 0;
  const interval = retries + 1 + redispatch;
  return interval > 0 && retry % interval === 0;
}

/** Longest wait before a server whose connection failed is asked again. */
const TURN_AROUND_MS = 1_000;

/** How long to wait after a connection that failed, but not after one that was not made in time. HAProxy: back_handle_st_cer. */
export function turnAroundMs(connectMs: number): number {
  return Math.min(TURN_AROUND_MS, connectMs);
}
