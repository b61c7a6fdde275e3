import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Where servers listen whose dynamic cookies are wanted; loopback only. */
const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3', '::1'];

export interface Seen {
  asked: boolean;
  cookies: readonly string[];
}

/** Every server: keeps the request of each id, and answers it as it was told. */
export class CookieOrigin {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #told = new Map<string, { seen: Seen; answer: string }>();
  readonly #ports = new Map<string, number>();

  async listen(file: string): Promise<void> {
    await this.#open().listen(file);
    for (const host of HOSTS) {
      const server = this.#open();
      server.listen(0, host);
      await once(server, 'listening');
      this.#ports.set(host, (server.address() as AddressInfo).port);
    }
  }

  #open(): Server {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
      let text = '';
      socket.setEncoding('latin1').on('data', (piece) => {
        text += String(piece);
        if (!text.includes('\r\n\r\n')) return;
        const head = fieldsOf(text);
        const told = this.#told.get(head.values('x-id')[0] ?? '');
        if (told) {
          told.seen.asked = true;
          told.seen.cookies = head.values('cookie');
        }
        socket.end(told?.answer ?? '', 'latin1');
      });
    });
    this.#servers.push(server);
    return server;
  }

  expect(id: string, status: number, fields: readonly (readonly [string, string])[]): Seen {
    const seen = { asked: false, cookies: [] };
    const lines = ['connection: close', ...fields.map(([name, value]) => `${name}: ${value}`)];
    if (status !== 204 && status !== 304) lines.push('content-length: 0');
    this.#told.set(id, { seen, answer: [`HTTP/1.1 ${status} X`, ...lines, '', ''].join('\r\n') });
    return seen;
  }

  /** @param address one of `HOSTS`, with or without a port of another run's */
  addressAt(address: string): string {
    const host = address.replace(/^\[?([\d.:]*?)\]?(?::\d{2,5})?$/, '$1');
    const port = this.#ports.get(host);
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) {
      if (!server.listening) continue;
      server.close();
      await once(server, 'close');
    }
  }
}

/** The values of a head's fields as they stand: all but one space behind the colon. */
export function fieldsOf(text: string): { values: (name: string) => string[] } {
  const lines = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n').slice(1);
  const fields = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ]);
  return { values: (name) => fields.filter(([known]) => known === name).map(([, value]) => value as string) };
}
