import { Dialer } from '../connections/dial.ts';
import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { Deadlines } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import { EvenkeelError } from '../core/errors.ts';
import type { PoolEvents } from '../core/events.ts';
import { unmapped } from '../core/ip-address.ts';
import { TurnEnd } from '../core/turn-end.ts';
import { BodyMemory } from '../forward/body-memory.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import { HttpProxyEngine } from '../forward/http-proxy-engine.ts';
import { Http1Engine } from '../forward/http1-engine.ts';
import { Outliers } from '../health/outliers.ts';
import { Admission } from './admission.ts';
import { writeError, writeRuling } from './answers.ts';
import type { BackendServer } from './backend-server.ts';
import { Balancer } from './balancer.ts';
import { Choice } from './choice.ts';
import type { ClientExchange } from './client-exchange.ts';
import { ClientSessions } from './client-sessions.ts';
import type { CutBy } from './cut-by.ts';
import type { HttpDispatch } from './dispatch.ts';
import { DynamicLimits } from './dynamic-limits.ts';
import { ExchangeList } from './exchange-list.ts';
import { outlierEvents } from './health-reports.ts';
import { Hedging } from './hedging.ts';
import type { LeaseSlot } from './lease.ts';
import { Persistence } from './persistence.ts';
import { PoolTables } from './pool-tables.ts';
import { type Priority, priorityFrom } from './priority.ts';
import type { ResolvedPool } from './resolve-options.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Ruling } from './rule-answers.ts';
import { SampleReports } from './sample-reports.ts';

const NO_PRIORITY: Priority = Object.freeze({});

/** How the parts of a pool reach whoever listens. */
export interface PoolOutlet {
  emit<E extends keyof PoolEvents>(event: E, payload: Parameters<PoolEvents[E]>[0]): void;
  listens(event: keyof PoolEvents): boolean;
}

/** The parts of one pool, and what its requests and leases share: slots, choice, answers. */
export class PoolCore {
  readonly options: ResolvedPool;
  readonly environment: Environment;
  readonly dialer: Dialer;
  readonly forwarder: Forwarder;
  readonly balancer: Balancer;
  readonly deadlines: Deadlines;
  readonly bodyMemory: BodyMemory;
  readonly limits: DynamicLimits;
  readonly admission: Admission;
  readonly choice: Choice;
  readonly tables: PoolTables;
  /** `undefined`: nothing binds a request to a server. */
  readonly persistence: Persistence | undefined;
  readonly sessions: ClientSessions = new ClientSessions();
  /** Requests under way. */
  readonly exchanges: ExchangeList<HttpDispatch> = new ExchangeList();
  /** Leases not yet released. */
  readonly leases: ExchangeList<LeaseSlot> = new ExchangeList();
  /** What retries are paid from; `undefined`: they are not limited together. */
  readonly retryBudget: RetryBudget | undefined;
  /** `undefined`: no request is hedged. */
  readonly hedging: Hedging | undefined;
  /** `undefined`: nobody is ejected. */
  readonly outliers: Outliers | undefined;
  /** New work is refused. */
  closing = false;
  /** The last of it is over. */
  closed = false;
  /** A function of the user's threw; the request goes on without what it would have given. */
  readonly reportFault: (sample: string, error: unknown) => void;
  /** As `reportFault`, for what fails at every request alike. */
  readonly reportOnce: (sample: string, error: unknown) => void;
  readonly #outlet: PoolOutlet;
  readonly #waiting: Set<() => void> = new Set();

