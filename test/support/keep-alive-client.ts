import net from 'node:net';

/** What came back for one request. */
export interface Reply {
  /** 0: no whole answer came. */
  readonly status: number;
  /** In latin1. */
  readonly body: string;
  /** Why there is no whole answer. */
  readonly fault: 'refused' | 'closed' | 'cut' | 'stuck' | 'junk' | undefined;
}

const STATUS = /^HTTP\/1\.1 (\d{3}) /;
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/**
 * A keep-alive client on a bare socket, cheap enough to make many thousand requests a second beside what is measured. It
 * knows answers with a Content-Length only, and connects anew when its connection is gone.
 */
export class KeepAliveClient {
  readonly #port: number;
  #socket: net.Socket | undefined;
  #text = '';
  #settle: ((reply: Reply) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a whole request in latin1 and waits for its answer, but not longer than `limitMs`. */
  ask(request: string, limitMs = 10_000): Promise<Reply> {
    const socket = this.#socket ?? this.#connect();
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#timer = setTimeout(() => this.#end('stuck'), limitMs);
      socket.write(request, 'latin1');
    });
  }

  /** Goes away, whatever is under way. */
  leave(): void {
    this.#end('closed');
  }

  #connect(): net.Socket {
    const socket = net.connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('data', (text: string) => {
      if (this.#socket === socket) this.#onData(text);
    });
    socket.on('close', () => {
      if (this.#socket === socket)
        this.#end(socket.bytesRead === 0 && socket.bytesWritten === 0 ? 'refused' : 'closed');
    });
    this.#socket = socket;
    return socket;
  }

  #onData(text: string): void {
    this.#text += text;
    const head = this.#text.indexOf('\r\n\r\n');
    if (head === -1) return;
    const status = STATUS.exec(this.#text)?.[1];
    const length = LENGTH.exec(this.#text.slice(0, head + 2))?.[1];
    if (status === undefined || length === undefined || this.#settle === undefined) {
      this.#end('junk');
      return;
    }
    const end = head + 4 + Number(length);
    if (this.#text.length < end) return;
    const body = this.#text.slice(head + 4);
    if (this.#text.length > end) this.#end('junk');
    else this.#finish({ status: Number(status), body, fault: undefined });
  }

  #end(fault: NonNullable<Reply['fault']>): void {
    const began = this.#text !== '';
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#finish({ status: 0, body: '', fault: fault === 'closed' && began ? 'cut' : fault });
  }

  #finish(reply: Reply): void {
    clearTimeout(this.#timer);
    this.#text = '';
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.(reply);
  }
}
