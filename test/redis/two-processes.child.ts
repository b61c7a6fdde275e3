/** One process of a fleet: an HTTP front and a pool whose stick table is shared with the others through Redis. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createClient } from 'redis';
import { Pool, type ServerOptions, StickTable } from '#src/index.ts';
import { RedisTable } from '#src/redis/redis-table.ts';
import { portOf } from '../support/fronts.ts';
import { sharedNow } from '../support/shared-clock.ts';
import { until } from '../support/until.ts';

/** What a process is told when it is made. */
export interface FleetSetup {
  readonly redisUrl: string;
  readonly servers: readonly ServerOptions[];
  /** Each process keeps a table of its own, so that the fleet does not agree: what a test of stickiness must notice. */
  readonly apart: boolean;
}

/** What a process tells. */
export type FleetNews =
  | { readonly kind: 'ready'; readonly port: number }
  /** @property at on the clock that all processes of a machine share, in milliseconds */
  | { readonly kind: 'server'; readonly name: string; readonly up: boolean; readonly at: number }
  | { readonly kind: 'degraded'; readonly reason: string };

/** No machine is so slow that Redis counts as gone, or a server as down that is not. */
const PATIENCE = '10s';

async function run({ redisUrl, servers, apart }: FleetSetup): Promise<void> {
  const tell = (news: FleetNews): unknown => process.send?.(news);
  const about = { type: 'string', size: '10k', expire: '10m', store: ['http_req_cnt'] } as const;
  const client = createClient({ url: redisUrl });
  client.on('error', () => {});
  await client.connect();
  const shared = new RedisTable({ client, name: 'fleet', ...about, timeout: PATIENCE });
  shared.on('degraded', ({ reason }) => tell({ kind: 'degraded', reason }));
  await until(() => shared.subscribed, 'the subscription');
  const pool = new Pool({
    servers,
    defaultServer: { check: true, inter: '10ms', rise: 1, fall: 1 },
    httpchk: 'GET /health',
    timeout: { check: PATIENCE, stick: PATIENCE },
    stickTable: apart ? new StickTable(about) : shared,
    tables: { counts: shared },
    stick: ['on req.hdr(x-client)'],
    httpRequest: [{ track: 'req.hdr(x-client)', table: 'counts' }],
  });
  for (const up of [true, false])
    pool.on(up ? 'server:up' : 'server:down', ({ server }) =>
      tell({ kind: 'server', name: server, up, at: sharedNow() }),
    );
  await pool.ready();
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  tell({ kind: 'ready', port: portOf(front) });
}

process.on('disconnect', () => process.exit());
await run(JSON.parse(process.argv[2] ?? '') as FleetSetup);
