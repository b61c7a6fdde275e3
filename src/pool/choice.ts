import type { RequestContext } from '../core/context.ts';
import { EvenkeelError } from '../core/errors.ts';
import type { ServerView } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';
import type { Balancer } from './balancer.ts';
import type { Binding, Bond, Persistence } from './persistence.ts';
import type { Place, RequestQueue } from './request-queue.ts';
import type { ResolvedPool } from './resolve-options.ts';

/** What a choice depends on. */
export interface ChoiceOptions {
  readonly options: Pick<ResolvedPool, 'balance' | 'retry'>;
  readonly balancer: Balancer;
  readonly persistence: Persistence | undefined;
  /** Where to wait for any server. */
  readonly shared: RequestQueue;
}

/** Whoever asks for a server. */
export interface Seeker {
  /** What binds it to one; `undefined`: nothing can. */
  readonly bond: Bond | undefined;
  /** The server that its client is authenticated to. */
  readonly preferred: ServerView | undefined;
  /** It may be answered by telling its client to go there itself. */
  readonly redirectable: boolean;
  /** Is told what binds it to the server that it gets. */
  binding: Binding;
}

/**
 * Where a request goes: to a server with a free slot, into a queue, or nowhere.
 * @see HAProxy backend.c:assign_server_and_queue
 */
export class Choice {
  readonly #options: ChoiceOptions['options'];
  readonly #balancer: Balancer;
  readonly #shared: RequestQueue;
  readonly #persistence: Persistence | undefined;

  constructor({ options, balancer, persistence, shared }: ChoiceOptions) {
    this.#options = options;
    this.#balancer = balancer;
    this.#persistence = persistence;
    this.#shared = shared;
  }

  /**
   * For new work: the server that it is bound to, which neither weight nor drain nor backup stand against; else the one that
   * its client is authenticated to, while that is usable and has room; else one by balancing.
   */
  first(context: RequestContext, seeker: Seeker): Place {
    const { bond, preferred } = seeker;
    const bound = bond?.server;
    if (bond?.by && bound && this.#persistence?.accepts(bound, bond)) {
      seeker.binding = bond.by;
      const place = redirects(bound, seeker) ? bound : placeAt(bound);
      if (place) return place;
      // HAProxy: a full queue breaks the bond, where requests may go elsewhere at all.
      if (bond.forced || this.#options.retry.redispatch === 0)
        return new EvenkeelError('EK_QUEUE_FULL', { server: bound.name });
    }
    const known = preferred && this.#balancer.servers.find((server) => server === preferred);
    if (known?.usable && !known.saturated && !this.#options.balance.hashes) {
      seeker.binding = 'session';
      return known;
    }
    seeker.binding = 'none';
    return this.#balanced(this.#balancer.pick(context, undefined), undefined, seeker);
  }

  /**
   * For work that failed before: another server than all of those, while one has room.
   * @param refused it is the last try, and all of them have refused the connection: then a backup may do
   */
  again(context: RequestContext, seeker: Seeker, tried: readonly BackendServer[], refused: boolean = false): Place {
    const last = tried.at(-1);
    const balancer = this.#balancer;
    let server = balancer.pick(context, last);
    if (server && tried.includes(server)) {
      const backup = refused && balancer.allActiveAreIn(tried) ? balancer.pickBackup(context) : undefined;
      server = balancer.untried(server, tried) ?? (backup?.saturated ? server : (backup ?? server));
    }
    return this.#balanced(server, last, seeker);
  }

  /** Where the server stands that balancing has found; `undefined`: all are full. */
  #balanced(server: BackendServer | undefined, previous: BackendServer | undefined, seeker: Seeker): Place {
    if (!server) return this.#balancer.usableCount === 0 ? new EvenkeelError('EK_NO_SERVER') : this.#shared;
    const place = redirects(server, seeker) ? server : placeAt(server);
    if (place === server && server !== previous) server.counters.lbtot++;
    return place ?? new EvenkeelError('EK_QUEUE_FULL', { server: server.name });
  }
}

/** Clients are told to go to its `redir` themselves by answers to these. HAProxy: SF_REDIRECTABLE. */
export function isRedirectable(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** The server is not asked, so that no slot of it is needed. */
function redirects(server: BackendServer, { redirectable }: Seeker): boolean {
  return redirectable && server.redir !== undefined;
}

/** The server where it has a slot free, else its queue; `undefined`: that is full, too. */
function placeAt(server: BackendServer): BackendServer | RequestQueue | undefined {
  if (!server.saturated) return server;
  return server.queueFull ? undefined : server.line;
}
