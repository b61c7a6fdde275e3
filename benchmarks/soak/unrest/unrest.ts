import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolOptions } from '#src/index.ts';
import { seededRandom } from '../../../test/support/virtual-clock.ts';
import { countingEnvironment } from '../counting-environment.ts';
import type { Engine } from '../flags.ts';
import { Findings } from '../promises.ts';
import { collectGarbage, gatherSockets, mostListeners, openSockets } from '../resources.ts';
import { RestlessClient } from './clients.ts';
import { Crowd } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { poolOptions } from './pool-options.ts';
import { reckon, type Still } from './reckoning.ts';
import { RestlessServer } from './restless-server.ts';
import { Tally } from './tally.ts';
import { Troublemaker } from './troublemaker.ts';

const SERVERS = 8;
/** Share of the time after which memory is looked at first: code is compiled by then, and buffers are there. */
const WARM_UP = 0.3;
/** What a server and everything that waits takes to be rid of its last connection. */
const PATIENCE_MS = 3_000;

export interface UnrestPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Clients that are busy at one time: at least and at most. */
  readonly clients: readonly [least: number, most: number];
  readonly engine: Engine;
}

/** Clients of all kinds before servers that fail in all ways, restart, drain and change weight. All in this process. */
export async function soakUnrest({ seconds, seed, clients: range, engine }: UnrestPlan): Promise<Findings> {
  const warnings: string[] = [];
  const onWarning = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`);
  process.on('warning', onWarning);
  const socketsBefore = openSockets();
  const chance = (actor: number): (() => number) => seededRandom(seed * 1_000 + actor);
  const environment = countingEnvironment();
  const posts = new Tally();
  const servers = Array.from({ length: SERVERS }, (_, i) => new RestlessServer(`s${i + 1}`, chance(i), posts));
  for (const server of servers) await server.start();
  const options: PoolOptions = { ...poolOptions(servers, chance(100)), engine };
  const pool = new Pool(options, environment);
  const ledger = new Ledger(servers, posts);
  pool.on('request', (event) => ledger.ended(event));
  const front = createServer({ keepAliveTimeout: 60_000 });
  for (const event of ['request', 'checkContinue', 'upgrade'])
    front.on(event, ({ url = '' }: IncomingMessage) => ledger.arrived(url));
  pool.attach(front);
  const sockets = gatherSockets((add) => front.on('connection', add));
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const { port } = front.address() as AddressInfo;
  const indices = Array.from({ length: range[1] }, (_, i) => i);
  const crowd = new Crowd(
    indices.map((i) => new RestlessClient(port, chance(200 + i), ledger)),
    indices.map((i) => chance(1_000_000 + i)),
  );
  const troublemaker = new Troublemaker(pool, servers, crowd, range, chance(101));

  const still = async (): Promise<Still> => {
    await patiently(() => pool.stats().active === 0);
    await collectGarbage();
    const { heapUsed } = process.memoryUsage();
    return { heapBytes: heapUsed, listeners: mostListeners(sockets), stats: pool.stats(), timers: environment.pending };
  };

  await pool.ready({ timeout: '5s' });
  await troublemaker.work(seconds * 1_000 * WARM_UP);
  const before = await still();
  await troublemaker.work(seconds * 1_000 * (1 - WARM_UP));
  const after = await still();

  await crowd.leave();
  const closing = await pool.close({ graceMs: PATIENCE_MS });
  const closed = once(front, 'close');
  front.close();
  for (const socket of sockets) socket.destroy();
  await closed;
  for (const server of servers) await server.stop();
  await patiently(() => environment.pending === 0 && openSockets() <= socketsBefore);
  ledger.close();
  process.off('warning', onWarning);
  const found = new Findings(
    `unrest: up to ${crowd.most} clients, ${SERVERS} servers, ${options.balance}, ${engine}, ${seconds} s (--seed ${seed})`,
  );
  reckon(found, {
    ledger,
    troublemaker,
    posts,
    before,
    after,
    left: { sockets: openSockets(), timers: environment.pending, cut: closing.cut, stats: pool.stats() },
    socketsBefore,
    warnings,
  });
  return found;
}

/** Waits until it holds, but not for ever. */
async function patiently(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < PATIENCE_MS; waited += 10) await delay(10);
}
