import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';

/** A server of WebSockets, of the package `ws`, that sends back what it gets. Stops with the test. */
export class EchoServer {
  readonly url: string;
  readonly sockets: WebSocketServer;
  readonly #server: http.Server;
  readonly #connections = new Set<Socket>();

  private constructor(server: http.Server, sockets: WebSocketServer) {
    this.#server = server;
    this.sockets = sockets;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    sockets.on('connection', (socket) => {
      socket.on('error', () => {});
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
  }

  static async start(t: TestContext): Promise<EchoServer> {
    const server = http.createServer((_request, response) => response.writeHead(426).end('no WebSocket'));
    const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] ?? false });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 });
    await once(server, 'listening');
    const echo = new EchoServer(server, sockets);
    t.after(() => echo.kill());
    return echo;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#connections.size;
  }

  /** Ends at once, as a process that is killed: no WebSocket is told. */
  kill(): void {
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
  }
}

/** What became of an attempt to open a WebSocket. */
export type Opened =
  | { readonly socket: WebSocket; readonly fields: http.IncomingHttpHeaders }
  | { readonly status: number; readonly fields: http.IncomingHttpHeaders; readonly body: string };

/** Opens a WebSocket, or tells how it was refused. */
export async function openWebSocket(url: string, protocols: string[] = []): Promise<Opened> {
  const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
  let fields: http.IncomingHttpHeaders = {};
  socket.on('upgrade', (response) => {
    fields = response.headers;
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve({ socket, fields }));
    socket.once('error', reject);
    socket.once('unexpected-response', async (_request, response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode ?? 0, fields: response.headers, body });
    });
  });
}

/** Opens a WebSocket that must open. */
export async function webSocket(url: string, protocols?: string[]): Promise<WebSocket> {
  const opened = await openWebSocket(url, protocols);
  if (!('socket' in opened)) throw new Error(`refused: ${opened.status} ${opened.body}`);
  return opened.socket;
}

/** Sends a message and waits for the next one. */
export async function ask(socket: WebSocket, message: string | Buffer): Promise<string | Buffer> {
  const answer = once(socket, 'message');
  socket.send(message);
  const [data, isBinary] = (await answer) as [Buffer, boolean];
  return isBinary ? data : data.toString();
}
