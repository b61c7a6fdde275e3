import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { isFieldValue, isToken } from '../http1/characters.ts';
import type { ResponseHead } from '../http1/response-head.ts';
import type { MutableHead } from './forwarder.ts';

/** Takes a response on its way to the client. */
export interface ResponseSink {
  /** http-proxy-3 has done with the head, and the body is about to flow. */
  onPiped(proxyRes: IncomingMessage): void;
  /** Returns `false` to be given no more until the stand-in emits `drain`. */
  onResponseBody(chunk: Buffer): boolean;
  onResponseEnd(): void;
}

/** Fields that speak of one connection, or frame the message: never taken from http-proxy-3. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'keep-alive', 'proxy-authenticate', 'proxy-connection'],
  ...['te', 'transfer-encoding', 'upgrade'],
]);

/**
 * Stands in for the client's response: notes the head that http-proxy-3 would give it, and hands on the body that is piped
 * into it. It is only what http-proxy-3 and a readable's `pipe` ask of a response.
 */
export class ResponseStandIn extends EventEmitter {
  readonly #sink: ResponseSink;
  readonly #fields = new Map<string, { readonly name: string; readonly values: readonly string[] }>();
  readonly headersSent = false;
  readonly finished = false;
  readonly writableFinished = false;
  statusCode = 200;
  statusMessage = '';

  constructor(sink: ResponseSink) {
    super();
    this.#sink = sink;
    this.once('pipe', (proxyRes: IncomingMessage) => sink.onPiped(proxyRes));
  }

  setHeader(name: string, value: unknown): this {
    this.#fields.set(name.toLowerCase(), { name, values: (Array.isArray(value) ? value : [value]).map(String) });
    return this;
  }

  write(chunk: Buffer): boolean {
    return this.#sink.onResponseBody(chunk);
  }

  end(): void {
    this.#sink.onResponseEnd();
  }

  /**
   * The head as http-proxy-3 and listeners have left it. What they have not touched is as the server sent it: Node's client
   * has joined repeated fields, dropped some, and takes hop-by-hop fields for others.
   * @param head as our parser has read it
   */
  headFor(head: ResponseHead, proxyRes: IncomingMessage): MutableHead {
    const endToEnd = linesByName(head.headers);
    const received = linesByName(proxyRes.rawHeaders);
    const headers: string[] = [];
    for (const [key, { name, values }] of this.#fields) {
      const lines = endToEnd.get(key);
      if (lines && (key === 'content-length' || areSame(values, lines))) {
        for (const line of lines) headers.push(name, line);
      } else if ((lines || !(received.has(key) || NOT_TAKEN.has(key))) && isToken(name) && values.every(isFieldValue)) {
        for (const value of values) headers.push(name, value);
      }
    }
    const { statusCode: status, statusMessage: reason } = this;
    return {
      status: Number.isInteger(status) && status >= 200 && status <= 999 ? status : head.status,
      reason: isFieldValue(reason) ? reason : head.reason,
      headers,
    };
  }
}

function linesByName(headers: readonly string[]): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const known = lines.get(name);
    if (known) known.push(headers[i + 1] as string);
    else lines.set(name, [headers[i + 1] as string]);
  }
  return lines;
}

/** Whether Node has made `values` of `lines`: an array for `Set-Cookie`, one joined value for any other field. */
function areSame(values: readonly string[], lines: readonly string[]): boolean {
  if (values.length === 1) return values[0] === lines.join(', ');
  return values.length === lines.length && values.every((value, index) => value === lines[index]);
}
