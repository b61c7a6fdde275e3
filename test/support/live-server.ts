import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';

/** Servers refuse to run as root; everyone has this user. */
const NOBODY = 65_534;
const PATIENCE_MS = 60_000;

/** Where Debian keeps programs that are on nobody's PATH, the newest first. */
function unusualFolders(): string[] {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return ['/usr/sbin', '/usr/local/sbin', ...versions.map((version) => join(root, version, 'bin'))];
}

/** The installed program of that name, or the file of that path; `undefined` where there is none. */
export function findInstalled(name: string): string | undefined {
  if (isAbsolute(name)) return existsSync(name) ? name : undefined;
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...unusualFolders()]) {
    try {
      const file = join(folder, name);
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}

/** A real server, with all it needs in a folder of its own, on a free port of 127.0.0.1. */
export class LiveServer {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'evenkeel-live-'));
  port = 0;
  readonly #user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  #process: ChildProcess | undefined;
  #complaint = '';

  constructor() {
    chmodSync(this.folder, 0o700);
    if (this.#user.uid !== undefined) chownSync(this.folder, NOBODY, NOBODY);
  }

  file(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): string {
    const file = this.file(name);
    writeFileSync(file, text);
    if (this.#user.uid !== undefined) chownSync(file, NOBODY, NOBODY);
    return file;
  }

  /** Runs a program to its end, in the folder. */
  run(program: string, ...given: string[]): void {
    const { status, stdout, stderr } = spawnSync(program, given, { ...this.#settings(), encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} ends with ${status}:\n${stdout}${stderr}`);
  }

  /** Starts the server, and waits until it accepts connections. @param port Default: one that is free */
  async start(program: string, given: (port: string) => readonly string[], port?: number): Promise<void> {
    this.port = port ?? (await freePort());
    // The shell ends the server when its input ends, which it does however this process ends.
    const shell = '"$0" "$@" </dev/null & cat >/dev/null; kill "$!"; wait';
    const child = spawn('/bin/sh', ['-c', shell, program, ...given(String(this.port))], {
      ...this.#settings(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#complaint = (this.#complaint + text).slice(-4096);
      });
    const until = Date.now() + PATIENCE_MS;
    while (!(await accepts(this.port))) {
      if (Date.now() > until) throw new Error(`${program} does not start: ${this.#complaint}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Ends the server; it may be started again. */
  async end(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.stdin?.end();
      await exited;
    }
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #settings(): { cwd: string; env: NodeJS.ProcessEnv; uid?: number; gid?: number } {
    const env = { PATH: process.env['PATH'], LC_ALL: 'C', HOME: this.folder, TMPDIR: this.folder };
    return { cwd: this.folder, env, ...this.#user };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
