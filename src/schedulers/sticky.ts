import type { RequestContext } from '../core/context.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, type PoolView, type Scheduler } from './scheduler.ts';

/**
 * All requests go to one server for as long as it is usable, then to the next: in the order of declaration. One that comes
 * back takes nothing over. A full one is waited for.
 * Cost: O(1); O(n) when the server goes.
 * @see HAProxy `balance sticky`, configuration manual 4.2; lb_ss.c
 */
class Sticky implements Scheduler {
  readonly #pool: PoolView;
  readonly #members = new Set<ServerView>();
  #current: ServerView | undefined = undefined;

  constructor(pool: PoolView) {
    this.#pool = pool;
  }

  add(server: ServerView): void {
    this.#current ??= this.#first(undefined) ?? server;
    this.#members.add(server);
  }

  remove(server: ServerView): void {
    this.#members.delete(server);
    if (this.#current === server) this.#current = undefined;
  }

  reweigh(): void {}

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    this.#current ??= this.#first(undefined);
    return this.#current === avoid ? (this.#first(avoid) ?? avoid) : this.#current;
  }

  peek(): ServerView | undefined {
    return this.#current ?? this.#first(undefined);
  }

  #first(avoid: ServerView | undefined): ServerView | undefined {
    return this.#pool.servers.find((server) => server !== avoid && this.#members.has(server));
  }
}

export const sticky: Algorithm = defineScheduler({
  readOptions: () => ({}),
  readPhrase: () => undefined,
  create: (_options, _environment, pool) => new Sticky(pool),
});
