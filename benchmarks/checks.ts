/**
 * What it costs to check 4,095 servers over HTTP every two seconds from one event loop. A child process answers for all of
 * them. Beside the pool stand, at the same rate: a bare loop that connects, writes, reads and resets, measured before and
 * after; kept connections that are only written to and read from, which no check can cost less than; and HAProxy, where it
 * is installed. Prints CPU of the process a check and in all, the delay of the event loop, how punctual checks are, and the
 * busiest tenth of a second at the start.
 * Run: `npm run bench:checks` (two minutes; leave the machine alone).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from '#src/index.ts';
import { installed, start, usageOf } from './load/process.ts';

const SERVERS = 4_095;
const INTERVAL_MS = 2_000;
const WARM_UP_MS = 4_000;
const MEASURE_MS = 10_000;
/** The event loop's delay is measured by itself: looking at it every millisecond costs CPU. */
const DELAY_MS = 5_000;
const HEAD = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n';

/** Something that checks all servers, from its start on. */
interface Subject {
  readonly name: string;
  /** CPU that its process has used, in microseconds. */
  cpu(): number;
  /** Its event loop is ours. */
  readonly own: boolean;
  stop(): Promise<void> | void;
}

interface Figures {
  readonly name: string;
  readonly checks: number;
  readonly cpuUs: number;
  readonly sharePercent: number;
  readonly delayP99Ms: number | undefined;
}

if (process.argv[2] === 'answer') answer();
else await main();

/** The servers: whole answers, over connections that are kept where they are asked to. Tells how many it has given. */
function answer(): void {
  let answers = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      answers++;
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () => {
    process.send?.((server.address() as net.AddressInfo).port);
  });
  process.on('message', () => process.send?.(answers));
  process.once('disconnect', () => process.exit());
}

