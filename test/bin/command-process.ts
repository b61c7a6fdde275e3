import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const COMMAND = import.meta.resolve('#src/bin/evenkeel.ts');
const LIMIT_MS = 20_000;

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command in a process of its own. It is ended with its test. */
export class CommandProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(t: TestContext, args: readonly string[], { script = COMMAND }: { script?: string } = {}) {
    const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
    this.child = spawn(
      process.execPath,
      [...conditions, '--disable-warning=ExperimentalWarning', fileURLToPath(script), ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    t.after(() => this.child.kill('SIGKILL'));
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...this.#output() };
    });
  }

  /** Resolves with the match as soon as the process has written it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const giveUp = AbortSignal.timeout(LIMIT_MS);
    for (;;) {
      const match = pattern.exec(this.stdout);
      if (match) return match;
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}: ${this.stderr}`);
      try {
        await Promise.race([once(this.child.stdout, 'data', { signal: giveUp }), this.ended]);
      } catch (cause) {
        throw new Error(`it never said ${pattern}, but:\n${this.stdout}${this.stderr}`, { cause });
      }
    }
  }

  /** Where it listens. */
  async url(): Promise<string> {
    return (await this.says(/listening on (\S+),/))[1] ?? '';
  }

  #output(): { stdout: string; stderr: string } {
    return { stdout: this.stdout, stderr: this.stderr };
  }
}

/** A server of the test's own, on 127.0.0.1. */
export async function origin(t: TestContext, listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}
