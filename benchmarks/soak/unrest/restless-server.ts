import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { FAULTS, type Fault, reset } from '../../../test/support/fault-servers.ts';
import { type Framing, MessageReader } from '../../../test/support/message-reader.ts';
import { OriginConnection, OriginRequest } from '../../../test/support/origin.ts';
import { drained } from '../../../test/support/raw-client.ts';
import { between } from './chance.ts';
import type { Tally } from './tally.ts';

/** What every big body begins with. It does not repeat with the size of any buffer. */
export const PATTERN: Buffer = Buffer.from(Uint8Array.from({ length: 524_288 }, (_, i) => (i * 131 + (i >> 8)) & 255));

const PIECE_BYTES = 40_000;
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';

/** What a server in order answers to an upload. */
export function receiptOf(id: number, bytes: number, crc: number): string {
  return `${id} ${bytes} ${crc}`;
}

/**
 * A server that can misbehave, stop and start again at its address. In order, it answers `/get/ID` with the ID, `/big/ID/SIZE`
 * with so much of the pattern, any body with a receipt, and an upgrade with an echo.
 */
export class RestlessServer {
  readonly name: string;
  /** When it began to be in order and in service, without a break; `undefined`: it is not. */
  goodSince: number | undefined = undefined;
  readonly #random: () => number;
  readonly #posts: Tally;
  readonly #sockets = new Set<Socket>();
  #server: net.Server | undefined = undefined;
  #port = 0;
  #connections = 0;
  #fault: Fault | undefined = undefined;
  #faultName = '';
  #checksSeeIt = false;
  #inService = true;
  #changedAt = 0;

  constructor(name: string, random: () => number, posts: Tally) {
    this.name = name;
    this.#random = random;
    this.#posts = posts;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** It misbehaves, or is stopped. */
  get troubled(): boolean {
    return this.#fault !== undefined || this.#server === undefined;
  }

  get inService(): boolean {
    return this.#inService;
  }

  /** The operator has told the pool to give it no work, or to give it some again. */
  set inService(inService: boolean) {
    this.#inService = inService;
    this.#note();
  }

  /** Listens; at its old address when it had one. */
  async start(): Promise<void> {
    for (;;) {
      const server = net.createServer({ noDelay: true }, (socket) => this.#take(socket));
      try {
        await once(server.listen(this.#port, '127.0.0.1'), 'listening');
        this.#port = (server.address() as AddressInfo).port;
        this.#server = server;
        this.#note();
        return;
      } catch {
        await delay(20); // a connection of somebody's has been given this port in the meantime
      }
    }
  }

  /** Is gone, as a process that is killed: its connections are reset. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#note();
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) reset(socket);
    await closed;
  }

  /** Misbehaves from now on. @param checksSeeIt health checks get the same treatment */
  misbehave(name: string, checksSeeIt: boolean): void {
    this.#fault = FAULTS[name];
    this.#faultName = name;
    this.#checksSeeIt = checksSeeIt;
    this.#note();
  }

  /** In order again. */
  async recover(): Promise<void> {
    this.#fault = undefined;
    if (this.#server === undefined) await this.start();
    this.#note();
  }

  /** How it is, and since when: for who has to find out why a request failed. */
  get condition(): string {
    const how = this.#server === undefined ? 'stopped' : this.#fault ? this.#faultName : 'well';
    const ago = ((performance.now() - this.#changedAt) / 1000).toFixed(1);
    return `${how}${this.#fault && this.#checksSeeIt ? ' for checks too' : ''}${this.#inService ? '' : ', out'} ${ago} s`;
  }

  #note(): void {
    this.#changedAt = performance.now();
    if (this.troubled || !this.#inService) this.goodSince = undefined;
    else this.goodSince ??= performance.now();
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const connection = new OriginConnection(++this.#connections, socket);
    this.#fault?.accepted?.(socket, connection);
    let request: OriginRequest | undefined;
    let crc = 0;
    let nth = 0;
    const reader = new MessageReader({
      onHead: (head) => {
        request = new OriginRequest(head, connection, ++nth);
        request.keepsBody = false;
        crc = 0;
        const asks = request.field('expect') !== undefined;
        // One that asks first does nothing before its body comes.
        if (request.method === 'POST' && !asks) this.#posts.add(idOf(request));
        if (asks && !this.#fault) socket.write(CONTINUE);
        return framingOf(request);
      },
      onBody: (bytes) => {
        crc = crc32(bytes, crc);
        if (request?.length === 0 && request.method === 'POST' && request.field('expect') !== undefined)
          this.#posts.add(idOf(request));
        request?.add(bytes);
      },
      onEnd: () => {
        if (request) this.#asked(request, crc);
      },
      onJunk: () => socket.destroy(),
    });
    socket.on('data', (chunk) => reader.push(chunk));
  }

  #asked(request: OriginRequest, crc: number): void {
    const { socket } = request;
    const check = request.target.startsWith('/check');
    if (this.#fault && (!check || this.#checksSeeIt)) this.#fault.asked?.(socket, request);
    else if (check) socket.write(whole('', ''));
    else if (request.field('upgrade') !== undefined) {
      socket.removeAllListeners('data');
      socket.write(SWITCHING);
      socket.pipe(socket);
    } else if (this.#random() < 0.75) this.#answer(request, crc);
    else setTimeout(() => this.#answer(request, crc), between(this.#random, 1, 30));
  }

  #answer(request: OriginRequest, crc: number): void {
    const { socket } = request;
    if (socket.destroyed) return;
    const [, kind, id, size] = request.target.split('/');
    const last = this.#random() < 0.02;
    const field = last ? 'Connection: close\r\n' : '';
    if (kind === 'big') {
      void pour(socket, PATTERN.subarray(0, Number(size)), this.#random() < 0.5);
      return;
    }
    const hints = this.#random() < 0.05 ? HINTS : '';
    const body = kind === 'get' ? String(id) : receiptOf(Number(id), request.length, crc);
    socket.write(hints + whole(field, body), 'latin1', () => {
      if (last) socket.end();
    });
  }
}

function whole(field: string, body: string): string {
  return `HTTP/1.1 200 OK\r\n${field}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Writes a big answer, piece by piece as it is taken. */
async function pour(socket: Socket, body: Buffer, chunked: boolean): Promise<void> {
  socket.write(
    `HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`}\r\n\r\n`,
  );
  for (let at = 0; at < body.length && !socket.destroyed; at += PIECE_BYTES) {
    const piece = body.subarray(at, at + PIECE_BYTES);
    if (chunked) socket.write(`${piece.length.toString(16)}\r\n`);
    const flowing = socket.write(piece);
    if (chunked) socket.write('\r\n');
    if (!flowing) await drained(socket);
  }
  if (chunked && !socket.destroyed) socket.write('0\r\n\r\n');
}

function idOf({ target }: OriginRequest): number {
  return Number(target.split('/')[2]);
}

function framingOf(request: OriginRequest): Framing {
  if (request.field('transfer-encoding') !== undefined) return 'chunked';
  const length = request.field('content-length');
  return length === undefined ? 'none' : Number(length);
}
