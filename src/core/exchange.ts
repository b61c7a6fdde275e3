import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { EvenkeelError } from './errors.ts';

/** A request of Node's own servers, HTTP/1.1 or, through its compatibility API, HTTP/2. */
export type ClientRequest = IncomingMessage | Http2ServerRequest;

/** The response that belongs to a `ClientRequest`. */
export type ClientResponse = ServerResponse | Http2ServerResponse;

/** What a framework's adapter says of one request. */
export interface Arrival {
  /** The target to send. */
  readonly target: string;
  /** The framework's own request; what a user's functions get as `context.request`. */
  readonly frameworkRequest: unknown;
  /** The client waits for a 100 before it sends its body. */
  readonly expectContinue: boolean;
  /**
   * Called in place of answering, where the framework is to go on.
   * @returns `false` when we are to answer all the same
   */
  readonly decline?: ((error: EvenkeelError, bodyUnread: boolean) => boolean) | undefined;
  /** The client's socket and the bytes read off it, when the request asks for another protocol. */
  readonly upgrade?: { readonly protocol: string; readonly socket: Duplex; readonly head: Buffer } | undefined;
}

/** What adapters hand requests to: a pool. Never throws; answers in the end, whatever happens. */
export interface RequestHandler {
  handle(request: ClientRequest, response: ClientResponse, arrival: Arrival): void;
  /** A function of the user's, such as `rewriteUrl` or `authorize`, threw. */
  reportFault(sample: string, error: unknown): void;
}

/** The handler of each pool, for adapters that have an entry of their own and are given a pool. */
export const requestHandlers: WeakMap<object, RequestHandler> = new WeakMap();
