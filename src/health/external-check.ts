import { type ChildProcess, spawn } from 'node:child_process';
import type { OptionReader } from '../core/options.ts';
import { type CheckResult, type HealthCheck, oneLine, type Probe } from './health-check.ts';

/** The options of a check that runs a program. HAProxy: `option external-check`. */
export interface ExternalCheckOptions {
  readonly type: 'external';
  /**
   * Absolute path of the program, which gets four arguments: `NOT_USED`, `NOT_USED`, and the server's address and port.
   * It passes when it exits with 0. Required. HAProxy: `external-check command`.
   */
  readonly command: string;
  /** `PATH` of the program. Default: none. HAProxy: `external-check path`. */
  readonly path?: string;
}

/** Says of an address that it has no port, and of the pool that it has no address. */
const NOT_USED = 'NOT_USED';

const COMMAND = "the absolute path of a program: '/usr/local/bin/check'";

/** @param permitted whether the pool lets checks run programs */
export function readExternalCheck(read: OptionReader, permitted: boolean): HealthCheck {
  const command = read.string('command', { default: undefined, allowed: COMMAND, test: /^\/[^\0]+$/ });
  if (!read.has('command')) read.reject('command', `is missing; allowed: ${COMMAND}`);
  const path = read.read('path', '', "folders: '/usr/bin:/bin'", (value) =>
    typeof value === 'string' && !value.includes('\0') ? value : undefined,
  );
  if (!permitted) read.reject('type', "runs a program, which needs the pool's option `externalCheck: true`");
  return { run: (probe, onResult) => new ProgramRun(command ?? '', path, probe, onResult).cancel };
}

/** What the program is told. HAProxy: extcheck.c:prepare_external_check. */
export function environmentOf({ server, target: { address, tls } }: Probe, path: string): Record<string, string> {
  const unused = { HAPROXY_PROXY_ADDR: '', HAPROXY_PROXY_ID: '', HAPROXY_PROXY_NAME: '', HAPROXY_PROXY_PORT: '' };
  return {
    PATH: path,
    ...unused,
    HAPROXY_SERVER_ADDR: address.socketPath ?? address.host,
    HAPROXY_SERVER_CURCONN: String(server.active),
    HAPROXY_SERVER_ID: String(server.id),
    HAPROXY_SERVER_MAXCONN: String(server.maxconn),
    HAPROXY_SERVER_NAME: server.name,
    HAPROXY_SERVER_PORT: address.socketPath === undefined ? String(address.port) : '',
    HAPROXY_SERVER_PROTO: 'h1',
    HAPROXY_SERVER_SSL: tls ? '1' : '0',
  };
}

export function argumentsOf({ target: { address } }: Probe): string[] {
  const { socketPath, host, port } = address;
  return [NOT_USED, NOT_USED, socketPath ?? host, socketPath === undefined ? String(port) : NOT_USED];
}

const FAULT_WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such program',
  EACCES: 'not a program that may be run',
  ENOEXEC: 'not a program',
  EAGAIN: 'no more processes allowed',
  ENOMEM: 'no memory for a process',
};

/** What is wrong with our own machine. */
const LOCAL_FAULTS: readonly string[] = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'];

class ProgramRun {
  readonly #onResult: (result: CheckResult) => void;
  readonly #stopTimer: () => void;
  #child: ChildProcess | undefined;
  #settled = false;

  constructor(command: string, path: string, probe: Probe, onResult: (result: CheckResult) => void) {
    this.#onResult = onResult;
    const limitMs = probe.answerMs ?? probe.connectMs;
    const timer = probe.environment.setTimer(() => {
      this.#settle({ result: 'failed', code: 'PROCTOUT', description: `killed after ${limitMs} ms` });
    }, limitMs);
    this.#stopTimer = () => timer.cancel();
    try {
      this.#child = spawn(command, argumentsOf(probe), {
        cwd: '/',
        env: environmentOf(probe, path),
        stdio: 'ignore',
        // A process group of its own, so that what it has started is ended with it.
        detached: true,
      });
    } catch (error) {
      queueMicrotask(() => this.#notStarted(error as Error));
      return;
    }
    this.#child.unref();
    this.#child.once('error', (error) => this.#notStarted(error));
    this.#child.once('exit', (status, signal) => this.#exited(status, signal));
  }

  readonly cancel = (): void => {
    if (!this.#settled) this.#end();
  };

  #notStarted(error: NodeJS.ErrnoException): void {
    const { code = '' } = error;
    const description = FAULT_WORDS[code] ?? oneLine(error.message);
    this.#settle({ result: 'failed', code: LOCAL_FAULTS.includes(code) ? 'SOCKERR' : 'PROCERR', description });
  }

  #exited(status: number | null, signal: NodeJS.Signals | null): void {
    if (status === 0) this.#settle({ result: 'passed', code: 'PROCOK', description: '' });
    else {
      const description = status === null ? `ended by ${signal}` : `exit status ${status}`;
      this.#settle({ result: 'failed', code: 'PROCERR', status: status ?? undefined, description });
    }
  }

  #settle(result: CheckResult): void {
    if (this.#settled) return;
    this.#end();
    this.#onResult(result);
  }

  /** Ends the program, too, and all of its group, unless it has ended by itself. SIGTERM, as HAProxy sends, can be ignored. */
  #end(): void {
    this.#settled = true;
    this.#stopTimer();
    const child = this.#child;
    // Once it has ended, its number may be another's.
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has ended, and nobody has told us yet.
    }
  }
}