  constructor(options: ResolvedPool, environment: Environment, outlet: PoolOutlet) {
    this.options = options;
    this.environment = environment;
    this.#outlet = outlet;
    const { report, reportOnce } = new SampleReports(outlet, options.name);
    this.reportFault = report;
    this.reportOnce = reportOnce;
    this.dialer = new Dialer(environment);
    this.hedging = options.hedge && new Hedging(options.hedge);
    this.retryBudget = options.retryBudget && new RetryBudget(options.retryBudget);
    const { forwarding, balance, allbackups, startOffset } = options;
    this.deadlines = new Deadlines(environment);
    this.bodyMemory = new BodyMemory(options.maxBufferedBytes);
    const parts = { environment, dialer: this.dialer, deadlines: this.deadlines, turnEnd: new TurnEnd(), forwarding };
    this.forwarder =
      options.engine === 'http1'
        ? new Http1Engine(parts)
        : new HttpProxyEngine(parts, options.httpProxy, this.reportFault);
    this.outliers = options.outlier && new Outliers(environment, options.outlier, outlierEvents(this));
    this.balancer = new Balancer({
      factory: balance.factory,
      allbackups,
      startOffset,
      environment,
      addressOf: (context) => this.addressOf(context),
      report: this.reportOnce,
      onFault: (error) => this.reportFault('balance', error),
    });
    const { balancer, deadlines } = this;
    this.limits = new DynamicLimits(options.fullconn ?? 0, (server) => this.slotsChanged(server));
    this.admission = new Admission({
      balancer,
      deadlines,
      maxQueue: options.poolMaxQueue,
      redispatch: options.retry.redispatch !== 0 && !options.persist,
    });
    this.tables = new PoolTables(options.tables, environment, {
      random: () => environment.random(),
      addressOf: (context) => this.addressOf(context),
    });
    this.persistence = Persistence.of({
      options,
      tables: this.tables,
      environment,
      report: this.reportOnce,
    });
    const { persistence, admission } = this;
    this.choice = new Choice({ options, balancer, persistence, shared: admission.shared });
  }

  /** Somebody listens to it: what is told often is put together only then. */
  hears(event: keyof PoolEvents): boolean {
    return this.#outlet.listens(event);
  }

  emit<E extends keyof PoolEvents>(event: E, payload: Parameters<PoolEvents[E]>[0]): void {
    this.#outlet.emit(event, payload);
  }

  /** What the option `priority` says of a request; asked only where it has to wait. */
  priorityOf(context: RequestContext): Priority {
    const { priority } = this.options;
    if (!priority) return NO_PRIORITY;
    try {
      return priorityFrom(atOnce(priority(context)), 'priority');
    } catch (error) {
      this.reportOnce('priority', error);
      return NO_PRIORITY;
    }
  }

  /** Why no more work is taken on; `undefined`: it is. */
  refusal(): EvenkeelError | undefined {
    if (this.closing) return new EvenkeelError('EK_CLOSED');
    if (this.limits.current < this.options.poolMaxRequests) return undefined;
    return new EvenkeelError('EK_QUEUE_FULL', { message: 'the pool has as many requests as it may' });
  }

  /** Something of the server changed: its state, its weight, its slots. Returns whether it counts as ejected no more for that. */
  serverChanged(server: BackendServer): boolean {
    this.balancer.changed(server);
    // First: what waits may have no other server than those that count as ejected no more.
    const restored = this.outliers?.serverChanged(server) ?? false;
    this.admission.changed(server);
    return restored;
  }

  /** Whether it counts as ejected has changed. */
  ejectionChanged(server: BackendServer): void {
    this.balancer.changed(server);
    this.admission.changed(server);
  }

  addServer(server: BackendServer): void {
    this.limits.add(server);
    this.persistence?.add(server);
    this.balancer.add(server);
    // It may end a panic: those that count as ejected again leave to it what waits.
    this.outliers?.add(server);
    this.admission.changed(server);
  }

  removeServer(server: BackendServer): void {
    this.limits.remove(server);
    this.persistence?.remove(server);
    this.balancer.remove(server);
    this.outliers?.remove(server);
    this.admission.changed(server);
  }

  /** Cuts the requests and tunnels that a server has. Gives how many; one that goes on as a hedge elsewhere is none. */
  cutOn(server: BackendServer, by: CutBy): number {
    return [...this.exchanges].filter((exchange) => exchange.cutOn(server, by)).length;
  }

