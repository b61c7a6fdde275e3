import type { IncomingMessage } from 'node:http';
import {
  type AttachableServer,
  type AttachOptions,
  attach,
  type Middleware,
  type MiddlewareOptions,
  middleware,
  type UpgradeListener,
  type UpgradeOptions,
  upgradeListener,
} from '../adapters/node-http.ts';
import type { RequestContext } from '../core/context.ts';
import { type Environment, systemEnvironment } from '../core/environment.ts';
import { ConfigError, EvenkeelError } from '../core/errors.ts';
import { EVENT_NAMES } from '../core/event-names.ts';
import type { PoolEvents } from '../core/events.ts';
import { type Arrival, type ClientRequest, type ClientResponse, requestHandlers } from '../core/exchange.ts';
import { GuardedEmitter } from '../core/guarded-emitter.ts';
import { OptionReader } from '../core/options.ts';
import { type Duration, parseDuration } from '../core/units.ts';
import { Monitor } from '../health/monitor.ts';
import type { HealthSettings } from '../health/settings.ts';
import { OWN } from '../persistence/stick-options.ts';
import type { StickTable } from '../persistence/stick-table.ts';
import type { Table } from '../persistence/table.ts';
import { acquireLease, tryAcquireSlot } from './acquire.ts';
import { BackendServer } from './backend-server.ts';
import {
  type AcquireOptions,
  checkLeaseOptions,
  checkMiddlewareOptions,
  checkServer,
  checkUpgradeOptions,
  type GraceOptions,
  type RunOptions,
  readGraceMs,
  readReadyTimeoutMs,
} from './call-options.ts';
import { HttpDispatch } from './dispatch.ts';
import { type Explanation, explain } from './explain.ts';
import { monitorEvents } from './health-reports.ts';
import { declaredIds, freeFrom, refuseTwins } from './identities.ts';
import { Lease, type LeaseSlot } from './lease.ts';
import { answerMonitor, isMonitored } from './monitor-uri.ts';
import type { PoolOptions, ServerOptions } from './options.ts';
import { PoolCore, type PoolOutlet } from './pool-core.ts';
import { PoolServer } from './pool-server.ts';
import { resolvePoolOptions } from './resolve-options.ts';
import { serverState } from './server-state.ts';
import { type PoolStats, poolStats } from './stats.ts';
import { linkTracks, refuseWhileTracked } from './tracking.ts';

/** Servers to avoid. */
const NOBODY: readonly string[] = [];

/** No options given: nothing to look at. */
const NOTHING: Readonly<Record<never, never>> = {};

/** What `close` and `removeServer` could not wait for. */
export interface CloseResult {
  /** Requests and tunnels that were cut when the grace time was over. */
  readonly cut: number;
  /** Leases that were not released by then. */
  readonly leaked: number;
}

/**
 * HAProxy's backend as an object: it holds servers, knows which are fit, chooses one for each request, carries the request
 * there over reused connections, and turns every failure into the right answer.
 *
 * It is live at once: checks start with the constructor. They do not keep the process alive; requests in flight and callers
 * that wait do.
 * @typeParam R the framework's own request, as functions of yours see it in `context.request`
 */
export class Pool<R = IncomingMessage> extends GuardedEmitter<PoolEvents> {
  /** Name in messages. */
  readonly name: string;
  readonly #core: PoolCore;
  readonly #monitor: Monitor;
  readonly #servers = new Map<BackendServer, PoolServer>();
  #decided: (() => void)[] = [];
  #closed: Promise<CloseResult> | undefined = undefined;

