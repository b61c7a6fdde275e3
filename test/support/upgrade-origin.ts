import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** One upgrade as a server gets it: the request's head, then nothing but the socket. */
export interface UpgradeRequest {
  readonly head: string;
  readonly socket: Socket;
  /** Whatever has come behind the head, growing. */
  readonly received: Buffer[];
  readonly ended: Promise<unknown>;
  readonly closed: Promise<unknown>;
}

/** A 101 as a server of WebSockets writes it; more fields as lines. */
export function switching(...lines: string[]): string {
  return ['HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket', ...lines, '\r\n'].join(
    '\r\n',
  );
}

/** A request for an upgrade. */
export function upgradeRequest(path = '/', ...lines: string[]): string {
  const head = [`GET ${path} HTTP/1.1`, 'Host: front.test', 'Connection: Upgrade', 'Upgrade: websocket', ...lines];
  return `${head.join('\r\n')}\r\n\r\n`;
}

/** A server on bare sockets, whose sides close each by itself. Stops with the test. */
export class UpgradeOrigin {
  readonly url: string;
  readonly sockets: Set<Socket> = new Set();
  readonly requests: UpgradeRequest[] = [];
  readonly #server: net.Server;
  #awaited: { readonly count: number; readonly resolve: (request: UpgradeRequest) => void }[] = [];

  private constructor(server: net.Server, act: (request: UpgradeRequest) => void) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket: Socket) => this.#take(socket, act));
  }

  /** @param act what it does with a request; by default it agrees at once */
  static async start(
    t: TestContext,
    act: (request: UpgradeRequest) => void = ({ socket }) => void socket.write(switching()),
  ): Promise<UpgradeOrigin> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = new UpgradeOrigin(server, act);
    t.after(() => origin.stop());
    return origin;
  }

  /** The nth request, once its head has come. */
  request(nth: number): Promise<UpgradeRequest> {
    const known = this.requests[nth - 1];
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => this.#awaited.push({ count: nth, resolve }));
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  #take(socket: Socket, act: (request: UpgradeRequest) => void): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const ended = new Promise((resolve) => socket.once('end', resolve));
    socket.once('close', () => this.sockets.delete(socket));
    const received: Buffer[] = [];
    let head = '';
    let known = false;
    socket.on('data', (chunk: Buffer) => {
      if (known) {
        received.push(chunk);
        return;
      }
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end === -1) return;
      known = true;
      if (head.length > end + 4) received.push(Buffer.from(head.slice(end + 4), 'latin1'));
      const request = { head: head.slice(0, end), socket, received, ended, closed };
      this.requests.push(request);
      act(request);
      this.#awaited = this.#awaited.filter(({ count, resolve }) => {
        if (count === this.requests.length) resolve(request);
        return count > this.requests.length;
      });
    });
  }
}

/** A client on a bare socket, whose sides close each by itself, with all that it has received. */
export class UpgradeClient {
  readonly socket: Socket;
  readonly ended: Promise<unknown>;
  readonly closed: Promise<unknown>;
  #received = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    this.ended = new Promise((resolve) => socket.once('end', resolve));
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  static async open(t: TestContext, port: number): Promise<UpgradeClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return new UpgradeClient(socket);
  }

  /** Opens a tunnel and gives it once the 101 is there. */
  static async upgraded(t: TestContext, port: number, path?: string): Promise<UpgradeClient> {
    const client = await UpgradeClient.open(t, port);
    client.socket.write(upgradeRequest(path));
    await client.until(/^HTTP\/1\.1 101 .*\r\n\r\n/s);
    return client;
  }

  get text(): string {
    return this.#received.toString('latin1');
  }

  get length(): number {
    return this.#received.length;
  }

  /** Waits until what was received matches; fails when the connection is gone without. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) {
      if (this.socket.destroyed) throw new Error(`closed with ${JSON.stringify(this.text)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
