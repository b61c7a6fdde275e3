import type { Duplex } from 'node:stream';
import type { Deadlines, Expiring } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import type { TerminationFlags } from '../core/errors.ts';
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

/** Writes the head of a 101 as it goes to the client. */
export function writeSwitchingHead({ reason, headers }: MutableHead, protocol: string): string {
  let head = `HTTP/1.1 101 ${reason || 'Switching Protocols'}\r\nconnection: Upgrade\r\nupgrade: ${protocol}\r\n`;
  for (let i = 0; i + 1 < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${head}\r\n`;
}

/**
 * Bytes both ways between a client and a server after an upgrade, until either is gone or nothing has moved for too long.
 * Both sides are torn down together.
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
    client.on('error', ignore);
    server.on('error', ignore);
    client.write(head, 'latin1');
    if (early) this.#toClient(early);
    const clientHead = this.#exchange.upgradeHead;
    if (clientHead && clientHead.length > 0) this.#toServer(clientHead);
    server.on('data', this.#toClient);
    client.on('data', this.#toServer);
    server.on('drain', () => client.resume());
    client.on('drain', () => server.resume());
    client.on('end', () => this.#halfClose('client'));
    server.on('end', () => this.#halfClose('server'));
    client.on('close', () => this.#end(this.#clientEnded || this.#serverEnded ? '--' : 'CD'));
    server.on('close', () => this.#end(this.#clientEnded || this.#serverEnded ? '--' : 'SD'));
    if (client.destroyed) this.#end('CD');
    else if (server.destroyed) this.#end('SD');
  }

  abort(): void {
    this.#tearDown();
  }

  onDeadline(): void {
    this.#end(this.#serverEnded ? 'cD' : 'sD');
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
    if (!this.#server.socket.write(chunk)) this.#client.pause();
  };

  #halfClose(side: 'client' | 'server'): void {
    if (side === 'client') {
      this.#clientEnded = true;
      this.#server.socket.end();
    } else {
      this.#serverEnded = true;
      this.#client.end();
    }
    this.#touch();
    if (this.#clientEnded && this.#serverEnded) this.#end('--');
  }

  #touch(): void {
    const { tunnelMs, clientFinMs, serverFinMs } = this.#exchange.timeouts;
    const limitMs = this.#clientEnded ? serverFinMs : this.#serverEnded ? clientFinMs : tunnelMs;
    this.deadline = this.#parts.environment.now() + limitMs;
  }

  #end(flags: TerminationFlags): void {
    if (this.#over) return;
    this.#tearDown();
    this.#sink.onOutcome(flags === '--' ? { kind: 'answered', status: 101 } : { kind: 'cut', status: 101, flags });
  }

  #tearDown(): void {
    if (this.#over) return;
    this.#over = true;
    this.#parts.deadlines.remove(this);
    // What was written and has not left yet still may: `destroy` would drop a server's last words.
    if (this.#client.writableLength > 0 && this.#serverEnded && !this.#client.destroyed)
      this.#client.once('finish', () => this.#client.destroy());
    else this.#client.destroy();
    this.#server.destroy();
  }
}

function ignore(): void {}
