import type { RequestContext } from '../core/context.ts';
import { HeapItem, OrderedHeap } from '../core/ordered-heap.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, nothingMore, type Scheduler } from './scheduler.ts';

class Place extends HeapItem {
  readonly server: ServerView;

  constructor(server: ServerView) {
    super();
    this.server = server;
  }
}

/**
 * Fills one server after another: that with the lowest id that has room. Weights do not count. Useful only with `maxconn`.
 * Cost: O(log n).
 * @see HAProxy `balance first`, configuration manual 4.2; lb_fas.c
 */
class FirstAvailable implements Scheduler {
  readonly #places = new Map<ServerView, Place>();
  /** Servers with room, by id. */
  readonly #roomy = new OrderedHeap<Place>();

  add(server: ServerView): void {
    const place = new Place(server);
    this.#places.set(server, place);
    this.#sort(place);
  }

  remove(server: ServerView): void {
    const place = this.#places.get(server);
    if (!place) return;
    this.#places.delete(server);
    if (this.#roomy.has(place)) this.#roomy.remove(place);
  }

  reweigh(server: ServerView): void {
    const place = this.#places.get(server);
    if (place) this.#sort(place);
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
    const roomy = this.#roomy;
    let avoided: Place | undefined;
    let found: ServerView | undefined;
    for (let first = roomy.first; first !== undefined; first = roomy.first) {
      if (first.server.saturated) roomy.remove(first);
      else if (first.server === avoid) {
        avoided = first;
        roomy.remove(first);
      } else {
        found = first.server;
        break;
      }
    }
    if (avoided === undefined) return found;
    roomy.restore(avoided);
    return found ?? avoid;
  }

  #sort(place: Place): void {
    const hasRoom = !place.server.saturated;
    if (hasRoom === this.#roomy.has(place)) return;
    if (hasRoom) this.#roomy.push(place, place.server.id);
    else this.#roomy.remove(place);
  }
}

export const firstAvailable: Algorithm = defineScheduler({
  readOptions: () => ({}),
  readPhrase: nothingMore,
  create: () => new FirstAvailable(),
});
