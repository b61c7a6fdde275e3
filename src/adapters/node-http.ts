import { EventEmitter } from 'node:events';
import { IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { atOnce } from '../core/at-once.ts';
import type { EvenkeelError } from '../core/errors.ts';
import type { Arrival, ClientRequest, ClientResponse, RequestHandler } from '../core/exchange.ts';
import { OptionReader } from '../core/options.ts';
import { originLength } from './mount-path.ts';
import { protocolOf, readAsRequest, refuseUpgrade, responseOn } from './upgrade-socket.ts';

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
    const url = request.url ?? '/';
    const place = placeOf(this, 'upgrade', listener, url);
    if (place === 'leave') return;
    const protocol = protocolOf(request);
    if (protocol === undefined && readAsRequest(this, request, socket, head)) return;
    if (place === 'refuse') {
      refuseUpgrade(socket);
      return;
    }
    const response = responseOn(request, socket);
    if (!response) return;
    admit(handler, options.authorize, request, response, () => {
      handler.handle(request, response, {
        target: targetOf(handler, options, request),
        frameworkRequest: request,
        expectContinue: false,
        ...(protocol !== undefined && { upgrade: { protocol, socket, head } }),
      });
    });
  };
  claim(listener, (url) => coverageOf(path, url));
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
      const place = placeOf(server, event, listener, request.url ?? '/');
      if (place === 'refuse') deny(response, { status: 404 });
      if (place !== 'take') return;
      admit(handler, options.authorize, request, response, () => {
        const arrival: Arrival = {
          target: targetOf(handler, options, request),
          frameworkRequest: request,
          expectContinue,
        };
        handler.handle(request, response, arrival);
      });
    };
    claim(listener, (url) => coverageOf(path, url));
    return listener;
  };
  // Over HTTP/2 there is no socket to take: Node gives the response.
  const connect = (request: ClientRequest, taken: Duplex | ClientResponse): void => {
    taken.on('error', ignore);
    if (placeOf(server, 'connect', connect, '') !== 'take') return;
    const response =
      request instanceof IncomingMessage ? responseOn(request, taken as Duplex) : (taken as ClientResponse);
    if (response)
      handler.handle(request, response, {
        target: request.url ?? '',
        frameworkRequest: request,
        expectContinue: false,
      });
  };
  claim(connect, () => 0);
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

/** For each listener of ours, how much of a target its path covers; -1 when it does not take it. */
const claims = new WeakMap<object, (url: string) => number>();

/** Says which targets a listener takes, so that all of ours on one server agree on who is to answer. */
export function claim(listener: object, coverage: (url: string) => number): void {
  claims.set(listener, coverage);
}

/**
 * What a listener is to do with a request: of all listeners of ours whose path covers it, that with the longest takes it.
 * One that nobody takes is refused by the first of ours, unless there are other listeners: it may be theirs.
 */
export function placeOf(server: unknown, event: string, own: object, url: string): 'take' | 'leave' | 'refuse' {
  const listeners = listenersOf(server, event);
  let taker: object | undefined;
  let longest = -1;
  let others = false;
  for (const listener of listeners.includes(own) ? listeners : [own]) {
    const coverage = claims.get(listener)?.(url);
    if (coverage === undefined) others = true;
    else if (coverage > longest) {
      taker = listener;
      longest = coverage;
    }
  }
  if (taker) return taker === own ? 'take' : 'leave';
  return others || (listeners.includes(own) && listeners[0] !== own) ? 'leave' : 'refuse';
}

function listenersOf(server: unknown, event: string): readonly object[] {
  return server instanceof EventEmitter ? server.listeners(event) : [];
}

function readPath(path: string | undefined): string {
  const allowed = "a path that begins with '/'";
  const read = new OptionReader({ path }, '');
  const known = read.string('path', { default: '/', allowed, test: /^\// });
  read.throwFaults();
  return known.replace(/\/+$/, '');
}

/** The length of the path where the target is at or below it, else -1. */
function coverageOf(path: string, url: string): number {
  if (path === '') return 0;
  const start = url.startsWith('/') ? 0 : originLength(url);
  const end = start + path.length;
  const next = url[end];
  const covers = url.startsWith(path, start) && (next === undefined || next === '/' || next === '?');
  return covers ? path.length : -1;
}

function targetOf(handler: RequestHandler, { rewriteUrl }: UpgradeOptions, request: IncomingMessage): string {
  const url = request.url ?? '/';
  return rewriteUrl ? rewritten(handler, rewriteUrl as (url: string, request: unknown) => string, url, request) : url;
}

/** A target that cannot be had is one that cannot be sent: the request gets a 400. */
export function rewritten(
  handler: RequestHandler,
  rewriteUrl: (url: string, request: unknown) => string,
  url: string,
  request: unknown,
): string {
  try {
    return String(atOnce(rewriteUrl(url, request)));
  } catch (error) {
    handler.reportFault('rewriteUrl', error);
    return '';
  }
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
    if (isThenable(verdict)) Promise.resolve(verdict).then(decide).catch(fault);
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

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}

function ignore(): void {}
