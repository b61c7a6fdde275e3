import assert from 'node:assert/strict';
import type { Pool, PoolServer } from '#src/index.ts';

/** A server as its limits were declared; its state is asked of the pool's own. */
export interface ModelServer {
  readonly facade: PoolServer;
  readonly maxconn: number;
  readonly minconn: number;
  readonly maxqueue: number;
  /** Its slots depend on time, too: only their most is known. */
  readonly warms: boolean;
  removed: boolean;
  active: number;
}

export interface Asked {
  readonly id: number;
  /** The server it belongs to while that accepts it. */
  readonly bound: string | undefined;
  readonly class: number;
  /** Time of arrival in whole milliseconds, plus offset. */
  readonly time: number;
  readonly deadline: number;
  aborted: boolean;
}

interface Waiting extends Asked {
  /** `undefined`: it waits for any. */
  at: ModelServer | undefined;
}

/** How the wait of one that asked has ended. */
export type Told =
  | { readonly id: number; readonly server: PoolServer }
  | { readonly id: number; readonly code: string };

export interface ModelOptions {
  readonly fullconn: number;
  readonly redispatch: boolean;
  readonly allbackups: boolean;
  readonly poolMaxQueue: number;
  readonly poolMaxRequests: number;
}

/** Stands for whoever does not wait. */
export const GLANCE = -1;

/** How late a deadline may be told of. */
const LATENESS_MS = 10;

/**
 * Who may get which slot, and who may wait, by walking lists. It does not choose: whom the pool serves, and where, is told to
 * it, and must be allowed; and in the end of each step nobody may wait for what is to be had.
 */
export class AdmissionModel {
  readonly servers: ModelServer[] = [];
  readonly #options: ModelOptions;
  readonly #pool: Pool<unknown>;
  /** In order of arrival. */
  #waiting: Waiting[] = [];
  #newcomer: Asked | undefined = undefined;
  /** Requests under way before the newcomer. */
  #before = 0;
  leases = 0;

