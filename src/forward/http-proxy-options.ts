import type { IncomingMessage, ClientRequest as NodeRequest, ServerResponse } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OptionReader } from '../core/options.ts';
import { isFieldValue, isToken } from '../http1/characters.ts';

/**
 * What http-proxy-3 emits while it carries a request, with its arguments. `req` and `res` are the client's own, as your
 * middleware sees them (over HTTP/2 those of Node's compatibility API).
 */
export interface HttpProxyListeners {
  /** An attempt begins; `target` is the server. */
  start(req: IncomingMessage, res: ServerResponse, target: unknown): void;
  /** The request to the server, before its head is sent: its fields and path may still be changed. */
  proxyReq(proxyReq: NodeRequest, req: IncomingMessage, res: ServerResponse, options: object, socket: Socket): void;
  /** The same for an upgrade. */
  proxyReqWs(proxyReq: NodeRequest, req: IncomingMessage, socket: Duplex, options: object, head: Buffer): void;
  /** The server's response, before its head is passed on: `proxyRes.headers` and `statusCode` may still be changed. */
  proxyRes(proxyRes: IncomingMessage, req: IncomingMessage, res: ServerResponse): void;
  /** The server's response has ended. */
  end(req: IncomingMessage, res: ServerResponse, proxyRes: IncomingMessage): void;
  /** A tunnel stands after an upgrade. */
  open(proxySocket: Socket): void;
  /** The server has ended its side of a tunnel. */
  close(proxyRes: IncomingMessage, proxySocket: Socket, proxyHead: Buffer): void;
  /** The connection to the server was given up since the client had left. */
  econnreset(error: Error, req: IncomingMessage, res: ServerResponse, target: unknown): void;
  /** An attempt failed, or the response was cut. The pool answers, or tries again. */
  error(error: Error, req: IncomingMessage, res: ServerResponse, target: unknown): void;
}

/** A rewriting of all values to one, of some to others, or of none; an empty one takes the attribute away. */
export type CookieRewrite = string | false | Readonly<Record<string, string>>;

/** Options of http-proxy-3 for `engine: 'http-proxy-3'`, under its names. What the pool decides itself is not among them. */
export interface HttpProxyOptions {
  /** Rewrites the `Domain` of cookies. Default: false. */
  readonly cookieDomainRewrite?: CookieRewrite;
  /** Rewrites the `Path` of cookies. Default: false. */
  readonly cookiePathRewrite?: CookieRewrite;
  /** Rewrites a `Location` that names the server to the client's `Host`. Default: false. */
  readonly autoRewrite?: boolean;
  /** Rewrites a `Location` that names the server to this host. Default: none. */
  readonly hostRewrite?: string;
  /** Rewrites the scheme of a `Location` that names the server. Default: none. */
  readonly protocolRewrite?: 'http' | 'https';
  /**
   * Follows redirects and passes on what they lead to. Only for requests whose body, if any, has a known length of at most
   * 64 KiB, since it may be needed again; others get the redirect itself. Default: false.
   */
  readonly followRedirects?: boolean;
  /** Fields to set on each request. Default: none. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Adds `X-Forwarded-For`, `-Port`, `-Proto` and `-Host`, to those that the client sent. Default: false. */
  readonly xfwd?: boolean;
  /** Sends the server's own name as `Host`. Default: the pool's `changeOrigin`. */
  readonly changeOrigin?: boolean;
  /** Gives response fields the case in which the server wrote them; otherwise they are in lower case. Default: false. */
  readonly preserveHeaderKeyCase?: boolean;
  /** `false` trusts any certificate of any server. Default: true, which leaves it to the server option `verify`. */
  readonly secure?: boolean;
  /** Certificates to trust, as PEM, for servers that have none of their own. Default: the system's roots. */
  readonly ca?: string;
  /** Address of ours to connect from. Default: the system's choice. */
  readonly localAddress?: string;
  /** `user:password` to send as `Authorization`, in place of the client's. Default: none. */
  readonly auth?: string;
  /** Listeners for the events of http-proxy-3. One that throws is reported as `sample:error`. Default: none. */
  readonly on?: Partial<HttpProxyListeners>;
}

/** The options, read. */
export interface HttpProxySettings {
  /** What http-proxy-3 itself is given. */
  readonly passedOn: object;
  readonly rewritesLocation: boolean;
  readonly hostRewrite: string | undefined;
  readonly followRedirects: boolean;
  readonly changeOrigin: boolean | undefined;
  readonly secure: boolean;
  readonly ca: string | undefined;
  readonly localAddress: string | undefined;
  readonly on: Partial<HttpProxyListeners>;
}

const THE_POOL = 'the pool decides this';

