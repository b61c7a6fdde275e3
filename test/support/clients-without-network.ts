import { createServer, type RequestListener, type Server } from 'node:http';
import { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';

const REQUEST = Buffer.from(
  'GET /items/42?page=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\nCookie: a=b\r\n\r\n',
);

/** A client's socket as a server of Node's has it, with no descriptor behind it. */
class Wire extends Socket {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

/** More clients than a process may have descriptors for: each has sent one request to a server of Node's own. */
export class ClientsWithoutNetwork {
  readonly #server: Server;
  #wires: Wire[] = [];

  constructor(handler: RequestListener) {
    this.#server = createServer(handler);
  }

  async come(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const wire = new Wire();
      this.#wires.push(wire);
      this.#server.emit('connection', wire);
      wire.push(REQUEST);
      if (i % 1_000 === 0) await setImmediate();
    }
    await setImmediate();
  }

  /** The first of those that are there leave. */
  async leave(count: number): Promise<void> {
    for (const wire of this.#wires.splice(0, count)) wire.destroy();
    await setImmediate();
  }
}

/** Bytes of the heap that are in use. Needs `--expose-gc`. */
export async function heapInUse(): Promise<number> {
  const { gc } = globalThis;
  if (!gc) throw new Error('run with --expose-gc');
  for (let i = 0; i < 4; i++) {
    gc();
    await setImmediate();
  }
  return process.memoryUsage().heapUsed;
}
