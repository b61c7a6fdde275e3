import type { IncomingHttpHeaders } from 'node:http';
import type { RequestContext } from '../core/context.ts';
import { leadingIpv4, parseAddress } from './canonical-address.ts';
import { cookieValue, fieldLines, fieldValue, listValues, occurrence, setCookieValue } from './header-fields.ts';
import { anyText, integer, optional, type Parameter, type Parameters, parameter, text } from './parameters.ts';
import { pathAndQuery, pathOf, queryOf, urlParameter } from './request-target.ts';
import type { SampleEnvironment, SampleType, SampleValue, SampleValues } from './sample.ts';

/** Reads a value off a request. */
export interface Fetch {
  readonly type: SampleType;
  readonly parameters: readonly Parameter<unknown>[];
  readonly read: (
    context: RequestContext,
    environment: SampleEnvironment,
    ...values: readonly unknown[]
  ) => SampleValue | undefined;
}

const headerName = parameter('name', 'the name of a header', (name) => (name === '' ? undefined : name.toLowerCase()));
const which = optional(integer('occurrence'), -1);

const header = defineFetch('str', [headerName, which], (context, _, name, number) => headerAt(context, name, number));
const headerLine = defineFetch('str', [headerName, which], (context, _, name, number) =>
  occurrence(fieldLines(context, name), number),
);
const headerAddress = defineFetch('ip', [headerName, which], (context, _, name, number) =>
  addressInField(headerAt(context, name, number)),
);
const urlParam = defineFetch('str', [text('name')], ({ url }, _, name) => urlParameter(textIn(url), name));
const cookie = defineFetch('str', [text('name')], (context, _, name) => cookieValue(context, name));

/** Under HAProxy's names: configuration manual 7.3.2 to 7.3.6. */
export const FETCHES: Readonly<Record<string, Fetch>> = {
  src: defineFetch('ip', [], (context, environment) => addressIn(environment.addressOf(context))),
  src_port: defineFetch('int', [], ({ socket }) => integerIn(socket?.remotePort)),
  dst: defineFetch('ip', [], ({ socket }) => addressIn(socket?.localAddress)),
  dst_port: defineFetch('int', [], ({ socket }) => integerIn(socket?.localPort)),
  ssl_fc_sni: defineFetch('str', [], ({ socket }) => textIn(socket?.servername) || undefined),
  method: defineFetch('str', [], ({ method }) => textIn(method)),
  url: defineFetch('str', [], ({ url }) => textIn(url)),
  path: defineFetch('str', [], ({ url }) => pathOf(textIn(url))),
  pathq: defineFetch('str', [], ({ url }) => pathAndQuery(textIn(url))),
  query: defineFetch('str', [], ({ url }) => queryOf(textIn(url))),
  url_param: urlParam,
  urlp: urlParam,
  base: defineFetch('str', [], hostAndPath),
  'req.hdr': header,
  hdr: header,
  'req.fhdr': headerLine,
  'req.hdr_ip': headerAddress,
  hdr_ip: headerAddress,
  'req.cook': cookie,
  cook: cookie,
  rand: defineFetch('int', [optional(integer('range', 1, 2 ** 32), 2 ** 32)], (_, environment, range) =>
    Math.floor(environment.random() * range),
  ),
  str: defineFetch('str', [anyText('string')], (_context, _environment, value) => value),
  int: defineFetch('int', [integer('integer')], (_context, _environment, value) => value),
};

/**
 * What a rule for responses may read as well, under HAProxy's names. A response's fields are in `context.response`, by name in
 * lower case, repeated ones as arrays.
 */
export const RESPONSE_FETCHES: Readonly<Record<string, Fetch>> = {
  status: defineFetch('int', [], (context) => integerIn(responseOf(context)?.status)),
  'res.hdr': defineFetch('str', [headerName, which], (context, _, name, number) =>
    headerAt({ headers: responseOf(context)?.headers ?? {} }, name, number),
  ),
  'res.fhdr': defineFetch('str', [headerName, which], (context, _, name, number) =>
    occurrence(linesOf(context, name), number),
  ),
  'res.cook': defineFetch('str', [text('name')], (context, _, name) =>
    linesOf(context, 'set-cookie')
      .map((line) => setCookieValue(line, name))
      .findLast((value) => value !== undefined),
  ),
};

interface ResponseContext extends RequestContext {
  readonly response?: { readonly status: number; readonly headers: IncomingHttpHeaders };
}

function responseOf(context: ResponseContext): ResponseContext['response'] {
  return context.response;
}

function linesOf(context: RequestContext, name: string): readonly string[] {
  const value: unknown = responseOf(context)?.headers[name];
  return (Array.isArray(value) ? value : [value]).filter((line) => typeof line === 'string');
}

/** A row of the table of fetches. It must not throw, whatever a client sends: what a request does not have is `undefined`. */
function defineFetch<Type extends SampleType, const Values extends readonly unknown[]>(
  type: Type,
  parameters: Parameters<Values>,
  read: (context: RequestContext, environment: SampleEnvironment, ...values: Values) => SampleValues[Type] | undefined,
): Fetch {
  return { type, parameters: parameters as readonly Parameter<unknown>[], read: read as Fetch['read'] };
}

function headerAt(context: RequestContext, name: string, which: number): string | undefined {
  const value = fieldValue(context, name);
  return value === undefined ? undefined : occurrence(listValues(value), which);
}

function hostAndPath(context: RequestContext): string | undefined {
  const path = pathOf(textIn(context.url));
  const host = headerAt(context, 'host', 1);
  if (!host) return path;
  return path?.startsWith('/') ? host + path : host;
}

/** HAProxy takes a port behind an IPv4 address, and brackets around an IPv6 address. */
function addressInField(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const ipv4 = leadingIpv4(value);
  const [, port, ipv6] = /^(?::(\d{1,5})|\[([\da-f:.]+)\])?$/i.exec(value.slice(ipv4?.length ?? 0)) ?? [];
  if (ipv4) return value.length === ipv4.length || Number(port) <= 65_535 ? ipv4.address : undefined;
  return value.includes('%') ? undefined : parseAddress(ipv6 ?? value);
}

// What a user's own context holds need not be what its types say.

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function addressIn(value: unknown): string | undefined {
  return typeof value === 'string' ? parseAddress(value) : undefined;
}

function integerIn(value: SampleValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}
