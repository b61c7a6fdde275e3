import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import type { TerminationFlags } from '../core/errors.ts';
import { type OptionReader, OptionReader as Reader, show } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';
import { clientHost, type FieldMap } from '../http1/request-head.ts';
import type { Answer } from './answers.ts';
import type { Ruling } from './rule-answers.ts';

/** Where to; `undefined` or `''`: the rule does not apply. */
export type LocationFunction<Context> = (context: Context) => string | undefined;

/** `redirect` as an object: one of `location`, `prefix` and `scheme`, and how. HAProxy: `http-request redirect`. */
export interface RuleRedirect<Context = RequestContext> {
  /** The whole `Location`. HAProxy: `location`. */
  readonly location?: string | LocationFunction<Context>;
  /** What to put before the client's own target; `/` puts nothing there. HAProxy: `prefix`. */
  readonly prefix?: string | LocationFunction<Context>;
  /** The same host and target under another scheme: `https`. HAProxy: `scheme`. */
  readonly scheme?: string;
  /** Default: 302. HAProxy: `code`. */
  readonly code?: 301 | 302 | 303 | 307 | 308;
  /** With `prefix` or `scheme`: leaves the client's query out. Default: false. HAProxy: `drop-query`. */
  readonly dropQuery?: boolean;
  /** With `prefix` or `scheme`: ends the path with a slash. Default: false. HAProxy: `append-slash`. */
  readonly appendSlash?: boolean;
  /** With `location`: adds the client's query. Default: false. HAProxy: `keep-query`. */
  readonly keepQuery?: boolean;
  /** A cookie to set: `'name'` or `'name=value'`, with the path `/`. HAProxy: `set-cookie`. */
  readonly setCookie?: string;
  /** The name of a cookie to remove. HAProxy: `clear-cookie`. */
  readonly clearCookie?: string;
}

/** Gives the redirect; `undefined` where there is nowhere to go. */
export type RedirectAction<Context> = (context: Context, clientTarget: string) => Ruling | undefined;

const CODES: readonly unknown[] = [301, 302, 303, 307, 308];

/** HAProxy http_ana.c:http_apply_redirect_rule: those that a cache could take for lasting. */
const FOR_NOW: ReadonlySet<number> = new Set([302, 303, 307]);

const KINDS = ['location', 'prefix', 'scheme'] as const;

interface Settings<Context> {
  readonly kind: (typeof KINDS)[number];
  readonly to: LocationFunction<Context>;
  readonly dropQuery: boolean;
  readonly appendSlash: boolean;
  readonly keepQuery: boolean;
}

/**
 * Reads `redirect`: where to, a function that says so, or an object.
 * @see HAProxy http_ana.c:http_apply_redirect_rule
 */
export function readRedirect<Context extends RequestContext>(
  rule: OptionReader,
  key: 'redirect',
  flags: TerminationFlags,
): RedirectAction<Context> | undefined {
  const value = rule.any(key);
  const given = typeof value === 'string' || typeof value === 'function' ? { location: value } : value;
  const read = new Reader(given, rule.pathOf(key), rule.faults);
  const before = rule.faults.length;
  const kind = readKind(read);
  const to = kind && readTo<Context>(read, kind);
  const code = read.read('code', 302, CODES.join(', '), (code) =>
    CODES.includes(code) ? (code as number) : undefined,
  );
  const [dropQuery = false, appendSlash = false, keepQuery = false] = (
    ['dropQuery', 'appendSlash', 'keepQuery'] as const
  ).map((flag) => {
    if (kind && read.has(flag) && (flag === 'keepQuery') !== (kind === 'location'))
      read.reject(flag, `has no meaning with '${kind}'`);
    return read.boolean(flag, { default: false });
  });
  const cookies = readCookies(read);
  read.rejectUnknown();
  if (!kind || !to || rule.faults.length > before) return undefined;
  const settings = { kind, to, dropQuery, appendSlash, keepQuery };
  const fixed: Answer['headers'] = [
    ...(FOR_NOW.has(code) ? [['cache-control', 'no-cache'] as const] : []),
    ...(cookies.length > 0 ? [['set-cookie', cookies] as const] : []),
  ];
  return (context, clientTarget) => {
    const location = locationOf(settings, context, clientTarget);
    if (location === undefined) return undefined;
    if (!isFieldValue(location)) throw new TypeError(`${show(location)} cannot be a Location`);
    return { flags, status: code, headers: [['location', location], ...fixed], body: Buffer.alloc(0), tarpit: false };
  };
}

