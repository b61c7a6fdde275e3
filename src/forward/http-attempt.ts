import type { Socket } from 'node:net';
import type { ClientSession } from '../connections/connection-pool.ts';
import { tlsFaultWords } from '../connections/tls-faults.ts';
import type { Expiring } from '../core/deadlines.ts';
import {
  type ErrorCode,
  type ErrorDetails,
  EvenkeelError,
  type TerminationFlags,
  type TimeLimit,
} from '../core/errors.ts';
import type { FailureReason, Outcome, Sent } from '../core/outcome.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import { DRAIN_BYTES } from './body-replay.ts';
import {
  atTurn,
  closeAfterwards,
  cutResponse,
  writeContinue,
  writeInterim,
  writeResponseHead,
} from './client-response.ts';
import type { Attempt, Endpoint, HttpExchange, MutableHead, OutcomeSink } from './forwarder.ts';
import type { EngineParts } from './http1-engine.ts';
import { Tunnel, writeSwitchingHead } from './upgrade.ts';

const CLIENT_TIMEOUT: ErrorDetails = {
  status: 408,
  flags: 'cH',
  timeout: 'client',
  message: 'the client stopped sending its request',
};

/** Waiting for the connection, for the response's head, for its body; or all is over. */
export type Phase = 'connecting' | 'waiting' | 'streaming' | 'over';

/** A connection to a server, as far as an attempt's life depends on it. */
export interface ServerConnection {
  /** Some of the response has come. */
  readonly received: boolean;
  /** It can be neither written to nor read from any more. */
  readonly gone: boolean;
  owner: ClientSession | undefined;
  keepAliveTimeoutMs: number | undefined;
  /** Back to its pool. */
  release(now: number): void;
  /** Not to be used again. */
  discard(): void;
  leave(): void;
  becomeTunnel(): Socket;
}

/** The sending of a request's body, as far as an attempt's life depends on it. */
export interface Upload {
  readonly started: boolean;
  readonly complete: boolean;
  /** The server does not take it as fast as it comes. */
  readonly heldUp: boolean;
  stop(): void;
}

/** What an attempt goes through whatever carries it: its phases, time limits and outcomes. Each ends in `end`, `answered` or `abort`. */
export abstract class HttpAttempt<C extends ServerConnection> implements Attempt, Expiring {
  protected readonly exchange: HttpExchange;
  protected readonly endpoint: Endpoint;
  protected readonly reused: boolean;
  protected connection: C;
  protected phase: Phase = 'connecting';
  /** `undefined` where the request has no body. */
  protected upload: Upload | undefined = undefined;
  readonly #parts: EngineParts;
  readonly #sink: OutcomeSink;
  #status = 0;
  #tunnel: Tunnel | undefined = undefined;
  #onClientDrain: (() => void) | undefined = undefined;
  /** The server's 100 may wait for earlier answers to go out: whoever is asked next says its own. */
  #takeContinueBack: (() => void) | undefined = undefined;

  deadline: number;
  deadlineIndex = -1;

  constructor(
    parts: EngineParts,
    exchange: HttpExchange,
    endpoint: Endpoint,
    connection: C,
    reused: boolean,
    sink: OutcomeSink,
  ) {
    this.#parts = parts;
    this.exchange = exchange;
    this.endpoint = endpoint;
    this.connection = connection;
    this.reused = reused;
    this.#sink = sink;
    this.deadline = exchange.attemptedAt + exchange.timeouts.connectMs;
    parts.deadlines.add(this);
  }

  /** The server's side may go on: the client takes its response again. */
  protected abstract resume(): void;

  abort(): void {
    this.#tunnel?.abort();
    if (this.phase === 'over') return;
    this.leave();
    this.connection.discard();
  }

  protected connected(): void {
    const { exchange, reused } = this;
    exchange.connectedAt = reused ? exchange.attemptedAt : this.#parts.environment.now();
    if (reused) this.endpoint.server.counters.reuse++;
    else this.endpoint.server.counters.connect++;
    this.phase = 'waiting';
    this.touch(exchange.connectedAt);
  }

  onUpload(): void {
    this.touch();
  }

