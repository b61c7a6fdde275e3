import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type Answer, type Client, ClientExchange, HANG_MS, type RequestSpec } from './client-exchange.ts';
import { type Field, type Framing, type MessageHead, MessageReader, valuesOf } from './message-reader.ts';

const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) ?(.*)$/;

/**
 * An HTTP/1 client on a bare socket: sends exactly what it is told, tells a whole response from a cut one, and takes
 * nothing that two readers could read differently.
 */
export class RawClient implements Client {
  readonly socket: net.Socket;
  readonly closed: Promise<void>;
  /** Bytes that came without any request to answer. */
  unasked = '';
  readonly #reader: MessageReader;
  readonly #open: RawExchange[] = [];
  #reset = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.#reader = new MessageReader({
      onHead: (head) => this.#onHead(head),
      onBody: (bytes) => this.#open[0]?.sawBody(bytes),
      onEnd: (trailers) => this.#onEnd(trailers),
      onJunk: () => this.#open[0]?.over('junk'),
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', () => {
      this.#reset = true;
    });
    socket.on('end', () => {
      this.#reader.end();
      this.#giveUp('closed');
      socket.end();
    });
    socket.on('close', () => {
      this.#giveUp(this.#reset ? 'reset' : 'closed');
      resolve();
    });
  }

  /** Nothing is under way, and more may be asked. */
  get usable(): boolean {
    return this.#open.length === 0 && this.socket.writable;
  }

  static async open(port: number, tlsOptions?: tls.ConnectionOptions): Promise<RawClient> {
    const socket = tlsOptions
      ? tls.connect({ port, host: '127.0.0.1', ...tlsOptions })
      : net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, tlsOptions ? 'secureConnect' : 'connect');
    return new RawClient(socket);
  }

  start(spec: RequestSpec = {}): RawExchange {
    const { method = 'GET', path = '/', host = 'front.test', fields = [], body, framing, version = '1.1' } = spec;
    const length = framing ?? (body === undefined ? undefined : Buffer.byteLength(body, 'latin1'));
    let head = `${method} ${path} HTTP/${version}\r\n`;
    if (host !== null) head += `Host: ${host}\r\n`;
    for (const [name, value] of fields) head += `${name}: ${value}\r\n`;
    if (length === 'chunked') head += 'Transfer-Encoding: chunked\r\n';
    else if (length !== undefined) head += `Content-Length: ${length}\r\n`;
    const exchange = this.expect(method, length === 'chunked');
    this.socket.cork();
    this.socket.write(`${head}\r\n`, 'latin1');
    if (body !== undefined) {
      exchange.write(body);
      exchange.finish(spec.trailers);
    }
    this.socket.uncork();
    return exchange;
  }

  send(spec: RequestSpec = {}): Promise<Answer> {
    return this.start(spec).end;
  }

  /** Writes these bytes and waits for one response. */
  sendRaw(bytes: string | Buffer, method = 'GET'): Promise<Answer> {
    const exchange = this.expect(method, false);
    this.socket.write(bytes, 'latin1');
    return exchange.end;
  }

  /** Takes the next response for that of a request which the test writes by itself. */
  expect(method = 'GET', chunked = false): RawExchange {
    const exchange = new RawExchange(this.socket, method, chunked);
    this.#open.push(exchange);
    if (this.socket.destroyed) exchange.over('closed');
    return exchange;
  }

  leave(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#open.length === 0) {
      this.unasked += chunk.toString('latin1');
      return;
    }
    this.#reader.push(chunk);
    if (this.#open.length === 0 && this.#reader.midway) this.unasked += '(bytes behind the last answer)';
  }

  #onHead({ startLine, fields }: MessageHead): Framing {
    const exchange = this.#open[0];
    const [, digits, reason = ''] = STATUS_LINE.exec(startLine) ?? [];
    if (!exchange || digits === undefined) {
      this.unasked += startLine;
      exchange?.over('junk');
      return 'close';
    }
    const status = Number(digits);
    if (status < 200 && status !== 101) {
      exchange.sawInterim({ status, fields });
      return 'none';
    }
    exchange.sawHead(status, reason, fields);
    const framing = framingOf(status, exchange.method, fields);
    if (framing === undefined) exchange.over('junk');
    return framing ?? 'close';
  }

  #onEnd(trailers: readonly Field[]): void {
    const exchange = this.#open[0];
    if (!exchange || exchange.answer.status === 0) return; // an interim response
    this.#open.shift();
    exchange.sawTrailers(trailers);
    exchange.over('complete');
  }

  #giveUp(ending: 'closed' | 'reset'): void {
    for (const exchange of this.#open.splice(0)) exchange.over(ending);
  }
}

/** `undefined`: the message could be read in two ways. */
function framingOf(status: number, method: string, fields: readonly Field[]): Framing | undefined {
  const lengths = valuesOf(fields, 'content-length');
  const codings = valuesOf(fields, 'transfer-encoding');
  const clear =
    lengths.length + codings.length <= 1 &&
    codings.every((coding) => coding === 'chunked') &&
    lengths.every((length) => /^\d+$/.test(length));
  if (!clear || (status === 204 && lengths.length + codings.length > 0)) return undefined;
  if (method === 'HEAD' || status === 204 || status === 304 || status === 101) return 'none';
  if (codings.length > 0) return 'chunked';
  return lengths[0] === undefined ? 'close' : Number(lengths[0]);
}

/** Resolves once a socket takes more, or is gone. Leaves no listener behind. */
export function drained(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (!socket.writableNeedDrain || socket.destroyed) {
      resolve();
      return;
    }
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

/** An exchange over a bare socket. */
export class RawExchange extends ClientExchange {
  readonly method: string;
  readonly #socket: net.Socket;
  readonly #chunked: boolean;

  constructor(socket: net.Socket, method: string, chunked: boolean) {
    super(HANG_MS);
    this.#socket = socket;
    this.method = method;
    this.#chunked = chunked;
  }

  write(bytes: Buffer | string): boolean {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    if (!this.#chunked) return this.#socket.write(buffer);
    if (buffer.length === 0) return true;
    this.#socket.write(`${buffer.length.toString(16)}\r\n`);
    this.#socket.write(buffer);
    return this.#socket.write('\r\n');
  }

  async drained(): Promise<void> {
    await drained(this.#socket);
  }

  finish(trailers: readonly Field[] = []): void {
    if (!this.#chunked) return;
    const lines = trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.#socket.write(`0\r\n${lines}\r\n`, 'latin1');
  }

  leave(): void {
    this.#socket.destroy();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
}
