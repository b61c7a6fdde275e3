import type { OutgoingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Deadlines, Expiring } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import type { TerminationFlags, TimeLimit } from '../core/errors.ts';
import type { Endpoint, HttpExchange, MutableHead, OutcomeSink } from './forwarder.ts';

/** The server's end of a tunnel, and how to be rid of it. */
export interface TunnelEnd {
  readonly socket: Duplex;
  readonly destroy: () => void;
}

interface TunnelParts {
  readonly environment: Environment;
  readonly deadlines: Deadlines;
}

/** Fields that the 101 has of its own, or cannot have. */
const NOT_TAKEN_OVER: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'content-type', 'keep-alive', 'transfer-encoding', 'upgrade'],
]);

/**
 * Writes the head of a 101 as it goes to the client.
 * @param earlier fields that a framework has set on the response; those that the server sends too are the server's
 */
export function writeSwitchingHead(
  { reason, headers }: MutableHead,
  protocol: string,
  earlier: OutgoingHttpHeaders = {},
): string {
  let head = `HTTP/1.1 101 ${reason || 'Switching Protocols'}\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n`;
  const names = new Set<string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    head += `${headers[i]}: ${headers[i + 1]}\r\n`;
    names.add((headers[i] as string).toLowerCase());
  }
  for (const [name, value] of Object.entries(earlier)) {
    if (NOT_TAKEN_OVER.has(name) || (names.has(name) && name !== 'set-cookie')) continue;
    for (const line of Array.isArray(value) ? value : [value]) head += `${name}: ${line}\r\n`;
  }
  return `${head}\r\n`;
}

/**
 * Bytes both ways between a client and a server after an upgrade, until either is gone or nothing has moved for too long.
 * A side that ends its half leaves the other half open; when one is gone, the other gets what was written for it and goes too.
 * @see HAProxy `timeout tunnel`, `timeout client-fin`, `timeout server-fin`
 */
export class Tunnel implements Expiring {
  readonly #exchange: HttpExchange;
  readonly #endpoint: Endpoint;
  readonly #parts: TunnelParts;
  readonly #client: Duplex;
  readonly #server: TunnelEnd;
  readonly #sink: OutcomeSink;
  #clientEnded = false;
  #serverEnded = false;
  /** The server was gone without having ended its side. */
  #cut: 'SD' | undefined = undefined;
  #over = false;

  deadline: number;
  deadlineIndex = -1;

  constructor(
    exchange: HttpExchange,
    client: Duplex,
    server: TunnelEnd,
    parts: TunnelParts,
    endpoint: Endpoint,
    sink: OutcomeSink,
  ) {
    this.#exchange = exchange;
    this.#endpoint = endpoint;
    this.#parts = parts;
    this.#client = client;
    this.#server = server;
    this.#sink = sink;
    this.deadline = parts.environment.now() + exchange.timeouts.tunnelMs;
  }

  /** @param early bytes that the server sent behind its 101 */
  start(head: string, early: Buffer | undefined): void {
    const client = this.#client;
    const server = this.#server.socket;
    this.#parts.deadlines.add(this);
    for (const socket of [client, server]) {
      socket.on('error', ignore);
      socket.allowHalfOpen = true;
      // Limits that were set for requests, such as `server.timeout`, are not for tunnels.
      if (socket instanceof Socket) socket.setTimeout(0);
    }
    client.write(head, 'latin1');
    if (early) this.#toClient(early);
    const clientHead = this.#exchange.upgradeHead;
    if (clientHead && clientHead.length > 0) this.#toServer(clientHead);
    server.on('data', this.#toClient);
    client.on('data', this.#toServer);
    server.on('drain', () => client.resume());
    client.on('drain', () => server.resume());
    client.on('end', () => this.#onClientEnd());
    server.on('end', () => this.#onServerEnd());
    client.on('close', () => this.#onClientClose());
    server.on('close', () => this.#onServerClose());
    if (client.destroyed) this.#onClientClose();
    else if (server.destroyed) this.#onServerClose();
  }

  abort(): void {
    this.#tearDown();
  }

  onDeadline(): void {
    if (this.#serverEnded) this.#end('cD', 'client-fin');
    else this.#end('sD', this.#clientEnded ? 'server-fin' : 'tunnel');
  }

  readonly #toClient = (chunk: Buffer): void => {
    this.#touch();
    this.#exchange.bytesOut += chunk.length;
    this.#endpoint.server.counters.bout += chunk.length;
    if (!this.#client.write(chunk)) this.#server.socket.pause();
  };

  readonly #toServer = (chunk: Buffer): void => {
    this.#touch();
    this.#exchange.bytesIn += chunk.length;
    this.#endpoint.server.counters.bin += chunk.length;
    const { socket } = this.#server;
    if (!socket.destroyed && !socket.write(chunk)) this.#client.pause();
  };

  #onClientEnd(): void {
    this.#clientEnded = true;
    this.#server.socket.end();
    this.#touch();
  }

  #onServerEnd(): void {
    this.#serverEnded = true;
    this.#client.end();
    this.#touch();
  }

  /** What the server still sends, nobody takes; what it is still to get, it gets if the client had said all. */
  #onClientClose(): void {
    if (this.#server.socket.destroyed) this.#end(this.#cut ?? '--');
    else if (this.#clientEnded && this.#serverEnded) this.#touch();
    else this.#end('CD');
  }

  /** `destroy` would drop the server's last words: the client goes once it has them. */
  #onServerClose(): void {
    if (!this.#serverEnded) this.#cut = 'SD';
    if (this.#client.destroyed || this.#client.writableFinished) {
      this.#end(this.#cut ?? '--');
      return;
    }
    this.#serverEnded = true;
    // Bytes left unread would turn our FIN into a reset, which takes the last words from a client that has not read them yet.
    this.#client.resume();
    this.#client.end(() => this.#end(this.#cut ?? '--'));
    this.#touch();
  }

  #touch(): void {
    const { tunnelMs, clientFinMs, serverFinMs } = this.#exchange.timeouts;
    const limitMs = this.#serverEnded ? clientFinMs : this.#clientEnded ? serverFinMs : tunnelMs;
    const { deadlines, environment } = this.#parts;
    deadlines.moveTo(this, environment.now() + limitMs);
  }

  #end(flags: TerminationFlags, timeout?: TimeLimit): void {
    if (this.#over) return;
    this.#tearDown();
    this.#sink.onOutcome(
      flags === '--' ? { kind: 'answered', status: 101 } : { kind: 'cut', status: 101, flags, timeout },
    );
  }

  #tearDown(): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.deadlines.remove(this);
    this.#client.destroy();
    this.#server.destroy();
  }
}

function ignore(): void {}
