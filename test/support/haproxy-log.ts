import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const PATIENCE_MS = 10_000;

/** HAProxy's `log-format` that a `HaproxyLog` reads; the unique id names the request. */
export const LOG_FORMAT = '%ID %s %rc %tsc';

export interface Logged {
  readonly server: string;
  readonly redispatched: true | undefined;
  readonly flags: string;
}

/** What HAProxy logs of each request, once it is over. */
export class HaproxyLog {
  readonly #socket = createSocket('udp4');
  readonly #heard = new Map<string, (logged: Logged) => void>();

  async listen(): Promise<void> {
    this.#socket.bind(0, '127.0.0.1').on('message', (message) => {
      const [id = '', server = '', retries = '', flags = ''] = message.toString('latin1').trim().split(' ');
      this.#heard.get(id)?.({ server, redispatched: retries.startsWith('+') || undefined, flags });
    });
    await once(this.#socket, 'listening');
  }

  get port(): number {
    return this.#socket.address().port;
  }

  of(id: string): Promise<Logged> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`HAProxy logs nothing of ${id}`)), PATIENCE_MS);
      this.#heard.set(id, (logged) => {
        clearTimeout(timer);
        resolve(logged);
      });
    });
  }

  close(): void {
    this.#socket.close();
  }
}
