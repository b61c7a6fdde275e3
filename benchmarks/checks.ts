/**
 * What it costs to check 4,095 servers over HTTP every two seconds from one event loop. A child process answers for all of
 * them. Beside the pool stands a bare loop at the same rate: connect, write, read, reset. Prints CPU of this process a
 * check and in all, the delay of the event loop, how punctual checks are, and the busiest tenth of a second at the start.
 * Run: `npm run bench:checks` (under two minutes; leave the machine alone).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from '#src/index.ts';

const SERVERS = 4_095;
const INTERVAL_MS = 2_000;
const WARM_UP_MS = 4_000;
const MEASURE_MS = 12_000;
const REQUEST = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n';

interface Figures {
  readonly checks: number;
  readonly cpuUs: number;
  readonly sharePercent: number;
  readonly delayP99Ms: number;
}

if (process.argv[2] === 'answer') answer();
else await main();

/** The servers: whole answers, over connections that are kept where they are asked to. */
function answer(): void {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'));
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.send?.((server.address() as net.AddressInfo).port);
  });
  process.once('disconnect', () => process.exit());
}

async function main(): Promise<void> {
  const child: ChildProcess = fork(import.meta.filename, ['answer']);
  const [port] = (await once(child, 'message')) as [number];
  try {
    const bare = await bareLoop(port);
    const checks = await poolOf(port, false);
    print('connect, write, read, reset', bare, bare);
    print('checks of a pool', checks, bare);
    const reusing = await poolOf(port, true);
    print('with checkReusePool', reusing, bare);
  } finally {
    child.kill();
  }
}

async function bareLoop(port: number): Promise<Figures> {
  let done = 0;
  let going = true;
  const buffer = Buffer.alloc(16_384);
  const check = (): void => {
    if (!going) return;
    const callback = (): boolean => {
      socket.resetAndDestroy();
      done++;
      setTimeout(check, INTERVAL_MS).unref();
      return true;
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.write(REQUEST, 'latin1'));
  };
  for (let i = 0; i < SERVERS; i++) setTimeout(check, (i * INTERVAL_MS) / SERVERS).unref();
  const figures = await measure(() => done);
  going = false;
  return figures;
}

async function poolOf(port: number, checkReusePool: boolean): Promise<Figures> {
  const pool = new Pool({
    servers: Array.from({ length: SERVERS }, (_, index) => ({ name: `s${index}`, address: `127.0.0.1:${port}` })),
    useServer: ({ url }) => url?.slice(1) || undefined,
    defaultServer: { check: { type: 'http', uri: '/' }, inter: INTERVAL_MS, checkReusePool, poolPurgeDelay: '1h' },
  });
  const startedAt = performance.now();
  const last = new Map<string, number>();
  const lateMs: number[] = [];
  const starts = new Map<number, number>();
  let done = 0;
  pool.on('server:check', ({ server, code, durationMs }) => {
    if (code !== 'L7OK') throw new Error(`${server}: ${code}`);
    const now = performance.now();
    const began = now - durationMs;
    const before = last.get(server);
    if (before !== undefined) lateMs.push(began - before - INTERVAL_MS);
    else {
      const tenth = Math.floor((began - startedAt) / 100);
      starts.set(tenth, (starts.get(tenth) ?? 0) + 1);
    }
    last.set(server, now);
    done++;
  });
  if (checkReusePool) await carryOneEach(pool);
  const figures = await measure(() => done);
  await pool.close({ graceMs: 0 });
  lateMs.sort((a, b) => a - b);
  const even = (SERVERS * 100) / INTERVAL_MS;
  console.log(
    `  begun late by: median ${at(lateMs, 0.5)} ms, p99 ${at(lateMs, 0.99)} ms; busiest tenth of a second at the start: ` +
      `${Math.max(...starts.values())} checks, ${even.toFixed(0)} if all were even`,
  );
  return figures;
}

/** One request to each server, which leaves an idle connection to it. */
async function carryOneEach(pool: Pool): Promise<void> {
  const front = http.createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const { port } = front.address() as net.AddressInfo;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  const names = pool.servers.map(({ name }) => name);
  await Promise.all(
    names.map(async (name) => {
      const [response] = (await once(http.get({ port, host: '127.0.0.1', path: `/${name}`, agent }), 'response')) as [
        http.IncomingMessage,
      ];
      await once(response.resume(), 'end');
    }),
  );
  agent.destroy();
  front.close();
  const idle = Object.values(pool.stats().servers).filter((server) => server.idle > 0).length;
  console.log(`  ${idle} servers have an idle connection`);
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);
}

async function measure(count: () => number): Promise<Figures> {
  await delay(WARM_UP_MS);
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  const before = { done: count(), cpu: process.cpuUsage(), at: performance.now() };
  await delay(MEASURE_MS);
  const { user, system } = process.cpuUsage(before.cpu);
  const checks = count() - before.done;
  histogram.disable();
  return {
    checks,
    cpuUs: (user + system) / checks,
    sharePercent: (user + system) / 10 / (performance.now() - before.at),
    delayP99Ms: histogram.percentile(99) / 1e6 - 1,
  };
}

function print(name: string, { checks, cpuUs, sharePercent, delayP99Ms }: Figures, base: Figures): void {
  console.log(
    `${name}: ${checks} in ${MEASURE_MS / 1_000} s, ${cpuUs.toFixed(0)} µs CPU each (${(cpuUs / base.cpuUs).toFixed(2)} of the bare loop), ` +
      `${sharePercent.toFixed(0)} % of a core; delay of the loop p99 ${delayP99Ms.toFixed(1)} ms`,
  );
}
