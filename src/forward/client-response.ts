import { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';
import type { ClientResponse } from '../core/exchange.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { MutableHead } from './forwarder.ts';

/** Of these a response has one; the server's takes the place of what an earlier middleware has set. */
const SINGLE: ReadonlySet<string> = new Set([
  ...[
    'age',
    'content-encoding',
    'content-length',
    'content-location',
    'content-range',
    'content-type',
    'date',
    'etag',
    'expires',
  ],
  ...['last-modified', 'location', 'retry-after', 'server', 'x-powered-by'],
]);

/**
 * Gives the client's response its head. What earlier middleware has set stays; where both have a field, both are sent,
 * except for fields of which there is one.
 */
export function writeResponseHead(response: ClientResponse, { status, reason, headers: given }: MutableHead): void {
  if (!(response instanceof ServerResponse)) {
    // HTTP/2 has no reason phrase, and its compatibility API would keep only the last line of a repeated field.
    addFields(response, given);
    response.statusCode = status;
    response.writeHead(status);
    return;
  }
  // A middleware may have made a HEAD of a GET: then a length without a body would have the client wait for more, and the
  // next response taken for it. With this, Node throws at the end of such a response, and it is cut.
  if (response.req.method === 'HEAD') response.strictContentLength = true;
  const headers = response.req.httpVersionMinor === 0 ? withoutTrailer(given) : given;
  // The array is the fast way, but it silently drops all earlier values of a name that is in both.
  if (response.getHeaderNames().length === 0) {
    response.writeHead(status, reason, headers);
    return;
  }
  addFields(response, headers);
  response.writeHead(status, reason);
}

/** An HTTP/1.0 client gets no chunks, so nothing can follow them, and Node refuses to announce it. */
function withoutTrailer(headers: readonly string[]): string[] {
  return headers.filter((_text, index) => (headers[index & ~1] as string).toLowerCase() !== 'trailer');
}

/**
 * Sends the head now: Node holds it back over HTTP/1 until something of the body is written. `flushHeaders` would write it in
 * UTF-8, and with it every byte beyond ASCII as two. A `write` that a middleware has put in place may hold an empty piece back.
 */
export function flushResponseHead(response: ClientResponse): void {
  if (response instanceof ServerResponse) ServerResponse.prototype.write.call(response, '', 'latin1');
}

function addFields(response: ClientResponse, headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (SINGLE.has(name.toLowerCase())) response.setHeader(name, value);
    else (response as ServerResponse).appendHeader(name, value);
  }
}

/** The client's connection ends with this response. */
export function closeAfterwards(response: ClientResponse): void {
  if (response instanceof ServerResponse) response.shouldKeepAlive = false;
}

/** The client pipelines, and the answer to an earlier request is still to go out. */
function waitsForTurn(response: ClientResponse): response is ServerResponse {
  return response instanceof ServerResponse && response.socket === null && !response.writableFinished;
}

/**
 * Acts at once, or when the answers to earlier requests of a pipelining client have gone out.
 * @returns what takes it back
 */
export function atTurn(response: ClientResponse, act: () => void): () => void {
  if (!waitsForTurn(response)) {
    act();
    return () => {};
  }
  response.once('socket', act);
  return () => response.removeListener('socket', act);
}

/** Passes a 1xx on, as far as Node's servers can: 102, and 103 with a `Link`. */
export function writeInterim(response: ClientResponse, head: ResponseHead): void {
  if (response.headersSent || response.req.httpVersion === '1.0') return;
  // Node would put it between the head of this response and its body (24.21), and late it is of no use.
  if (waitsForTurn(response)) return;
  try {
    if (head.status === 102 && response instanceof ServerResponse) response.writeProcessing();
    else if (head.status === 102) (response as Http2ServerResponse).stream.additionalHeaders({ ':status': 102 });
    else if (head.status === 103) response.writeEarlyHints(hints(head.headers));
  } catch {
    // A `Link` that Node does not take for one is not worth an answer: the final response is still to come.
  }
}

/** Tells the client to send its body. */
export function writeContinue(response: ClientResponse): void {
  if ('writeContinue' in response && !response.headersSent) response.writeContinue();
}

function hints(headers: readonly string[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    const known = fields[name];
    if (known === undefined) fields[name] = name === 'link' ? [value] : value;
    else fields[name] = Array.isArray(known) ? [...known, value] : `${known}, ${value}`;
  }
  return fields;
}

/** Trailers reach a client only behind a chunked HTTP/1.1 body, or over HTTP/2. */
export function writeTrailers(response: ClientResponse, trailers: readonly string[]): void {
  if (trailers.length === 0) return;
  if (response instanceof ServerResponse && !response.chunkedEncoding) return;
  if (response instanceof ServerResponse) {
    const lines: [string, string][] = [];
    for (let i = 0; i + 1 < trailers.length; i += 2) lines.push([trailers[i] as string, trailers[i + 1] as string]);
    response.addTrailers(lines);
    return;
  }
  const fields: Record<string, string> = {};
  for (let i = 0; i + 1 < trailers.length; i += 2)
    fields[(trailers[i] as string).toLowerCase()] = trailers[i + 1] as string;
  response.addTrailers(fields);
}

/**
 * Ends the client's connection (over HTTP/2, its stream) in the middle of a response, so that nobody takes what came for the
 * whole. Nothing can be said any more, so nothing is. Answers to earlier requests of a pipelining client go out before.
 */
export function cutResponse(response: ClientResponse): void {
  if (response instanceof ServerResponse) {
    // Node closes for it only a socket that it has already, and would else write what it holds at its turn, and wait for more.
    if (waitsForTurn(response)) response.once('socket', (socket: Socket) => socket.destroy());
    response.destroy();
  } else response.stream?.close(2 /* INTERNAL_ERROR: RFC 9113 §7 */);
}

/**
 * Sends a whole body, one character a byte, and ends the response: head and body leave in one write. A response that is over
 * by now, or that somebody has made throw, costs nobody anything but its client.
 */
export function endResponse(response: ClientResponse, body: string): void {
  if (response.destroyed || response.writableEnded) return;
  try {
    if (body.length === 0) response.end();
    else response.end(body, 'latin1');
  } catch {
    cutResponse(response);
  }
}

/** Writes a piece of body. `written` is called once the bytes are not needed any more. Returns `false` to be held up. */
export function writeBody(response: ClientResponse, bytes: Buffer, written: (() => void) | undefined): boolean {
  return written ? (response as ServerResponse).write(bytes, written) : (response as ServerResponse).write(bytes);
}
