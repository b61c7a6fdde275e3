import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EvenkeelError } from '../core/errors.ts';
import type { Arrival, ClientRequest, ClientResponse, RequestHandler } from '../core/exchange.ts';

/** Options of `pool.middleware()`. */
export interface MiddlewareOptions<R = unknown> {
  /** `next` hands a request that no server can take to the next middleware, its body unread. Default: `answer`. */
  readonly onUnavailable?: 'answer' | 'next';
  /** `next` hands every failure to the framework's error handler, as an `EvenkeelError`. Default: `answer`. */
  readonly errorHandler?: 'answer' | 'next';
  /** Sends the target without the path that the framework has mounted us at. Default: true. */
  readonly stripPrefix?: boolean;
  /** Gives the target to send from the one that would be sent. */
  readonly rewriteUrl?: (url: string, request: R) => string;
}

/** An answer in place of letting a request in. */
export interface Denial {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** A gate: `true` lets a request in, `false` is 403, an object is the answer. What throws or rejects is 500. */
export type Authorize<R = IncomingMessage> = (
  request: R,
) => boolean | undefined | Denial | Promise<boolean | undefined | Denial>;

/** Options of `pool.upgradeHandler()`. */
export interface UpgradeOptions {
  /** Only targets at or below this path; others are left to other listeners and, with none, get 404. Default: `/`. */
  readonly path?: string;
  /** Decides who gets in: upgrades do not pass a framework's middleware. Default: everybody. */
  readonly authorize?: Authorize;
  /** Gives the target to send from the one that would be sent. */
  readonly rewriteUrl?: (url: string, request: IncomingMessage) => string;
}

/** Options of `pool.attach()`: they hold for requests and upgrades alike. */
export type AttachOptions = UpgradeOptions;

/** A middleware of node:http, Express or Connect. */
export type Middleware<R> = (request: R, response: unknown, next?: (error?: unknown) => void) => void;

/** What a server of node:http, node:https or node:http2 is to us. */
export interface AttachableServer {
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...values: unknown[]) => void): unknown;
  listeners(event: string): unknown[];
}