  /**
   * @param environment time and chance; for tests on a virtual clock
   * @throws {ConfigError} that lists every fault; nothing was started
   */
  constructor(options: PoolOptions<R> = {}, environment: Environment = systemEnvironment) {
    super(EVENT_NAMES);
    const resolved = resolvePoolOptions(options as PoolOptions<never>);
    this.name = resolved.name;
    const outlet: PoolOutlet = {
      emit: (event, payload) => this.emit(event, ...([payload] as never)),
      listens: (event) => this.listenerCount(event) > 0,
    };
    this.#core = new PoolCore(resolved, environment, outlet);
    requestHandlers.set(this, this.#handler);
    const core = this.#core;
    this.#monitor = new Monitor(
      resolved,
      environment,
      core.dialer,
      monitorEvents(
        core,
        () => this.#monitor,
        () => this.#onDecided(),
      ),
    );
    const ids = declaredIds(resolved.servers);
    const added = resolved.servers.map(
      (server, index) => new BackendServer(ids[index] as number, server, resolved, environment, core.limits),
    );
    refuseTwins(added);
    linkTracks(added, added, (server) => `servers[${added.indexOf(server)}]`);
    this.#monitor.start(added.map((server) => [server, this.#healthOf(server)]));
    for (const server of added) this.#enter(server);
    core.balancer.declared();
  }

