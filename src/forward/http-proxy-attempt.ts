import type { IncomingMessage, ClientRequest as NodeRequest } from 'node:http';
import type { Socket } from 'node:net';
import { serverName } from '../connections/dial.ts';
import {
  type ErrorCode,
  type ErrorDetails,
  EvenkeelError,
  type TerminationFlags,
  type TimeLimit,
} from '../core/errors.ts';
import type { FailureReason } from '../core/outcome.ts';
import { clientHost, UnsendableField } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { endResponse, flushResponseHead, writeBody, writeTrailers } from './client-response.ts';
import type { Endpoint, HttpExchange, OutcomeSink } from './forwarder.ts';
import { HttpAttempt } from './http-attempt.ts';
import { type Destination, type Route, redirectTarget } from './http-proxy-agent.ts';
import { type CallOwner, type CallParts, HttpProxyCall } from './http-proxy-call.ts';
import { HttpProxyConnection, type HttpProxyConnectionHandler } from './http-proxy-connection.ts';
import type { HttpProxyEvents } from './http-proxy-events.ts';
import { type ResponseSink, ResponseStandIn } from './http-proxy-response.ts';
import type { EngineParts } from './http1-engine.ts';

/** What all attempts of one engine share. */
export interface HttpProxyParts extends EngineParts, CallParts {
  readonly events: HttpProxyEvents;
}

/**
 * One exchange carried by http-proxy-3 over a connection of the pool's, between two stand-ins: what reaches the client, and
 * when, is decided here. Our own parser sees the response first; Node's is followed as far as both agree.
 */
