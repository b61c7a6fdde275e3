import { isIPv4 } from 'node:net';
import { Dialer } from '../connections/dial.ts';
import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { Deadlines } from '../core/deadlines.ts';
import type { Environment } from '../core/environment.ts';
import { EvenkeelError } from '../core/errors.ts';
import type { PoolEvents } from '../core/events.ts';
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
import type { LeaseSlot } from './lease.ts';
import type { ResolvedPool } from './resolve-options.ts';

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
  readonly sessions: ClientSessions = new ClientSessions();
  /** Requests under way. */
  readonly exchanges: ExchangeList<HttpDispatch> = new ExchangeList();
  /** Leases not yet released. */
  readonly leases: ExchangeList<LeaseSlot> = new ExchangeList();
  /** New work is refused. */
  closing = false;
  readonly #outlet: PoolOutlet;
  readonly #waiting: Set<() => void> = new Set();

  constructor(options: ResolvedPool, environment: Environment, outlet: PoolOutlet) {
    this.options = options;
    this.environment = environment;
    this.#outlet = outlet;
    this.dialer = new Dialer(environment);
    const { timeouts, forwarding, balance, allbackups, startOffset } = options;
    const deadlines = new Deadlines(environment, Math.min(...Object.values<number>({ ...timeouts })));
    const parts = { environment, dialer: this.dialer, deadlines, turnEnd: new TurnEnd(), forwarding };
    this.forwarder =
      options.engine === 'http1'
        ? new Http1Engine(parts)
        : new HttpProxyEngine(parts, options.httpProxy, this.reportFault);
    this.balancer = new Balancer({
      factory: balance.factory,
      allbackups,
      startOffset,
      environment,
      onFault: (error) => this.reportFault('balance', error),
    });
  }

  get hearsRequests(): boolean {
    return this.#outlet.listens('request');
  }

  emit<E extends keyof PoolEvents>(event: E, payload: Parameters<PoolEvents[E]>[0]): void {
    this.#outlet.emit(event, payload);
  }

  /** A function of the user's threw; the request goes on without what it would have given. */
  readonly reportFault = (sample: string, error: unknown): void => {
    this.#outlet.emit('sample:error', { sample, error });
  };

  /** As `choose`, for a client that is authenticated to one server: that one, while it is usable and has room. */
  chooseFor(context: RequestContext, preferred: ServerView | undefined): BackendServer | EvenkeelError {
    const server = preferred && this.balancer.servers.find((known) => known === preferred);
    return server?.usable && !server.saturated ? server : this.choose(context, undefined);
  }

  /** A server with a free slot, or why there is none. */
  choose(context: RequestContext, avoid: BackendServer | undefined): BackendServer | EvenkeelError {
    const server = this.balancer.pick(context, avoid);
    if (server) return server;
    return new EvenkeelError(this.balancer.usableCount === 0 ? 'EK_NO_SERVER' : 'EK_QUEUE_FULL');
  }

  /** As `choose`, for work that failed before: another server than all of those, while one has room. */
  chooseAgain(context: RequestContext, tried: readonly BackendServer[]): BackendServer | EvenkeelError {
    const server = this.choose(context, tried.at(-1));
    if (server instanceof EvenkeelError || !tried.includes(server)) return server;
    return this.balancer.untried(server, tried) ?? server;
  }

  /** Takes a slot. @param previous the server of the attempt before, which is not balanced to again */
  take(server: BackendServer, previous: BackendServer | undefined): void {
    const { counters } = server;
    server.active++;
    counters.stot++;
    if (previous !== server) counters.lbtot++;
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

  clientAddressOf(context: RequestContext): string | undefined {
    const { forwarding, clientAddress } = this.options;
    if (!forwarding.forwardfor && !forwarding.forwarded) return undefined;
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
    const address = context.remoteAddress;
    // A socket that listens on both families gives IPv4 clients an IPv6 name.
    return address?.startsWith('::ffff:') && isIPv4(address.slice(7)) ? address.slice(7) : address;
  }

  /** Writes the answer to a request that failed; gives its status. */
  answer(dispatch: HttpDispatch, error: EvenkeelError): number {
    return writeAnswer(this.options.answers, dispatch, error, this.reportFault);
  }
}
