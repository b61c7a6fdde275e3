import { isIP, type Socket } from 'node:net';
import { type OnRead, readyEvent, type TlsSettings } from '../connections/dial.ts';
import { localProxyHeader } from '../connections/proxy-protocol.ts';
import { tlsFaultWords } from '../connections/tls-faults.ts';
import type { Timer } from '../core/environment.ts';
import { type CheckCode, type CheckResult, oneLine, type Probe } from './health-check.ts';
import { StepFault } from './step-run.ts';

/** What a check does with its connection. Each step may give the probe's result. */
export interface ProbeProtocol {
  /** Close with RST: nothing was said that could be lost, and no TIME_WAIT stays behind. */
  readonly reset: boolean;
  /** What it is called when no complete answer comes in time. Default: L7TOUT. */
  readonly timeoutCode?: CheckCode | undefined;
  /** What has come of the answer that is waited for, short and printable; `undefined`: nothing that is worth telling. */
  readonly heard?: string | undefined;
  /** Whether it reads the socket itself. Asked once it is ready, just before `onReady`. */
  takesOver?(socket: Socket): boolean;
  /** The connection is made, and over TLS its handshake done and the certificate verified. */
  onReady(connection: ProbeConnection): CheckResult | undefined;
  /** The first `length` bytes of `buffer` came; they are gone after the call. */
  onBytes?(buffer: Buffer, length: number): CheckResult | undefined;
  /** The server said its last byte. */
  onClosed?(): CheckResult | undefined;
  /** There is a result, or the probe was cancelled; the socket is closed next. */
  onSettled?(): void;
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

/** Of a probe that is over. */
const OVER: ProbeProtocol = { reset: false, onReady: () => undefined };
const NOBODY = (): void => {};

/** The one connection of a probe: makes it, keeps its time limits, settles once, and closes it whatever happened. */
export class ProbeConnection {
  readonly #probe: Probe;
  #protocol: ProbeProtocol;
  #onResult: (result: CheckResult) => void;
  #phase: keyof typeof PHASES = 'connecting';
  #socket: Socket | undefined;
  #timer: Timer | undefined;
  #limitMs: number;
  #settled = false;
  /** The name that is being looked up. */
  #name: string | undefined;
  /** Reads come as events of the socket, not past its stream. */
  #byEvents = false;

