import { EventEmitter } from 'node:events';
import type { ClientRequest as NodeRequest } from 'node:http';
import { type ForwardingOptions, writeRequestHead } from '../http1/request-head.ts';
import type { HttpExchange } from './forwarder.ts';

/** Fields of a request by name. */
export type RequestFields = Record<string, string | string[]>;

/**
 * The fields that the default engine would send, for http-proxy-3 to go on from. Without `Expect`, at which Node would write
 * the head before we can see to it.
 * @throws {UnsendableField} when a field's name or value cannot stand in a head
 */
export function requestFields(exchange: HttpExchange, authority: string, forwarding: ForwardingOptions): RequestFields {
  const head = writeRequestHead(exchange, exchange.body.framing, authority, forwarding);
  const fields = Object.create(null) as RequestFields;
  for (const line of head.split('\r\n').slice(1, -2)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 2);
    const known = fields[name];
    fields[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
  }
  delete fields['expect'];
  return fields;
}

/** Stands in for the client's request: http-proxy-3 changes the fields it is given, and pipes the body by itself. */
export class RequestStandIn extends EventEmitter {
  readonly exchange: HttpExchange;
  readonly method: string;
  readonly url: string;
  readonly headers: RequestFields;
  readonly httpVersion = '1.1';
  readonly httpVersionMajor = 1;
  readonly socket: ClientSocketStandIn;
  readonly connection: ClientSocketStandIn;
  /** The attempt is over. */
  over = false;

  constructor(exchange: HttpExchange, headers: RequestFields) {
    super();
    this.exchange = exchange;
    this.method = exchange.method;
    this.url = exchange.target;
    this.headers = headers;
    this.socket = this.connection = new ClientSocketStandIn(exchange);
  }
}

/** What http-proxy-3 asks of the client's socket. */
class ClientSocketStandIn {
  readonly #exchange: HttpExchange;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
  }

  get remoteAddress(): string {
    return this.#exchange.clientRequest.socket.remoteAddress ?? 'unknown';
  }

  /** By this it knows TLS. */
  get pair(): boolean {
    return this.#exchange.secure;
  }

  get destroyed(): boolean {
    return this.#exchange.clientResponse.destroyed;
  }
}

/**
 * Puts right what Node and http-proxy-3 have made of a request's target and framing: they join and normalise targets, call a
 * DELETE or OPTIONS without length empty whatever follows, and give a bodiless POST a length.
 */
export function reframe(request: NodeRequest, exchange: HttpExchange, fields: RequestFields): void {
  const { framing } = exchange.body;
  request.path = exchange.target;
  request.useChunkedEncodingByDefault = false;
  request.removeHeader('content-length');
  request.removeHeader('transfer-encoding');
  request.removeHeader('connection');
  if (framing === 'chunked') {
    request.setHeader('transfer-encoding', 'chunked');
    const { trailer } = fields;
    if (trailer !== undefined) request.setHeader('trailer', trailer);
  } else if (framing !== 'none') request.setHeader('content-length', framing);
  if (exchange.upgrade !== undefined) request.setHeader('connection', 'upgrade');
}
