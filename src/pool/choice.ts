import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { EvenkeelError } from '../core/errors.ts';
import { show } from '../core/options.ts';
import type { ServerView } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';
import type { Balancer } from './balancer.ts';
import type { Place, RequestQueue } from './request-queue.ts';
import type { ResolvedPool } from './resolve-options.ts';

/** What a choice depends on. */
export interface ChoiceOptions {
  readonly options: Pick<ResolvedPool, 'useServer' | 'balance' | 'retry'>;
  readonly balancer: Balancer;
  /** Where to wait for any server. */
  readonly shared: RequestQueue;
  /** A function of the user's threw. */
  readonly report: (sample: string, error: unknown) => void;
}

/**
 * Where a request goes: to a server with a free slot, into a queue, or nowhere.
 * @see HAProxy backend.c:assign_server_and_queue
 */
export class Choice {
  readonly #options: ChoiceOptions['options'];
  readonly #balancer: Balancer;
  readonly #shared: RequestQueue;
  readonly #report: ChoiceOptions['report'];

  constructor({ options, balancer, shared, report }: ChoiceOptions) {
    this.#options = options;
    this.#balancer = balancer;
    this.#shared = shared;
    this.#report = report;
  }

  /**
   * For a new request: the server that `useServer` names, else the one it is bound to, else one by balancing.
   * @param preferred the server that the client is authenticated to: that one, while it is usable and has room
   * @param request is told whether it belongs to that server
   * @see HAProxy `use-server`, which neither weight nor drain nor backup stand against
   */
  first(context: RequestContext, preferred: ServerView | undefined, request: { persistent: boolean }): Place {
    request.persistent = true;
    const named = this.named(context);
    if (named) {
      const place = placeAt(named);
      if (place) return place;
      // HAProxy: a full queue breaks the bond, where requests may go elsewhere at all.
      if (this.#options.retry.redispatch === 0) return new EvenkeelError('EK_QUEUE_FULL', { server: named.name });
    }
    const known = preferred && this.#balancer.servers.find((server) => server === preferred);
    if (known?.usable && !known.saturated && !this.#options.balance.hashes) return known;
    request.persistent = false;
    return this.#balanced(this.#balancer.pick(context, undefined), undefined);
  }

  /**
   * For work that failed before: another server than all of those, while one has room.
   * @param refused it is the last try, and all of them have refused the connection: then a backup may do
   */
  again(context: RequestContext, tried: readonly BackendServer[], refused: boolean = false): Place {
    const last = tried.at(-1);
    const balancer = this.#balancer;
    let server = balancer.pick(context, last);
    if (server && tried.includes(server)) {
      const backup = refused && balancer.allActiveAreIn(tried) ? balancer.pickBackup(context) : undefined;
      server = balancer.untried(server, tried) ?? (backup?.saturated ? server : (backup ?? server));
    }
    return this.#balanced(server, last);
  }

  /** Where the server stands that balancing has found; `undefined`: all are full. */
  #balanced(server: BackendServer | undefined, previous: BackendServer | undefined): Place {
    if (!server) return this.#balancer.usableCount === 0 ? new EvenkeelError('EK_NO_SERVER') : this.#shared;
    const place = placeAt(server);
    if (place === server && server !== previous) server.counters.lbtot++;
    return place ?? new EvenkeelError('EK_QUEUE_FULL', { server: server.name });
  }

  /** The server that `useServer` names, if it may be used. */
  named(context: RequestContext): BackendServer | undefined {
    const { useServer } = this.#options;
    if (!useServer) return undefined;
    try {
      const name: unknown = atOnce(useServer(context));
      if (name === undefined || name === null) return undefined;
      const server = this.#balancer.servers.find((known) => known.name === name);
      if (server) return server.acceptsPersistent ? server : undefined;
      throw new TypeError(`it gave ${show(name)}; allowed: the name of a server, or undefined`);
    } catch (error) {
      this.#report('useServer', error);
      return undefined;
    }
  }
}

/** The server where it has a slot free, else its queue; `undefined`: that is full, too. */
function placeAt(server: BackendServer): BackendServer | RequestQueue | undefined {
  if (!server.saturated) return server;
  return server.queueFull ? undefined : server.line;
}