  constructor(probe: Probe, sni: string | undefined, protocol: ProbeProtocol, onResult: (result: CheckResult) => void) {
    this.#probe = probe;
    this.#protocol = protocol;
    this.#onResult = onResult;
    this.#limitMs = probe.connectMs;
    this.#arm();
    try {
      this.#dial(sni);
    } catch (error) {
      // For one, a certificate or key that TLS cannot use. The caller must not hear of it before `run` returns.
      queueMicrotask(() => this.#fail('SOCKERR', wordsOf(error)));
    }
  }

  get overTls(): boolean {
    return this.#probe.target.tls !== undefined;
  }

  /** For a protocol that reads by itself; before the connection is made there may be none. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** @param sent called when the bytes have left the process; its result ends the probe */
  send(bytes: Buffer, sent?: () => CheckResult | undefined): void {
    const written = (error: Error | null | undefined): void => {
      if (!error && sent) this.step(sent);
    };
    this.#socket?.write(bytes, sent && written);
  }

  /** Ends the probe with a result; what comes later is not heard. */
  settle(result: CheckResult): void {
    if (this.#settled) return;
    const onResult = this.#onResult;
    this.#close(this.#protocol.reset);
    onResult(result);
  }

  /** Ends the probe without a result. */
  readonly cancel = (): void => {
    if (!this.#settled) this.#close(false);
  };

  #dial(sni: string | undefined): void {
    const { dialer, target } = this.#probe;
    const { host, socketPath } = target.address;
    if (socketPath === undefined && isIP(host) === 0) this.#name = host;
    const { tls, sendProxy } = target;
    const headerBeforeTls = tls !== undefined && sendProxy !== undefined;
    const { onBytes, takesOver } = this.#protocol;
    const pastStream = onBytes && !takesOver && !headerBeforeTls;
    this.#byEvents = !pastStream;
    const socket = headerBeforeTls
      ? dialer.dial({ ...target, tls: undefined }, undefined)
      : dialer.dial(target, sni, pastStream ? this.#onread : undefined);
    this.#watch(socket);
    if (this.#name !== undefined) this.#watchLookup(socket);
    if (headerBeforeTls) socket.on('connect', () => this.#secure(socket, tls, sni));
    else {
      if (tls) socket.on('connect', () => this.#enter('handshake'));
      socket.on(readyEvent(target), () => this.#ready());
    }
  }

  #watch(socket: Socket): void {
    this.#socket = socket;
    // A check never keeps the process alive.
    socket.unref();
    // A plain socket below TLS is not heard any more: what goes wrong with it is told by the one above. What is told twice
    // does no harm; `once` would cost another function for each.
    socket.on('end', () => socket === this.#socket && this.#ended());
    socket.on('error', (error) => socket === this.#socket && this.#fault(error));
    socket.on('close', () => socket === this.#socket && this.#fail(PHASES[this.#phase].fault, 'connection closed'));
  }

  #watchLookup(socket: Socket): void {
    // Each further address of a name is tried on a handle of its own.
    socket.on('connectionAttempt', () => socket.unref());
    socket.on('lookup', () => {
      this.#name = undefined;
    });
  }

  /** A PROXY header is plain: TLS begins behind it. */
  #secure(plain: Socket, settings: TlsSettings, sni: string | undefined): void {
    if (this.#settled) return;
    this.#enter('handshake');
    try {
      this.#sendHeader();
      const socket = this.#probe.dialer.secure(plain, this.#probe.target.address, settings, sni);
      this.#watch(socket);
      socket.on('secureConnect', () => this.#ready());
    } catch (error) {
      this.#fail('SOCKERR', wordsOf(error));
    }
  }

  #sendHeader(): void {
    const { sendProxy } = this.#probe.target;
    const socket = this.#socket;
    if (!socket || sendProxy === undefined) return;
    const ours = { address: socket.localAddress, port: socket.localPort };
    socket.write(localProxyHeader(sendProxy, ours, { address: socket.remoteAddress, port: socket.remotePort }));
  }

  readonly #onread: OnRead = {
    buffer: () => READ_BUFFER,
    callback: (length) => {
      this.step(() => this.#protocol.onBytes?.(READ_BUFFER, length));
      return !this.#settled;
    },
  };

  /** Does something that may give the result. An error within would leave Node's callback uncaught and the socket open. */
  step(step: () => CheckResult | undefined): void {
    if (this.#settled) return;
    let result: CheckResult | undefined;
    try {
      result = step();
    } catch (error) {
      result =
        error instanceof StepFault ? error.result : { result: 'failed', code: 'L7RSP', description: wordsOf(error) };
    }
    if (result) this.settle(result);
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
    if (!this.overTls) this.#sendHeader();
    this.step(() => {
      const socket = this.#socket as Socket;
      const { onBytes } = this.#protocol;
      if (!this.#protocol.takesOver?.(socket) && onBytes && this.#byEvents)
        socket.on('data', (bytes: Buffer) => this.step(() => this.#protocol.onBytes?.(bytes, bytes.length)));
      return this.#protocol.onReady(this);
    });
  }

  #ended(): void {
    if (this.#phase === 'answer') this.step(() => this.#protocol.onClosed?.());
    this.#fail(PHASES[this.#phase].fault, 'connection closed');
  }

  #fault(error: Error): void {
    const code =
      'code' in error && typeof error.code === 'string' && LOCAL_FAULTS.has(error.code)
        ? 'SOCKERR'
        : PHASES[this.#phase].fault;
    this.#fail(code, lookupWords(error, this.#probe.target.address.host) ?? wordsOf(error));
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = this.#probe.environment.setTimer(() => {
      const { timeout, missing } = PHASES[this.#phase];
      const code = this.#phase === 'answer' ? (this.#protocol.timeoutCode ?? timeout) : timeout;
      const what = this.#name === undefined ? missing : `no answer to the lookup of the name '${this.#name}'`;
      const heard = this.#phase === 'answer' ? this.#protocol.heard : undefined;
      this.#fail(code, `${what} within ${this.#limitMs} ms${heard === undefined ? '' : `, only ${heard}`}`);
    }, this.#limitMs);
  }

  #fail(code: CheckCode, description: string): void {
    this.settle({ result: 'failed', code, description });
  }

  #close(reset: boolean): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#protocol.onSettled?.();
    // V8 may keep the socket for seconds. What the check knew need not stay with it.
    this.#protocol = OVER;
    this.#onResult = NOBODY;
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    // Only a plain TCP socket that is connected can be reset; Node throws for others, or would wait for the connection.
    const { target } = this.#probe;
    if (reset && !socket.connecting && !socket.destroyed && !target.tls && target.address.socketPath === undefined)
      socket.resetAndDestroy();
    else socket.destroy();
  }
}

/** What became of a name, to be acted on: it is misspelt or gone, or whoever should know it does not answer. */
function lookupWords(error: Error, name: string): string | undefined {
  const { code } = error as { code?: unknown };
  if (code === 'ENOTFOUND') return `the name '${name}' is unknown: no address was found for it`;
  if (code === 'EAI_AGAIN') return `the name '${name}' could not be looked up: no name server answers`;
  return undefined;
}

/** A fault in words; TLS errors carry a `reason` that is clearer than their message. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'could not connect';
  const ofTls = tlsFaultWords(error);
  if (ofTls !== undefined) return oneLine(ofTls);
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  if (typeof code === 'string' && Object.hasOwn(FAULT_WORDS, code)) return FAULT_WORDS[code] ?? code;
  if (typeof reason === 'string') return oneLine(reason);
  return oneLine(error.message) || (typeof code === 'string' ? code : 'could not connect');
}