export class HttpProxyAttempt
  extends HttpAttempt<HttpProxyConnection>
  implements HttpProxyConnectionHandler, ResponseSink, CallOwner
{
  readonly #parts: HttpProxyParts;
  readonly #route: Route;
  readonly #response: ResponseStandIn = new ResponseStandIn(this);
  #call: HttpProxyCall | undefined = undefined;
  /** Node's request that a redirect has led to. */
  #redirected: NodeRequest | undefined = undefined;
  /** The response's head, as our parser has read it. */
  #head: ResponseHead | undefined = undefined;
  #proxyRes: IncomingMessage | undefined = undefined;
  #trailers: readonly string[] = [];
  /** Bytes of body that our parser has seen, and that Node's has handed on. */
  #received = 0;
  #delivered = 0;
  /** The head was given to the client's response, but has not left. */
  #headWaits = false;

  constructor(
    parts: HttpProxyParts,
    exchange: HttpExchange,
    endpoint: Endpoint,
    route: Route,
    connection: HttpProxyConnection,
    reused: boolean,
    sink: OutcomeSink,
  ) {
    super(parts, exchange, endpoint, connection, reused, sink);
    this.#parts = parts;
    this.#route = route;
  }

  start(): void {
    this.connection.serve(this, this.exchange.method);
    if (this.reused) this.onConnect();
  }

  // The request

  onConnect(): void {
    if (this.phase !== 'connecting') return;
    if (this.#redirected) {
      this.phase = 'waiting';
      this.touch();
      this.#redirected.onSocket(this.connection.socket);
      return;
    }
    const { exchange, endpoint, connection } = this;
    try {
      this.#call = new HttpProxyCall(this.#parts, exchange, endpoint, this);
      if (exchange.body.framing !== 'none') this.upload = this.#call;
      this.connected();
      this.#call.begin(this.#route, connection.socket, this.#response);
    } catch (error) {
      // Not now: the caller of `forward` does not have the attempt yet.
      process.nextTick(() => {
        if (error instanceof UnsendableField)
          this.refuse('EK_ABORTED', { status: 400, flags: 'PR', message: error.message });
        else this.onThrown(error);
      });
    }
  }

  onRedirect(request: NodeRequest, destination: Destination): void {
    const { deadlines, dialer, environment, settings } = this.#parts;
    const { exchange } = this;
    const { connections } = this.#route;
    this.connection.discard();
    const target = redirectTarget(destination, this.#route, clientHost(exchange.headers), settings);
    if (!target) throw new Error('a redirect leads to where nobody can connect to');
    const sni = serverName(target, destination.host);
    this.connection = new HttpProxyConnection(dialer, target, sni, settings.localAddress, '', connections);
    connections.opened(this.connection, exchange.session);
    this.connection.serve(this, request.method);
    this.#redirected = request;
    this.#head = undefined;
    this.phase = 'connecting';
    deadlines.moveTo(this, environment.now() + exchange.timeouts.connectMs);
  }

  onRequestError(error: Error & { code?: string }): void {
    const { code = '' } = error;
    const refused = code.startsWith('HPE_');
    switch (this.phase) {
      case 'connecting':
      case 'waiting':
        if (refused) this.failBad(`the server gave no valid response: ${error.message}`);
        else if (code.startsWith('ERR_FR_')) this.#failRedirect(error);
        else if (!this.connection.gone) this.onThrown(error); // a connection that is gone says so itself
        break;
      case 'streaming':
        // Our parser has read it to its end: what Node's does not like lies behind the body.
        if (this.connection.complete && this.#proxyRes) this.#proxyRes.complete = true;
        else if (refused || !this.connection.gone) this.cut('PD');
        break;
      case 'over':
        break;
    }
  }

  onThrown(error: unknown): void {
    if (this.phase === 'over') return;
    const details = { cause: error, message: `the request could not be carried: ${error}` };
    if (this.exchange.clientResponse.headersSent) this.cut('PD');
    else this.fail('local', 'EK_BAD_RESPONSE', details);
  }

  // The response, as our parser sees it ahead of Node's

  onWhole(head: ResponseHead, body: string): void {
    if (this.#discards(head)) return;
    this.#head = head;
    this.#received = body.length;
    if (head.status === 101 && (head.upgrade === undefined || this.exchange.upgrade === undefined))
      this.failBad('the server switched protocols unasked');
  }

  onHead(head: ResponseHead): void {
    if (this.#discards(head)) return;
    this.#head = head;
    this.#received = 0;
    this.touch();
  }

  /** Decided before Node's client and listeners see it. What a redirect has led to is not asked again. */
  #discards(head: ResponseHead): boolean {
    return this.phase === 'waiting' && !this.#redirected && this.discards(head);
  }

  onBody(_buffer: Uint8Array, start: number, end: number): void {
    this.#received += end - start;
    this.touch();
  }

  onEnd(trailers: string[] | undefined): void {
    if (trailers) this.#trailers = trailers;
  }

  override onClosed(error: Error | undefined): void {
    if (this.phase === 'connecting' && this.#redirected) this.#failRedirect(error);
    // What is complete may still be on its way through Node's client.
    else if (this.phase === 'streaming' && this.connection.complete && this.#proxyRes) this.#proxyRes.complete = true;
    else super.onClosed(error);
  }

  override onDeadline(): void {
    if (this.phase === 'connecting' && this.#redirected) this.#failRedirect(undefined, 'connect');
    else super.onDeadline();
  }

  // The response, as http-proxy-3 makes it

  onPiped(proxyRes: IncomingMessage): void {
    const head = this.#head;
    if (this.phase !== 'waiting') return;
    if (!head || head.status === 101) {
      this.failBad('the server switched protocols, and Node did not');
      return;
    }
    this.#proxyRes = proxyRes;
    if (!this.respond(head, this.#response.headFor(head, proxyRes))) return;
    this.#headWaits = true;
    queueMicrotask(() => this.#flushHead()); // behind what of the body came with it
  }

  #flushHead(): void {
    if (this.#headWaits && this.phase === 'streaming') flushResponseHead(this.exchange.clientResponse);
    this.#headWaits = false;
  }

  onResponseBody(chunk: Buffer): boolean {
    if (this.phase !== 'streaming') return true;
    this.#headWaits = false;
    this.#delivered += chunk.length;
    this.count(chunk.length);
    const flowing = writeBody(this.exchange.clientResponse, chunk, undefined);
    if (!flowing) this.holdUp();
    this.touch();
    return flowing;
  }

  onResponseEnd(): void {
    const { clientResponse } = this.exchange;
    const { complete, excess, gone } = this.connection;
    if (this.phase !== 'streaming') return;
    if (!complete) {
      this.cut(gone ? 'SD' : 'PD'); // Node's parser takes a reset for an end, too
      return;
    }
    if (this.#delivered !== this.#received) {
      this.cut('PD');
      return;
    }
    writeTrailers(clientResponse, this.#trailers);
    endResponse(clientResponse, '');
    const keptAlive = this.#head?.keepAlive === true && this.#call?.sent === true;
    this.partWithServer(keptAlive && !this.#redirected && !excess);
    this.answered();
  }

  onUpgrade(proxyRes: IncomingMessage, socket: Socket, early: Buffer): void {
    const { events } = this.#parts;
    if (this.phase !== 'waiting' || !this.#head) return;
    socket.once('end', () => events.call('close', proxyRes, socket, early));
    if (this.switchProtocols(this.#head, early.length > 0 ? early : undefined)) events.call('open', socket);
  }

  protected override resume(): void {
    this.#response.emit('drain');
  }

  /** Not the server's fault alone, so not tried again. */
  #failRedirect(cause: Error | undefined, timeout?: TimeLimit): void {
    const why = cause ? `: ${cause.message}` : '';
    this.fail('local', 'EK_BAD_RESPONSE', { cause, timeout, message: `a redirect could not be followed${why}` });
  }

  protected override fail(reason: FailureReason, code: ErrorCode, details: ErrorDetails): void {
    this.#tell(code, details);
    super.fail(reason, code, details);
  }

  protected override cut(flags: TerminationFlags, timeout?: TimeLimit): void {
    if (flags[0] !== 'C' && flags[0] !== 'c') this.#tell('EK_CUT', { flags, timeout });
    super.cut(flags, timeout);
  }

  #tell(code: ErrorCode, details: ErrorDetails): void {
    if (this.phase === 'over') return;
    const error = new EvenkeelError(code, { ...details, server: this.endpoint.server.name });
    this.#parts.events.failed(error, this.exchange, this.#route.url);
  }

  protected override leave(): void {
    this.#call?.stop();
    super.leave();
  }
}
