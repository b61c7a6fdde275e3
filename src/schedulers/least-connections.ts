import type { RequestContext } from '../core/context.ts';
import { HeapItem, OrderedHeap } from '../core/ordered-heap.ts';
import { MAX_WEIGHT, WEIGHT_SCALE } from '../servers/effective.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, nothingMore, type Scheduler } from './scheduler.ts';

class Entry extends HeapItem {
  readonly server: ServerView;
  /** The next in the chain of those passed over in this pick. */
  behind: Entry | undefined = undefined;

  constructor(server: ServerView) {
    super();
    this.server = server;
  }
}

/**
 * The load a server is chosen by, as HAProxy reckons it: idle servers are equal whatever their weight; past that, the
 * requests it would have with one more, over its weight.
 * @param load requests that it has, and that wait for it
 * @see HAProxy lb_fwlc.c:fwlc_get_key
 */
export function leastConnectionsKey(load: number, effectiveWeight: number): number {
  return load === 0 ? 0 : Math.floor(((load + 1) * MAX_WEIGHT * WEIGHT_SCALE) / effectiveWeight);
}

/**
 * Chooses the server with the fewest requests for its weight, those that wait for it among them, as long as its slots and
 * its `maxqueue` last; equal ones take turns, the one that changed longest ago
 * first (HAProxy breaks ties at random).
 * Cost: O(log n) a pick and a change; nothing allocated.
 * @see HAProxy `balance leastconn`, configuration manual 4.2
 */
class LeastConnections implements Scheduler {
  readonly #entries = new Map<ServerView, Entry>();
  /** Those that take more; a server that does not waits outside until it is heard of again. */
  readonly #byLoad = new OrderedHeap<Entry>();

  add(server: ServerView): void {
    const entry = new Entry(server);
    this.#entries.set(server, entry);
    this.#arrange(entry);
  }

  remove(server: ServerView): void {
    const entry = this.#entries.get(server);
    if (entry === undefined) return;
    this.#entries.delete(server);
    if (this.#byLoad.has(entry)) this.#byLoad.remove(entry);
  }

  reweigh(server: ServerView): void {
    const entry = this.#entries.get(server);
    if (entry !== undefined) this.#arrange(entry);
  }

  took(server: ServerView): void {
    this.reweigh(server);
  }

  freed(server: ServerView): void {
    this.reweigh(server);
  }

  /** A pick changes nothing here; that a slot is taken is told apart. */
  peek(context: RequestContext): ServerView | undefined {
    return this.pick(context, undefined);
  }

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    let chosen: ServerView | undefined;
    let avoided: ServerView | undefined;
    let passedOver: Entry | undefined;
    for (let entry = this.#byLoad.first; entry !== undefined; entry = this.#byLoad.first) {
      if (entry.server.acceptsMore) {
        if (entry.server !== avoid) {
          chosen = entry.server;
          break;
        }
        avoided = avoid;
      }
      this.#byLoad.remove(entry);
      entry.behind = passedOver;
      passedOver = entry;
    }
    while (passedOver !== undefined) {
      const entry = passedOver;
      passedOver = entry.behind;
      entry.behind = undefined;
      this.#byLoad.restore(entry);
    }
    return chosen ?? avoided;
  }

  #arrange(entry: Entry): void {
    if (this.#byLoad.has(entry)) this.#byLoad.remove(entry);
    const { server } = entry;
    if (server.acceptsMore)
      this.#byLoad.push(entry, leastConnectionsKey(server.active + server.queued, server.effectiveWeight));
  }
}

export const leastConnections: Algorithm = defineScheduler({
  readOptions: () => undefined,
  readPhrase: nothingMore,
  create: () => new LeastConnections(),
});
