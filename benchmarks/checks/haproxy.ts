/** HAProxy at the same: one thread, and nothing but checks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHaproxy, HaproxyProcess, RuntimeCommands, versionOf } from '../../test/support/haproxy-process.ts';
import { usageOf } from '../load/process.ts';
import { INTERVAL_MS, type Reading, SERVERS } from './contender.ts';

function configuration(port: number, stats: string): string {
  const servers = Array.from({ length: SERVERS }, (_, index) => `  server s${index} 127.0.0.1:${port} check`);
  return `global
  nbthread 1
  maxconn 100
  stats socket ${stats}
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
backend pool
  option httpchk
  http-check send meth GET uri / ver HTTP/1.1 hdr host 127.0.0.1
  default-server inter ${INTERVAL_MS}ms
${servers.join('\n')}
`;
}

export class HaproxyChecks {
  readonly #process: HaproxyProcess;
  readonly #folder: string;
  readonly #pid: number;
  readonly #name: string;

  private constructor(process: HaproxyProcess, folder: string, pid: number, name: string) {
    this.#process = process;
    this.#folder = folder;
    this.#pid = pid;
    this.#name = name;
  }

  /** @returns why there is nothing to measure, where that is so */
  static async start(port: number): Promise<HaproxyChecks | string> {
    const binary = findHaproxy();
    if (binary === undefined) return 'haproxy is not installed (HAPROXY=…/haproxy names one)';
    if (process.platform !== 'linux') return 'its CPU is read from /proc, which only Linux has';
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
    try {
      const [config, stats] = [join(folder, 'haproxy.cfg'), join(folder, 'stats')];
      writeFileSync(config, configuration(port, stats));
      const started = await HaproxyProcess.start(binary, config, stats);
      const commands = await RuntimeCommands.open(stats);
      const pid = Number(/^Pid: (\d+)/m.exec(await commands.run('show info'))?.[1]);
      commands.close();
      return new HaproxyChecks(started, folder, pid, `HAProxy ${versionOf(binary)}`);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      return error instanceof Error ? error.message : String(error);
    }
  }

  read(): Promise<Reading> {
    return Promise.resolve({ cpuUs: usageOf(this.#pid).cpuMicros, name: this.#name });
  }

  /** Its loop is not ours to look into. */
  watchDelay(): void {}

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