  /** All servers, in the order in which they were declared or added. */
  get servers(): readonly PoolServer[] {
    return [...this.#servers.values()];
  }

  /** @throws {EvenkeelError} `EK_UNKNOWN_SERVER` */
  server(name: string): PoolServer {
    return this.#servers.get(this.#find(name)) as PoolServer;
  }

  hasServer(name: string): boolean {
    return this.#core.balancer.servers.some((server) => server.name === name);
  }

  /**
   * Adds a server, live at once, with `defaultServer` applied and its checks on.
   * @throws {ConfigError} that lists every fault; nothing was changed
   */
  addServer(options: string | ServerOptions): PoolServer {
    const core = this.#core;
    if (core.closing) throw new EvenkeelError('EK_CLOSED');
    const read = new OptionReader({}, 'server');
    const settings = core.options.readServer(options, 'server', read.faults);
    const { servers } = core.balancer;
    const { balance } = core.options;
    if (!settings) throw new ConfigError(read.faults);
    const id = settings.id ?? freeFrom(new Set(servers.map((server) => server.id)), 1);
    const server = new BackendServer(id, settings, core.options, core.environment, core.limits);
    refuseTwins([...servers, server]);
    linkTracks([server], [...servers, server], () => 'server');
    const refusal = balance.refuse([...servers, server]);
    if (refusal !== undefined) throw new ConfigError([{ path: 'server', value: options, message: refusal }]);
    this.#monitor.add(server, this.#healthOf(server));
    const facade = this.#enter(server);
    core.emit('server:added', { server: server.name, url: server.address.url });
    core.markedUp(server);
    return facade;
  }

  /**
   * Takes a server out: no new work from now on, its checks end. Resolves when its work in flight has ended, or was cut when
   * the grace time was over.
   * @throws {EvenkeelError} `EK_UNKNOWN_SERVER`
   * @throws {ConfigError} for a server that another one tracks; nothing was changed
   */
  async removeServer(name: string, options: GraceOptions = {}): Promise<CloseResult> {
    const graceMs = readGraceMs(options, 'removeServer');
    const core = this.#core;
    const server = this.#find(name);
    refuseWhileTracked(server, core.balancer.servers);
    this.#servers.delete(server);
    this.#monitor.remove(server);
    core.removeServer(server);
    server.connections.close();
    await core.settled(() => server.active === 0, graceMs);
    const cut = core.cutOn(server, 'K');
    const leaked = [...core.leases].filter((slot) => slot.server === server).length;
    core.emit('server:removed', { server: server.name, cut });
    return { cut, leaked };
  }

  /**
   * Chooses a server and takes a slot of it; waits for one where all are taken. Release the lease when the work is done.
   * @throws {EvenkeelError} `EK_NO_SERVER`, `EK_QUEUE_FULL`, `EK_QUEUE_TIMEOUT`, `EK_ABORTED`, `EK_CLOSED`
   * @throws {ConfigError} for a wrong `timeout`
   */
  acquire(context: RequestContext<R> = {}, options: AcquireOptions = NOTHING): Promise<Lease> {
    // Not an async function: what that keeps is half of what a caller that waits would cost.
    try {
      if (options !== NOTHING) checkLeaseOptions(options, 'acquire');
      const { signal, avoid = NOBODY, timeout } = options;
      const timeoutMs = parseDuration(timeout) ?? this.#core.options.timeouts.queueMs;
      return Promise.resolve(acquireLease(this.#core, { context, avoid, signal, timeoutMs }, this.#lend));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `acquire`, but gives `undefined` where no server has room. Never waits. */
  tryAcquire(context: RequestContext<R> = {}, options: Pick<AcquireOptions, 'avoid'> = NOTHING): Lease | undefined {
    if (options !== NOTHING) checkLeaseOptions(options, 'tryAcquire');
    const slot = tryAcquireSlot(this.#core, context, options.avoid ?? NOBODY);
    return slot && this.#lend(slot);
  }

  /**
   * Does work under a lease, and releases it whatever happens. Work that throws counts as a failure of its server.
   * @throws what `acquire` throws, and what `work` throws on its last try
   */
  async run<T>(
    context: RequestContext<R>,
    work: (lease: Lease) => T | Promise<T>,
    options: RunOptions = {},
  ): Promise<T> {
    checkLeaseOptions(options, 'run');
    const { signal, timeout } = options;
    const avoid = [...(options.avoid ?? [])];
    if (options.retry) this.#core.retryBudget?.request(this.#core.environment.now());
    for (let retries = options.retry ? this.#core.options.retry.retries : 0; ; retries--) {
      const lease = await this.acquire(context, {
        ...(signal && { signal }),
        ...(timeout !== undefined && { timeout }),
        avoid,
      });
      try {
        const result = await work(lease);
        lease.release({ ok: true });
        return result;
      } catch (error) {
        lease.release({ ok: false, error });
        if (retries === 0 || signal?.aborted || !this.#core.mayRetry()) throw error;
        avoid.unshift(lease.server.name);
      }
    }
  }

  /**
   * Resolves when every server has its first verdict, be it up or down, all of them too; servers without a check have it from
   * the start. The first checks are spread over up to `inter` (see `maxSpreadChecks`), so this takes as long as that, and a check.
   * @throws {EvenkeelError} `EK_NO_SERVER` when the time is over before, with the names of servers that are waited for;
   * `EK_CLOSED` when the pool is closed
   */
  async ready(options: { readonly timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = readReadyTimeoutMs(options);
    if (this.#core.closing) throw new EvenkeelError('EK_CLOSED');
    if (this.#monitor.undecided === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = (): void =>
      reject(new EvenkeelError('EK_NO_SERVER', { message: noVerdictOf(this.#monitor.undecidedNames, timeoutMs) }));
    const timer = this.#core.environment.setTimer(late, timeoutMs, true);
    this.#decided.push(resolve);
    try {
      await promise;
    } finally {
      timer.cancel();
      this.#decided = this.#decided.filter((waiting) => waiting !== resolve);
    }
    if (this.#core.closing) throw new EvenkeelError('EK_CLOSED');
  }

  /** A middleware for node:http, node:https, node:http2 (compatibility API), Express and Connect. */
  middleware(options: MiddlewareOptions<R> = {}): Middleware<unknown> {
    checkMiddlewareOptions(options as MiddlewareOptions<never>);
    return middleware(this.#handler, options as MiddlewareOptions<never>);
  }

  /** A listener for the `upgrade` event of a server. */
  upgradeHandler(options: UpgradeOptions = {}): UpgradeListener {
    checkUpgradeOptions(options, 'upgradeHandler');
    return upgradeListener(this.#handler, options);
  }

  /**
   * Takes requests, `Expect: 100-continue`, upgrades and CONNECT of a server of node:http, node:https or node:http2.
   * @returns a function that takes the listeners off again
   */
  attach(server: AttachableServer, options: AttachOptions = {}): () => void {
    checkServer(server);
    checkUpgradeOptions(options, 'attach');
    return attach(this.#handler, server, options);
  }

  /** What happened so far and how things stand: a plain frozen snapshot. Counters are named as HAProxy's CSV columns. */
  stats(): PoolStats {
    return poolStats(this.name, this.#core, this.#monitor);
  }

  /**
   * A table of the pool's: one of `tables` by its name, or without a name its own, `stickTable`. One that the options describe
   * is a `StickTable`; else it is the one that was given, whose type is yours to say: `pool.table<RedisTable>()`.
   * HAProxy: `show table`, `set table`, `clear table`.
   * @throws {ConfigError} for a name that no table has
   */
  table<T extends Table = StickTable>(name: string = OWN): T {
    return this.#core.tables.resolve(name) as Table as T;
  }

  /**
   * Which server a request with this context would be sent to, which ones it could be, and why not the others. Takes nothing and
   * no turn: the next choice is what it would have been. Functions of yours (`useServer`, the key to be hashed) are asked.
   */
  explain(context: RequestContext<R> = {}): Explanation {
    return explain(this.#core, this.#monitor, context);
  }

  /**
   * Refuses new work at once, waits for work in flight, cuts what is left when the grace time is over, and gives up all
   * connections and timers. A second call gives the first one's promise.
   */
  close(options: GraceOptions = {}): Promise<CloseResult> {
    this.#closed ??= this.#close(readGraceMs(options, 'close'));
    return this.#closed;
  }

  async #close(graceMs: number): Promise<CloseResult> {
    const core = this.#core;
    core.closing = true;
    this.#monitor.stop();
    core.outliers?.stop();
    this.#onDecided();
    for (const exchange of [...core.exchanges]) exchange.onPoolClosing();
    await core.settled(() => core.limits.current === 0, graceMs);
    const late = [...core.exchanges];
    // Those that wait go first: what comes free is theirs no more.
    core.admission.refuseAll(() => new EvenkeelError('EK_CLOSED', { flags: 'KQ' }));
    for (const exchange of late) exchange.cut('K');
    const result = { cut: late.length, leaked: core.leases.size };
    for (const server of core.balancer.servers) server.connections.close();
    core.close();
    core.emit('close', result);
    return result;
  }

  /** What the adapters talk to. */
  readonly #handler = {
    handle: (request: ClientRequest, response: ClientResponse, arrival: Arrival): void => {
      const { monitor } = this.#core.options;
      if (monitor && isMonitored(monitor, request, arrival)) {
        answerMonitor(this.#core, monitor, this, request, response);
        return;
      }
      const refusal = this.#core.refusal();
      const dispatch = new HttpDispatch(this.#core, request, response, arrival);
      this.#core.entered(dispatch);
      if (refusal) dispatch.onRefused(refusal);
      else dispatch.start();
    },
    reportFault: (sample: string, error: unknown): void => this.#core.reportFault(sample, error),
  };

  #healthOf(server: BackendServer): HealthSettings {
    const state = (): string => serverState(server, this.#core, this.#monitor.report(server));
    return { ...server.health, target: { ...server.health.target, state } };
  }

  #enter(server: BackendServer): PoolServer {
    const facade = new PoolServer(server, this.#core, this.#monitor);
    this.#servers.set(server, facade);
    this.#core.addServer(server);
    return facade;
  }

  readonly #lend = (slot: LeaseSlot): Lease => new Lease(slot, this.#servers.get(slot.server) as PoolServer);

  #find(name: string): BackendServer {
    const server = this.#core.balancer.servers.find((known) => known.name === name);
    if (!server)
      throw new EvenkeelError('EK_UNKNOWN_SERVER', { message: `the pool has no server ${JSON.stringify(name)}` });
    return server;
  }

  #onDecided(): void {
    for (const resolve of this.#decided) resolve();
  }
}

/** Names in a message. */
const MOST_NAMES = 5;

function noVerdictOf(names: readonly string[], timeoutMs: number): string {
  const told = names.slice(0, MOST_NAMES).join(', ');
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return `no first check of ${names.length === 1 ? 'server' : 'servers'} ${told}${more} has ended within ${timeoutMs} ms`;
}
