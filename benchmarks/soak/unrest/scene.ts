import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool, type PoolOptions, type PoolStats } from '#src/index.ts';
import { seededRandom } from '../../../test/support/virtual-clock.ts';
import { countingEnvironment } from '../counting-environment.ts';
import type { Engine } from '../flags.ts';
import { collectGarbage, gatherSockets, mostListeners, openSockets } from '../resources.ts';
import { RestlessClient } from './clients.ts';
import { Crowd } from './crowd.ts';
import { Ledger } from './ledger.ts';
import { poolOptions } from './pool-options.ts';
import { RestlessServer } from './restless-server.ts';
import { Tally } from './tally.ts';
import { Troublemaker } from './troublemaker.ts';

const SERVERS = 8;
/** What a server and everything that waits takes to be rid of its last connection. */
const PATIENCE_MS = 3_000;
/** No two actors of one run share their chance. */
const ACTORS = 100_000;

export interface UnrestPlan {
  readonly seconds: number;
  readonly seed: number;
  /** Clients that are busy at one time: at least and at most. */
  readonly clients: readonly [least: number, most: number];
  readonly engine: Engine;
}

/** How things stand while nobody asks for anything. */
export interface Still {
  readonly heapBytes: number;
  /** Most listeners on a client's connection. */
  readonly listeners: number;
  readonly timers: number;
  readonly stats: PoolStats;
}

/** What there is when all is closed. */
export interface Left {
  readonly sockets: number;
  /** Those of them that were made to connect to somebody, in words. */
  readonly connections: readonly string[];
  readonly timers: number;
  /** Requests that the pool had to cut. */
  readonly cut: number;
  /** Longest that this process was busy with one thing, or was not let run. */
  readonly busiestMs: number;
  readonly stats: PoolStats;
  readonly warnings: readonly string[];
}

/** All that takes part, in one process: servers, the pool behind its front, clients, and who makes the trouble. */
export class Scene {
  readonly options: PoolOptions;
  readonly ledger: Ledger;
  readonly posts: Tally;
  readonly crowd: Crowd;
  readonly troublemaker: Troublemaker;
  /** What was open before. */
  readonly socketsBefore: number;
  readonly #servers: readonly RestlessServer[];
  readonly #pool: Pool;
  readonly #environment = countingEnvironment();
  readonly #front = createServer({ keepAliveTimeout: 60_000 });
  readonly #sockets = gatherSockets((add) => this.#front.on('connection', add));
  readonly #connections: ReadonlySet<Socket>;
  readonly #warnings: string[] = [];
  readonly #loopDelay = monitorEventLoopDelay();

  private constructor(plan: UnrestPlan, socketsBefore: number, posts: Tally, servers: readonly RestlessServer[]) {
    const { seed, clients, engine } = plan;
    this.socketsBefore = socketsBefore;
    this.posts = posts;
    this.#servers = servers;
    this.options = { ...poolOptions(servers, chance(seed, 'pool')), engine };
    const pool = new Pool(this.options, this.#environment);
    this.#pool = pool;
    this.ledger = new Ledger(servers, posts, (name) => (pool.hasServer(name) ? pool.server(name).state : 'removed'));
    this.#pool.on('request', (event) => this.ledger.ended(event));
    for (const event of ['request', 'checkContinue', 'upgrade'])
      this.#front.on(event, ({ url = '' }: IncomingMessage) => this.ledger.arrived(url));
    this.#pool.attach(this.#front);
    const port = (): number => (this.#front.address() as AddressInfo).port;
    this.crowd = new Crowd(
      Array.from({ length: clients[1] }, (_, i) => new RestlessClient(port, chance(seed, 'client', i), this.ledger)),
    );
    this.troublemaker = new Troublemaker(this.#pool, servers, this.crowd, clients, chance(seed, 'troublemaker'));
    this.#connections = gatherSockets((add) => {
      this.#onConnection = (message) => add((message as { socket: Socket }).socket);
    });
    diagnostics.subscribe('net.client.socket', this.#onConnection);
    process.on('warning', this.#onWarning);
    this.#loopDelay.enable();
  }

  #onConnection: (message: unknown) => void = () => {};
  readonly #onWarning = ({ name, message }: Error): void => void this.#warnings.push(`${name}: ${message}`);

  static async open(plan: UnrestPlan): Promise<Scene> {
    const socketsBefore = openSockets();
    const posts = new Tally();
    const servers = Array.from(
      { length: SERVERS },
      (_, i) => new RestlessServer(`s${i + 1}`, chance(plan.seed, 'server', i), posts),
    );
    for (const server of servers) await server.start();
    const scene = new Scene(plan, socketsBefore, posts, servers);
    await once(scene.#front.listen(0, '127.0.0.1'), 'listening');
    await scene.#pool.ready({ timeout: '5s' });
    return scene;
  }

  /** Looks at what there is. The crowd must be at rest. */
  async still(): Promise<Still> {
    await patiently(() => this.#pool.stats().active === 0);
    await collectGarbage();
    return {
      heapBytes: process.memoryUsage().heapUsed,
      listeners: mostListeners(this.#sockets),
      timers: this.#environment.pending,
      stats: this.#pool.stats(),
    };
  }

  /** Closes all of it, and looks at what is left. */
  async strike(): Promise<Left> {
    await this.crowd.leave();
    const { cut } = await this.#pool.close({ graceMs: PATIENCE_MS });
    const closed = once(this.#front, 'close');
    this.#front.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    for (const server of this.#servers) await server.stop();
    const { socketsBefore } = this;
    await patiently(
      () => this.#environment.pending === 0 && this.#connections.size === 0 && openSockets() <= socketsBefore,
    );
    this.ledger.close();
    process.off('warning', this.#onWarning);
    diagnostics.unsubscribe('net.client.socket', this.#onConnection);
    const connections = [...this.#connections].map((socket) => this.#describe(socket));
    this.#loopDelay.disable();
    const { pending: timers } = this.#environment;
    const busiestMs = Math.round(this.#loopDelay.max / 1e6);
    return {
      sockets: openSockets(),
      connections,
      timers,
      cut,
      busiestMs,
      stats: this.#pool.stats(),
      warnings: this.#warnings,
    };
  }

  #describe(socket: Socket): string {
    const { localPort, remotePort, bytesRead, bytesWritten, readyState, destroyed } = socket;
    const server = this.#servers.find(({ address }) => address.endsWith(`:${remotePort}`));
    const state = destroyed ? 'destroyed' : readyState;
    return `${localPort} to ${server?.name ?? remotePort}: ${state}, ${bytesRead} bytes read, ${bytesWritten} written, hears ${socket.eventNames().map(String).join(' ')}`;
  }
}

/** Numbers of one actor's own, the same for the same seed. */
function chance(seed: number, actor: 'pool' | 'troublemaker' | 'server' | 'client', index = 0): () => number {
  const first = { pool: 0, troublemaker: 1, server: 100, client: 1_000 }[actor];
  return seededRandom(seed * ACTORS + first + index);
}

/** Waits until it holds, but not for ever. */
async function patiently(holds: () => boolean): Promise<void> {
  for (let waited = 0; !holds() && waited < PATIENCE_MS; waited += 10) await delay(10);
}
