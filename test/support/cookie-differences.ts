import type { CookieOutcome, RecordedRequest } from './cookie-record.ts';

/** How a request comes out with us; `undefined`: as with HAProxy. @param server the one that answered with us */
type Difference = (request: RecordedRequest, server: string | null) => Partial<CookieOutcome> | undefined;

/** Why requests come out otherwise than with HAProxy; `docs/haproxy-differences.md` explains each. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  // HAProxy 2.6 takes `private` and `no-cache` with names behind them for nothing; 3.5 and we do not.
  'directives with an argument': ({ answer = [], expect }) => {
    if (!answer.some(([, value]) => /^(private|no-cache)="x/.test(value))) return undefined;
    const own = (name: string): string[] => answer.filter(([known]) => known === name).map(([, value]) => value);
    const passed = { cacheControl: own('Cache-Control') };
    if (!expect.flags.startsWith('PH')) return passed;
    return { ...passed, setCookie: own('Set-Cookie'), flags: expect.flags.replace('PH', '--') };
  },
  // HAProxy blocks it all the same, and logs PH, but says the server's status over its own body.
  'checkcache answers 502': ({ expect }) => (expect.flags.startsWith('PH') ? { status: 502 } : undefined),
  // Node gives one field of several.
  'several fields in one': ({ cookies = [], expect }) =>
    cookies.length > 1 && !cookies.some((value) => value === '' || value.includes('"'))
      ? { cookies: [expect.cookies.join('; ')] }
      : undefined,
  'several fields, one of them empty': ({ cookies = [] }) =>
    cookies.length > 1 && cookies.includes('') ? { cookies: [] } : undefined,
  'several fields, and a quote of one ends in none': ({ cookies = [] }, server) =>
    cookies.length > 1 && cookies[0] === 'x="1'
      ? { server, cookies: ['x="1', 'SRV=b'], setCookie: [`SRV=${server === 's1' ? 'a' : 'b'}; path=/`], flags: '--NI' }
      : undefined,
};

/** Holds what comes of requests against the recorded outcomes, and keeps account of the differences that it met. */
export class CookieDifferences {
  readonly #met = new Set<string>();

  /** What is to come of a request that did not come out as with HAProxy. */
  explained(request: RecordedRequest, server: string | null): Partial<CookieOutcome> {
    for (const [why, difference] of Object.entries(DIFFERENCES)) {
      const explained = difference(request, server);
      if (explained === undefined) continue;
      this.#met.add(why);
      return explained;
    }
    return {};
  }

  /** Those that no request has shown. */
  get unmet(): readonly string[] {
    return Object.keys(DIFFERENCES).filter((why) => !this.#met.has(why));
  }
}
