import type { Duplex } from 'node:stream';
import type { ClientSession, ConnectionPool } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import type { ClientRequest, ClientResponse } from '../core/exchange.ts';
import type { Outcome, Sent } from '../core/outcome.ts';
import type { OutgoingRequest } from '../http1/request-head.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { Server } from '../servers/server.ts';
import type { RequestBody } from './body-replay.ts';
import type { Http1Connection } from './http1-connection.ts';

/** Time limits of one exchange, in milliseconds; `Infinity` is none. */
export interface ExchangeTimeouts {
  readonly connectMs: number;
  readonly serverMs: number;
  readonly clientMs: number;
  readonly tunnelMs: number;
  readonly serverFinMs: number;
  readonly clientFinMs: number;
}

/** A response's head as rules may still change it. */
export type MutableHead = Pick<ResponseHead, 'status' | 'reason' | 'headers'>;

/** One client request, over all attempts to carry it. The pool makes it; an engine carries it to one server at a time. */
export interface HttpExchange extends OutgoingRequest {
  readonly clientRequest: ClientRequest;
  readonly clientResponse: ClientResponse;
  readonly body: RequestBody;
  /** It may reach a server twice: its method is idempotent, or the pool's options allow it for all. */
  readonly idempotent: boolean;
  readonly session: ClientSession | undefined;
  readonly timeouts: ExchangeTimeouts;
  /** Bytes read off the client's socket behind an upgrade's head. */
  readonly upgradeHead: Buffer | undefined;
  /** The raw socket of an upgrade. */
  readonly upgradeSocket: Duplex | undefined;
  /** Bytes of request body sent to servers. */
  bytesIn: number;
  /** Bytes of response body (or of the tunnel) passed to the client. */
  bytesOut: number;
  /** When the present attempt began, on the environment's clock. */
  readonly attemptedAt: number;
  /** When its connection was there; 0 before. */
  connectedAt: number;
  /** When the response's head was there. */
  respondedAt: number;
  /** The client has had its 100: its body is on its way, and no server need be asked for one again. */
  continued: boolean;
  /** It has become a tunnel, which looks after both its ends by itself. */
  tunnelling: boolean;
  /**
   * A final response's head is there.
   * @param sent how far the request had got
   * @returns whether the request goes to a server again in place of the response going to the client
   */
  repeatsAfter(status: number, sent: Sent): boolean;
  /**
   * A final response is about to be passed on. May change its head.
   * @returns what to refuse it with, or `undefined` to pass it on
   */
  onResponse(head: MutableHead): Outcome | undefined;
}

/** What carries traffic to one server: its facts and its connections. */
export interface Endpoint {
  readonly server: Server;
  readonly target: DialTarget;
  readonly connections: ConnectionPool<Http1Connection>;
}

/** One attempt under way. */
export interface Attempt {
  /** Ends it at once, without an outcome: the client left, or the pool is closing. */
  abort(): void;
}

/** Is told how an attempt ended. */
export interface OutcomeSink {
  onOutcome(outcome: Outcome): void;
}

/** Carries an exchange to one server. Nothing that a server or a client sends may throw out of it. */
export interface Forwarder {
  /**
   * @param fresh a new connection must be made: a kept one has just died under this request
   * @param sink told once how it ended, unless the attempt is aborted; never before `forward` has returned
   */
  forward(exchange: HttpExchange, endpoint: Endpoint, fresh: boolean, sink: OutcomeSink): Attempt;
}
