import { OptionReader } from '../core/options.ts';
import { type Duration, parseDuration } from '../core/units.ts';
import { COOKIE_FLAGS, COOKIE_MODES, type CookieFlag, type CookieMode, fromCookiePhrase } from './cookie-phrase.ts';
import { COOKIE_HINTS, SIGN_HINTS } from './option-hints.ts';
import { CookieSigner } from './signed-cookie.ts';

/** Keys that sign cookies: texts (as UTF-8) or bytes, each of at least 16 bytes. */
export interface CookieSignOptions {
  /** The newest first: it signs. The others are still believed, and their cookies are sent anew. 1 to 16. */
  readonly keys: readonly (string | Uint8Array)[];
}

/** How clients are kept on their servers by a cookie. HAProxy: `cookie`. */
export interface CookieObject {
  /** The cookie's name. */
  readonly name: string;
  /**
   * `insert`: the pool sets it; `rewrite`: puts the server into the cookie of that name that a server sets; `prefix`: puts it
   * before that cookie's value, and takes it away again. Default: none of them: the server itself sets what its `cookie` says.
   */
  readonly mode?: CookieMode;
  /** The server never sees it, and none is set for a client that has one. Not with `rewrite`. Default: false. */
  readonly indirect?: boolean;
  /** An answer that a cache might keep gets `Cache-Control: private` with an inserted cookie. Default: false. */
  readonly nocache?: boolean;
  /** Inserts it into answers to POST alone. Default: false. */
  readonly postonly?: boolean;
  /** What a server sets under that name stays, and ends or changes the client's own. Needs `insert` or `indirect`. Default: false. */
  readonly preserve?: boolean;
  /** An inserted one is hidden from scripts. Default: false. */
  readonly httponly?: boolean;
  /** An inserted one is for TLS only. Default: false. */
  readonly secure?: boolean;
  /** `Domain` of an inserted one, one or several. Default: none. */
  readonly domain?: string | readonly string[];
  /**
   * For how long a client may be away and keep its server; with `insert`. 0: for ever. Default: 0. 1 s to 68 years, as `'30m'`; a
   * bare number is milliseconds here, and seconds in a phrase.
   */
  readonly maxidle?: Duration;
  /** For how long a client keeps its server at all; with `insert`. 0: for ever. Default: 0. As `maxidle`. */
  readonly maxlife?: Duration;
  /** Servers without a `cookie` get one from their address and `dynamicCookieKey`. Default: false. */
  readonly dynamic?: boolean;
  /** More attributes of an inserted one: `'SameSite=Lax'`. Default: none. */
  readonly attr?: string | readonly string[];
  /** Signs it, so that no client can choose its server. Not HAProxy's. Default: not signed. */
  readonly sign?: CookieSignOptions;
}

/** The same in HAProxy's words: `'SRV insert indirect nocache maxidle 30m'`. Any text is a name, so that TypeScript cannot tell. */
export type CookiePhrase = string;
export type CookieOption = CookiePhrase | CookieObject;

/** `cookie` and `dynamicCookieKey`, read. */
export interface CookieSettings extends Readonly<Record<CookieFlag, boolean>> {
  readonly name: string;
  /** `undefined`: passive. */
  readonly mode: CookieMode | undefined;
  /** In seconds; 0: for ever. */
  readonly maxidleS: number;
  readonly maxlifeS: number;
  /** What follows an inserted value: `; path=/; …`. */
  readonly attributes: string;
  readonly dynamicKey: string | undefined;
  readonly signer: CookieSigner | undefined;
}

const ALLOWED =
  "'NAME [insert|prefix|rewrite] [indirect] [nocache] [postonly] [preserve] [httponly] [secure] [domain D] [maxidle T] [maxlife T] [dynamic] [attr A]' or { name, mode?, … }";
const NAME = /^(?!\$)[!#$%&'*+\-.^`|~\w]+$/;
const DOMAIN = /^[A-Za-z\d._-]+$/;
/** HAProxy: neither controls nor `;`. What is beyond Latin-1 cannot be sent. */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e\x80-\xff]+$/;
const LONGEST_MS = 2_147_483_647_000;
const LEAST_KEY_BYTES = 16;
const MOST_KEYS = 16;

/** HAProxy takes these with any mode, where they have no effect that anybody could want. */
const OF_INSERT = ['httponly', 'secure', 'domain', 'attr', 'maxidle', 'maxlife'] as const;

/** Reads `cookie` and `dynamicCookieKey`; `undefined`: none, or it is wrong. */
export function readCookie(read: OptionReader): CookieSettings | undefined {
  read.conceal('dynamicCookieKey');
  const dynamicKey = read.string('dynamicCookieKey', { default: undefined });
  const value = read.any('cookie');
  const before = read.faults.length;
  const settings = value === undefined ? undefined : readSettings(read, value, dynamicKey);
  if (dynamicKey !== undefined && read.faults.length === before && !settings?.dynamic)
    read.reject('dynamicCookieKey', "needs a 'cookie' that is dynamic");
  return settings;
}

