/** One contender of `checks.ts` in this process: `node contender.ts bare|kept|pool|lent <port of the origin>`. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Pool } from '#src/index.ts';

export const SERVERS = 4_095;
export const INTERVAL_MS = 2_000;

/** What a contender has used so far. */
export interface Reading {
  readonly cpuUs: number;
  /** Of an event loop, since it is watched. */
  readonly delayP99Ms?: number;
  /** What else it has to say; for who is read a second time. */
  readonly notes?: readonly string[];
  /** In place of its usual name. */
  readonly name?: string;
}

const REQUEST = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n';

const [, file, key, port] = process.argv;
if (file === import.meta.filename) contend(key as string, Number(port));

function contend(key: string, port: number): void {
  let notes = (): string[] => [];
  if (key === 'pool' || key === 'lent') notes = poolChecks(port, key === 'lent');
  else bareLoop(port, key === 'kept');
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  let isFirst = true;
  process.on('message', (order) => {
    if (order === 'watch') {
      histogram.enable();
      return;
    }
    // What the start has left behind is not to be collected while checks are measured.
    if (isFirst) globalThis.gc?.();
    isFirst = false;
    const { user, system } = process.cpuUsage();
    const delayP99Ms = histogram.percentile(99) / 1e6 - 1;
    process.send?.({ cpuUs: user + system, delayP99Ms, notes: notes() } satisfies Reading);
  });
  process.once('disconnect', () => process.exit());
}

/** No more than it takes. @param keep over one connection a server, for good */
function bareLoop(port: number, keep: boolean): void {
  const buffer = Buffer.alloc(16_384);
  const request = `${REQUEST}${keep ? '' : 'connection: close\r\n'}\r\n`;
  const begin = (): void => {
    const callback = (): boolean => {
      if (!keep) socket.resetAndDestroy();
      setTimeout(keep ? ask : begin, INTERVAL_MS);
      return true;
    };
    const socket = net.connect({ port, host: '127.0.0.1', onread: { buffer, callback } });
    const ask = (): void => void socket.write(request, 'latin1');
    socket.on('error', () => undefined);
    socket.once('connect', ask);
  };
  for (let i = 0; i < SERVERS; i++) setTimeout(begin, (i * INTERVAL_MS) / SERVERS);
}

/** Listens to checks until it is read first: what a listener costs is not what checks cost. */
function poolChecks(port: number, checkReusePool: boolean): () => string[] {
  const servers = Array.from({ length: SERVERS }, (_, index) => ({ name: `s${index}`, address: `127.0.0.1:${port}` }));
  const pool = new Pool({
    servers,
    useServer: ({ url }) => url?.slice(1) || undefined,
    defaultServer: { check: { type: 'http', uri: '/' }, inter: INTERVAL_MS, checkReusePool, poolPurgeDelay: '1h' },
  });
  const startedAt = performance.now();
  const places = new Map(servers.map(({ name }, index) => [name, index]));
  const endedAt = new Float64Array(SERVERS);
  const lateMs: number[] = [];
  const starts: number[] = [];
  const listener = ({ server, durationMs }: { server: string; durationMs: number }): void => {
    const place = places.get(server) as number;
    const now = performance.now();
    const began = now - durationMs;
    const before = endedAt[place] as number;
    if (before > 0) lateMs.push(began - before - INTERVAL_MS);
    else {
      const tenth = Math.floor((began - startedAt) / 100);
      starts[tenth] = (starts[tenth] ?? 0) + 1;
    }
    endedAt[place] = now;
  };
  pool.on('server:check', listener);
  if (checkReusePool) void carryOneEach(pool);
  const report: string[] = [];
  return () => {
    pool.off('server:check', listener);
    if (report.length === 0) {
      lateMs.sort((a, b) => a - b);
      const even = (SERVERS * 100) / INTERVAL_MS;
      report.push(
        `begun late by: median ${at(lateMs, 0.5)} ms, p99 ${at(lateMs, 0.99)} ms; busiest tenth of a second at the start: ` +
          `${Math.max(...starts.filter(Number.isFinite))} checks, ${even.toFixed(0)} if all were even`,
      );
      return report;
    }
    const all = Object.values(pool.stats().servers);
    const failed = all.reduce((sum, { chkfail }) => sum + chkfail, 0);
    const idle = all.filter((server) => server.idle > 0).length;
    return [...report, `${failed} checks failed; ${idle} servers have an idle connection`];
  };
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
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(sorted.length * share)] ?? Number.NaN).toFixed(1);
}
