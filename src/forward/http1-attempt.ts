import type { Expiring } from '../core/deadlines.ts';
import { type ErrorCode, type ErrorDetails, EvenkeelError, type TerminationFlags } from '../core/errors.ts';
import type { FailureReason, Outcome } from '../core/outcome.ts';
import { UnsendableField, writeRequestHead } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { type BodyOwner, BodySender, uncork } from './body-sender.ts';
import {
  closeAfterwards,
  cutResponse,
  flushResponseHead,
  writeBody,
  writeInterim,
  writeResponseHead,
  writeTrailers,
} from './client-response.ts';
import type { Attempt, Endpoint, HttpExchange, OutcomeSink } from './forwarder.ts';
import type { ConnectionHandler, Http1Connection } from './http1-connection.ts';
import type { EngineParts } from './http1-engine.ts';
import { Tunnel, writeSwitchingHead } from './upgrade.ts';

/** Body bytes that a client may still send after its answer, so that it reads the answer and not a reset. */
const DRAIN_BYTES = 65_536;

/** Waiting for the connection, for the response's head, for its body; or all is over. */
type Phase = 'connecting' | 'waiting' | 'streaming' | 'over';

/** One exchange over one connection. Every path ends in `#settle`, or in `abort`. */
export class Http1Attempt implements Attempt, ConnectionHandler, BodyOwner, Expiring {
  readonly #parts: EngineParts;
  readonly #exchange: HttpExchange;
  readonly #endpoint: Endpoint;
  readonly #connection: Http1Connection;
  readonly #reused: boolean;
  readonly #sink: OutcomeSink;
  #phase: Phase = 'connecting';
  /** Sends the request's body; `undefined` where there is none. */
  #upload: BodySender | undefined = undefined;
  #clientHeldUp = false;
  #status = 0;
  #keepAlive = false;
  #responseEnded = false;
  /** The response's head waits for something of the body, to leave in one write with it. */
  #headWaits = false;
  #upgradeHead: ResponseHead | undefined = undefined;
  #tunnel: Tunnel | undefined = undefined;
  #onClientDrain: (() => void) | undefined = undefined;

  deadline: number = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;

  constructor(
    parts: EngineParts,
    exchange: HttpExchange,
    endpoint: Endpoint,
    connection: Http1Connection,
    reused: boolean,
    sink: OutcomeSink,
  ) {
    this.#parts = parts;
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#connection = connection;
    this.#reused = reused;
    this.#sink = sink;
  }

  start(): void {
    this.#connection.serve(this, this.#exchange.method);
    if (this.#reused) {
      this.#endpoint.server.counters.reuse++;
      this.#parts.deadlines.add(this);
      this.onConnect();
      return;
    }
    this.deadline = this.#exchange.attemptedAt + this.#exchange.timeouts.connectMs;
    this.#parts.deadlines.add(this);
  }

