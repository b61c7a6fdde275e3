import { once } from 'node:events';
import http2 from 'node:http2';
import { type Answer, type Client, ClientExchange, HANG_MS, type RequestSpec } from './client-exchange.ts';
import type { Field } from './message-reader.ts';

/** A client that speaks HTTP/2 with prior knowledge, in the clear. Names of fields are lower-case, as there are no others. */
export class Http2Client implements Client {
  readonly session: http2.ClientHttp2Session;
  readonly closed: Promise<void>;

  constructor(session: http2.ClientHttp2Session) {
    this.session = session;
    session.on('error', () => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    session.on('close', () => resolve());
  }

  static async open(port: number): Promise<Http2Client> {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    await once(session, 'connect');
    return new Http2Client(session);
  }

  start(spec: RequestSpec = {}): Http2Exchange {
    const { method = 'GET', path = '/', host = 'front.test', fields = [], body, framing } = spec;
    const headers: Record<string, string | string[]> = Object.create(null);
    headers[':method'] = method;
    if (method !== 'CONNECT') Object.assign(headers, { ':path': path, ':scheme': 'http' });
    if (host !== null) headers[':authority'] = host;
    for (const [name, value] of fields) {
      const known = headers[name.toLowerCase()];
      headers[name.toLowerCase()] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
    }
    const length = framing ?? (body === undefined ? undefined : Buffer.byteLength(body, 'latin1'));
    if (typeof length === 'number') headers['content-length'] = String(length);
    const hasBody = length !== undefined && !(length === 0 && body !== undefined);
    const stream = this.session.request(headers, { endStream: !hasBody, waitForTrailers: spec.trailers !== undefined });
    const exchange = new Http2Exchange(stream);
    if (spec.trailers) {
      const trailers = Object.fromEntries(spec.trailers);
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    }
    if (body !== undefined && hasBody) {
      exchange.write(body);
      exchange.finish();
    }
    return exchange;
  }

  send(spec: RequestSpec = {}): Promise<Answer> {
    return this.start(spec).end;
  }

  leave(): void {
    this.session.destroy();
  }
}

/** One stream. */
export class Http2Exchange extends ClientExchange {
  readonly #stream: http2.ClientHttp2Stream;

  constructor(stream: http2.ClientHttp2Stream) {
    super(HANG_MS);
    this.#stream = stream;
    let ended = false;
    stream.on('headers', (headers, _flags, raw: string[]) =>
      this.sawInterim({ status: Number(headers[':status']), fields: fieldsOf(raw) }),
    );
    stream.on('response', (headers, _flags, raw: string[]) =>
      this.sawHead(Number(headers[':status']), '', fieldsOf(raw)),
    );
    stream.on('data', (chunk: Buffer) => this.sawBody(chunk));
    stream.on('trailers', (_headers, _flags, raw: string[]) => this.sawTrailers(fieldsOf(raw)));
    stream.on('end', () => {
      ended = true;
      // The response may be over before the request is; the stream lives on then.
      setImmediate(() => {
        if (stream.rstCode === http2.constants.NGHTTP2_NO_ERROR && !stream.aborted && this.answer.status !== 0)
          this.over('complete');
      });
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      const whole = ended && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR && this.answer.status !== 0;
      this.over(whole ? 'complete' : stream.rstCode === http2.constants.NGHTTP2_NO_ERROR ? 'closed' : 'reset');
    });
  }

  write(bytes: Buffer | string): boolean {
    return this.#stream.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  async drained(): Promise<void> {
    if (this.#stream.writableNeedDrain && !this.#stream.destroyed) {
      await Promise.race([once(this.#stream, 'drain'), once(this.#stream, 'close')]);
    }
  }

  finish(): void {
    this.#stream.end();
  }

  leave(): void {
    this.#stream.destroy(); // `close` would end the request in good order before it resets the stream
  }
  pause(): void {
    this.#stream.pause();
  }
  resume(): void {
    this.#stream.resume();
  }
}

/** Names and values in turn, without pseudo-fields. */
function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (!name.startsWith(':')) fields.push([name, value]);
  }
  return fields;
}