/** What is called for an upgrade; `this` is the server that emits it. */
export type UpgradeListener = (this: unknown, request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Flags under which a request has found no server; its body is unread then. */
const UNAVAILABLE: ReadonlySet<string> = new Set(['SC', 'SQ', 'sQ']);

/** Gives requests to `handler`. */
export function middleware(handler: RequestHandler, options: MiddlewareOptions<never>): Middleware<unknown> {
  const { onUnavailable = 'answer', errorHandler = 'answer', stripPrefix = true } = options;
  const rewriteUrl = options.rewriteUrl as ((url: string, request: unknown) => string) | undefined;
  const goesOn = onUnavailable === 'next' || errorHandler === 'next';
  return (request, response, next) => {
    const incoming = request as ClientRequest & { originalUrl?: string };
    const decline =
      goesOn && next
        ? (error: EvenkeelError, bodyUnread: boolean): boolean => {
            if (onUnavailable === 'next' && UNAVAILABLE.has(error.flags) && bodyUnread) next();
            else if (errorHandler === 'next') next(error);
            else return false;
            return true;
          }
        : undefined;
    const url = (stripPrefix ? undefined : incoming.originalUrl) ?? incoming.url ?? '/';
    const target = rewriteUrl ? rewritten(handler, rewriteUrl, url, request) : url;
    handler.handle(incoming, response as ClientResponse, {
      target,
      frameworkRequest: request,
      expectContinue: false,
      decline,
    });
  };
}

/** Gives upgrades to `handler`. */
export function upgradeListener(handler: RequestHandler, options: UpgradeOptions): UpgradeListener {
  const path = readPath(options.path);
  const listener: UpgradeListener = function (request, socket, head) {
    socket.on('error', ignore);
    if (!isUnder(path, request.url ?? '/')) {
      if (isLeftToUs(this, 'upgrade', listener, request.url ?? '/')) refuseUpgrade(socket, 404);
      return;
    }
    const response = responseOn(request, socket);
    if (!response) return;
    admit(handler, options.authorize, request, response, () => {
      const protocol = protocolOf(request);
      handler.handle(request, response, {
        target: targetOf(handler, options, request),
        frameworkRequest: request,
        expectContinue: false,
        ...(protocol !== undefined && { upgrade: { protocol, socket, head } }),
      });
    });
  };
  paths.set(listener, path);
  return listener;
}

/**
 * Listens to all that a server of Node's emits for clients: requests, `Expect: 100-continue`, upgrades and CONNECT.
 * @returns a function that takes the listeners off again
 */
export function attach(handler: RequestHandler, server: AttachableServer, options: AttachOptions): () => void {
  const path = readPath(options.path);
  const take = (expectContinue: boolean) => {
    const event = expectContinue ? 'checkContinue' : 'request';
    const listener = function (this: unknown, request: IncomingMessage, response: ServerResponse): void {
      if (!isUnder(path, request.url ?? '/')) {
        if (isLeftToUs(server, event, listener, request.url ?? '/')) deny(response, { status: 404 });
        return;
      }
      admit(handler, options.authorize, request, response, () => {
        const arrival: Arrival = {
          target: targetOf(handler, options, request),
          frameworkRequest: request,
          expectContinue,
        };
        handler.handle(request, response, arrival);
      });
    };
    paths.set(listener, path);
    return listener;
  };
  const connect = (_request: IncomingMessage, socket: Duplex): void => {
    socket.on('error', ignore);
    refuseUpgrade(socket, 501);
  };
  const upgrade = upgradeListener(handler, options);
  const own: [string, (...values: never[]) => void][] = [
    ['request', take(false)],
    ['checkContinue', take(true)],
    ['upgrade', upgrade],
    ['connect', connect],
  ];
  const listeners = own as [string, (...values: unknown[]) => void][];
  for (const [event, listener] of listeners) server.on(event, listener);
  return () => {
    for (const [event, listener] of listeners) server.removeListener(event, listener);
  };
}

/** The path of each listener of ours, so that several of them on one server know which is to say 404. */
const paths = new WeakMap<object, string>();

function isLeftToUs(server: unknown, event: string, own: object, url: string): boolean {
  if (
    typeof server !== 'object' ||
    server === null ||
    !('listeners' in server) ||
    typeof server.listeners !== 'function'
  )
    return true;
  const listeners = server.listeners(event) as object[];
  for (const listener of listeners) {
    const path = paths.get(listener);
    if (path === undefined || isUnder(path, url)) return false;
  }
  return listeners[0] === own;
}

function readPath(path: string | undefined): string {
  const trimmed = (path ?? '/').replace(/\/+$/, '');
  if (trimmed !== '' && !trimmed.startsWith('/'))
    throw new TypeError(`path: ${JSON.stringify(path)} is not allowed; allowed: a path that begins with '/'`);
  return trimmed;
}

function isUnder(path: string, url: string): boolean {
  return (
    url.startsWith(path) &&
    (path === '' || url.length === path.length || url[path.length] === '/' || url[path.length] === '?')
  );
}

function targetOf(handler: RequestHandler, { rewriteUrl }: UpgradeOptions, request: IncomingMessage): string {
  const url = request.url ?? '/';
  return rewriteUrl ? rewritten(handler, rewriteUrl as (url: string, request: unknown) => string, url, request) : url;
}

/** A target that cannot be had is one that cannot be sent: the request gets a 400. */
function rewritten(
  handler: RequestHandler,
  rewriteUrl: (url: string, request: unknown) => string,
  url: string,
  request: unknown,
): string {
  try {
    return String(rewriteUrl(url, request));
  } catch (error) {
    handler.reportFault('rewriteUrl', error);
    return '';
  }
}

/** The protocol that an upgrade asks for; never HTTP/2, which is negotiated otherwise (RFC 9113 §3.1). */
function protocolOf({ headers }: IncomingMessage): string | undefined {
  const protocols = (headers.upgrade ?? '').split(',').map((protocol) => protocol.trim());
  const kept = protocols.filter((protocol) => protocol !== '' && !/^h2c?$/i.test(protocol));
  return kept.length > 0 ? kept.join(', ') : undefined;
}

/** Lets a request in when `authorize` does, and answers it otherwise. */
function admit(
  handler: RequestHandler,
  authorize: Authorize | undefined,
  request: IncomingMessage,
  response: ServerResponse,
  enter: () => void,
): void {
  if (!authorize) {
    enter();
    return;
  }
  const decide = (verdict: boolean | undefined | Denial): void => {
    if (response.destroyed || response.headersSent) return;
    if (verdict === true) enter();
    else deny(response, typeof verdict === 'object' && verdict !== null ? verdict : { status: 403 });
  };
  const fault = (error: unknown): void => {
    handler.reportFault('authorize', error);
    if (!response.headersSent) deny(response, { status: 500 });
  };
  try {
    const verdict = authorize(request);
    if (verdict instanceof Promise) verdict.then(decide).catch(fault);
    else decide(verdict);
  } catch (error) {
    fault(error);
  }
}

function deny(response: ServerResponse, { status, headers = {}, body }: Denial): void {
  const text = body ?? `${status} ${STATUS_CODES[status] ?? 'Error'}\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    ...headers,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** A response on the raw socket of an upgrade: what is no 101 is an ordinary answer, after which the connection ends. */
function responseOn(request: IncomingMessage, socket: Duplex): ServerResponse | undefined {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
  } catch {
    socket.destroy(); // an earlier response still holds the socket: the client pipelined its upgrade
    return undefined;
  }
  response.once('finish', () => endSocket(socket));
  return response;
}

function refuseUpgrade(socket: Duplex, status: number): void {
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  endSocket(socket);
}

function endSocket(socket: Duplex): void {
  socket.end(() => socket.destroy());
}

function ignore(): void {}
