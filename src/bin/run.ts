import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ConfigError, Pool, type PoolOptions } from '../index.ts';
import { urlOf } from './listen-address.ts';
import { liveView } from './live-view.ts';
import type { Screen } from './screen.ts';
import type { Settings } from './settings.ts';
import { oneLine, UsageError } from './usage-error.ts';

/** The command cannot listen; exit code 1. */
export class ListenError extends Error {
  override readonly name: string = 'ListenError';
}

/** A pool behind a server of its own, at work. */
export interface Running {
  readonly pool: Pool;
  /** Where clients connect. */
  readonly url: string;
  /**
   * Accepts no more connections, lets requests in flight end for the grace time, cuts the rest. A second call gives the
   * first one's promise.
   */
  drain(): Promise<void>;
}

const DRAIN_STEP_MS = 50;
/** Time that the answers to requests cut at the end are given to leave. */
const FAREWELL_MS = 500;

/**
 * Makes the pool, listens, and says so.
 * @throws {UsageError} for settings that the pool refuses
 * @throws {ListenError}
 */
export async function run(settings: Settings, screen: Screen): Promise<Running> {
  const pool = makePool(settings);
  reportHealth(pool, screen);
  // The pool's `timeout.client` watches over bodies; Node's own limit would end every upload after five minutes.
  const server = createServer({ requestTimeout: 0 });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  pool.attach(server);
  try {
    server.listen(settings.listen);
    await once(server, 'listening');
  } catch (error) {
    await pool.close({ graceMs: 0 });
    throw new ListenError(`cannot listen on ${urlOf(settings.listen)}: ${whyNot(error)}`);
  }
  server.on('error', (error) => screen.line(`listening: ${oneLine(error.message)}`));
  const { address, port } = server.address() as AddressInfo;
  const url = urlOf({ host: address, port });
  screen.line(`listening on ${url}, ${inWords(pool, settings.pool)}`);
  screen.show(liveView(pool, url));
  let drained: Promise<void> | undefined;
  return {
    pool,
    url,
    drain: () => (drained ??= drain({ pool, server, sockets, graceMs: settings.graceMs, screen })),
  };
}

function makePool(settings: Settings): Pool {
  try {
    return new Pool(settings.pool as PoolOptions<IncomingMessage>);
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(settings.explain(error)) : error;
  }
}

function reportHealth(pool: Pool, screen: Screen): void {
  const report = ({ server, state, reason }: { server: string; state: string; reason: string }): void => {
    const alarm = pool.stats().state === 'DOWN' ? '; no server is left, requests get 503' : '';
    screen.line(`${server} ${state}: ${oneLine(reason)}${alarm}`);
  };
  pool.on('server:up', report);
  pool.on('server:down', report);
}

async function drain({
  pool,
  server,
  sockets,
  graceMs,
  screen,
}: {
  pool: Pool;
  server: Server;
  sockets: ReadonlySet<Socket>;
  graceMs: number;
  screen: Screen;
}): Promise<void> {
  // The pool is still open: what comes over kept connections is carried, and the client told to come elsewhere next.
  const last = (_request: IncomingMessage, response: ServerResponse): void => {
    response.shouldKeepAlive = false;
  };
  server.prependListener('request', last).prependListener('checkContinue', last);
  const closed = once(server, 'close');
  server.close();
  const { active } = pool.stats();
  const limit = active > 0 && graceMs < Number.POSITIVE_INFINITY ? `, for at most ${graceMs / 1000} s` : '';
  screen.line(`draining: ${active} in flight${limit}`);
  const idle = setInterval(() => closeIdle(server, sockets), DRAIN_STEP_MS);
  closeIdle(server, sockets);
  await within(graceMs, closed);
  const { cut } = await pool.close({ graceMs: 0 });
  await within(FAREWELL_MS, closed);
  clearInterval(idle);
  for (const socket of sockets) socket.destroy();
  screen.line(cut === 0 ? 'drained' : `drained; what was still in flight was cut: ${cut}`);
  screen.stop();
}

/** Node takes a connection that has never sent a byte for a busy one. */
function closeIdle(server: Server, sockets: ReadonlySet<Socket>): void {
  server.closeIdleConnections();
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
}

/** Waits, but no longer than `ms`. */
async function within(ms: number, event: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(ms, 2_147_483_647));
  await Promise.race([event, late]);
  clearTimeout(timer);
}

const LISTED_SERVERS = 8;

function inWords(pool: Pool, { balance = 'roundrobin' }: PoolOptions): string {
  const { servers } = pool;
  const algorithm = typeof balance === 'object' ? balance.algorithm : String(balance);
  const listed = servers
    .slice(0, LISTED_SERVERS)
    .map(
      ({ name, url, weight, backup }) =>
        `${name} ${url}${weight === 1 ? '' : ` weight ${weight}`}${backup ? ' backup' : ''}`,
    );
  const more = servers.length > listed.length ? `, and ${servers.length - listed.length} more` : '';
  const checked = servers.some(({ state }) => state !== 'no check');
  return oneLine(
    `balancing ${servers.length} server${servers.length === 1 ? '' : 's'} by ${algorithm}: ${listed.join(', ')}${more}${checked ? '' : '; none is checked (--check PATH)'}`,
  );
}

const WHY_NOT: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'no such host',
};

function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return ('code' in error && WHY_NOT[String(error.code)]) || oneLine(error.message);
}
