import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A server of a scenario, by HAProxy's keywords, and how it is. */
export interface CookieServer {
  readonly name: string;
  readonly cookie?: string;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly redir?: string;
  /** `down`: its checks fail; `refusing`: nobody listens, and nobody checks. Default: it serves. */
  readonly state?: 'down' | 'refusing' | 'maint' | 'drain';
  /** Only where it matters: what a dynamic cookie is made from. */
  readonly address?: string;
}

/**
 * A request and how its server answers. In fields, `<now-100>` is the date of 100 seconds ago as a cookie has it, and
 * `<20×a=1; >` is 20 times what stands behind the `×`; `<answered>` is what the last answer of its scenario set the cookie to.
 */
export interface CookieRequest {
  /** Default: GET. */
  readonly method?: string;
  /** The values of its `Cookie` fields. */
  readonly cookies?: readonly string[];
  /** HAProxy's `force-persist` or `ignore-persist` applies. */
  readonly persist?: 'force' | 'ignore';
  /** HAProxy's `use-server` names it. */
  readonly use?: string;
  /** Default: 200. */
  readonly status?: number;
  /** The fields of the server's answer, in order. */
  readonly answer?: readonly (readonly [string, string])[];
}

export interface CookieScenario {
  readonly name: string;
  /** HAProxy's words behind `cookie`. */
  readonly cookie?: string;
  /** More lines of the `backend` section. */
  readonly backend?: readonly string[];
  readonly servers: readonly CookieServer[];
  readonly requests: readonly CookieRequest[];
}

/** What came of a request. Texts longer than 300 characters are digests. */
export interface CookieOutcome {
  /** The clock while it was served, in seconds since 1970. */
  readonly now: number;
  /** The server that answered; `null`: none was asked. */
  readonly server: string | null;
  readonly redispatched?: true;
  readonly status: number;
  /** The `Cookie` fields that the server saw. */
  readonly cookies: readonly string[];
  /** The fields that the client saw. */
  readonly setCookie: readonly string[];
  readonly cacheControl: readonly string[];
  readonly location?: string;
  /** HAProxy's four log flags. */
  readonly flags: string;
}

export type RecordedRequest = CookieRequest & { readonly expect: CookieOutcome };
export type RecordedCookies = Omit<CookieScenario, 'requests'> & { readonly requests: readonly RecordedRequest[] };

export function recordedCookies(): RecordedCookies[] {
  return JSON.parse(readFileSync(new URL('../fixtures/haproxy-cookies.json', import.meta.url), 'utf8'));
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The field as it is sent at that second. @param answered what the scenario's last answer set the cookie to */
export function expanded(field: string, now: number, answered = ''): string {
  return field
    .replaceAll('<answered>', answered)
    .replaceAll(/<(\d+)×([^>]*)>/g, (_all, count: string, text: string) => text.repeat(Number(count)))
    .replaceAll(/<now([+-]\d+)?>/g, (_all, offset = '0') => dateOf(now + Number(offset)));
}

/** The value of the last of these that sets a cookie. */
export function answeredBy(setCookie: readonly string[]): string | undefined {
  return setCookie.map((field) => /=([^;]*)/.exec(field)?.[1]).at(-1);
}

function dateOf(seconds: number): string {
  const units = Math.floor((seconds + 3) / 4);
  return [24, 18, 12, 6, 0].map((shift) => DIGITS[(units >> shift) & 63]).join('');
}

/** A long text as its length and digest, so that a fixture stays small. */
export function digested(text: string): string {
  if (text.length <= 300) return text;
  return `${text.length} characters, sha256 ${createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 32)}`;
}
