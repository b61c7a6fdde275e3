import type { PutOff } from '../core/turn-end.ts';
import { UnsendableField, writeRequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { type BodyOwner, BodySender, uncork } from './body-sender.ts';
import { endResponse, flushResponseHead, writeBody, writeTrailers } from './client-response.ts';
import type { Endpoint, HttpExchange, OutcomeSink } from './forwarder.ts';
import { HttpAttempt } from './http-attempt.ts';
import type { ConnectionHandler, Http1Connection } from './http1-connection.ts';
import type { EngineParts } from './http1-engine.ts';

/** One exchange over one connection of the default engine: writes the request, and the response as it is parsed. */
export class Http1Attempt extends HttpAttempt<Http1Connection> implements ConnectionHandler, BodyOwner, PutOff {
  readonly #parts: EngineParts;
  #sender: BodySender | undefined = undefined;
  #keepAlive = false;
  /** The response's head waits for something of the body, to leave in one write with it. */
  #headWaits = false;
  #upgradeHead: ResponseHead | undefined = undefined;
  /** The whole body, to be sent at the end of the turn. */
  #answer: string | undefined = undefined;

  constructor(
    parts: EngineParts,
    exchange: HttpExchange,
    endpoint: Endpoint,
    connection: Http1Connection,
    reused: boolean,
    sink: OutcomeSink,
  ) {
    super(parts, exchange, endpoint, connection, reused, sink);
    this.#parts = parts;
  }

  start(): void {
    this.connection.serve(this, this.exchange.method);
    if (!this.reused) return;
    const { framing } = this.exchange.body;
    // The first piece of a body comes in this turn, and is to leave in one write with the head.
    if (framing === 'none' || framing === 0) this.#parts.turnEnd.add(this);
    else this.onConnect();
  }

  onTurnEnd(): void {
    if (this.#answer !== undefined) {
      endResponse(this.exchange.clientResponse, this.#answer);
      this.answered();
    } else if (this.connection.gone) this.onClosed(undefined);
    else this.onConnect();
  }

  // The request

  onConnect(): void {
    if (this.phase !== 'connecting') return;
    const { exchange, endpoint, connection } = this;
    const { framing } = exchange.body;
    let head: string;
    try {
      head = writeRequestHead(exchange, framing, endpoint.target.address.authority, this.#parts.forwarding);
    } catch (error) {
      if (!(error instanceof UnsendableField)) throw error;
      // Not now: the caller of `forward` does not have the attempt yet.
      process.nextTick(() => this.refuse('EK_ABORTED', { status: 400, flags: 'PR', message: error.message }));
      return;
    }
    const { socket } = connection;
    if (framing === 'none') socket.write(head, 'latin1');
    else {
      // Head and first piece of body leave in one write where the body is there already.
      socket.cork();
      socket.write(head, 'latin1');
      this.#sender = new BodySender(exchange, endpoint, connection, this);
      this.upload = this.#sender;
      process.nextTick(uncork, socket);
    }
    this.connected();
    // Also where the client waits for a 100: it sends nothing before, unless it does not wait for long.
    this.#sender?.start();
  }

  onDrain(): void {
    this.#sender?.onDrain();
  }

  // The response

  onWhole(head: ResponseHead, body: string): void {
    if (head.status === 101) {
      if (head.upgrade !== undefined && this.exchange.upgrade !== undefined) this.#upgradeHead = head;
      else this.failBad('the server switched protocols unasked');
      return;
    }
    if (!this.#respond(head)) return;
    this.count(body.length);
    this.#answer = body;
  }

  onHead(head: ResponseHead): void {
    if (this.#respond(head)) this.#headWaits = true;
  }

  onPause(): void {
    if (!this.#headWaits || this.phase !== 'streaming') return;
    this.#headWaits = false;
    flushResponseHead(this.exchange.clientResponse);
  }

  onBody(buffer: Uint8Array, start: number, end: number): void {
    if (this.phase !== 'streaming') return;
    this.count(end - start);
    this.#headWaits = false;
    const { bytes, giveBack } = this.connection.claim(buffer, start, end);
    if (!writeBody(this.exchange.clientResponse, bytes, giveBack)) this.holdUp();
    this.touch();
  }

  onEnd(trailers: string[] | undefined): void {
    if (this.phase !== 'streaming') return;
    if (trailers) writeTrailers(this.exchange.clientResponse, trailers);
    this.exchange.clientResponse.end();
  }

  onComplete(excess: Buffer | undefined): void {
    if (this.phase === 'over') return;
    if (this.#upgradeHead) {
      this.switchProtocols(this.#upgradeHead, excess);
      return;
    }
    this.partWithServer(this.#keepAlive && excess === undefined);
    if (this.#answer === undefined) this.answered();
    else this.#parts.turnEnd.add(this);
  }

  #respond(head: ResponseHead): boolean {
    if (this.discards(head)) return false;
    this.#keepAlive = head.keepAlive;
    return this.respond(head);
  }

  protected override holdUp(): void {
    super.holdUp();
    this.connection.socket.pause();
  }

  protected override resume(): void {
    this.connection.socket.resume();
  }
}
