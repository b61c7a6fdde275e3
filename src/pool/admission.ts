import type { Deadlines } from '../core/deadlines.ts';
import { EvenkeelError } from '../core/errors.ts';
import { precedes } from '../core/ordered-heap.ts';
import type { BackendServer } from './backend-server.ts';
import type { Balancer } from './balancer.ts';
import type { Priority } from './priority.ts';
import { type Place, type Queued, queueKey, RequestQueue, Waiter } from './request-queue.ts';

/** How an admission is set up. */
export interface AdmissionOptions {
  readonly balancer: Balancer;
  readonly deadlines: Deadlines;
  /** Most requests that wait at one time. */
  readonly maxQueue: number;
  /** Requests may leave the queue of a server that takes none for another. HAProxy: `option redispatch`. */
  readonly redispatch: boolean;
}

/**
 * Who has to wait, and whose turn it is: one queue a server, for what belongs to it, and one of the pool, for what any server
 * may have.
 * @see HAProxy queue.c
 */
export class Admission {
  /** The queue of the pool. */
  readonly shared: RequestQueue = new RequestQueue(undefined);
  /** Most that waited in the pool's own queue at one time. */
  sharedMax = 0;
  readonly #options: AdmissionOptions;
  #waiting = 0;
  #arrivals = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Requests that wait, in whatever queue. */
  get waiting(): number {
    return this.#waiting;
  }

  /** As many wait as may. */
  get full(): boolean {
    return this.#waiting >= this.#options.maxQueue;
  }

  /**
   * Puts a request into a queue.
   * @param now on the environment's clock
   * @param timeoutMs how long it may wait
   */
  wait(owner: Queued, queue: RequestQueue, priority: Priority, now: number, timeoutMs: number): Waiter {
    const waiter = new Waiter(owner, queueKey(priority, now), now, now + timeoutMs, this.#expire);
    waiter.arrival = this.#arrivals++;
    this.#enter(waiter, queue);
    this.#options.deadlines.add(waiter);
    return waiter;
  }

  /** Whoever waits has gone. */
  leave(waiter: Waiter): void {
    this.#remove(waiter);
    this.#options.deadlines.remove(waiter);
  }

  /**
   * Gives the free slots of a server to those that wait, in turn.
   * @see HAProxy queue.c:pendconn_process_next_strm: on equal keys the server's own queue comes first
   */
  serve(server: BackendServer): void {
    if (this.#waiting === 0) return;
    const { line } = server;
    while (!server.saturated) {
      const own = line.first;
      // What it is given may be the last that it takes.
      const any = this.#options.balancer.hasItsTurn(server) ? this.shared.first : undefined;
      const next = own && !(any && any.key < own.key) ? own : any;
      if (!next) return;
      this.#grant(next, server);
    }
  }

  /**
   * Something of a server changed: those that wait for one that takes no requests go elsewhere, and slots that came free are
   * given away.
   * @see HAProxy queue.c:pendconn_redistribute
   */
  changed(server: BackendServer): void {
    if (this.#waiting === 0) return;
    if (!server.usable) this.#redistribute(server);
    this.serve(server);
    if (this.shared.size === 0) return;
    const { balancer } = this.#options;
    if (balancer.usableCount === 0) this.#flush(this.shared, () => new EvenkeelError('EK_NO_SERVER'));
    // Another group may have its turn now.
    else for (const other of balancer.servers) if (!other.saturated && balancer.hasItsTurn(other)) this.serve(other);
  }

  /** Refuses all that wait, for whatever server. */
  refuseAll(makeError: () => EvenkeelError): void {
    for (const queue of [this.shared, ...this.#options.balancer.servers.map(({ line }) => line)])
      this.#flush(queue, makeError);
  }

  #redistribute(server: BackendServer): void {
    const { line } = server;
    if (line.size === 0) return;
    if (!this.#options.redispatch && server.standing !== 'maint' && !server.removed) return;
    const moved: Waiter[] = [];
    const staying: Waiter[] = [];
    for (let first = line.first; first; first = line.first) {
      this.#remove(first);
      (first.owner.forced && !server.removed ? staying : moved).push(first);
    }
    for (const waiter of staying) this.#enter(waiter, line);
    for (const waiter of moved) {
      // Functions of the user's are called on the way, which may have any of them leave.
      if (waiter.left) continue;
      const place = this.#placeAnew(waiter);
      if (waiter.left) continue;
      if (place instanceof RequestQueue) this.#enter(waiter, place);
      else {
        this.#options.deadlines.remove(waiter);
        if (place instanceof EvenkeelError) waiter.owner.onRefused(place);
        else waiter.owner.onTurn(place);
      }
    }
  }

  /** Those that wait for any server, and are before it, have the free slots first. */
  #placeAnew(waiter: Waiter): Place {
    for (;;) {
      const place = waiter.owner.chooseAnew();
      if (place instanceof RequestQueue || place instanceof EvenkeelError) return place;
      const { first } = this.shared;
      if (!first || !precedes(first, waiter) || !this.#options.balancer.hasItsTurn(place)) return place;
      this.#grant(first, place);
    }
  }

  #grant(waiter: Waiter, server: BackendServer): void {
    if (waiter.queue === this.shared) server.counters.lbtot++;
    this.leave(waiter);
    waiter.owner.onTurn(server);
  }

  #flush(queue: RequestQueue, makeError: () => EvenkeelError): void {
    for (let first = queue.first; first; first = queue.first) {
      this.leave(first);
      first.owner.onRefused(makeError());
    }
  }

  readonly #expire = (waiter: Waiter): void => {
    this.leave(waiter);
    waiter.owner.onRefused(new EvenkeelError('EK_QUEUE_TIMEOUT', { timeout: 'queue' }));
  };

  #enter(waiter: Waiter, queue: RequestQueue): void {
    queue.enter(waiter);
    this.#waiting++;
    const { server } = queue;
    if (!server) this.sharedMax = Math.max(this.sharedMax, queue.size);
    else {
      server.counters.qmax = Math.max(server.counters.qmax, queue.size);
      this.#tell(server);
    }
  }

  #remove(waiter: Waiter): void {
    const { queue } = waiter;
    if (!queue) return;
    queue.leave(waiter);
    this.#waiting--;
    if (queue.server) this.#tell(queue.server);
  }

  #tell(server: BackendServer): void {
    server.queued = server.line.size;
    this.#options.balancer.queueChanged(server);
  }
}
