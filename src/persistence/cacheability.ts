import { listValues } from '../samples/index.ts';

/** Whether a cache might keep an answer, and the cookies in it. HAProxy: TX_CACHEABLE, TX_CACHE_COOK. */
export interface Cacheability {
  readonly cacheable: boolean;
  readonly withCookies: boolean;
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const BY_DEFAULT: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501]);
const NEITHER: Cacheability = { cacheable: false, withCookies: false };
const FORBIDDEN = /^(?:(?:private|no-cache|no-store)(?:=.*)?|s-maxage=0)$/is;

/**
 * @param values the values of each field of that name, which is in lower case
 * @see HAProxy http_ana.c:http_check_response_for_cacheability
 */
export function cacheabilityOf(
  method: string,
  status: number,
  values: (name: string) => readonly string[],
): Cacheability {
  if (status < 200 || values('pragma')[0]?.toLowerCase() === 'no-cache') return NEITHER;
  let cacheable = SAFE.has(method) && BY_DEFAULT.has(status);
  let withCookies = cacheable;
  let fresh = false;
  let stale = false;
  for (const given of values('cache-control').flatMap(listValues)) {
    const directive = given.toLowerCase();
    if (directive === 'public') cacheable = withCookies = true;
    else if (directive === 'max-age=0') stale = true;
    else if (directive === 'no-cache="set-cookie"') withCookies = false;
    else if (FORBIDDEN.test(directive)) cacheable = withCookies = false;
    else if (directive.startsWith('s-maxage')) {
      fresh = true;
      stale = false;
    } else if (directive.startsWith('max-age')) fresh = true;
  }
  if (stale) return NEITHER;
  const kept = fresh || ['expires', 'etag', 'last-modified'].some((name) => values(name).length > 0);
  return { cacheable: cacheable && kept, withCookies };
}

/**
 * Whether a cache might give a server's cookies to other clients. HAProxy: `option checkcache`, which answers 502 then.
 * @param setCookie the server's `Set-Cookie` fields
 * @param isPrivate `Cache-Control: private` was added
 */
export function cookiesWouldBeCached(
  { cacheable, withCookies }: Cacheability,
  setCookie: readonly string[],
  isPrivate: boolean,
): boolean {
  return cacheable && withCookies && setCookie.length > 0 && !isPrivate;
}
