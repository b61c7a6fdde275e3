import type { RequestContext } from '../core/context.ts';
import { HeapItem, OrderedHeap } from '../core/ordered-heap.ts';
import { MAX_WEIGHT, WEIGHT_SCALE } from '../servers/effective.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, nothingMore, type Scheduler } from './scheduler.ts';

const MAX_EFFECTIVE_WEIGHT = MAX_WEIGHT * WEIGHT_SCALE;

/**
 * Full servers that may keep their turns, and lose each as it comes up, as HAProxy has it. Every pick may have to pass
 * over all of them, so those that fill up beyond this number are set aside until they have room.
 */
const MOST_PASSED_OVER = 64;

/** A server's place in the rotation. Positions count picks, in rounds as long as the sum of effective weights. */
class Turn extends HeapItem {
  readonly server: ServerView;
  /** Effective weight that the group's sum holds for it; 0 while it is not in the group. */
  weight = 0;
  /** Its next turn. */
  position = 0;
  /** What dividing the round by its weight has left over so far; a whole weight of it is one position. */
  remainder = 0;
  queue: OrderedHeap<Turn> | undefined = undefined;
  /** It was full when last heard of. */
  full = false;
  /** The queue it was set aside from, and the round that was then. */
  asideFrom: OrderedHeap<Turn> | undefined = undefined;
  asideSince = 0;
  /** The next in the chain of those passed over in this pick. */
  behind: Turn | undefined = undefined;

  constructor(server: ServerView) {
    super();
    this.server = server;
  }
}

/**
 * Weighted round robin, in HAProxy's exact order: in each round every server gets turns in proportion to its weight,
 * spread evenly, the heaviest first. A server that joins, or whose weight changes, is placed a part of a round ahead.
 * The order is HAProxy's while at most 64 servers are full at once, and while weights sum up to less than some 500,000,
 * where its 32-bit keys wrap and these do not.
 * Cost: O(log n) a pick and a change; nothing allocated.
 * @see HAProxy `balance roundrobin`, configuration manual 4.2; lb_fwrr.c
 */
class RoundRobin implements Scheduler {
  /** Outlives a removal: a server that comes back keeps its remainder. */
  readonly #turns = new WeakMap<ServerView, Turn>();
  /** Servers that have had a turn in this round and have another. */
  readonly #current = new OrderedHeap<Turn>();
  /** Servers yet to have their first turn in this round, the heaviest first. */
  #initial = new OrderedHeap<Turn>();
  /** Servers that have had all their turns in this round, the heaviest first. */
  #next = new OrderedHeap<Turn>();
  #position = 0;
  /** Sum of effective weights when this round began, and now. */
  #roundWeight = 0;
  #totalWeight = 0;
  #round = 0;
  /** Nothing but `add` was called yet: all these servers begin the first round together. */
  #declaring = true;
  #fullQueued = 0;

  add(server: ServerView): void {
    let turn = this.#turns.get(server);
    if (turn === undefined) {
      turn = new Turn(server);
      this.#turns.set(server, turn);
    }
    turn.weight = server.effectiveWeight;
    this.#totalWeight += turn.weight;
    if (this.#declaring) {
      this.#roundWeight = this.#totalWeight;
      this.#position = this.#totalWeight;
      this.#queueByWeight(turn, this.#initial);
    } else {
      this.#join(turn);
    }
    this.#noteRoom(turn);
  }

  declared(): void {
    this.#declaring = false;
  }

  remove(server: ServerView): void {
    const turn = this.#turns.get(server);
    if (turn === undefined || turn.weight === 0) return;
    this.#declaring = false;
    this.#totalWeight -= turn.weight;
    turn.weight = 0;
    if (turn.full && turn.asideFrom === undefined) this.#fullQueued--;
    turn.full = false;
    turn.asideFrom = undefined;
    this.#unqueue(turn);
  }

  reweigh(server: ServerView): void {
    const turn = this.#turns.get(server);
    if (turn === undefined || turn.weight === 0) return;
    if (turn.weight !== server.effectiveWeight) {
      this.#declaring = false;
      this.#totalWeight += server.effectiveWeight - turn.weight;
      turn.weight = server.effectiveWeight;
      if (turn.asideFrom === undefined) {
        this.#unqueue(turn);
        this.#join(turn);
      }
    }
    this.#noteRoom(turn);
  }

  took(server: ServerView): void {
    this.#hear(server);
  }

  freed(server: ServerView): void {
    this.#hear(server);
  }

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    this.#declaring = false;
    if (this.#current.size + this.#initial.size + this.#next.size === 0) return undefined;
    let chosen: Turn | undefined;
    let avoided: Turn | undefined;
    let passedOver: Turn | undefined;
    let newRound = false;
    for (;;) {
      const turn = this.#takeTurn();
      if (turn === undefined) {
        if (newRound) break;
        newRound = true;
        this.#beginRound();
        continue;
      }
      if (!turn.server.saturated) {
        if (turn.server !== avoid) {
          chosen = turn;
          break;
        }
        avoided = turn;
      }
      turn.behind = passedOver;
      passedOver = turn;
    }
    chosen ??= avoided;
    if (chosen !== undefined) this.#queueByPosition(chosen);
    while (passedOver !== undefined) {
      const turn: Turn = passedOver;
      passedOver = turn.behind;
      turn.behind = undefined;
      if (turn === chosen) continue;
      if (newRound) this.#queueByWeight(turn, this.#initial);
      else this.#queueByPosition(turn);
    }
    return chosen?.server;
  }

