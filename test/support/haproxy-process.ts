import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';

const PATIENCE_MS = 10_000;

/** The installed HAProxy, or the one that `HAPROXY` names; `undefined` where there is none. */
export function findHaproxy(): string | undefined {
  if (process.env['HAPROXY']) return process.env['HAPROXY'];
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    try {
      const file = join(folder, 'haproxy');
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}

export function versionOf(haproxy: string): string {
  return /version (\S+)/.exec(spawnSync(haproxy, ['-v'], { encoding: 'utf8' }).stdout)?.[1] ?? 'unknown';
}

/** A test with the HAProxy that is installed; left out where there is none, which fails in CI. */
export function withHaproxy(name: string, body: (haproxy: string, t: TestContext) => Promise<void>): void {
  const haproxy = findHaproxy();
  test(haproxy === undefined ? name : `${name} (HAProxy ${versionOf(haproxy)})`, async (t) => {
    if (haproxy !== undefined) {
      await body(haproxy, t);
      return;
    }
    const missing = 'not installed: haproxy';
    assert.equal(process.env['CI'], undefined, `${missing}; .ci/run must do it, by apt-get install`);
    t.skip(missing);
  });
}

/** What has been started, or is stopped where that fails. */
export async function startedOrStopped<T extends { stop(): Promise<void> }>(
  starting: T,
  start: () => Promise<void>,
): Promise<T> {
  try {
    await start();
    return starting;
  } catch (error) {
    await starting.stop();
    throw error;
  }
}

/** A real HAProxy that ends with this process, however that ends. */
export class HaproxyProcess {
  readonly #child: ChildProcess;
  #complaint = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-4096);
    });
  }

  /** @param stats the file of its stats socket, by which is known that it serves */
  static async start(haproxy: string, config: string, stats: string): Promise<HaproxyProcess> {
    const { status, stdout, stderr } = spawnSync(haproxy, ['-c', '-q', '-f', config], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`HAProxy refuses the configuration:\n${stdout}${stderr}`);
    // The shell ends HAProxy when its input ends, which it does however this process ends.
    const shell = '"$0" -db -f "$1" </dev/null & cat >/dev/null; kill "$!"; wait';
    const started = new HaproxyProcess(
      spawn('/bin/sh', ['-c', shell, haproxy, config], { stdio: ['pipe', 'ignore', 'pipe'] }),
    );
    return startedOrStopped(started, () => started.#serves(stats));
  }

  async #serves(stats: string): Promise<void> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const socket = connect(stats);
      try {
        await once(socket, 'connect');
        return;
      } catch (error) {
        if (Date.now() > until) throw new Error(`HAProxy does not start: ${this.#complaint}`, { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 5));
      } finally {
        socket.destroy();
      }
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.stdin?.end();
    await exited;
  }
}

/** A connection to HAProxy's stats socket that answers one command after another. */
export class RuntimeCommands {
  readonly #socket: Socket;
  #text = '';
  #heard = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      if (this.#text.endsWith('\n> ')) this.#heard.resolve();
    });
    socket.on('close', () => this.#heard.reject(new Error('HAProxy has closed its stats socket')));
  }

  static async open(file: string): Promise<RuntimeCommands> {
    const socket = connect(file);
    await once(socket, 'connect');
    const commands = new RuntimeCommands(socket);
    await commands.run('prompt');
    return commands;
  }

  /** @returns what HAProxy says to it */
  async run(command: string): Promise<string> {
    this.#text = '';
    this.#heard = Promise.withResolvers();
    this.#socket.write(`${command}\n`);
    await this.#heard.promise;
    return this.#text.slice(0, -2).trim();
  }

  close(): void {
    this.#heard.promise.catch(() => undefined);
    this.#socket.destroy();
  }
}
