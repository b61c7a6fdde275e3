import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { StickRequest } from './stick-record.ts';

/** What a server does with a request. */
export interface Told {
  /** Resolves once a server has been asked. */
  readonly asked: Promise<void>;
  wasAsked: boolean;
  /** Lets the server answer. */
  answer(): void;
}

interface Plan extends Told {
  readonly text: string;
  readonly ask: () => void;
  readonly released: Promise<void>;
}

/** Every server: answers the request of each id as it was told. */
export class StickOrigin {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #plans = new Map<string, Plan>();

  constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async listen(file: string): Promise<void> {
    this.#server.listen(file);
    await once(this.#server, 'listening');
  }

  /** @param holds its answer waits for `answer` */
  expect(id: string, request: StickRequest, holds: boolean): Told {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    if (!holds) released.resolve();
    const plan: Plan = {
      text: answerOf(request),
      asked: asked.promise,
      wasAsked: false,
      ask: asked.resolve,
      answer: released.resolve,
      released: released.promise,
    };
    this.#plans.set(id, plan);
    return plan;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    let text = '';
    socket.setEncoding('latin1').on('data', (piece) => {
      text += String(piece);
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const plan = this.#plans.get(/\r\nx-id: (\S+)/i.exec(text)?.[1] ?? '');
      if (!plan) return;
      plan.wasAsked = true;
      plan.ask();
      plan.released.then(() => socket.end(plan.text, 'latin1'));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function answerOf({ status = 200, answer = [], body = 0 }: StickRequest): string {
  if (status === 'close') return '';
  if (status === 'junk') return 'this is not HTTP\r\n\r\n';
  const lines = [
    'connection: close',
    `content-length: ${status === 'cut' ? body + 1 : body}`,
    ...answer.map(([name, value]) => `${name}: ${value}`),
  ];
  return [`HTTP/1.1 ${status === 'cut' ? 200 : status} X`, ...lines, '', 'x'.repeat(body)].join('\r\n');
}
