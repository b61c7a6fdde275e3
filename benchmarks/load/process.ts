import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';

/** What a process has used since it was started. */
export interface Usage {
  readonly cpuMicros: number;
  readonly rssBytes: number;
}

/** A process that was started here and is ended here. */
export interface Started {
  readonly child: ChildProcess;
  /** The end of what it wrote to its standard error. */
  complaint(): string;
  stop(): Promise<void>;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGTERM'); // nginx ends its worker only when it is asked
});

/** The full name of an installed program, looked for in `PATH` and where servers' programs are put. */
export function installed(program: string): string | undefined {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    try {
      const file = join(folder, program);
      accessSync(file, constants.X_OK);
      return file;
    } catch {}
  }
  return undefined;
}

/** Starts a process, on one core when `core` is given. */
export function start(
  command: readonly [string, ...string[]],
  { core, ipc = false, output = false }: { core?: number | undefined; ipc?: boolean; output?: boolean } = {},
): Started {
  const [program, ...rest] = core === undefined ? command : (['taskset', '-c', String(core), ...command] as const);
  const child = spawn(program, rest, { stdio: ['ignore', output ? 'pipe' : 'ignore', 'pipe', ipc ? 'ipc' : 'ignore'] });
  alive.add(child);
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096);
  });
  child.on('error', (error) => {
    errors += error.message;
  });
  const exited = once(child, 'exit').then(() => alive.delete(child));
  exited.catch(() => alive.delete(child));
  return {
    child,
    complaint: () => errors.trim(),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGTERM');
      const patience = setTimeout(() => child.kill('SIGKILL'), 3000);
      await exited.catch(() => {});
      clearTimeout(patience);
    },
  };
}

/** The cores this process may run on, or none where they cannot be chosen. */
export function cores(): readonly number[] {
  if (installed('taskset') === undefined) return [];
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readProc('self/status') ?? '')?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return first === undefined || last === undefined || Number.isNaN(first)
      ? []
      : Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** CPU and memory of a process and its direct children (nginx's worker), from /proc. */
export function usageOf(pid: number): Usage {
  let ticks = 0;
  let rssPages = 0;
  for (const each of [pid, ...childrenOf(pid)]) {
    // The second field, the name, may hold anything up to its last ')'. Fields 14, 15 and 24 of proc_pid_stat(5).
    const fields = (readProc(`${each}/stat`) ?? '')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number);
    ticks += (fields[11] ?? 0) + (fields[12] ?? 0);
    rssPages += fields[21] ?? 0;
  }
  return { cpuMicros: (ticks * 1e6) / configured('CLK_TCK'), rssBytes: rssPages * configured('PAGESIZE') };
}

function childrenOf(pid: number): readonly number[] {
  return (readProc(`${pid}/task/${pid}/children`) ?? '').split(' ').filter(Boolean).map(Number);
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

const settings = new Map<string, number>();
function configured(name: 'CLK_TCK' | 'PAGESIZE'): number {
  let value = settings.get(name);
  if (value === undefined)
    settings.set(name, (value = Number(spawnSync('getconf', [name], { encoding: 'utf8' }).stdout)));
  return value;
}

/** Ports of 127.0.0.1 that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
