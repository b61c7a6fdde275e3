import { readCookieDate } from './cookie-date.ts';
import { PREFIX_END } from './cookie-text.ts';
import type { CookieSigner } from './signed-cookie.ts';

/** What one of the pool's cookies in a request says. */
export interface CookieValue {
  /** The value that names a server; `''`: none, or one that cannot be trusted. */
  readonly server: string;
  /** When it was last sent, and when first, in seconds since 1970; 0: not said. */
  readonly lastDate: number;
  readonly firstDate: number;
  /** Signed with a key that is no longer the newest. */
  readonly stale: boolean;
}

const DATES = '|';
const UNTRUSTED: CookieValue = { server: '', lastDate: 0, firstDate: 0, stale: false };

/**
 * Takes apart `srv`, `srv|last`, `srv|last|first`, or `srv~…` in prefix mode; signed ones too.
 * @param trusts whether such a server is worth a signature's check
 * @see HAProxy http_ana.c:http_manage_client_side_cookies
 */
export function readCookieValue(
  text: string,
  prefix: boolean,
  signer: CookieSigner | undefined,
  trusts: (server: string) => boolean,
): CookieValue {
  const end = prefix ? text.indexOf(PREFIX_END) : -1;
  const own = end === -1 ? text : text.slice(0, end);
  if (!signer) return taken(own, prefix, false);
  const verified = trusts(unsigned(own, prefix)) ? signer.verify(own) : undefined;
  return verified ? taken(verified.value, prefix, verified.stale) : UNTRUSTED;
}

/** The server's part of a value that claims to be signed. */
function unsigned(own: string, prefix: boolean): string {
  const bar = prefix ? -1 : own.indexOf(DATES);
  return own.slice(0, bar === -1 ? own.lastIndexOf('.') : bar);
}

function taken(value: string, prefix: boolean, stale: boolean): CookieValue {
  const bar = prefix ? -1 : value.indexOf(DATES);
  if (bar === -1) return { server: value, lastDate: 0, firstDate: 0, stale };
  const second = value.indexOf(DATES, bar + 1);
  return {
    server: value.slice(0, bar),
    lastDate: readCookieDate(value, bar + 1),
    firstDate: second === -1 ? 0 : readCookieDate(value, second + 1),
    stale,
  };
}
