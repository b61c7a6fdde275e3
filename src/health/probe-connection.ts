import type { Socket } from 'node:net';
import { type OnRead, readyEvent } from '../connections/dial.ts';
import type { Timer } from '../core/environment.ts';
import { type CheckCode, type CheckResult, oneLine, type Probe } from './health-check.ts';

/** What a check does with its connection. Each step may give the probe's result. */
export interface ProbeProtocol {
  /** Close with RST: nothing was said that could be lost, and no TIME_WAIT stays behind. */
  readonly reset: boolean;
  /** The connection is made, and over TLS its handshake done and the certificate verified. */
  onReady(connection: ProbeConnection): CheckResult | undefined;
  /** The first `length` bytes of `buffer` came; they are gone after the call. */
  onBytes?(buffer: Buffer, length: number): CheckResult | undefined;
  /** The server said its last byte. */
  onClosed?(): CheckResult | undefined;
}

/** Read into by all probes: what came is used up before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(16_384);

/** What is wrong with our own machine, and says nothing of the server. */
export const LOCAL_FAULTS: ReadonlySet<string> = new Set([
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EADDRNOTAVAIL',
  'EADDRINUSE',
]);

const FAULT_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'connection timed out',
  ENOENT: 'no such socket',
  EACCES: 'permission denied',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'the name could not be looked up',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  EADDRNOTAVAIL: 'no local port left',
};

/** The phases of a probe, with the code of a fault and of a time-out in each. HAProxy: check.c:chk_report_conn_err. */
const PHASES = {
  connecting: { fault: 'L4CON', timeout: 'L4TOUT', missing: 'no connection' },
  handshake: { fault: 'L6RSP', timeout: 'L6TOUT', missing: 'no TLS handshake' },
  answer: { fault: 'SOCKERR', timeout: 'L7TOUT', missing: 'no complete answer' },
} as const satisfies Record<string, { fault: CheckCode; timeout: CheckCode; missing: string }>;

/** The one connection of a probe: makes it, keeps its time limits, settles once, and closes it whatever happened. */
export class ProbeConnection {
  readonly #probe: Probe;
  readonly #protocol: ProbeProtocol;
  readonly #onResult: (result: CheckResult) => void;
  #phase: keyof typeof PHASES = 'connecting';
  #socket: Socket | undefined;
  #timer: Timer | undefined;
  #limitMs: number;
  #settled = false;

  constructor(probe: Probe, sni: string | undefined, protocol: ProbeProtocol, onResult: (result: CheckResult) => void) {
    this.#probe = probe;
    this.#protocol = protocol;
    this.#onResult = onResult;
    this.#limitMs = probe.connectMs;
    this.#arm();
    try {
      this.#socket = this.#dial(sni);
    } catch (error) {
      // For one, a certificate or key that TLS cannot use. The caller must not hear of it before `run` returns.
      queueMicrotask(() => this.#fail('SOCKERR', wordsOf(error)));
    }
  }

  get overTls(): boolean {
    return this.#probe.target.tls !== undefined;
  }

  send(bytes: Buffer): void {
    this.#socket?.write(bytes);
  }

  /** Ends the probe with a result; what comes later is not heard. */
  #settle(result: CheckResult): void {
    if (this.#settled) return;
    this.#close(this.#protocol.reset);
    this.#onResult(result);
  }

  /** Ends the probe without a result. */
  readonly cancel = (): void => {
    if (!this.#settled) this.#close(false);
  };

  #dial(sni: string | undefined): Socket {
    const { dialer, target } = this.#probe;
    const { onBytes } = this.#protocol;
    const socket = dialer.dial(target, sni, onBytes && this.#onread);
    // A check never keeps the process alive. Each further address of a name is tried on a handle of its own.
    socket.unref();
    socket.on('connectionAttempt', () => socket.unref());
    if (target.tls) socket.once('connect', () => this.#enter('handshake'));
    socket.once(readyEvent(target), () => this.#ready());
    socket.once('end', () => this.#ended());
    socket.once('error', (error) => this.#fault(error));
    socket.once('close', () => this.#fail(PHASES[this.#phase].fault, 'connection closed'));
    return socket;
  }

  readonly #onread: OnRead = {
    buffer: () => READ_BUFFER,
    callback: (length) => {
      this.#step(() => this.#protocol.onBytes?.(READ_BUFFER, length));
      return !this.#settled;
    },
  };

  /** An error within would leave Node's callback uncaught and the socket open. */
  #step(step: () => CheckResult | undefined): void {
    if (this.#settled) return;
    let result: CheckResult | undefined;
    try {
      result = step();
    } catch (error) {
      result = { result: 'failed', code: 'L7RSP', description: wordsOf(error) };
    }
    if (result) this.#settle(result);
  }

  #enter(phase: 'handshake' | 'answer'): void {
    if (!this.#settled) this.#phase = phase;
  }

  #ready(): void {
    if (this.#settled) return;
    this.#enter('answer');
    const { answerMs } = this.#probe;
    if (answerMs !== undefined) {
      this.#limitMs = answerMs;
      this.#arm();
    }
    this.#step(() => this.#protocol.onReady(this));
  }

  #ended(): void {
    if (this.#phase === 'answer') this.#step(() => this.#protocol.onClosed?.());
    this.#fail(PHASES[this.#phase].fault, 'connection closed');
  }

  #fault(error: Error): void {
    const code =
      'code' in error && typeof error.code === 'string' && LOCAL_FAULTS.has(error.code)
        ? 'SOCKERR'
        : PHASES[this.#phase].fault;
    this.#fail(code, wordsOf(error));
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#probe.environment.setTimer(() => {
      const { timeout, missing } = PHASES[this.#phase];
      this.#fail(timeout, `${missing} within ${this.#limitMs} ms`);
    }, this.#limitMs);
  }

  #fail(code: CheckCode, description: string): void {
    this.#settle({ result: 'failed', code, description });
  }

  #close(reset: boolean): void {
    this.#settled = true;
    this.#timer?.cancel();
    const socket = this.#socket;
    if (!socket) return;
    // Only a plain TCP socket that is connected can be reset; Node throws for others, or would wait for the connection.
    const { target } = this.#probe;
    if (reset && !socket.connecting && !socket.destroyed && !target.tls && target.address.socketPath === undefined)
      socket.resetAndDestroy();
    else socket.destroy();
  }
}

/** A fault in words; TLS errors carry a `reason` that is clearer than their message. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'could not connect';
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (typeof code === 'string' && Object.hasOwn(FAULT_WORDS, code)) return FAULT_WORDS[code] ?? code;
  if (typeof reason === 'string') return oneLine(reason);
  return oneLine(error.message) || (typeof code === 'string' ? code : 'could not connect');
}
