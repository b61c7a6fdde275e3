/**
 * What it costs to check 4,095 servers over HTTP every two seconds from one event loop. A process answers for all of them,
 * and counts. Beside the pool stand, at the same rate: a bare loop, which connects, writes, reads and resets; what no check
 * over a kept connection can do without, a write and a read, by a timer each and by one for several; and HAProxy, where it
 * is installed. Each has a process of its own. Prints CPU of that process a check and in all, the delay of the event loop,
 * how punctual checks are, and the busiest tenth of a second at the start.
 * Run: `npm run bench:checks` (two minutes; leave the machine alone). `npm run bench:checks -- bare lent` runs these alone.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Reading } from './checks/contender.ts';
import { HaproxyChecks } from './checks/haproxy.ts';

const WARM_UP_MS = 6_000;
const MEASURE_MS = 12_000;

/** Something that checks, in a process of its own. */
interface Contender {
  /** CPU, from the first call to the second. */
  read(): Promise<Reading>;
  stop(): Promise<void>;
}

const NAMES = {
  bare: 'connect, write, read, reset',
  kept: 'kept connections, write and read',
  floor: 'the same, together where due within 8 ms',
  pool: 'checks of a pool',
  lent: 'checks of a pool with checkReusePool',
  haproxy: 'HAProxy',
} as const;

const asked = process.argv.slice(2);
const origin = fork(join(import.meta.dirname, 'checks/origin.ts'));
const [port] = (await once(origin, 'message')) as [number];
let bareUs = Number.NaN;
try {
  for (const [key, name] of Object.entries(NAMES)) if (asked.length === 0 || asked.includes(key)) await run(key, name);
} finally {
  origin.kill();
}

async function run(key: string, name: string): Promise<void> {
  const contender = key === 'haproxy' ? await HaproxyChecks.start(port) : started(key);
  if (typeof contender === 'string') {
    console.log(`${name}: skipped, ${contender}`);
    return;
  }
  try {
    await delay(WARM_UP_MS);
    const [before, beganAt] = [await count(), performance.now()];
    const first = await contender.read();
    await delay(MEASURE_MS);
    const last = await contender.read();
    const checks = (await count()) - before;
    const elapsedMs = performance.now() - beganAt;
    const cpuUs = last.cpuUs - first.cpuUs;
    if (key === 'bare') bareUs = cpuUs / checks;
    console.log(
      `${last.name ?? name}: ${checks} in ${(elapsedMs / 1_000).toFixed(1)} s, ${(cpuUs / checks).toFixed(1)} µs CPU each ` +
        `(${(cpuUs / checks / bareUs).toFixed(2)} of the bare loop), ${(cpuUs / elapsedMs / 10).toFixed(1)} % of a core` +
        (last.delayP99Ms === undefined ? '' : `; delay of the loop p99 ${last.delayP99Ms.toFixed(1)} ms`),
    );
    for (const line of last.notes ?? []) console.log(`  ${line}`);
  } finally {
    await contender.stop();
  }
}

async function count(): Promise<number> {
  origin.send('count');
  const [counted] = (await once(origin, 'message')) as [number];
  return counted;
}

function started(key: string): Contender {
  const child: ChildProcess = fork(join(import.meta.dirname, 'checks/contender.ts'), [key, String(port)], {
    execArgv: ['--expose-gc'],
  });
  return {
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
