import { Dialer } from '../connections/dial.ts';
import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { Deadlines } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import { EvenkeelError } from '../core/errors.ts';
import type { PoolEvents } from '../core/events.ts';
import { unmapped } from '../core/ip-address.ts';
import { show } from '../core/options.ts';
import { TurnEnd } from '../core/turn-end.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import { HttpProxyEngine } from '../forward/http-proxy-engine.ts';
import { Http1Engine } from '../forward/http1-engine.ts';
import type { ServerView } from '../servers/server.ts';
import { writeAnswer } from './answers.ts';
import type { BackendServer } from './backend-server.ts';
import { Balancer } from './balancer.ts';
import { ClientSessions } from './client-sessions.ts';
import type { HttpDispatch } from './dispatch.ts';
import { ExchangeList } from './exchange-list.ts';
import { Hedging } from './hedging.ts';
import type { LeaseSlot } from './lease.ts';
import type { ResolvedPool } from './resolve-options.ts';
import { RetryBudget } from './retry-budget.ts';

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
  readonly sessions: ClientSessions = new ClientSessions();
  /** Requests under way. */
  readonly exchanges: ExchangeList<HttpDispatch> = new ExchangeList();
  /** Leases not yet released. */
  readonly leases: ExchangeList<LeaseSlot> = new ExchangeList();
  /** What retries are paid from; `undefined`: they are not limited together. */
  readonly retryBudget: RetryBudget | undefined;
  /** `undefined`: no request is hedged. */
  readonly hedging: Hedging | undefined;
  /** New work is refused. */
  closing = false;
  readonly #outlet: PoolOutlet;
  readonly #waiting: Set<() => void> = new Set();

  constructor(options: ResolvedPool, environment: Environment, outlet: PoolOutlet) {
    this.options = options;
    this.environment = environment;
    this.#outlet = outlet;
    this.dialer = new Dialer(environment);
    this.hedging = options.hedge && new Hedging(options.hedge);
    this.retryBudget = options.retryBudget && new RetryBudget(options.retryBudget);
    const { forwarding, balance, allbackups, startOffset } = options;
    this.deadlines = new Deadlines(environment);
    const parts = { environment, dialer: this.dialer, deadlines: this.deadlines, turnEnd: new TurnEnd(), forwarding };
    this.forwarder =
      options.engine === 'http1'
        ? new Http1Engine(parts)
        : new HttpProxyEngine(parts, options.httpProxy, this.reportFault);
    this.balancer = new Balancer({
      factory: balance.factory,
      allbackups,
      startOffset,
      environment,
      addressOf: (context) => this.addressOf(context),
      report: (sample, error) => this.#reportOnce(sample, error),
      onFault: (error) => this.reportFault('balance', error),
    });
  }

  get hearsRequests(): boolean {
    return this.#outlet.listens('request');
  }

  emit<E extends keyof PoolEvents>(event: E, payload: Parameters<PoolEvents[E]>[0]): void {
    this.#outlet.emit(event, payload);
  }

  readonly #reported = new Set<string>();

  /** As `reportFault`, for what fails at every request alike. */
  #reportOnce(sample: string, error: unknown): void {
    if (this.#reported.has(sample)) return;
    this.#reported.add(sample);
    this.reportFault(sample, error);
  }

  /** A function of the user's threw; the request goes on without what it would have given. */
  readonly reportFault = (sample: string, error: unknown): void => {
    this.#outlet.emit('sample:error', { sample, error });
  };

  /**
   * A server with a free slot for a new request, or why there is none: the one that `useServer` names, else one by balancing.
   * @param preferred the server that the client is authenticated to: that one, while it is usable and has room
   * @see HAProxy `use-server`, which neither weight nor drain nor backup stand against; backend.c:assign_server
   */
  choose(context: RequestContext, preferred: ServerView | undefined): BackendServer | EvenkeelError {
    const named = this.options.useServer && this.#named(this.options.useServer, context);
    if (named) return named.saturated ? new EvenkeelError('EK_QUEUE_FULL') : named;
    const known = preferred && this.balancer.servers.find((server) => server === preferred);
    if (known?.usable && !known.saturated && !this.options.balance.hashes) return known;
    return this.#balanced(this.balancer.pick(context, undefined), undefined);
  }

  /**
   * As `choose`, for work that failed before: another server than all of those, while one has room.
   * @param refused it is the last try, and all of them have refused the connection: then a backup may do
   */
  chooseAgain(
    context: RequestContext,
    tried: readonly BackendServer[],
    refused: boolean = false,
  ): BackendServer | EvenkeelError {
    const last = tried.at(-1);
    let server = this.balancer.pick(context, last);
    if (server && tried.includes(server)) {
      const backup = refused && this.balancer.allActiveAreIn(tried) ? this.balancer.pickBackup(context) : undefined;
      server = this.balancer.untried(server, tried) ?? (backup?.saturated ? server : (backup ?? server));
    }
    return this.#balanced(server, last);
  }

  /** What balancing has found. One that is full would have to be waited for. */
  #balanced(server: BackendServer | undefined, previous: BackendServer | undefined): BackendServer | EvenkeelError {
    if (!server || server.saturated)
      return new EvenkeelError(this.balancer.usableCount === 0 ? 'EK_NO_SERVER' : 'EK_QUEUE_FULL');
    if (server !== previous) server.counters.lbtot++;
    return server;
  }

  #named(
    useServer: (context: RequestContext) => string | undefined,
    context: RequestContext,
  ): BackendServer | undefined {
    try {
      const name: unknown = atOnce(useServer(context));
      if (name === undefined || name === null) return undefined;
      const server = this.balancer.servers.find((known) => known.name === name);
      if (server) return server.acceptsPersistent ? server : undefined;
      throw new TypeError(`it gave ${show(name)}; allowed: the name of a server, or undefined`);
    } catch (error) {
      this.#reportOnce('useServer', error);
      return undefined;
    }
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
  }

  /** Gives a slot back. */
  free(server: BackendServer): void {
    server.active--;
    this.balancer.freed(server);
    if (this.#waiting.size > 0) this.#tell();
  }

  /** A request is over. */
  ended(dispatch: HttpDispatch): void {
    this.exchanges.delete(dispatch);
    if (this.#waiting.size > 0) this.#tell();
  }

  /** Resolves once `settled` holds, or when `graceMs` is over. Holds the process meanwhile. */
  async settled(settled: () => boolean, graceMs: number): Promise<void> {
    if (settled()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (settled()) resolve();
    };
    const timer = this.environment.setTimer(resolve, graceMs, true);
    this.#waiting.add(look);
    await promise;
    this.#waiting.delete(look);
    timer.cancel();
  }

  /** Looks again whether what somebody waits for has come. */
  #tell(): void {
    for (const look of [...this.#waiting]) look();
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
  answer(dispatch: HttpDispatch, error: EvenkeelError): number {
    return writeAnswer(this.options.answers, dispatch, error, this.reportFault);
  }
}
