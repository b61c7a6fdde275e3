import type { Dialer } from '../connections/dial.ts';
import type { Environment } from '../core/environment.ts';
import { show } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';
import type { AgentReply } from './agent-reply.ts';
import type { CheckTarget } from './check-target.ts';

/**
 * Every code a check may end with, and what it means.
 * @see HAProxy check.c:check_statuses; the column `check_status` of `show stat`
 */
export const CHECK_CODES = {
  UNK: 'Unknown',
  CHECKED: 'No status change',
  HANA: 'Health analyze',
  SOCKERR: 'Socket error',
  L4OK: 'Layer4 check passed',
  L4TOUT: 'Layer4 timeout',
  L4CON: 'Layer4 connection problem',
  L6OK: 'Layer6 check passed',
  L6TOUT: 'Layer6 timeout',
  L6RSP: 'Layer6 invalid response',
  L7TOUT: 'Layer7 timeout',
  L7RSP: 'Layer7 invalid response',
  L7OK: 'Layer7 check passed',
  L7OKC: 'Layer7 check conditionally passed',
  L7STS: 'Layer7 wrong status',
  PROCERR: 'External check error',
  PROCTOUT: 'External check timeout',
  PROCOK: 'External check passed',
} as const;

/** What the codes of programs mean where a function of the user's has said so. */
const CODES_OF_FUNCTIONS: Partial<Record<CheckCode, string>> = {
  PROCERR: 'Check function error',
  PROCTOUT: 'Check function timeout',
  PROCOK: 'Check function passed',
};

/** How a check ended: HAProxy's `check_status`. */
export type CheckCode = keyof typeof CHECK_CODES;

/**
 * What a check says of its server: `passed`; `failed`; `conditional`: fit for the requests it must keep, but for no new
 * ones (NOLB); `neutral`: nothing changes.
 */
export type CheckVerdict = 'passed' | 'failed' | 'neutral' | 'conditional';

/** How one check ended. */
export interface CheckResult {
  readonly result: CheckVerdict;
  readonly code: CheckCode;
  /** The status the server answered with, where the check is about one. */
  readonly status?: number | undefined;
  /** What was found, in words; may be empty. */
  readonly description: string;
  /** A function of the user's has said so; `PROCOK` and its like are those of a program else. */
  readonly byFunction?: boolean | undefined;
  /** What an agent wants done; the monitor does it. */
  readonly reply?: AgentReply | undefined;
}

/** Where one probe goes, and how long it may take. */
export interface Probe {
  readonly server: ServerView;
  readonly target: CheckTarget;
  readonly dialer: Dialer;
  readonly environment: Environment;
  /** Until the server must have been connected to, in milliseconds. Without `answerMs`, until the probe must have ended. */
  readonly connectMs: number;
  /** From the connection made to the end of the probe, in milliseconds. */
  readonly answerMs: number | undefined;
  /** Told of a function of the user's that failed, and where it stands. */
  readonly report?: ((sample: string, error: unknown) => void) | undefined;
}

/** Ends a probe without a result: its sockets are destroyed. Does nothing after the result. */
export type Cancel = () => void;

/** One kind of check with its options. It keeps nothing between probes, so many servers may share it. */
export interface HealthCheck {
  /** It may speak TLS to a server whose address is not `https:`, by that server's options for it. */
  readonly usesTls?: boolean;
  /** It asks an agent: what that says is obeyed, and that it cannot be reached says nothing of the server. */
  readonly asksAgent?: boolean;
  /** It speaks HTTP, by requests and expectations of the user's. */
  readonly overHttp?: boolean;
  /** It is the user's own code: where it connects to, and how, is its own affair. */
  readonly isFunction?: boolean;
  /**
   * Starts one probe. It calls back exactly once, within its time limits, never before it has returned and never after it
   * was cancelled. It does not throw, and leaves no socket or timer behind.
   */
  run(probe: Probe, onResult: (result: CheckResult) => void): Cancel;
}

/** A result as a reason: `Layer7 wrong status: status 503, expected status 200-399 (L7STS)`. */
export function inWords({ code, description, byFunction }: CheckResult): string {
  const meaning = (byFunction && CODES_OF_FUNCTIONS[code]) || CHECK_CODES[code];
  return `${meaning}${description ? `: ${description}` : ''} (${code})`;
}

/** What was found, in words, never empty. */
export function describe(result: CheckResult): string {
  return result.description || inWords(result);
}

const LONGEST_DESCRIPTION = 200;

/** A text from outside as part of a description: on one line, and not too long. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return line.length > LONGEST_DESCRIPTION ? `${line.slice(0, LONGEST_DESCRIPTION - 3)}...` : line;
}

/**
 * Of whatever was thrown: an error's message may be no text, or throw when it is read.
 * @param unreadable stands for it then
 */
export function messageOf(error: unknown, unreadable: string = show(error)): string {
  try {
    return error instanceof Error ? String(error.message) : show(error);
  } catch {
    return unreadable;
  }
}