  onUploadBroken(): void {
    if (this.phase === 'streaming') this.cut('CD');
    else if (this.exchange.clientRequest.aborted) this.end({ kind: 'client-gone', flags: 'CH' });
    else this.refuse('EK_ABORTED', { status: 400, flags: 'CH', message: 'the request body was not whole' });
  }

  onInterim(head: ResponseHead): void {
    const { exchange } = this;
    this.touch();
    if (head.status !== 100) {
      writeInterim(exchange.clientResponse, head);
      return;
    }
    // An unasked 100 answers our own framing, not the client's question.
    if (!exchange.expectContinue) return;
    this.#takeContinueBack?.();
    this.#takeContinueBack = atTurn(exchange.clientResponse, () => {
      if (!exchange.expectContinue) return;
      exchange.continued = true;
      writeContinue(exchange.clientResponse);
      this.touch();
    });
  }

  onBad(reason: string): void {
    if (this.phase === 'streaming') this.cut(this.connection.gone ? 'SD' : 'PD');
    else if (!this.connection.gone) this.failBad(`the server gave no valid response: ${reason}`);
    else this.fail('empty-response', 'EK_BAD_RESPONSE', { message: reason });
  }

  onClosed(error: Error | undefined): void {
    switch (this.phase) {
      case 'connecting':
        // A kept connection has died before it was written to. Or reset, not refused: it was made, and given up by the
        // server before we heard of it.
        if (this.reused || (isReset(error) && !this.endpoint.target.tls)) this.#failEmpty(error);
        else
          this.fail('conn-failure', 'EK_CONNECT', {
            cause: error,
            message: `could not connect to the server${error ? `: ${tlsFaultWords(error) ?? error.message}` : ''}`,
          });
        break;
      case 'waiting':
        this.#failEmpty(error);
        break;
      case 'streaming':
        this.cut('SD');
        break;
      case 'over':
        break;
    }
  }

  onDeadline(): void {
    switch (this.phase) {
      case 'connecting':
        this.fail('conn-failure', 'EK_CONNECT_TIMEOUT', { timeout: 'connect' });
        break;
      case 'waiting':
        if (this.#waitsForClient()) this.refuse('EK_ABORTED', CLIENT_TIMEOUT);
        else this.fail('response-timeout', 'EK_SERVER_TIMEOUT', { timeout: 'server' });
        break;
      case 'streaming':
        if (this.#onClientDrain || this.#waitsForClient()) this.cut('cD', 'client');
        else this.cut('sD', 'server');
        break;
      case 'over':
        break;
    }
  }

  /** Gives the response up, where the request goes to a server again in its place. */
  protected discards({ status, headers }: ResponseHead): boolean {
    if (!this.exchange.repeatsAfter(status, this.#sent)) return false;
    this.end({ kind: 'discarded', status, headers });
    return true;
  }

  /**
   * Passes the response's head on; `false` when it was refused.
   * @param outgoing what goes to the client, where it is not `head` itself
   */
  protected respond(head: ResponseHead, outgoing: MutableHead = head): boolean {
    const { exchange, connection } = this;
    exchange.respondedAt = this.#parts.environment.now();
    if (head.authenticatesConnection && (head.status === 401 || head.status === 407) && exchange.session) {
      connection.owner = exchange.session;
      exchange.session.authenticatedTo = this.endpoint.server;
    }
    const refusal = exchange.onResponse(outgoing);
    if (refusal) {
      this.end(refusal);
      return false;
    }
    this.phase = 'streaming';
    this.#status = outgoing.status;
    connection.keepAliveTimeoutMs = head.keepAliveTimeoutMs;
    // A client that was never told to go on may send its body or not: its next bytes could be taken for either.
    if (exchange.expectContinue && !this.upload?.complete) closeAfterwards(exchange.clientResponse);
    writeResponseHead(exchange.clientResponse, outgoing);
    this.touch();
    return true;
  }

  protected switchProtocols(head: ResponseHead, early: Buffer | undefined): boolean {
    const { exchange, connection } = this;
    exchange.respondedAt = this.#parts.environment.now();
    const refusal = exchange.onResponse(head);
    if (refusal || !exchange.upgradeSocket) {
      this.end(refusal ?? { kind: 'client-gone', flags: 'CH' });
      return false;
    }
    this.leave();
    exchange.tunnelling = true;
    const server = { socket: connection.becomeTunnel(), destroy: () => connection.discard() };
    this.#tunnel = new Tunnel(exchange, exchange.upgradeSocket, server, this.#parts, this.endpoint, this.#sink);
    const earlier = exchange.clientResponse.getHeaders();
    this.#tunnel.start(writeSwitchingHead(head, head.upgrade ?? '', earlier), early);
    return true;
  }

  /** The client does not take its response as fast as it comes. */
  protected holdUp(): void {
    if (this.#onClientDrain) return;
    this.#onClientDrain = () => this.#clientDrained();
    this.exchange.clientResponse.once('drain', this.#onClientDrain);
  }

  /** `drain` also comes just before `close`, and may come for an exchange that is over. */
  #clientDrained(): void {
    this.#onClientDrain = undefined;
    if (this.phase !== 'streaming') return;
    this.touch();
    this.resume();
  }

  protected count(bytes: number): void {
    this.exchange.bytesOut += bytes;
    this.endpoint.server.counters.bout += bytes;
  }

  get #sent(): Sent {
    const { phase, upload, exchange } = this;
    if (phase === 'connecting') return 'nothing';
    if (upload?.started) return 'body';
    // A server that has not asked for the body yet cannot have done what the request is for.
    return upload && !upload.complete && exchange.expectContinue ? 'nothing' : 'head';
  }

  #waitsForClient(): boolean {
    const { upload } = this;
    if (upload === undefined || upload.complete || upload.heldUp) return false;
    return upload.started || !this.exchange.expectContinue;
  }

  /** Something moved: whoever is to move next has all of its time again. */
  protected touch(now: number = this.#parts.environment.now()): void {
    const { serverMs, clientMs } = this.exchange.timeouts;
    // As HAProxy, a server's time runs only once it has the whole request.
    this.#parts.deadlines.moveTo(this, now + (this.#onClientDrain || this.#waitsForClient() ? clientMs : serverMs));
  }

  #failEmpty(cause: Error | undefined): void {
    this.fail('empty-response', 'EK_BAD_RESPONSE', { cause, message: 'the connection was closed before a response' });
  }

  protected failBad(message: string): void {
    this.fail('junk-response', 'EK_BAD_RESPONSE', { flags: 'PH', message });
  }

  protected fail(reason: FailureReason, code: ErrorCode, details: ErrorDetails): void {
    const error = new EvenkeelError(code, { ...details, server: this.endpoint.server.name });
    this.end({
      kind: 'failed',
      reason,
      sent: this.#sent,
      onReusedConnection: this.reused && !this.connection.received,
      error,
    });
  }

  protected refuse(code: ErrorCode, details: ErrorDetails): void {
    this.end({ kind: 'refused', error: new EvenkeelError(code, { ...details, server: this.endpoint.server.name }) });
  }

  protected cut(flags: TerminationFlags, timeout?: TimeLimit): void {
    cutResponse(this.exchange.clientResponse);
    this.end({ kind: 'cut', status: this.#status, flags, timeout });
  }

  /** Ends with the connection given up. */
  protected end(outcome: Outcome): void {
    if (this.phase === 'over') return;
    this.leave();
    this.connection.discard();
    this.#sink.onOutcome(outcome);
  }

  /** The server's part is over: its response has come whole. @param reusable the connection can serve another request */
  protected partWithServer(reusable: boolean): void {
    const { connection, exchange } = this;
    const uploaded = this.upload?.complete ?? true;
    this.leave();
    if (!uploaded) exchange.body.drain(DRAIN_BYTES, () => exchange.clientRequest.destroy());
    if (reusable && uploaded && !connection.gone) connection.release(exchange.respondedAt);
    else connection.discard();
  }

  /** The response has gone out whole. */
  protected answered(): void {
    this.#sink.onOutcome({ kind: 'answered', status: this.#status });
  }

  protected leave(): void {
    this.phase = 'over';
    this.#parts.deadlines.remove(this);
    this.upload?.stop();
    this.#takeContinueBack?.();
    if (this.#onClientDrain) {
      this.exchange.clientResponse.removeListener('drain', this.#onClientDrain);
      this.resume();
    }
    this.connection.leave();
  }
}

function isReset(error: Error | undefined): boolean {
  return error !== undefined && 'code' in error && error.code === 'ECONNRESET';
}
