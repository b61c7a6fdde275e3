import type { Expiring } from '../core/deadlines.ts';
import type { EvenkeelError } from '../core/errors.ts';
import { HeapItem, OrderedHeap } from '../core/ordered-heap.ts';
import type { BackendServer } from './backend-server.ts';
import type { Priority } from './priority.ts';

/** Milliseconds that a class leaves room for: 69 years. HAProxy's key holds 17 minutes, and wraps. */
const CLASS_SPAN = 2 ** 41;

/** The rank of a request among those that wait, the least first. @see HAProxy queue.c:pendconn_add */
export function queueKey({ class: rank = 0, offset = 0 }: Priority, now: number): number {
  return rank * CLASS_SPAN + Math.floor(now) + offset;
}

/** A request that may go now, where to wait, or why it can do neither. */
export type Place = BackendServer | RequestQueue | EvenkeelError;

/** Whose turn is waited for. */
export interface Queued {
  /** It waits for that server even if that is down. */
  readonly forced: boolean;
  /** A slot of this server is free for it; it must take it at once. */
  onTurn(server: BackendServer): void;
  /** It waits no longer. */
  onRefused(error: EvenkeelError): void;
  /** The server that it waits for is not to be had any more: where to go. */
  chooseAnew(): Place;
}

/** One request's place in a queue. */
export class Waiter extends HeapItem implements Expiring {
  readonly owner: Queued;
  /** Since when it waits, on the environment's clock. */
  readonly since: number;
  readonly #expire: (waiter: Waiter) => void;
  queue: RequestQueue | undefined = undefined;
  deadline: number;
  deadlineIndex = -1;

  constructor(owner: Queued, key: number, since: number, deadline: number, expire: (waiter: Waiter) => void) {
    super();
    this.owner = owner;
    this.key = key;
    this.since = since;
    this.deadline = deadline;
    this.#expire = expire;
  }

  /** It waits no more: neither in a queue nor on its way from one to another. */
  get left(): boolean {
    return this.deadlineIndex === -1;
  }

  onDeadline(): void {
    this.#expire(this);
  }
}

/**
 * Requests that wait for one server, or for any: by key, and in order of arrival where keys are equal. To enter, to leave
 * from anywhere and to have one's turn cost O(log n).
 */
export class RequestQueue {
  /** `undefined`: the queue of the pool. */
  readonly server: BackendServer | undefined;
  readonly #waiters = new OrderedHeap<Waiter>();

  constructor(server: BackendServer | undefined) {
    this.server = server;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Whose turn is next. */
  get first(): Waiter | undefined {
    return this.#waiters.first;
  }

  /** Takes in a newcomer, or one that has waited elsewhere, who keeps rank and arrival. */
  enter(waiter: Waiter): void {
    waiter.queue = this;
    this.#waiters.restore(waiter);
  }

  leave(waiter: Waiter): void {
    waiter.queue = undefined;
    this.#waiters.remove(waiter);
  }
}
