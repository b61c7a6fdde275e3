import type { OptionReader } from '../core/options.ts';
import type { CheckCode, CheckResult } from './health-check.ts';
import { readWords, type StepText, type Words } from './step-texts.ts';

const OK = ['L7OK', 'L7OKC', 'L6OK', 'L4OK'] as const;
const ERROR = ['L7OKC', 'L7RSP', 'L7STS', 'L6RSP', 'L4CON'] as const;
const TIMEOUT = ['L7TOUT', 'L6TOUT', 'L4TOUT'] as const;

/** How a check ends by an expectation. HAProxy: `ok-status`, `error-status`, `tout-status`. */
export interface StatusOptions {
  /** When this is the check's last expectation, and holds. `L7OKC`: no new balanced requests (NOLB). Default: `'L7OK'`. */
  readonly okStatus?: (typeof OK)[number];
  /** When it does not hold. Default: `'L7STS'` for the status and fields of HTTP, else `'L7RSP'`. */
  readonly errorStatus?: (typeof ERROR)[number];
  /** When the time is up while it is waited for. Default: `'L7TOUT'`. */
  readonly toutStatus?: (typeof TIMEOUT)[number];
  /** The description when this is the check's last expectation, and holds. Default: none. HAProxy: `on-success`. */
  readonly onSuccess?: StepText;
  /** The description when it does not hold. Default: what was expected, and what came. HAProxy: `on-error`. */
  readonly onError?: StepText;
}

/** What HAProxy has beside them. */
export const NOT_SUPPORTED_OF_EXPECT = { statusCode: 'not supported (HAProxy: status-code)' } as const;

/** `StatusOptions`, read. */
export interface Statuses {
  readonly ok: CheckCode;
  readonly error: CheckCode;
  readonly timeout: CheckCode;
  readonly onSuccess?: Words | undefined;
  readonly onError?: Words | undefined;
}

export function readStatuses(read: OptionReader, usualError: (typeof ERROR)[number]): Statuses {
  return {
    ok: read.oneOf('okStatus', OK, { default: 'L7OK' }),
    error: read.oneOf('errorStatus', ERROR, { default: usualError }),
    timeout: read.oneOf('toutStatus', TIMEOUT, { default: 'L7TOUT' }),
    onSuccess: readWords(read, 'onSuccess'),
    onError: readWords(read, 'onError'),
  };
}

/** A result with the verdict that its code stands for. */
export function resultOf(code: CheckCode, description: string, status?: number): CheckResult {
  const result = code === 'L7OKC' ? 'conditional' : code.endsWith('OK') ? 'passed' : 'failed';
  return status === undefined ? { result, code, description } : { result, code, description, status };
}