/** Reads a server's `redir`. Targets begin with a slash: one at its end would make two. */
export function readRedir(read: OptionReader): string | undefined {
  return read
    .string('redir', {
      default: undefined,
      allowed:
        "what goes before the target, printable and without blanks: 'http://images.example', '/images', or '/' for nothing",
      test: /^(?:\/|[a-z][a-z\d+.-]*:\/\/[^/])[\x21-\x7e]*$/i,
    })
    ?.replace(/(?<=.)\/+$/, '');
}

/**
 * Sends the client to a server itself.
 * @param target as it would be sent to the server
 * @see HAProxy http_ana.c:http_perform_server_redirect
 */
export function redirectToServer(prefix: string, target: string): Ruling {
  const headers: Answer['headers'] = [
    ['location', prefixed(prefix, target)],
    ['cache-control', 'no-cache'],
  ];
  return { flags: 'LC', status: 302, headers, body: Buffer.alloc(0), tarpit: false };
}

function readKind(read: Reader): (typeof KINDS)[number] | undefined {
  const [kind, second] = KINDS.filter((name) => read.has(name));
  if (second) read.reject(second, `a redirect has one of ${KINDS.join(', ')}`);
  if (!kind && read.faults.every(({ path }) => path !== read.path))
    read.faults.push({ path: read.path, value: undefined, message: `says not where to; allowed: ${KINDS.join(', ')}` });
  for (const name of KINDS) read.any(name);
  return kind;
}

function readTo<Context>(read: Reader, kind: (typeof KINDS)[number]): LocationFunction<Context> | undefined {
  if (kind === 'scheme') {
    const scheme = read.string('scheme', {
      default: undefined,
      allowed: "a scheme: 'https'",
      test: /^[a-z][a-z\d+.-]*$/i,
    });
    return scheme === undefined ? undefined : () => scheme;
  }
  const allowed = "a string that is not empty and without control characters: '/login'; or a function that gives one";
  return read.read<LocationFunction<Context>, undefined>(kind, undefined, allowed, (value) => {
    if (typeof value === 'function') return value as LocationFunction<Context>;
    return typeof value === 'string' && value !== '' && isFieldValue(value) ? () => value : undefined;
  });
}

function readCookies(read: Reader): string[] {
  const set = read.string('setCookie', {
    default: undefined,
    allowed: "'name' or 'name=value'",
    test: /^[\w!#$%&'*+.^`|~-]+(?:=[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*)?$/,
  });
  const clear = read.read('clearCookie', undefined, 'the name of a cookie', (name) =>
    typeof name === 'string' && isToken(name) ? name : undefined,
  );
  return [
    ...(set === undefined ? [] : [`${set.includes('=') ? set : `${set}=`}; path=/`]),
    ...(clear === undefined ? [] : [`${clear}=; path=/; Max-Age=0`]),
  ];
}

function locationOf<Context extends RequestContext>(
  { kind, to, dropQuery, appendSlash, keepQuery }: Settings<Context>,
  context: Context,
  clientTarget: string,
): string | undefined {
  const text: unknown = atOnce(to(context));
  if (text === undefined || text === '') return undefined;
  if (typeof text !== 'string') throw new TypeError(`${show(text)} cannot be a Location`);
  const [path, query] = pathAndQuery(clientTarget);
  if (kind === 'location') return keepQuery && query !== '' ? withQuery(text, query) : text;
  const own = (appendSlash && !path.endsWith('/') ? `${path}/` : path) + (dropQuery ? '' : query);
  if (kind === 'scheme') return `${text}://${clientHost((context.headers ?? {}) as FieldMap) ?? ''}${own}`;
  return prefixed(text, own);
}

/** Two slashes at the beginning would name another host; to browsers a backslash is one. */
function prefixed(prefix: string, target: string): string {
  return prefix === '/' ? target.replace(/^[/\\]+/, '/') : prefix + target;
}

/** The path, and the query with its question mark. What has no path has `/`. */
function pathAndQuery(target: string): [path: string, query: string] {
  const origin = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?]*/i, '').replaceAll(/[^\x21-\x7e]/g, percent);
  const mark = origin.indexOf('?');
  const path = mark === -1 ? origin : origin.slice(0, mark);
  return [path.startsWith('/') ? path : '/', mark === -1 ? '' : origin.slice(mark)];
}

/** Node gives bytes of a target as characters. */
function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function withQuery(location: string, query: string): string {
  const hash = location.indexOf('#');
  const [base, fragment] = hash === -1 ? [location, ''] : [location.slice(0, hash), location.slice(hash)];
  return base + (base.includes('?') ? `&${query.slice(1)}` : query) + fragment;
}