  /** A server went down. HAProxy: `on-marked-down`. */
  markedDown(server: BackendServer): void {
    if (server.cutsWhenDown) this.cutOn(server, 'D');
  }

  /** A server came up, and may take what backups have. HAProxy: `on-marked-up`. */
  markedUp(server: BackendServer): void {
    if (!server.cutsBackupsWhenUp || server.backup || !server.usable) return;
    for (const other of this.balancer.servers) if (other.backup) this.cutOn(other, 'U');
  }

  /** Pays for a retry. `false`: the budget does not suffice. */
  mayRetry(): boolean {
    return this.retryBudget?.tryRetry(this.environment.now()) ?? true;
  }

  /** Takes a slot. */
  take(server: BackendServer): void {
    const { counters } = server;
    server.active++;
    counters.stot++;
    if (server.active > counters.smax) counters.smax = server.active;
    this.balancer.took(server);
    this.outliers?.took(server);
  }

  /** Gives a slot back, for whoever waits for it. */
  free(server: BackendServer): void {
    server.active--;
    this.balancer.freed(server);
    this.outliers?.freed(server);
    this.admission.serve(server);
    this.tell();
  }

  /** Gives back a slot that was taken for nothing. */
  giveBack(server: BackendServer): void {
    server.counters.stot--;
    this.free(server);
  }

  /** A request has come. */
  entered(dispatch: HttpDispatch): void {
    this.exchanges.add(dispatch);
    this.limits.enter();
  }

  /** A request is over. */
  ended(dispatch: HttpDispatch): void {
    this.exchanges.delete(dispatch);
    this.limits.leave();
    this.tell();
  }

  /** The server has more slots, or fewer. */
  slotsChanged(server: BackendServer): void {
    server.recalculate(this.environment.now());
    this.balancer.queueChanged(server);
    this.admission.serve(server);
  }

  /** Nothing is under way any more, and nothing will be: gives up what is left of timers and listeners. */
  close(): void {
    this.closed = true;
    this.sessions.close();
    this.deadlines.rest();
    this.tell();
  }

  /** Resolves once `settled` holds, when `graceMs` is over, or when the pool is closed. Holds the process meanwhile. */
  async settled(settled: () => boolean, graceMs: number): Promise<void> {
    if (settled()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (settled() || this.closed) resolve();
    };
    const timer = this.environment.setTimer(resolve, graceMs, true);
    this.#waiting.add(look);
    await promise;
    this.#waiting.delete(look);
    timer.cancel();
  }

  /** Something has ended: whoever waits for an end looks again. */
  tell(): void {
    if (this.#waiting.size > 0) for (const look of [...this.#waiting]) look();
  }

  /** The client's address as the servers are told it; `undefined` where they are not. */
  forwardedAddressOf(context: RequestContext): string | undefined {
    const { forwardfor, forwarded } = this.options.forwarding;
    return forwardfor || forwarded ? this.addressOf(context) : undefined;
  }

  /** The client's address, as the option `clientAddress` has it. */
  addressOf(context: RequestContext): string | undefined {
    const { clientAddress } = this.options;
    if (clientAddress) {
      try {
        const { method, url, headers, socket, remoteAddress, request } = context;
        return atOnce(
          clientAddress({
            method,
            url,
            ...(headers && { headers }),
            ...(socket && { socket }),
            remoteAddress,
            request,
          }),
        );
      } catch (error) {
        this.reportFault('clientAddress', error);
        return undefined;
      }
    }
    const address = context.remoteAddress ?? context.socket?.remoteAddress;
    // A socket that listens on both families gives IPv4 clients an IPv6 name.
    return address === undefined ? undefined : unmapped(address);
  }

  /** Writes the answer to a request that failed; gives its status. */
  answer(exchange: ClientExchange, error: EvenkeelError): number {
    return writeError(this.options.answers, exchange, error, this.reportFault);
  }

  /** Writes the answer of a rule; gives its status. */
  answerByRule(exchange: ClientExchange, ruling: Ruling): number {
    return writeRuling(this.options.answers, exchange, ruling, this.reportFault);
  }
}
