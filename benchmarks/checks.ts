/**
 * What it costs to check 4,095 servers over HTTP every two seconds from one event loop. Contenders take turns, each in a
 * process of its own, before one that answers for all of the servers, and counts: a bare loop that connects, writes, reads
 * and resets; what no check over a kept connection can do without, a write and a read; the checks of a pool; these with
 * `checkReusePool`; and HAProxy, where it is installed. Prints medians of three rounds: CPU of the process a check and in
 * all, beside that of the bare loop, and the delay of the event loop; and how punctual checks are, with the busiest tenth of
 * a second at the start.
 * Run: `npm run bench:checks` (four minutes; leave the machine alone). `npm run bench:checks -- bare lent` runs these alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reading } from './checks/contender.ts';
import { HaproxyChecks } from './checks/haproxy.ts';

const ROUNDS = 3;
const WARM_UP_MS = 5_000;
const MEASURE_MS = 8_000;
/** The event loop's delay is measured by itself: to look at it every millisecond costs CPU. */
const DELAY_MS = 2_000;

/** Something that checks, in a process of its own. */
interface Contender {
  read(): Promise<Reading>;
  /** The delay of the event loop from now to the next reading. */
  watchDelay(): void;
  stop(): Promise<void>;
}

interface Figures {
  readonly checks: number;
  readonly cpuUs: number;
  readonly sharePercent: number;
  readonly last: Reading;
}

const NAMES = {
  bare: 'connect, write, read, reset',
  kept: 'kept connections, write and read',
  pool: 'checks of a pool',
  lent: 'checks of a pool with checkReusePool',
  haproxy: 'HAProxy',
} as const;

type Key = keyof typeof NAMES;

async function main(asked: readonly string[]): Promise<void> {
  const keys = (Object.keys(NAMES) as Key[]).filter((key) => asked.length === 0 || asked.includes(key));
  const rounds = new Map<Key, Figures[]>(keys.map((key) => [key, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const [key, figures] of rounds) {
      const servers = await Servers.start();
      const contender = key === 'haproxy' ? await HaproxyChecks.start(servers.port) : started(key, servers.port);
      if (typeof contender === 'string') {
        console.log(`${NAMES[key]}: skipped, ${contender}`);
        rounds.delete(key);
      } else figures.push(await measure(contender, servers));
      servers.stop();
    }
  const bareUs = median(rounds.get('bare') ?? [], ({ cpuUs }) => cpuUs);
  for (const [key, figures] of rounds) print(NAMES[key], figures, bareUs);
}

function print(name: string, figures: readonly Figures[], bareUs: number): void {
  const [{ last }] = figures as [Figures];
  const cpuUs = median(figures, (each) => each.cpuUs);
  const delayMs = last.delayP99Ms === undefined ? undefined : median(figures, (each) => each.last.delayP99Ms ?? 0);
  console.log(
    `${last.name ?? name}: ${figures.map(({ checks }) => checks).join(', ')} in ${MEASURE_MS / 1_000} s each, ` +
      `${cpuUs.toFixed(1)} µs CPU a check (${figures.map((each) => each.cpuUs.toFixed(0)).join(', ')}), ` +
      `${(cpuUs / bareUs).toFixed(2)} of the bare loop, ${median(figures, (each) => each.sharePercent).toFixed(0)} % of a core` +
      (delayMs === undefined ? '' : `; delay of the loop p99 ${delayMs.toFixed(1)} ms`),
  );
  for (const each of figures) for (const line of each.last.notes ?? []) console.log(`  ${line}`);
}

function median<T>(all: readonly T[], of: (each: T) => number): number {
  const sorted = all.map(of).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

async function measure(contender: Contender, servers: Servers): Promise<Figures> {
  try {
    await delay(WARM_UP_MS);
    const [before, first, beganAt] = [await servers.count(), await contender.read(), performance.now()];
    await delay(MEASURE_MS);
    const { cpuUs } = await contender.read();
    const checks = (await servers.count()) - before;
    const used = cpuUs - first.cpuUs;
    const sharePercent = used / (performance.now() - beganAt) / 10;
    contender.watchDelay();
    await delay(DELAY_MS);
    return { checks, cpuUs: used / checks, sharePercent, last: await contender.read() };
  } finally {
    await contender.stop();
  }
}

/** A process that answers for all servers. */
class Servers {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  static async start(): Promise<Servers> {
    const child = fork(join(import.meta.dirname, 'checks/origin.ts'));
    const [port] = (await once(child, 'message')) as [number];
    return new Servers(child, port);
  }

  /** Answers so far. */
  async count(): Promise<number> {
    this.#process.send('count');
    const [counted] = (await once(this.#process, 'message')) as [number];
    return counted;
  }

  stop(): void {
    this.#process.kill();
  }
}

function started(key: string, port: number): Contender {
  const child: ChildProcess = fork(join(import.meta.dirname, 'checks/contender.ts'), [key, String(port)], {
    execArgv: ['--expose-gc'],
  });
  return {
    watchDelay: () => child.send('watch'),
    async read() {
      child.send('read');
      const [reading] = (await once(child, 'message')) as [Reading];
      return reading;
    },
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

await main(process.argv.slice(2));
