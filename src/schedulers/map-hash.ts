import type { RequestContext } from '../core/context.ts';
import type { ServerView } from '../servers/server.ts';
import type { ReadHash } from './hash-inputs.ts';
import type { Scheduler } from './scheduler.ts';
import type { TurnTable } from './turn-table.ts';

/**
 * A request's hash is its turn in a table of servers. A request with nothing to hash gets the next turn. A full server is
 * waited for: its keys belong to it.
 * Cost: O(1) a pick; a change of servers costs a new table at the next one.
 * @see HAProxy `hash-type map-based`; lb_map.c
 */
export class MapHash implements Scheduler {
  readonly #read: ReadHash;
  readonly #readsAlways: boolean;
  readonly #turns: TurnTable;
  /** The table depends on weights as they change. */
  readonly #dynamic: boolean;

  /** @param readsAlways also where one server is all there is; else its turn comes without a look at the request */
  constructor(read: ReadHash, readsAlways: boolean, turns: TurnTable, dynamic: boolean) {
    this.#read = read;
    this.#readsAlways = readsAlways;
    this.#turns = turns;
    this.#dynamic = dynamic;
  }

  add(server: ServerView): void {
    this.#turns.add(server);
  }

  remove(server: ServerView): void {
    this.#turns.remove(server);
  }

  reweigh(server: ServerView): void {
    if (this.#dynamic) this.#turns.reweigh(server);
    this.#turns.slotsChanged(server);
  }

  took(server: ServerView): void {
    this.#turns.slotsChanged(server);
  }

  freed(server: ServerView): void {
    this.#turns.slotsChanged(server);
  }

  pick(context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    const hash = this.#readsAlways || !this.#turns.isSingle ? this.#read(context) : 0;
    return hash === undefined ? this.#turns.next(avoid) : this.#turns.at(hash, avoid);
  }

  peek(context: RequestContext): ServerView | undefined {
    return this.#turns.undone(() => this.pick(context, undefined));
  }
}
