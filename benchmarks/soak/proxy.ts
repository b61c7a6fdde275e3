/**
 * The proxy that is watched, in a process of its own: `node --expose-gc proxy.ts POOL`, POOL being a pool's options as JSON.
 * It answers its parent over the IPC channel.
 */
import diagnostics from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getHeapSpaceStatistics } from 'node:v8';
import { Pool } from '#src/index.ts';
import { countingEnvironment } from './counting-environment.ts';
import { collectGarbage, gatherSockets, mostListeners, openSockets } from './resources.ts';

export type Order = 'look' | 'watch' | 'close';

/** How the process stands, after a collection of garbage. */
export interface Look {
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Of these, V8's young generation: it doubles under load up to a fixed size, and stays there. */
  readonly youngBytes: number;
  /** Sockets that the system has open for the process; -1 where they cannot be counted. */
  readonly sockets: number;
  readonly clientSockets: number;
  readonly serverSockets: number;
  /** Most listeners on one socket. */
  readonly listeners: number;
  /** The pool's timers that have not fired. */
  readonly timers: number;
  /** What `process.getActiveResourcesInfo()` names, sockets aside. */
  readonly resources: Readonly<Record<string, number>>;
  /** Requests that servers were given so far. */
  readonly requests: number;
  readonly retries: number;
  /** Requests and slots that are not over. */
  readonly active: number;
}

export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'look'; readonly look: Look }
  /** Most memory since the last report of it. */
  | { readonly kind: 'peak'; readonly rssBytes: number }
  | { readonly kind: 'fault'; readonly text: string };

const environment = countingEnvironment();
const pool = new Pool(JSON.parse(process.argv[2] ?? '{}'), environment);
const front = createServer({ keepAliveTimeout: 3_600_000 }, pool.middleware());

const clients = gatherSockets((add) => front.on('connection', add));
const servers = gatherSockets((add) =>
  diagnostics.subscribe('net.client.socket', (message) => add((message as { socket: Socket }).socket)),
);

process.on('message', async (order: Order) => {
  if (order === 'watch') watch();
  else if (order === 'look') report({ kind: 'look', look: await look() });
  else {
    front.close();
    await pool.close();
    report({ kind: 'look', look: await look() });
  }
});
process.on('disconnect', () => process.exit(0));
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => report({ kind: 'fault', text: `${event}: ${String(error)}` }));
process.on('warning', ({ name, message }) => report({ kind: 'fault', text: `${name}: ${message}` }));

front.listen(0, '127.0.0.1', () => report({ kind: 'listening', port: (front.address() as AddressInfo).port }));

async function look(): Promise<Look> {
  await collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  const { active, servers: stats } = pool.stats();
  const sum = (count: (server: (typeof stats)[string]) => number): number =>
    Object.values(stats).reduce((total, server) => total + count(server), 0);
  return {
    heapBytes: heapUsed,
    rssBytes: rss,
    youngBytes: getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.physical_space_size ?? 0,
    sockets: openSockets(),
    clientSockets: clients.size,
    serverSockets: servers.size,
    listeners: mostListeners([...clients, ...servers]),
    timers: environment.pending,
    resources: resources(),
    requests: sum(({ lbtot }) => lbtot),
    retries: sum(({ wretr, wredis }) => wretr + wredis),
    active: active + sum((server) => server.active),
  };
}

let peak = 0;
function watch(): void {
  if (peak === 0) setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 10).unref();
  report({ kind: 'peak', rssBytes: peak });
  peak = process.memoryUsage.rss();
}

function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo())
    if (!name.startsWith('TCPSocket')) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function report(message: Report): void {
  process.send?.(message);
}