function readSettings(read: OptionReader, value: unknown, dynamicKey: string | undefined): CookieSettings | undefined {
  const given = typeof value === 'string' ? fromCookiePhrase(value) : value;
  if (typeof given === 'string') {
    read.reject('cookie', `${given}: ${ALLOWED}`);
    return undefined;
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    read.fault('cookie', value, ALLOWED);
    return undefined;
  }
  const options = new OptionReader(given, read.pathOf('cookie'), read.faults);
  options.conceal('sign', 'key', 'keys', 'secret', 'dynamicCookieKey');
  const before = read.faults.length;
  const name = options.string('name', { default: '', allowed: "a cookie's name, not with $ before it", test: NAME });
  if (!options.has('name')) options.fault('name', undefined, "a cookie's name");
  const mode = options.oneOf('mode', COOKIE_MODES, { default: undefined });
  const flags = Object.fromEntries(
    COOKIE_FLAGS.map((flag) => [flag, options.boolean(flag, { default: false })]),
  ) as Record<CookieFlag, boolean>;
  const maxidleS = readSeconds(options, 'maxidle');
  const maxlifeS = readSeconds(options, 'maxlife');
  const attributes = readAttributes(options, flags);
  const keys = readSign(options);
  options.rejectUnknown(COOKIE_HINTS);
  if (read.faults.length === before) {
    if (mode === 'rewrite' && flags.indirect) options.reject('indirect', "does not go with 'rewrite'");
    if (flags.preserve && mode !== 'insert' && !flags.indirect)
      options.reject('preserve', "needs 'insert' or 'indirect'");
    for (const key of OF_INSERT)
      if (mode !== 'insert' && isSaid(options.any(key)))
        options.reject(key, "is of cookies that the pool sets: it needs 'insert'");
    if (keys && mode === undefined)
      options.reject('sign', "needs 'insert', 'prefix' or 'rewrite': the servers sign nothing");
    if (flags.dynamic && dynamicKey === undefined) options.reject('dynamic', "needs the pool's 'dynamicCookieKey'");
  }
  if (read.faults.length > before) return undefined;
  const signer = keys && new CookieSigner(name, keys);
  return { name, mode, ...flags, maxidleS, maxlifeS, attributes, dynamicKey, signer };
}

function isSaid(value: unknown): boolean {
  return value !== undefined && value !== false && value !== 0;
}

/** Whole seconds, rounded up as HAProxy does. */
function readSeconds(options: OptionReader, key: 'maxidle' | 'maxlife'): number {
  const allowed =
    "0, or a time from 1 s to 68 years: '90s', '30m', '8h', '1d'; a bare number is milliseconds, in a phrase seconds";
  const ms = options.read(key, 0, allowed, (value) => {
    const given = parseDuration(value);
    return given === 0 || (given !== undefined && given >= 1000 && given <= LONGEST_MS) ? given : undefined;
  });
  return Math.ceil(ms / 1000);
}

/** In HAProxy's order. */
function readAttributes(options: OptionReader, { httponly, secure }: Record<CookieFlag, boolean>): string {
  const domains = readTexts(options, 'domain', "a domain of letters, digits, '.', '-' and '_', or an array", DOMAIN);
  const more = readTexts(options, 'attr', "an attribute without ';' and controls, or an array", ATTRIBUTE);
  const all = ['path=/', ...domains.map((domain) => `domain=${domain}`)];
  if (httponly) all.push('HttpOnly');
  if (secure) all.push('Secure');
  return [...all, ...more].map((attribute) => `; ${attribute}`).join('');
}

function readTexts(options: OptionReader, key: string, allowed: string, test: RegExp): readonly string[] {
  return options.read(key, [], allowed, (value) => {
    const texts: unknown[] = Array.isArray(value) ? value : [value];
    const right = texts.every((text): text is string => typeof text === 'string' && test.test(text));
    return right ? texts : undefined;
  });
}

/** @returns the keys, of which each is right where there is no fault */
function readSign(cookie: OptionReader): readonly Uint8Array[] | undefined {
  const sign = cookie.any('sign');
  if (sign === undefined) return undefined;
  if (typeof sign !== 'object' || sign === null || Array.isArray(sign)) {
    cookie.reject('sign', 'is no object; allowed: { keys: [ … ] }');
    return undefined;
  }
  const options = new OptionReader(sign, cookie.pathOf('sign'), cookie.faults);
  options.conceal(...Object.keys(sign));
  const keys = options.any('keys');
  const allowed = `an array of 1 to ${MOST_KEYS} keys, each of at least ${LEAST_KEY_BYTES} bytes`;
  const bytes = Array.isArray(keys) ? keys.map((key) => readKey(key)) : [];
  if (!Array.isArray(keys))
    options.reject('keys', `${keys === undefined ? 'are missing' : 'are no array'}; allowed: ${allowed}`);
  else if (keys.length < 1 || keys.length > MOST_KEYS)
    options.reject('keys', `there are ${keys.length} keys; allowed: ${allowed}`);
  for (const [index, key] of bytes.entries()) {
    if (key && key.length >= LEAST_KEY_BYTES) continue;
    const what = key ? `has ${key.length} bytes` : 'is no text and no Uint8Array';
    options.reject('keys', `key ${index + 1} ${what}; allowed: at least ${LEAST_KEY_BYTES} bytes`);
  }
  options.rejectUnknown(SIGN_HINTS);
  return bytes.filter((key) => key !== undefined);
}

function readKey(key: unknown): Uint8Array | undefined {
  return typeof key === 'string' ? Buffer.from(key) : key instanceof Uint8Array ? Uint8Array.from(key) : undefined;
}

/**
 * Reads a server's `cookie`: a value that can stand in a cookie, and that is found again where dates or a client's own value
 * follow it. HAProxy takes any text.
 * @param hasCookie the pool has one, be it right or wrong
 */
export function readServerCookie(
  read: OptionReader,
  settings: CookieSettings | undefined,
  hasCookie: boolean,
): string | undefined {
  const delimiter = settings?.mode === 'prefix' ? '~' : '|';
  const value = read.read(
    'cookie',
    undefined,
    `a text of printable ASCII without blanks, '"', ',', ';', '\\' and '${delimiter}'`,
    (text) =>
      typeof text === 'string' &&
      /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/.test(text) &&
      !text.includes(delimiter)
        ? text
        : undefined,
  );
  if (value !== undefined && !hasCookie) read.reject('cookie', "needs the pool's option 'cookie'");
  return value;
}
