import type { RequestContext } from '../core/context.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, nothingMore, type PoolView, type Scheduler } from './scheduler.ts';
import { buildServerMap } from './server-map.ts';
import type { TableMemory } from './table-memory.ts';
import { TurnTable } from './turn-table.ts';

/**
 * Takes turns as they stand in a table, in proportion to weights that cannot change. The fastest of all, and the order is
 * another than that of `roundrobin`. A server that comes or goes begins a new table.
 * Cost: O(1) a pick while none is full, else O(log n).
 * @see HAProxy `balance static-rr`, configuration manual 4.2; lb_map.c
 */
class StaticRoundRobin implements Scheduler {
  readonly #turns: TurnTable;

  constructor(pool: PoolView) {
    this.#turns = new TurnTable(pool, (servers, memory) => staticMap(servers, pool, memory));
  }

  add(server: ServerView): void {
    this.#turns.add(server);
  }

  remove(server: ServerView): void {
    this.#turns.remove(server);
  }

  reweigh(server: ServerView): void {
    this.#turns.slotsChanged(server);
  }

  took(server: ServerView): void {
    this.#turns.slotsChanged(server);
  }

  freed(server: ServerView): void {
    this.#turns.slotsChanged(server);
  }

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    return this.#turns.next(avoid);
  }

  peek(): ServerView | undefined {
    return this.#turns.undone(() => this.#turns.next(undefined));
  }
}

/**
 * The table of HAProxy's static algorithms: weights are divided by the greatest common divisor of those declared of all
 * servers, usable or not; slow start does not touch them.
 */
export function staticMap(servers: readonly ServerView[], pool: PoolView, memory: TableMemory): Uint32Array {
  const divisor = pool.servers.reduce((common, { declaredWeight }) => greatestDivisor(common, declaredWeight), 0) || 1;
  return buildServerMap(
    servers.map(({ weight }) => Math.ceil(weight / divisor)),
    memory,
  );
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

export const staticRoundRobin: Algorithm = defineScheduler({
  readOptions: () => ({}),
  readPhrase: nothingMore,
  create: (_options, _environment, pool) => new StaticRoundRobin(pool),
  static: true,
});
