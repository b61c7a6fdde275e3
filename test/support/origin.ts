import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type Field, type Framing, type MessageHead, MessageReader, valuesOf } from './message-reader.ts';

/** A request as it reached a server, to the letter. */
export class OriginRequest {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly fields: readonly Field[];
  readonly connection: OriginConnection;
  /** Which request of its connection: 1 is the first. */
  readonly nth: number;
  trailers: readonly Field[] = [];
  /** Bytes of body that came so far. */
  length = 0;
  /** Keeps the bytes of the body; switched off by tests of big bodies. */
  keepsBody = true;
  readonly #chunks: Buffer[] = [];
  readonly #ended = Promise.withResolvers<boolean>();

  constructor({ startLine, fields }: MessageHead, connection: OriginConnection, nth: number) {
    const [method = '', target = '', version = ''] = startLine.split(' ');
    this.method = method;
    this.target = target;
    this.version = version;
    this.fields = fields;
    this.connection = connection;
    this.nth = nth;
  }

  get socket(): net.Socket {
    return this.connection.socket;
  }

  values(name: string): string[] {
    return valuesOf(this.fields, name);
  }

  /** The one value of that field; `undefined` without it. */
  field(name: string): string | undefined {
    return this.values(name).join(' | ') || undefined;
  }

  /** Resolves once the message is over: `true` when it was whole. */
  get ended(): Promise<boolean> {
    return this.#ended.promise;
  }

  /** The body in latin1, once it is whole. */
  async body(): Promise<string> {
    if (!(await this.ended)) throw new Error('the request was cut');
    return this.bytes.toString('latin1');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Answers once the request is whole. */
  async reply(answer: string | Buffer): Promise<void> {
    if (await this.ended) this.socket.write(answer, 'latin1');
  }

  add(chunk: Buffer): void {
    this.length += chunk.length;
    if (this.keepsBody) this.#chunks.push(chunk);
  }

  over(whole: boolean): void {
    this.#ended.resolve(whole);
  }
}

/** A connection to an origin. */
export class OriginConnection {
  /** Which one: 1 is the first. */
  readonly nth: number;
  readonly socket: net.Socket;
  readonly requests: OriginRequest[] = [];
  readonly closed: Promise<void>;
  /** The peer has reset it. */
  reset = false;

  constructor(nth: number, socket: net.Socket) {
    this.nth = nth;
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {
      this.reset = true;
    });
  }
}

/** What a server does with a request whose head has come. */
export type Script = (request: OriginRequest) => unknown;

export interface OriginOptions {
  /** Speaks TLS. */
  readonly tls?: tls.TlsOptions;
  /** Listens on a unix socket in place of a port. */
  readonly path?: string;
  /** Does this with a connection; `false` reads nothing off it. */
  readonly onConnection?: (connection: OriginConnection) => unknown;
}

/** A server for tests: a bare socket server that does what its script says, and notes all that reaches it. */
export class Origin {
  readonly url: string;
  readonly port: number;
  readonly requests: OriginRequest[] = [];
  readonly connections: OriginConnection[] = [];
  script: Script;
  readonly #server: net.Server;
  readonly #waiting: { count: number; resolve: (request: OriginRequest) => void }[] = [];
  readonly #awaited: { count: number; resolve: (connection: OriginConnection) => void }[] = [];
  readonly #options: OriginOptions;

  private constructor(server: net.Server, script: Script, options: OriginOptions) {
    this.#server = server;
    this.script = script;
    this.#options = options;
    const at = server.address();
    this.port = typeof at === 'object' && at !== null ? at.port : 0;
    this.url = options.path ? `unix:${options.path}` : `${options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  static async start(script: Script, options: OriginOptions = {}): Promise<Origin> {
    const server = options.tls ? tls.createServer(options.tls) : net.createServer({ noDelay: true });
    server.listen(options.path === undefined ? { port: 0, host: '127.0.0.1' } : { path: options.path });
    await once(server, 'listening');
    const origin = new Origin(server, script, options);
    server.on(options.tls ? 'secureConnection' : 'connection', (socket: net.Socket) => origin.#take(socket));
    server.on('tlsClientError', () => {});
    return origin;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.connections.filter(({ socket }) => !socket.destroyed).length;
  }

  /** The nth request, once its head has come. */
  request(nth: number): Promise<OriginRequest> {
    return nthOf(this.requests, this.#waiting, nth, 'request');
  }

  /** The nth connection, once it is made. */
  connection(nth: number): Promise<OriginConnection> {
    return nthOf(this.connections, this.#awaited, nth, 'connection');
  }

  /** Closes everything; a new connection is refused from now on. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const { socket } of this.connections) socket.destroy();
    await closed;
  }

  #take(socket: net.Socket): void {
    const connection = new OriginConnection(this.connections.length + 1, socket);
    this.connections.push(connection);
    settle(this.#awaited, connection, this.connections.length);
    if (this.#options.onConnection?.(connection) === false) return;
    let current: OriginRequest | undefined;
    const reader = new MessageReader({
      onHead: (head) => {
        current = new OriginRequest(head, connection, connection.requests.length + 1);
        connection.requests.push(current);
        this.requests.push(current);
        settle(this.#waiting, current, this.requests.length);
        const framing = framingOf(current);
        // After the parser knows whether the request is whole already.
        queueMicrotask(this.script.bind(undefined, current));
        return framing;
      },
      onBody: (bytes) => current?.add(bytes),
      onEnd: (trailers) => {
        if (current) current.trailers = trailers;
        current?.over(true);
      },
      onJunk: () => current?.over(false),
    });
    socket.on('data', (chunk) => reader.push(chunk));
    socket.on('close', () => current?.over(false));
  }
}

/** A request that says twice how long it is, or in two ways, must never reach a server: it is taken for junk. */
function framingOf(request: OriginRequest): Framing {
  const lengths = request.values('content-length');
  const codings = request.values('transfer-encoding');
  if (lengths.length + codings.length > 1) throw new Error('a request of two lengths reached a server');
  if (codings.length > 0) return 'chunked';
  return lengths[0] === undefined ? 'none' : Number(lengths[0]);
}

function nthOf<T>(
  list: readonly T[],
  waiting: { count: number; resolve: (item: T) => void }[],
  nth: number,
  what: string,
): Promise<T> {
  const known = list[nth - 1];
  if (known) return Promise.resolve(known);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${what} number ${nth} came`)), 10_000);
    waiting.push({
      count: nth,
      resolve: (item) => {
        clearTimeout(timer);
        resolve(item);
      },
    });
  });
}

function settle<T>(waiting: { count: number; resolve: (item: T) => void }[], item: T, count: number): void {
  for (const entry of waiting) if (entry.count === count) entry.resolve(item);
}

/** Where connections are refused: nobody listens there, and no other server of a test can come to. */
export const REFUSING = 'http://127.0.0.1:1';

/** A whole response with a Content-Length. */
export function ok(body = 'ok', fields: Readonly<Record<string, string>> = {}): string {
  return response(200, body, fields);
}

export function response(status: number, body = '', fields: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} X\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
}

/** Answers every request with a 200 once it is whole. */
export function answersOk(body?: string, fields?: Readonly<Record<string, string>>): Script {
  return (request) => request.reply(ok(body, fields));
}