/** Options of http-proxy-3 that would take out of the pool's hands what it must decide. */
const DECIDED: Readonly<Record<string, string>> = {
  target: `${THE_POOL}: it chooses among 'servers'`,
  forward: 'is not supported: a request goes to one server',
  agent: `${THE_POOL}: connections are kept under 'httpReuse', 'poolMaxConn' and the like`,
  ssl: "is not supported: the pool opens no server of its own; TLS to a server is set by its 'ca', 'cert', 'key'",
  ws: 'is not needed: pool.attach() and pool.upgradeHandler() take upgrades',
  xfwdWsProtoAsHttp: 'is not needed: X-Forwarded-Proto is http or https for upgrades too',
  toProxy: "is not needed: the target is sent as it came; 'rewriteUrl' of the middleware changes it",
  prependPath: "is not supported: a server's address has no path; 'rewriteUrl' of the middleware adds one",
  ignorePath: "is not supported: 'rewriteUrl' of the middleware gives another target",
  selfHandleResponse: "is not supported: the pool passes responses on; 'httpResponse' and 'on.proxyRes' change them",
  buffer: `${THE_POOL}: it keeps up to 'bufferBody' of a body`,
  method: `${THE_POOL}: whether a request may be sent twice depends on its method`,
  proxyTimeout: "is 'timeout.server' of the pool",
  timeout: "is 'timeout.client' of the pool",
  connectTimeout: "is 'timeout.connect' of the pool",
  fetch: 'is not supported: the pool carries requests over connections of its own',
  fetchOptions: 'is not supported: the pool carries requests over connections of its own',
};

/** Fields that frame a message or speak of one connection. */
const NEVER_SET: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'expect', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

const EVENTS: readonly (keyof HttpProxyListeners)[] = [
  ...(['start', 'proxyReq', 'proxyReqWs', 'proxyRes', 'end', 'open', 'close', 'econnreset', 'error'] as const),
];

/** Reads the option `httpProxy`. */
export function readHttpProxyOptions(read: OptionReader): HttpProxySettings {
  read.notSupported(DECIDED);
  const hostRewrite = read.string('hostRewrite', { default: undefined, allowed: 'a host', test: /^[^\s/?#@\\]+$/ });
  const autoRewrite = read.boolean('autoRewrite', { default: false });
  const protocolRewrite = read.oneOf('protocolRewrite', ['http', 'https'], { default: undefined });
  const settings: HttpProxySettings = {
    passedOn: withoutUndefined({
      autoRewrite: autoRewrite || hostRewrite !== undefined,
      protocolRewrite,
      cookieDomainRewrite: readCookieRewrite(read, 'cookieDomainRewrite'),
      cookiePathRewrite: readCookieRewrite(read, 'cookiePathRewrite'),
      headers: readHeaders(read),
      xfwd: read.boolean('xfwd', { default: false }),
      preserveHeaderKeyCase: read.boolean('preserveHeaderKeyCase', { default: false }),
      auth: read.string('auth', { default: undefined, allowed: "'user:password'", test: /^[^:]*:/ }),
    }),
    hostRewrite,
    rewritesLocation: hostRewrite !== undefined || autoRewrite || protocolRewrite !== undefined,
    followRedirects: read.boolean('followRedirects', { default: false }),
    changeOrigin: read.boolean('changeOrigin', { default: undefined }),
    secure: read.boolean('secure', { default: true }),
    ca: read.string('ca', { default: undefined, allowed: 'PEM', test: /-----BEGIN / }),
    localAddress: read.read('localAddress', undefined, 'an IP address', (value) =>
      typeof value === 'string' && isIP(value) !== 0 ? value : undefined,
    ),
    on: readListeners(read.object('on')),
  };
  read.rejectUnknown();
  return settings;
}

/** Without a prototype: http-proxy-3 looks a server's words up in it, and one of them may be 'constructor'. */
function readCookieRewrite(read: OptionReader, key: string): Record<string, string> | undefined {
  const rewrite = read.read(key, undefined, 'a string, an object of strings, or false', (value) => {
    if (value === false) return {};
    const entries = Object.entries(typeof value === 'string' ? { '*': value } : isRecord(value) ? value : { '*': 0 });
    return entries.every(([, to]) => typeof to === 'string' && isFieldValue(to) && !to.includes(';'))
      ? (Object.fromEntries(entries) as Record<string, string>)
      : undefined;
  });
  return rewrite && Object.assign(Object.create(null) as Record<string, string>, rewrite);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readHeaders(read: OptionReader): Record<string, string | string[]> | undefined {
  const allowed = 'an object of field names and values, without those that frame a message or rule its connection';
  return read.read('headers', undefined, allowed, (value) => {
    if (!isRecord(value)) return undefined;
    const fields = Object.entries(value);
    const valid = fields.every(
      ([name, lines]) =>
        isToken(name) &&
        !NEVER_SET.has(name.toLowerCase()) &&
        (Array.isArray(lines) ? (lines as unknown[]) : [lines]).every(
          (line) => typeof line === 'string' && isFieldValue(line),
        ),
    );
    return valid ? (Object.fromEntries(fields) as Record<string, string | string[]>) : undefined;
  });
}

function readListeners(read: OptionReader): Partial<HttpProxyListeners> {
  const listeners = EVENTS.map((event) => [event, read.function<unknown>(event)] as const);
  read.rejectUnknown();
  return Object.fromEntries(listeners.filter(([, listener]) => listener !== undefined));
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
