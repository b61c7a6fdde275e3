import type { IncomingMessage } from 'node:http';
import { EvenkeelError } from '#src/core/errors.ts';
import { BodyMemory } from '#src/forward/body-memory.ts';
import { BodySender } from '#src/forward/body-sender.ts';
import type { Endpoint, HttpExchange } from '#src/forward/forwarder.ts';
import type { Http1Connection } from '#src/forward/http1-connection.ts';
import {
  type ForwardingOptions,
  type OutgoingRequest,
  UnsendableField,
  writeRequestHead,
} from '#src/http1/request-head.ts';
import { type Intake, takeIn } from '#src/pool/request-intake.ts';

/** A request as it would go to a server. */
export interface SentRequest {
  readonly target: string;
  /** In latin1. */
  readonly wire: string;
}

/** The status that answers a request which goes to no server. */
export interface Refusal {
  readonly status: number;
}

/** What the client says, apart from its head. */
export interface Body {
  /** Pieces, in latin1. */
  readonly body: readonly string[];
  readonly rawTrailers: readonly string[];
}

export const AUTHORITY = 'server.test:81';

const PLAIN: ForwardingOptions = {
  forwardfor: undefined,
  forwarded: undefined,
  forwardedHeaders: { proto: false, host: false },
  changeOrigin: false,
  replaced: undefined,
};

const NO_MEMORY = new BodyMemory(0);

/** Carries a request as the pool and its default engine do, without the sockets. */
export function sendRequest(
  message: IncomingMessage,
  { body, rawTrailers }: Body,
  upgrade: string | undefined,
): SentRequest | Refusal {
  let intake: Intake;
  try {
    intake = takeIn(message, message.url ?? '/', 0, NO_MEMORY);
  } catch (error) {
    if (error instanceof EvenkeelError) return { status: error.status };
    throw error;
  }
  const { framing } = intake.body;
  let wire: string;
  try {
    const request: OutgoingRequest = {
      method: message.method ?? 'GET',
      target: intake.target,
      headers: intake.headers,
      rawHeaders: message.rawHeaders,
      clientAddress: '192.0.2.1',
      localAddress: '192.0.2.2',
      secure: false,
      upgrade,
      expectContinue: false,
    };
    wire = writeRequestHead(request, framing, AUTHORITY, PLAIN);
  } catch (error) {
    if (error instanceof UnsendableField) return { status: 400 };
    throw error;
  }
  if (framing !== 'none') wire += sendBody(framing, body, rawTrailers);
  return { target: intake.target, wire };
}

/** What `BodySender` writes on a connection. */
function sendBody(framing: 'chunked' | number, body: readonly string[], rawTrailers: readonly string[]): string {
  let wire = '';
  const socket = {
    cork() {},
    uncork() {},
    write(data: string | Buffer) {
      wire += typeof data === 'string' ? data : data.toString('latin1');
      return true;
    },
  };
  const exchange = { body: { framing, stop() {} }, bytesIn: 0 } as unknown as HttpExchange;
  const endpoint = { server: { counters: { bin: 0 } } } as unknown as Endpoint;
  const sender = new BodySender(exchange, endpoint, { socket } as unknown as Http1Connection, {
    onUpload() {},
    onUploadBroken() {},
  });
  for (const piece of body) sender.onRequestBody(Buffer.from(piece, 'latin1'), false);
  sender.onRequestEnd(rawTrailers);
  return wire;
}