async function main(): Promise<void> {
  const servers = fork(import.meta.filename, ['answer']);
  const [port] = (await once(servers, 'message')) as [number];
  try {
    const before = await measure(bareLoop(port), servers);
    const others = [
      await measure(await keptConnections(port), servers),
      await measure(await poolOf(port, false), servers),
      await measure(await poolOf(port, true), servers),
    ];
    const haproxy = installed('haproxy');
    if (haproxy === undefined) console.log('HAProxy is left out: it is not installed');
    else others.push(await measure(haproxyOf(haproxy, port), servers));
    const after = await measure(bareLoop(port), servers);
    for (const figures of [before, ...others, after]) print(figures, (before.cpuUs + after.cpuUs) / 2);
  } finally {
    servers.kill();
  }
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function bareLoop(port: number): Subject {
  let going = true;
  const buffer = Buffer.alloc(16_384);
  const check = (): void => {
    if (!going) return;
    const callback = (): boolean => {
      socket.resetAndDestroy();
      setTimeout(check, INTERVAL_MS).unref();
      return true;
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.write(`${HEAD}connection: close\r\n\r\n`, 'latin1'));
  };
  for (let i = 0; i < SERVERS; i++) setTimeout(check, (i * INTERVAL_MS) / SERVERS).unref();
  const stop = (): void => {
    going = false;
  };
  return { name: 'connect, write, read, reset', cpu: ownCpu, own: true, stop };
}

async function keptConnections(port: number): Promise<Subject> {
  const buffer = Buffer.alloc(16_384);
  const sockets: net.Socket[] = [];
  for (let i = 0; i < SERVERS; i++) {
    const callback = (): boolean => {
      setTimeout(write, INTERVAL_MS, socket).unref();
      return true;
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
  }
  const write = (socket: net.Socket): void => {
    if (!socket.destroyed) socket.write(`${HEAD}\r\n`, 'latin1');
  };
  for (const [i, socket] of sockets.entries()) setTimeout(write, (i * INTERVAL_MS) / SERVERS, socket).unref();
  const stop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return { name: 'write and read over kept connections', cpu: ownCpu, own: true, stop };
}

async function poolOf(port: number, checkReusePool: boolean): Promise<Subject> {
  const names = Array.from({ length: SERVERS }, (_, index) => `s${index}`);
  const indexes = new Map(names.map((name, index) => [name, index]));
  const pool = new Pool({
    servers: names.map((name) => ({ name, address: `127.0.0.1:${port}` })),
    useServer: ({ url }) => url?.slice(1) || undefined,
    defaultServer: { check: { type: 'http', uri: '/' }, inter: INTERVAL_MS, checkReusePool, poolPurgeDelay: '1h' },
  });
  const startedAt = performance.now();
  const endedAt = new Float64Array(SERVERS);
  const lateMs: number[] = [];
  const starts = new Uint32Array(1_000);
  pool.on('server:check', ({ server, code, durationMs }) => {
    if (code !== 'L7OK') throw new Error(`${server}: ${code}`);
    const index = indexes.get(server) as number;
    const now = performance.now();
    const began = now - durationMs;
    const before = endedAt[index] as number;
    if (before > 0) lateMs.push(began - before - INTERVAL_MS);
    else (starts[Math.floor((began - startedAt) / 100)] as number)++;
    endedAt[index] = now;
  });
  if (checkReusePool) await carryOneEach(pool);
  const stop = async (): Promise<void> => {
    await pool.close({ graceMs: 0 });
    lateMs.sort((a, b) => a - b);
    const at = (share: number): string => (lateMs[Math.floor(lateMs.length * share)] ?? Number.NaN).toFixed(1);
    const even = (SERVERS * 100) / INTERVAL_MS;
    console.log(
      `checks of a pool${checkReusePool ? ' with checkReusePool' : ''} began late by ${at(0.5)} ms in the median, p99 ${at(0.99)} ms; ` +
        `busiest tenth of a second at the start: ${Math.max(...starts)} checks, ${even.toFixed(0)} if all were even`,
    );
  };
  return { name: checkReusePool ? 'the same with checkReusePool' : 'checks of a pool', cpu: ownCpu, own: true, stop };
}

/** One request to each server, which leaves an idle connection to it. */
async function carryOneEach(pool: Pool): Promise<void> {
  const front = http.createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const { port } = front.address() as net.AddressInfo;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  await Promise.all(
    pool.servers.map(async ({ name }) => {
      const [response] = (await once(http.get({ port, host: '127.0.0.1', path: `/${name}`, agent }), 'response')) as [
        http.IncomingMessage,
      ];
      await once(response.resume(), 'end');
    }),
  );
  agent.destroy();
  front.close();
}

function haproxyOf(haproxy: string, port: number): Subject {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-checks-'));
  const config = join(folder, 'haproxy.cfg');
  const servers = Array.from({ length: SERVERS }, (_, index) => `  server s${index} 127.0.0.1:${port} check\n`);
  writeFileSync(
    config,
    `global\n  nbthread 1\n  stats socket ${join(folder, 'stats')}\n` +
      'defaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n' +
      `backend all\n  option httpchk\n  http-check send meth GET uri / ver HTTP/1.1 hdr host 127.0.0.1\n` +
      `  default-server inter ${INTERVAL_MS}\n${servers.join('')}`,
  );
  const { child, complaint, stop } = start([haproxy, '-q', '-db', '-f', config]);
  return {
    name: 'HAProxy, one thread',
    own: false,
    cpu() {
      if (child.exitCode !== null) throw new Error(`HAProxy has ended: ${complaint()}`);
      return usageOf(child.pid as number).cpuMicros;
    },
    async stop() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function measure({ name, own, cpu, stop }: Subject, servers: ChildProcess): Promise<Figures> {
  const answers = async (): Promise<number> => {
    servers.send('how many');
    const [count] = (await once(servers, 'message')) as [number];
    return count;
  };
  try {
    await delay(WARM_UP_MS);
    const before = { answers: await answers(), cpu: cpu(), at: performance.now() };
    await delay(MEASURE_MS);
    const used = cpu() - before.cpu;
    const ms = performance.now() - before.at;
    const checks = (await answers()) - before.answers;
    return {
      name,
      checks,
      cpuUs: used / checks,
      sharePercent: used / 10 / ms,
      delayP99Ms: own ? await delayP99Ms() : undefined,
    };
  } finally {
    await stop();
  }
}

async function delayP99Ms(): Promise<number> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await delay(DELAY_MS);
  histogram.disable();
  return histogram.percentile(99) / 1e6 - 1;
}

function print({ name, checks, cpuUs, sharePercent, delayP99Ms }: Figures, baseUs: number): void {
  console.log(
    `${name}: ${checks} in ${MEASURE_MS / 1_000} s, ${cpuUs.toFixed(0)} µs CPU each (${(cpuUs / baseUs).toFixed(2)} of the bare loop), ` +
      `${sharePercent.toFixed(0)} % of a core${delayP99Ms === undefined ? '' : `; delay of the loop p99 ${delayP99Ms.toFixed(1)} ms`}`,
  );
}
