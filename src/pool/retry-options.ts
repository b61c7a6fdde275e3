import type { OptionReader } from '../core/options.ts';
import type { FailureReason } from '../core/outcome.ts';

/** What goes wrong without an answer of the server's. `0rtt-rejected` never happens: no early data is sent to servers. */
type RetryEvent = 'conn-failure' | 'empty-response' | 'junk-response' | 'response-timeout' | '0rtt-rejected';

/** Statuses that `retryOn` may name. */
export type RetryStatus = 401 | 403 | 404 | 408 | 421 | 425 | 429 | 500 | 501 | 502 | 503 | 504;

/** What `retryOn` may name. HAProxy: `retry-on`. */
export type RetryOn = RetryStatus | RetryWord;

/** HAProxy's words behind `retry-on`: `'conn-failure empty-response 503'`. */
export type RetryOnPhrase = `${RetryWord} ${RetryWord}` | `${RetryWord} ${RetryWord} ${string}`;

type RetryWord = 'none' | 'all-retryable-errors' | RetryEvent | `${RetryStatus}`;

/** When, and where, a failed attempt is made again, read. */
export interface RetrySettings {
  readonly retries: number;
  readonly retryOn: ReadonlySet<FailureReason>;
  readonly statuses: ReadonlySet<number>;
  /** Another server at every Nth retry; negative counts from the last; 0 never. */
  readonly redispatch: number;
}

const EVENTS: readonly RetryEvent[] = [
  ...(['conn-failure', 'empty-response', 'junk-response', 'response-timeout', '0rtt-rejected'] as const),
];

const STATUSES: readonly RetryStatus[] = [401, 403, 404, 408, 421, 425, 429, 500, 501, 502, 503, 504];

/** HAProxy: proxy.c:proxy_parse_retry_on. */
const ALL_RETRYABLE: readonly (RetryEvent | RetryStatus)[] = [...EVENTS, 500, 502, 503, 504];

const ALLOWED = `${[...EVENTS, 'all-retryable-errors'].map((word) => `'${word}'`).join(', ')}, ${STATUSES.join(', ')}, several of these in an array or a phrase, or 'none' alone`;

/** Reads `retries`, `retryOn` and `redispatch`. */
export function readRetries(read: OptionReader): RetrySettings {
  const retries = read.integer('retries', { default: 3, min: 0, max: 100 });
  const byDefault = new Set<RetryEvent | RetryStatus>(['conn-failure', 'empty-response']);
  const causes = [...read.read('retryOn', byDefault, ALLOWED, parseRetryOn)];
  return {
    retries,
    retryOn: new Set(
      causes.filter((cause) => typeof cause === 'string' && cause !== '0rtt-rejected') as FailureReason[],
    ),
    statuses: new Set(causes.filter((cause) => typeof cause === 'number')),
    redispatch: readRedispatch(read),
  };
}

function parseRetryOn(value: unknown): ReadonlySet<RetryEvent | RetryStatus> | undefined {
  const words: unknown[] =
    typeof value === 'string' ? value.trim().split(/\s+/) : Array.isArray(value) ? value : [value];
  const causes = new Set<RetryEvent | RetryStatus>();
  if (words.length === 0) return undefined;
  if (words.length === 1 && words[0] === 'none') return causes;
  for (const word of words) {
    const event = EVENTS.find((known) => known === word);
    const status = STATUSES.find((known) => known === word || String(known) === word);
    if (word === 'all-retryable-errors') for (const cause of ALL_RETRYABLE) causes.add(cause);
    else if (event) causes.add(event);
    else if (status) causes.add(status);
    else return undefined;
  }
  return causes;
}

function readRedispatch(read: OptionReader): number {
  return read.read('redispatch', 1, 'true, false or an integer from -100 to 100', (value) => {
    if (typeof value === 'boolean') return value ? -1 : 0;
    return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 100 ? value : undefined;
  });
}