  /** Whose turn is the next; past servers that are full only a pick finds its way. */
  peek(): ServerView | undefined {
    let turn = this.#current.first;
    if (turn === undefined || turn.position > this.#position) turn = this.#initial.first ?? turn;
    const server = (turn ?? this.#next.first)?.server;
    return server?.saturated ? undefined : server;
  }

  /** Takes the server whose turn it is out of its queue, its next turn worked out. HAProxy: fwrr_get_next_server. */
  #takeTurn(): Turn | undefined {
    let turn = this.#current.first;
    // A turn still to come is taken early where no server waits for its first: a hole in the sequence.
    if (turn === undefined || turn.position > this.#position) {
      const newcomer = this.#initial.first;
      if (newcomer !== undefined) {
        turn = newcomer;
        turn.position = this.#position;
        turn.remainder = 0;
      }
    }
    if (turn === undefined) return undefined;
    turn.position += Math.floor(this.#totalWeight / turn.weight);
    turn.remainder += this.#totalWeight % turn.weight;
    if (turn.remainder >= turn.weight) {
      turn.remainder -= turn.weight;
      turn.position++;
    }
    this.#unqueue(turn);
    this.#position++;
    return turn;
  }

  #beginRound(): void {
    const empty = this.#initial;
    this.#initial = this.#next;
    this.#next = empty;
    this.#roundWeight = this.#totalWeight;
    this.#position = this.#totalWeight;
    this.#round++;
  }

  /** HAProxy: the place of a server that comes up, or whose weight changes. */
  #join(turn: Turn): void {
    const ahead = this.#totalWeight + this.#roundWeight - this.#position;
    turn.position = this.#position + Math.trunc(ahead / turn.weight);
    this.#queueByPosition(turn);
  }

  /** HAProxy: fwrr_queue_srv. */
  #queueByPosition(turn: Turn): void {
    const { position, remainder, weight } = turn;
    if (position >= 2 * this.#roundWeight || position >= this.#roundWeight + this.#totalWeight) {
      turn.position -= this.#roundWeight;
      this.#queueByWeight(turn, this.#next);
      return;
    }
    // At one position, the one with the smaller remainder for its weight is first.
    const rank = Math.floor((MAX_EFFECTIVE_WEIGHT + remainder - weight) / WEIGHT_SCALE);
    turn.queue = this.#current;
    this.#current.push(turn, position * MAX_WEIGHT + rank);
  }

  #queueByWeight(turn: Turn, queue: OrderedHeap<Turn>): void {
    turn.queue = queue;
    queue.push(turn, MAX_EFFECTIVE_WEIGHT - turn.weight);
  }

  #unqueue(turn: Turn): void {
    turn.queue?.remove(turn);
    turn.queue = undefined;
  }

  #hear(server: ServerView): void {
    const turn = this.#turns.get(server);
    if (turn !== undefined && turn.weight !== 0) this.#noteRoom(turn);
  }

  #noteRoom(turn: Turn): void {
    const full = turn.server.saturated;
    if (full === turn.full) return;
    turn.full = full;
    if (turn.asideFrom !== undefined) this.#takeBack(turn, turn.asideFrom);
    else if (!full) this.#fullQueued--;
    else if (this.#fullQueued < MOST_PASSED_OVER) this.#fullQueued++;
    else this.#setAside(turn);
  }

  #setAside(turn: Turn): void {
    turn.asideFrom = turn.queue;
    turn.asideSince = this.#round;
    this.#unqueue(turn);
  }

  /** A turn that came up meanwhile is had at once; only the last of them, so that no server makes up for lost turns. */
  #takeBack(turn: Turn, queue: OrderedHeap<Turn>): void {
    turn.asideFrom = undefined;
    if (turn.asideSince === this.#round && queue !== this.#current) {
      this.#queueByWeight(turn, queue);
      return;
    }
    turn.position = turn.asideSince === this.#round ? Math.max(turn.position, this.#position) : this.#position;
    this.#queueByPosition(turn);
  }
}

/** HAProxy's positions are numbers of 32 bits, which hold the rounds of so many servers. */
const MAX_SERVERS = 4_095;

export const roundRobin: Algorithm = defineScheduler({
  readOptions: () => undefined,
  readPhrase: nothingMore,
  create: () => new RoundRobin(),
  refuse: (declared) => {
    const backups = declared.reduce((count, { backup }) => count + Number(backup), 0);
    if (Math.max(backups, declared.length - backups) <= MAX_SERVERS) return undefined;
    return (
      `'roundrobin' holds at most ${MAX_SERVERS} servers in a group (active or backup); 'static-rr', 'leastconn', ` +
      "'random' and 'first' have no limit"
    );
  },
});
