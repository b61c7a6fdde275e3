import type { IncomingMessage, ClientRequest as NodeRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { ForwardingOptions } from '../http1/request-head.ts';
import { mayBeTrailer } from '../http1/response-head.ts';
import type { BodySink } from './body-replay.ts';
import { type BodyOwner, uncork } from './body-sender.ts';
import type { Endpoint, HttpExchange } from './forwarder.ts';
import type { Upload } from './http-attempt.ts';
import { type Destination, HandOver, type Route } from './http-proxy-agent.ts';
import type { HttpProxySettings } from './http-proxy-options.ts';
import { RequestStandIn, reframe, requestFields } from './http-proxy-request.ts';
import type { ResponseStandIn } from './http-proxy-response.ts';

/** Has http-proxy-3 carry a request. `failed` is told of errors of Node's request. */
export type Carry = (
  request: RequestStandIn,
  response: ResponseStandIn,
  options: object,
  failed: (error: Error & { code?: string }) => void,
) => void;

/** What all calls of one engine share. */
export interface CallParts {
  readonly settings: HttpProxySettings;
  readonly forwarding: ForwardingOptions;
  readonly carry: Carry;
}

/** Who has made a call. */
export interface CallOwner extends BodyOwner {
  /** The last request was answered by a redirect, and Node's client wants a socket for another. */
  onRedirect(request: NodeRequest, destination: Destination): void;
  onUpgrade(proxyRes: IncomingMessage, socket: Socket, early: Buffer): void;
  onRequestError(error: Error & { code?: string }): void;
  /** Something of http-proxy-3's, or of a listener's, threw. */
  onThrown(error: unknown): void;
}

/** Longest body of a request whose redirects are followed. */
const MAX_REDIRECTED_BODY = 65_536;

/** One call of http-proxy-3, and what Node's client makes of it: the way of a request to its server. */
export class HttpProxyCall implements Upload, BodySink {
  readonly #parts: CallParts;
  readonly #exchange: HttpExchange;
  readonly #endpoint: Endpoint;
  readonly #owner: CallOwner;
  readonly #standIn: RequestStandIn;
  /** What http-proxy-3 would pipe the body into: Node's request, or one that follows redirects. */
  #sink: NodeRequest | undefined = undefined;
  /** The request that Node's client has under way. */
  #request: NodeRequest | undefined = undefined;
  #stopped = false;
  started = false;
  complete = false;
  heldUp = false;

  /** @throws {UnsendableField} when a field's name or value cannot stand in a head */
  constructor(parts: CallParts, exchange: HttpExchange, endpoint: Endpoint, owner: CallOwner) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#owner = owner;
    const { authority } = endpoint.target.address;
    this.#standIn = new RequestStandIn(exchange, requestFields(exchange, authority, parts.forwarding));
  }

  /** All of the request has left the process. */
  get sent(): boolean {
    return this.#request?.writableFinished === true;
  }

  /** Has http-proxy-3 make a request of Node's, and gives that the socket. May throw. */
  begin(route: Route, socket: Socket, response: ResponseStandIn): void {
    const { settings, carry } = this.#parts;
    const take = (request: NodeRequest, destination: Destination): void => {
      if (this.#request) this.#owner.onRedirect(request, destination);
      else this.#take(request, socket);
    };
    const agents = { http: new HandOver('http:', take), https: new HandOver('https:', take) };
    const options = {
      target: route.url,
      toProxy: true,
      agent: route.target.tls ? agents.https : agents.http,
      ssl: { agents }, // handed on to follow-redirects
      changeOrigin: settings.changeOrigin,
      followRedirects: settings.followRedirects && this.#isSmall(),
      buffer: { pipe: (sink: NodeRequest) => this.#begun(sink) },
    };
    carry(this.#standIn, response, options, (error) => this.#owner.onRequestError(error));
    const request = this.#request as NodeRequest | undefined;
    if (!request) throw new Error('http-proxy-3 made no request');
    contain(request, 'response', this.#onThrown);
    request.once('socket', () => this.#attempt(() => this.#send(request))); // behind its own, by which listeners see the request
    request.on('drain', () => this.#drained());
    if (this.#exchange.upgrade !== undefined)
      request.on('upgrade', (proxyRes, tunnel: Socket, early) => this.#owner.onUpgrade(proxyRes, tunnel, early));
  }

  /** Small enough to be sent again to where a redirect leads. */
  #isSmall(): boolean {
    const { body, upgrade, expectContinue } = this.#exchange;
    return (
      upgrade === undefined &&
      !expectContinue &&
      (body.framing === 'none' || (body.framing !== 'chunked' && body.framing <= MAX_REDIRECTED_BODY))
    );
  }

  #take(request: NodeRequest, socket: Socket): void {
    this.#request = request;
    reframe(request, this.#exchange, this.#standIn.headers);
    request.onSocket(socket);
  }

  #begun(sink: NodeRequest): NodeRequest {
    this.#sink = sink;
    return sink;
  }

  #send(request: NodeRequest): void {
    if (this.#stopped) return;
    const { body, expectContinue } = this.#exchange;
    if (body.framing === 'none') {
      this.complete = true;
      this.#sink?.end();
      return;
    }
    // Head and first piece of body leave in one write where the body is there already.
    const { socket } = request;
    if (socket) {
      socket.cork();
      process.nextTick(uncork, socket);
    }
    if (expectContinue) request.setHeader('expect', '100-continue');
    // `flushHeaders` would write them in UTF-8.
    request.write('', 'latin1');
    // A client that waits for a 100 sends nothing yet; one that does not wait need not be held up.
    body.start(this);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#standIn.over = true;
    if (!this.complete) this.#exchange.body.stop();
  }

  /** Listeners have the request, too, and may have ended it or set what cannot be sent: then Node throws. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#onThrown(error);
    }
  }

  readonly #onThrown = (error: unknown): void => this.#owner.onThrown(error);

  #drained(): void {
    if (this.#stopped || !this.heldUp) return;
    this.heldUp = false;
    this.#owner.onUpload();
    this.#exchange.body.resume();
  }

  onRequestBody(chunk: Buffer): boolean {
    if (this.#stopped) return false;
    if (chunk.length === 0) return true;
    this.started = true;
    this.#exchange.bytesIn += chunk.length;
    this.#endpoint.server.counters.bin += chunk.length;
    this.#attempt(() => this.#sink?.write(chunk));
    this.heldUp = this.#request?.writableNeedDrain === true;
    this.#owner.onUpload();
    return !this.heldUp;
  }

  onRequestEnd(trailers: readonly string[]): void {
    if (this.#stopped) return;
    this.complete = true;
    this.heldUp = false;
    const lines: [string, string][] = [];
    for (let i = 0; i + 1 < trailers.length; i += 2) {
      const name = trailers[i] as string;
      if (mayBeTrailer(name)) lines.push([name, trailers[i + 1] as string]);
    }
    this.#attempt(() => {
      if (lines.length > 0 && this.#exchange.body.framing === 'chunked') this.#request?.addTrailers(lines);
      this.#sink?.end();
    });
    this.#owner.onUpload();
  }

  onRequestBroken(): void {
    if (!this.#stopped) this.#owner.onUploadBroken();
  }
}

/**
 * What a listener throws would go uncaught, out of Node's parser. (Listeners are wrapped, not `emit`: with a function of its
 * own in place of that method a quarter of all requests outlived the collections of young objects.)
 */
function contain(request: NodeRequest, event: string, onThrown: (error: unknown) => void): void {
  const listeners = request.listeners(event);
  request.removeAllListeners(event);
  for (const listener of listeners) {
    request.on(event, (...values: unknown[]) => {
      try {
        listener.apply(request, values);
      } catch (error) {
        onThrown(error);
      }
    });
  }
}
