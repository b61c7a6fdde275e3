import { show } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';
import {
  CHECK_CODES,
  type CheckCode,
  type CheckResult,
  type CheckVerdict,
  type HealthCheck,
  messageOf,
  oneLine,
} from './health-check.ts';

/** What a check function may say: passed or not, or a result as exact as HAProxy's. */
export type CheckAnswer =
  | boolean
  | (Pick<CheckResult, 'result'> & Partial<Pick<CheckResult, 'code' | 'status' | 'description'>>);

/**
 * A check of your own. It passes when it resolves to `true` or to nothing, and fails when it resolves to `false`, rejects
 * or throws: the error's message becomes the reason. `signal` is aborted when its time is up (the check has failed then,
 * whatever the function does) and when nobody waits for the result any more.
 */
export type CheckFunction = (
  server: ServerView,
  { signal }: { readonly signal: AbortSignal },
) => Answer | Promise<Answer>;

// biome-ignore lint/suspicious/noConfusingVoidType: an async function without `return` gives a `Promise<void>`
type Answer = CheckAnswer | undefined | void;

/** The code of a function's result that names none. A function is to us what a program is to HAProxy's external check. */
const USUAL_CODES: Readonly<Record<CheckVerdict, CheckCode>> = {
  passed: 'PROCOK',
  failed: 'PROCERR',
  neutral: 'CHECKED',
  conditional: 'L7OKC',
};

const BY_FUNCTION = { byFunction: true, description: '' } as const;

const ALLOWED = `allowed: true, false, nothing, or { result: ${Object.keys(USUAL_CODES)
  .map((verdict) => `'${verdict}'`)
  .join(' | ')}, code?, status?, description? }`;

export function functionCheck(check: CheckFunction): HealthCheck {
  return {
    isFunction: true,
    run({ server, environment, connectMs, answerMs }, onResult) {
      const limitMs = answerMs ?? connectMs;
      const controller = new AbortController();
      let settled = false;
      const settle = (result: CheckResult): void => {
        if (settled) return;
        settled = true;
        timer.cancel();
        onResult(result);
      };
      const timer = environment.setTimer(() => {
        settle(failed(`no answer within ${limitMs} ms`, 'PROCTOUT'));
        controller.abort(new DOMException('the time of the check is up', 'TimeoutError'));
      }, limitMs);
      // A promise from the start: a function that throws at once rejects like any other.
      const answer = async (): Promise<unknown> => check(server, { signal: controller.signal });
      Promise.resolve()
        .then(answer)
        .then(resultOf)
        .then(settle, (error: unknown) => settle(failed(messageOf(error))));
      return () => {
        if (settled) return;
        settled = true;
        timer.cancel();
        // Whoever listens may turn to the pool, which is in the middle of what ends the check.
        queueMicrotask(() => controller.abort());
      };
    },
  };
}

function resultOf(answer: unknown): CheckResult {
  if (answer === undefined || answer === true) return { ...BY_FUNCTION, result: 'passed', code: 'PROCOK' };
  if (answer === false) return failed('');
  if (typeof answer !== 'object' || answer === null) return failed(`${show(answer)} is no check result; ${ALLOWED}`);
  const { result, code, status, description } = answer as Readonly<Record<string, unknown>>;
  if (!isVerdict(result)) return failed(`${show(answer)} is no check result; ${ALLOWED}`);
  return {
    ...BY_FUNCTION,
    result,
    code: isCode(code) ? code : USUAL_CODES[result],
    status: typeof status === 'number' ? status : undefined,
    description: typeof description === 'string' ? oneLine(description) : '',
  };
}

function failed(description: string, code: CheckCode = 'PROCERR'): CheckResult {
  return { ...BY_FUNCTION, result: 'failed', code, description: oneLine(description) };
}

function isVerdict(value: unknown): value is CheckVerdict {
  return typeof value === 'string' && Object.hasOwn(USUAL_CODES, value);
}

function isCode(value: unknown): value is CheckCode {
  return typeof value === 'string' && Object.hasOwn(CHECK_CODES, value);
}
