import { isIPv4, isIPv6 } from 'node:net';
import type { RequestContext } from '../core/context.ts';
import { endOutsideQuotes, isBlank } from '../core/field-text.ts';
import { ipv4Number, ipv6Bytes, unmapped } from '../core/ip-address.ts';
import { avalanche, HASH_FUNCTIONS, type HashFunction } from '../hashing/functions.ts';
import type { HashSettings } from './hash-type.ts';
import type { PoolView } from './scheduler.ts';

/**
 * The hash that a request is balanced by; `undefined` when it has nothing to be hashed. A 32-bit integer, signed. Nothing is
 * allocated: what is hashed are the characters of a longer string where they stand.
 */
export type ReadHash = (context: RequestContext) => number | undefined;

/** Options of `balance uri`. */
export interface UriOptions {
  readonly whole: boolean;
  readonly pathOnly: boolean;
  /** Infinity: no limit. */
  readonly len: number;
  readonly depth: number;
}

const SLASH = 47;
const QUESTION_MARK = 63;
const EQUALS = 61;
const AMPERSAND = 38;
const COMMA = 44;
const CR = 13;
const LF = 10;
const TOKEN = /[!#$%'*+\-.^_`|~0-9A-Za-z]/;

/** From bytes to a hash. HAProxy: backend.c:gen_hash. */
function hashOf({ function: name, avalanche: spread, onKey }: HashSettings): HashFunction {
  const plain = HASH_FUNCTIONS[name];
  const hash: HashFunction = spread ? (text, start, end) => avalanche(plain(text, start, end)) : plain;
  if (!onKey) return hash;
  return (text, start, end) => {
    onKey(text.slice(start, end));
    return hash(text, start, end);
  };
}

/** The client's address; the hash function has no part in it. HAProxy: backend.c:get_server_sh. */
export function hashSource({ avalanche: spread, onKey }: HashSettings, pool: PoolView): ReadHash {
  return (context) => {
    const address = pool.addressOf(context);
    const hash = address === undefined ? undefined : addressHash(address);
    if (onKey && address !== undefined) onKey(address);
    return hash === undefined || !spread ? hash : avalanche(hash);
  };
}

function addressHash(text: string): number | undefined {
  const address = unmapped(text);
  if (isIPv4(address)) return ipv4Number(address);
  if (!isIPv6(address)) return undefined;
  const bytes = ipv6Bytes(address);
  let hash = 0;
  for (let i = 0; i < 16; i += 4)
    hash ^=
      ((bytes[i] as number) << 24) |
      ((bytes[i + 1] as number) << 16) |
      ((bytes[i + 2] as number) << 8) |
      (bytes[i + 3] as number);
  return hash;
}

/** HAProxy: backend.c:get_server_uh. */
export function hashUri({ whole, pathOnly, len, depth }: UriOptions, settings: HashSettings): ReadHash {
  const hash = hashOf(settings);
  return ({ url }) => {
    if (url === undefined) return undefined;
    const start = pathOnly ? pathStart(url) : 0;
    const limit = Math.min(url.length, start + len);
    let slashes = 0;
    let end = start;
    for (; end < limit; end++) {
      const code = url.charCodeAt(end);
      if (code === SLASH && ++slashes > depth) break;
      if (code === QUESTION_MARK && !whole) break;
    }
    return hash(url, start, end);
  };
}

/** Where the path begins in a target, which may be in absolute form. */
function pathStart(url: string): number {
  if (url.charCodeAt(0) === SLASH) return 0;
  const scheme = url.indexOf('://');
  const end = scheme === -1 ? -1 : url.slice(scheme + 3).search(/[/?#]/);
  return end === -1 ? url.length : scheme + 3 + end;
}

/** HAProxy: backend.c:get_server_ph and get_server_ph_post. */
export function hashUrlParam(name: string, checkPost: boolean, settings: HashSettings): ReadHash {
  const hash = hashOf(settings);
  return ({ url, method, bodyStart: body }) => {
    if (url !== undefined) {
      const query = url.indexOf('?') + 1;
      const start = query === 0 ? -1 : parameterIn(url, query, name);
      if (start !== -1) return hash(url, start, endOf(url, start));
    }
    if (!checkPost || method !== 'POST' || body === undefined) return undefined;
    const start = parameterIn(body, 0, name);
    const end = start === -1 ? -1 : endInBody(body, start);
    return end === -1 ? undefined : hash(body, start, end);
  };
}

/** Where the value of a parameter begins; -1 without it. */
function parameterIn(text: string, from: number, name: string): number {
  for (let start = from; start < text.length; ) {
    const equals = start + name.length;
    if (text.charCodeAt(equals) === EQUALS && text.startsWith(name, start)) return equals + 1;
    const next = text.indexOf('&', start);
    if (next === -1) break;
    start = next + 1;
  }
  return -1;
}

function endOf(text: string, start: number): number {
  const end = text.indexOf('&', start);
  return end === -1 ? text.length : end;
}

/** White space ends it, too; -1 for what is no form: HAProxy takes only the characters of tokens for a value. */
function endInBody(body: string, start: number): number {
  for (let end = start; end < body.length; end++) {
    const code = body.charCodeAt(end);
    if (code === AMPERSAND || isBlank(code) || code === CR || code === LF) return end;
    if (!TOKEN.test(body[end] as string)) return -1;
  }
  return body.length;
}

/** HAProxy: backend.c:get_server_hh. */
export function hashHeader(name: string, useDomainOnly: boolean, settings: HashSettings): ReadHash {
  const hash = hashOf(settings);
  const field = name.toLowerCase();
  return ({ headers }) => {
    if (headers === undefined) return undefined;
    const given = headers[field] ?? (field === 'host' ? headers[':authority'] : undefined);
    const value: unknown = Array.isArray(given) ? given[0] : given;
    if (typeof value !== 'string') return undefined; // a name such as `constructor` may be something else
    let start = 0;
    while (isBlank(value.charCodeAt(start))) start++;
    let end = endOutsideQuotes(value, start, COMMA);
    while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
    if (end === start) return undefined;
    if (useDomainOnly) {
      const last = value.lastIndexOf('.', end - 1);
      if (last > start) {
        end = last;
        // HAProxy does not look at the character before that dot.
        const dot = value.lastIndexOf('.', end - 2);
        if (end - 2 >= start && dot >= start) start = dot + 1;
      }
    }
    return hash(value, start, end);
  };
}

/** HAProxy: backend.c:get_server_expr. @param read the sample's bytes, one a character */
export function hashSample(
  read: (context: RequestContext) => string | undefined,
  settings: HashSettings,
  onFault: (error: unknown) => void,
): ReadHash {
  const hash = hashOf(settings);
  return (context) => {
    try {
      const bytes = read(context);
      return bytes === undefined ? undefined : hash(bytes);
    } catch (error) {
      onFault(error);
      return undefined;
    }
  };
}