  abort(): void {
    this.#tunnel?.abort();
    if (this.#phase === 'over') return;
    this.#leave();
    this.#connection.discard();
  }

  // The request

  onConnect(): void {
    if (this.#phase !== 'connecting') return;
    const exchange = this.#exchange;
    const { body } = exchange;
    const now = this.#reused ? exchange.attemptedAt : this.#parts.environment.now();
    exchange.connectedAt = now;
    if (!this.#reused) this.#endpoint.server.counters.connect++;
    let head: string;
    try {
      head = writeRequestHead(exchange, body.framing, this.#endpoint.target.address.authority, this.#parts.forwarding);
    } catch (error) {
      if (!(error instanceof UnsendableField)) throw error;
      // Not now: the caller of `forward` does not have the attempt yet.
      process.nextTick(() => this.#refuse('EK_ABORTED', { status: 400, flags: 'PR', message: error.message }));
      return;
    }
    this.#phase = 'waiting';
    const { socket } = this.#connection;
    if (body.framing === 'none') socket.write(head, 'latin1');
    else {
      // Head and first piece of body leave in one write where the body is there already.
      socket.cork();
      socket.write(head, 'latin1');
      this.#upload = new BodySender(exchange, this.#endpoint, this.#connection, this);
      // A client that waits for a 100 sends nothing yet; one that does not wait need not be held up.
      this.#upload.start();
      process.nextTick(uncork, socket);
    }
    this.#touch(now);
  }

  onUpload(): void {
    this.#touch();
  }

  onUploadBroken(): void {
    if (this.#phase === 'streaming') this.#cut('CD');
    else if (this.#exchange.clientRequest.aborted) this.#end({ kind: 'client-gone', flags: 'CH' });
    else this.#refuse('EK_ABORTED', { status: 400, flags: 'CH', message: 'the request body was not whole' });
  }

  onDrain(): void {
    this.#upload?.onDrain();
  }

  // The response

  onInterim(head: ResponseHead): void {
    this.#touch();
    if (head.status !== 100) {
      writeInterim(this.#exchange.clientResponse, head);
      return;
    }
    // An unasked 100 answers our own framing, not the client's question.
    if (!this.#exchange.expectContinue) return;
    this.#exchange.continued = true;
    if ('writeContinue' in this.#exchange.clientResponse) this.#exchange.clientResponse.writeContinue();
  }

  onWhole(head: ResponseHead, body: string): void {
    if (head.status === 101) {
      if (head.upgrade !== undefined && this.#exchange.upgrade !== undefined) this.#upgradeHead = head;
      else
        this.#fail('junk-response', 'EK_BAD_RESPONSE', {
          flags: 'PH',
          message: 'the server switched protocols unasked',
        });
      return;
    }
    if (!this.#respond(head)) return;
    this.#count(body.length);
    const response = this.#exchange.clientResponse;
    this.#responseEnded = true;
    if (body.length === 0) response.end();
    else response.end(body, 'latin1');
  }

  onHead(head: ResponseHead): void {
    if (!this.#respond(head)) return;
    this.#headWaits = true;
    this.#touch();
  }

  onPause(): void {
    if (!this.#headWaits || this.#phase !== 'streaming') return;
    this.#headWaits = false;
    flushResponseHead(this.#exchange.clientResponse);
  }

  onBody(buffer: Uint8Array, start: number, end: number): void {
    if (this.#phase !== 'streaming') return;
    this.#count(end - start);
    this.#headWaits = false;
    const { bytes, giveBack } = this.#connection.claim(buffer, start, end);
    if (!writeBody(this.#exchange.clientResponse, bytes, giveBack)) this.#holdUp();
    this.#touch();
  }

  onEnd(trailers: string[] | undefined): void {
    if (this.#phase !== 'streaming') return;
    const response = this.#exchange.clientResponse;
    if (trailers) writeTrailers(response, trailers);
    this.#responseEnded = true;
    response.end();
  }

  onBad(reason: string): void {
    if (this.#phase === 'streaming') this.#cut(this.#connection.gone ? 'SD' : 'PD');
    else if (!this.#connection.gone)
      this.#fail('junk-response', 'EK_BAD_RESPONSE', {
        flags: 'PH',
        message: `the server gave no valid response: ${reason}`,
      });
    else this.#fail('empty-response', 'EK_BAD_RESPONSE', { message: reason });
  }

  onComplete(excess: Buffer | undefined): void {
    if (this.#phase === 'over') return;
    if (this.#upgradeHead) {
      this.#switchProtocols(this.#upgradeHead, excess);
      return;
    }
    const uploaded = this.#upload?.complete ?? true;
    const reusable = this.#keepAlive && uploaded && excess === undefined && !this.#connection.gone;
    this.#leave();
    if (!uploaded) this.#exchange.body.drain(DRAIN_BYTES, () => this.#exchange.clientRequest.destroy());
    if (reusable) this.#connection.release(this.#exchange.respondedAt);
    else this.#connection.discard();
    this.#sink.onOutcome({ kind: 'answered', status: this.#status });
  }

  onClosed(error: Error | undefined): void {
    switch (this.#phase) {
      case 'connecting':
        // Reset, not refused: it was made, and given up by the server before we heard of it.
        if (isReset(error) && !this.#endpoint.target.tls) this.#failEmpty(error);
        else
          this.#fail('conn-failure', 'EK_CONNECT', {
            cause: error,
            message: `could not connect to the server${error ? `: ${error.message}` : ''}`,
          });
        break;
      case 'waiting':
        this.#failEmpty(error);
        break;
      case 'streaming':
        this.#cut('SD');
        break;
      case 'over':
        break;
    }
  }

  onDeadline(): void {
    switch (this.#phase) {
      case 'connecting':
        this.#fail('conn-failure', 'EK_CONNECT_TIMEOUT', {});
        break;
      case 'waiting':
        if (this.#waitsForClient())
          this.#refuse('EK_ABORTED', { status: 408, flags: 'cH', message: 'the client stopped sending its request' });
        else this.#fail('response-timeout', 'EK_SERVER_TIMEOUT', {});
        break;
      case 'streaming':
        this.#cut(this.#clientHeldUp || this.#waitsForClient() ? 'cD' : 'sD');
        break;
      case 'over':
        break;
    }
  }

  /** Passes the response's head on; `false` when it was refused. */
  #respond(head: ResponseHead): boolean {
    const exchange = this.#exchange;
    exchange.respondedAt = this.#parts.environment.now();
    if (head.authenticatesConnection && (head.status === 401 || head.status === 407) && exchange.session) {
      this.#connection.owner = exchange.session;
      exchange.session.authenticatedTo = this.#endpoint.server;
    }
    const refusal = exchange.onResponse(head);
    if (refusal) {
      this.#end(refusal);
      return false;
    }
    this.#phase = 'streaming';
    this.#status = head.status;
    this.#keepAlive = head.keepAlive;
    this.#connection.keepAliveTimeoutMs = head.keepAliveTimeoutMs;
    // A client that was never told to go on may send its body or not: its next bytes could be taken for either.
    if (exchange.expectContinue && !this.#upload?.complete) closeAfterwards(exchange.clientResponse);
    writeResponseHead(exchange.clientResponse, head);
    return true;
  }

  #switchProtocols(head: ResponseHead, early: Buffer | undefined): void {
    const exchange = this.#exchange;
    const connection = this.#connection;
    exchange.respondedAt = this.#parts.environment.now();
    const refusal = exchange.onResponse(head);
    if (refusal || !exchange.upgradeSocket) {
      this.#end(refusal ?? { kind: 'client-gone', flags: 'CH' });
      return;
    }
    this.#leave();
    exchange.tunnelling = true;
    const server = { socket: connection.becomeTunnel(), destroy: () => connection.discard() };
    this.#tunnel = new Tunnel(exchange, exchange.upgradeSocket, server, this.#parts, this.#endpoint, this.#sink);
    const earlier = exchange.clientResponse.getHeaders();
    this.#tunnel.start(writeSwitchingHead(head, head.upgrade ?? '', earlier), early);
  }

  #holdUp(): void {
    if (this.#clientHeldUp || this.#responseEnded) return;
    this.#clientHeldUp = true;
    this.#connection.socket.pause();
    this.#onClientDrain = () => this.#clientDrained();
    this.#exchange.clientResponse.once('drain', this.#onClientDrain);
  }

  /** `drain` also comes just before `close`, and may come for an exchange that is over. */
  #clientDrained(): void {
    this.#onClientDrain = undefined;
    if (this.#phase !== 'streaming') return;
    this.#clientHeldUp = false;
    this.#touch();
    this.#connection.socket.resume();
  }

  #count(bytes: number): void {
    this.#exchange.bytesOut += bytes;
    this.#endpoint.server.counters.bout += bytes;
  }

  #waitsForClient(): boolean {
    const upload = this.#upload;
    if (upload === undefined || upload.complete || upload.heldUp) return false;
    return upload.started || !this.#exchange.expectContinue;
  }

  /** Something moved: whoever is to move next has all of its time again. */
  #touch(now: number = this.#parts.environment.now()): void {
    const { serverMs, clientMs } = this.#exchange.timeouts;
    // As HAProxy, a server's time runs only once it has the whole request.
    this.deadline = now + (this.#clientHeldUp || this.#waitsForClient() ? clientMs : serverMs);
  }

  #failEmpty(cause: Error | undefined): void {
    this.#fail('empty-response', 'EK_BAD_RESPONSE', { cause, message: 'the connection was closed before a response' });
  }

  #fail(reason: FailureReason, code: ErrorCode, details: ErrorDetails): void {
    const server = this.#endpoint.server.name;
    const error = new EvenkeelError(code, { ...details, server });
    this.#end({
      kind: 'failed',
      reason,
      sent: this.#phase === 'connecting' ? 'nothing' : this.#upload?.started ? 'body' : 'head',
      onReusedConnection: this.#reused && !this.#connection.received,
      error,
    });
  }

  #refuse(code: ErrorCode, details: ErrorDetails): void {
    this.#end({ kind: 'refused', error: new EvenkeelError(code, { ...details, server: this.#endpoint.server.name }) });
  }

  #cut(flags: TerminationFlags): void {
    const status = this.#status;
    cutResponse(this.#exchange.clientResponse);
    this.#end({ kind: 'cut', status, flags });
  }

  /** Ends with the connection given up. */
  #end(outcome: Outcome): void {
    if (this.#phase === 'over') return;
    this.#leave();
    this.#connection.discard();
    this.#sink.onOutcome(outcome);
  }

  #leave(): void {
    this.#phase = 'over';
    this.#parts.deadlines.remove(this);
    this.#upload?.stop();
    if (this.#onClientDrain) {
      this.#exchange.clientResponse.removeListener('drain', this.#onClientDrain);
      this.#connection.socket.resume();
    }
    this.#connection.leave();
  }
}

function isReset(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ECONNRESET';
}
