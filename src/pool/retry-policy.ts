import type { FailureReason, Sent } from '../core/outcome.ts';
import type { RetrySettings } from './resolve-options.ts';

/** What is known of an attempt that failed. */
export interface FailedAttempt {
  readonly reason: FailureReason;
  /** How far the request had got. */
  readonly sent: Sent;
  readonly onReusedConnection: boolean;
  /** The request may reach a server twice. */
  readonly idempotent: boolean;
  /** All of its body that was read is still there. */
  readonly replayable: boolean;
  /** Attempts made after the first, without those that only replaced a dead connection. */
  readonly retries: number;
}

/** Again over a new connection to the same server; to the same server; to another; or not at all. */
export type RetryDecision = 'fresh' | 'same' | 'other' | 'give-up';

/**
 * Whether, and where, a failed attempt is made again.
 * @see HAProxy `retries`, `retry-on`, `option redispatch`; backend.c:back_handle_st_cer
 */
export function decideRetry(attempt: FailedAttempt, settings: RetrySettings): RetryDecision {
  const mayBeSent = attempt.sent === 'nothing' || (attempt.idempotent && attempt.replayable);
  if (!mayBeSent) return 'give-up';
  // A kept connection that the server had given up says nothing about the server: no retry is spent on it.
  if (attempt.onReusedConnection && attempt.reason === 'empty-response') return 'fresh';
  if (attempt.reason === 'local' || !settings.retryOn.has(attempt.reason) || attempt.retries >= settings.retries)
    return 'give-up';
  return settings.redispatch === 0 || !isTurn(attempt.retries + 1, settings) ? 'same' : 'other';
}

/** Interval N > 0: every Nth retry; N < 0: the retry that many before the last, -1 being the last. */
function isTurn(retry: number, { redispatch, retries }: RetrySettings): boolean {
  if (redispatch > 0) return retry % redispatch === 0;
  const interval = retries + 1 + redispatch;
  return interval > 0 && retry % interval === 0;
}