  constructor(pool: Pool<unknown>, options: ModelOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get waiting(): readonly Asked[] {
    return this.#waiting;
  }

  arrive(asked: Asked): void {
    this.#before = this.#current;
    this.#newcomer = asked;
  }

  /** Somebody looks for a free slot, and does not wait. */
  glance(bound: string | undefined): void {
    this.arrive({ id: GLANCE, bound, class: 0, time: 0, deadline: 0, aborted: false });
  }

  release(server: ModelServer): void {
    server.active--;
    this.leases--;
  }

  /** The state of a server has changed. */
  changed(server: ModelServer): void {
    if (this.usable(server)) return;
    const stays = !this.#options.redispatch && !server.removed && server.facade.state !== 'MAINT';
    for (const waiting of this.#waiting)
      if (waiting.at === server && !stays && !this.#accepts(server)) waiting.at = undefined;
  }

  /** What was told in one step, in this order. */
  hear(told: readonly Told[], now: number): void {
    for (const one of told)
      if ('server' in one) this.granted(one.id, one.server);
      else this.#refused(one.id, one.code, now);
    const newcomer = this.#newcomer;
    if (newcomer?.id === GLANCE && this.#before < this.#options.poolMaxRequests)
      assert.deepEqual(this.#free(newcomer.bound).filter(isCertain), [], 'whoever does not wait is given what is free');
    this.#newcomer = undefined;
    if (newcomer?.id !== GLANCE && newcomer) this.#queue(newcomer);
    this.#checkRest(now);
  }

  usable({ facade, removed }: ModelServer): boolean {
    return facade.usable && !removed;
  }

  get #current(): number {
    return this.leases + this.#waiting.length + (this.#newcomer ? 1 : 0);
  }

  #accepts({ facade: { state }, removed }: ModelServer): boolean {
    return !removed && state !== 'MAINT' && !state.startsWith('DOWN');
  }

  #slots({ maxconn, minconn }: ModelServer): number {
    const { fullconn } = this.#options;
    if (minconn === maxconn || this.#current >= fullconn) return maxconn;
    return Math.max(minconn, Math.floor((this.#current * maxconn) / fullconn));
  }

  #hasRoom(server: ModelServer): boolean {
    return server.active < this.#slots(server);
  }

  /** Those that take what any may have. */
  get #inTurn(): ModelServer[] {
    const usable = this.servers.filter((server) => this.usable(server));
    const active = usable.filter(({ facade }) => !facade.backup);
    if (active.length > 0) return active;
    return this.#options.allbackups ? usable : usable.slice(0, 1);
  }

  #named(bound: string | undefined): ModelServer | undefined {
    return this.servers.find((server) => server.facade.name === bound && this.#accepts(server));
  }

  #lineOf(server: ModelServer): Waiting[] {
    return this.#waiting.filter(({ at }) => at === server);
  }

  #lineIsFull(server: ModelServer): boolean {
    return server.maxqueue !== 0 && this.#lineOf(server).length >= server.maxqueue;
  }

  #free(bound: string | undefined): ModelServer[] {
    const named = this.#named(bound);
    const hasRoom = named !== undefined && this.#hasRoom(named);
    if (named && ((hasRoom && !named.warms) || !this.#lineIsFull(named) || !this.#options.redispatch))
      return hasRoom ? [named] : [];
    return [...(named ? [named] : []), ...this.#inTurn].filter((server) => this.#hasRoom(server));
  }

  /** Whose turn is next at a server. */
  #next(server: ModelServer): Waiting | undefined {
    const least = (all: readonly Waiting[]): Waiting | undefined =>
      all.reduce<Waiting | undefined>((best, one) => (best && compare(best, one) <= 0 ? best : one), undefined);
    const own = least(this.#lineOf(server));
    const any = this.#inTurn.includes(server) ? least(this.#waiting.filter(({ at }) => !at)) : undefined;
    return own && !(any && compare(any, own) < 0) ? own : any;
  }

  granted(id: number, facade: PoolServer): ModelServer {
    const server = this.servers.find((known) => known.facade === facade);
    assert.ok(server, `${id} was given ${facade.name}, which is gone`);
    assert.ok(this.#hasRoom(server), `${id} was given ${facade.name}, which is full`);
    if (id === this.#newcomer?.id) {
      assert.ok(this.#free(this.#newcomer.bound).includes(server), `${id} does not belong to ${facade.name}`);
      this.#newcomer = undefined;
    } else {
      assert.equal(this.#next(server)?.id, id, `whose turn it is at ${facade.name}`);
      this.#waiting = this.#waiting.filter((waiting) => waiting.id !== id);
    }
    server.active++;
    this.leases++;
    return server;
  }

  #refused(id: number, code: string, now: number): void {
    const newcomer = id === this.#newcomer?.id ? this.#newcomer : undefined;
    if (newcomer) assert.equal(code, this.#refusal(newcomer), `why ${id} was refused`);
    else {
      const waiting = this.#waiting.find((one) => one.id === id);
      assert.ok(waiting, `${id} was told twice`);
      const allowed = waiting.aborted
        ? ['EK_ABORTED']
        : [
            ...(now >= waiting.deadline ? ['EK_QUEUE_TIMEOUT'] : []),
            ...(this.#inTurn.length === 0 && !waiting.at ? ['EK_NO_SERVER'] : []),
          ];
      assert.ok(allowed.includes(code), `${id} no longer waits: ${code}, not ${allowed}`);
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
    }
    this.#newcomer = newcomer ? undefined : this.#newcomer;
  }

  /** Why a newcomer can neither go nor wait. */
  #refusal({ bound }: Asked): string | undefined {
    const { poolMaxQueue, poolMaxRequests, redispatch } = this.#options;
    if (this.#before >= poolMaxRequests) return 'EK_QUEUE_FULL';
    if (this.#free(bound).some(isCertain)) return undefined;
    const named = this.#named(bound);
    const waitsThere = named && !this.#lineIsFull(named);
    if (named && !waitsThere && !redispatch) return 'EK_QUEUE_FULL';
    if (!waitsThere && this.#inTurn.length === 0) return 'EK_NO_SERVER';
    return this.#waiting.length >= poolMaxQueue ? 'EK_QUEUE_FULL' : undefined;
  }

  #queue(newcomer: Asked): void {
    assert.equal(this.#refusal(newcomer), undefined, `${newcomer.id} waits, but may not`);
    const named = this.#named(newcomer.bound);
    this.#waiting.push({ ...newcomer, at: named && !this.#lineIsFull(named) ? named : undefined });
  }

  #checkRest(now: number): void {
    const late = this.#waiting.filter(({ deadline, aborted }) => aborted || deadline + LATENESS_MS < now);
    assert.deepEqual(late, [], 'nobody waits for longer than they may');
    const forAny = this.#waiting.filter(({ at }) => !at);
    if (this.#inTurn.length === 0) assert.deepEqual(forAny, [], 'nobody waits where no server is usable');
    for (const server of this.servers) {
      const { facade } = server;
      if (this.#hasRoom(server) && isCertain(server))
        assert.equal(this.#next(server), undefined, `${facade.name} has room, and is waited for`);
      assert.equal(facade.active, server.active, `leases of ${facade.name}`);
      if (!server.removed) assert.equal(facade.queued, this.#lineOf(server).length, `who waits for ${facade.name}`);
    }
    const { queued, leases } = this.#pool.stats();
    assert.deepEqual({ queued, leases }, { queued: this.#waiting.length, leases: this.leases });
  }
}

/** How many slots it has is known. */
function isCertain({ warms }: ModelServer): boolean {
  return !warms;
}

function compare(a: Waiting, b: Waiting): number {
  return a.class - b.class || a.time - b.time;
}
