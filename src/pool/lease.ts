import type { BackendServer } from './backend-server.ts';
import type { Seeker } from './choice.ts';
import { isDirect } from './persistence.ts';
import type { PoolCore } from './pool-core.ts';
import type { PoolServer } from './pool-server.ts';

/** How the work under a lease went. Nothing said is neutral. */
export interface LeaseResult {
  /** `false` counts as a failure of the server, for its `observe` too. */
  readonly ok: boolean;
  readonly error?: unknown;
}

/** Who asked for a lease. */
export interface LeaseSeeker extends Seeker {
  readonly method: string | undefined;
  /** The `Cookie` field that it came with. */
  readonly cookie: string | undefined;
}

const NONE: readonly string[] = Object.freeze([]);

/**
 * A slot of a server that is held by a lease. It outlives a lease that was lost, so that the slot can be freed. Whoever makes
 * one has entered the pool's limits, which are left with it.
 */
export class LeaseSlot {
  readonly server: BackendServer;
  readonly #core: PoolCore;
  readonly #seeker: LeaseSeeker;
  readonly #takenAt: number;
  #released = false;
  listIndex = -1;

  /** Whoever asked for it has taken the slot, and is part of the pool's load; `free` ends both. */
  constructor(core: PoolCore, server: BackendServer, seeker: LeaseSeeker) {
    this.#core = core;
    this.server = server;
    this.#seeker = seeker;
    this.#takenAt = core.balancer.observes || core.outliers ? core.environment.now() : 0;
    core.leases.add(this);
  }

  /** What the server is to see of the client's cookies. */
  get cookie(): string | undefined {
    const { bond, cookie } = this.#seeker;
    return bond?.visit ? bond.visit.forwarded : cookie;
  }

  /** What the client is to come back with. */
  get setCookie(): readonly string[] {
    const { bond, binding, method = '' } = this.#seeker;
    const by = { server: this.server, direct: isDirect(binding), method };
    return bond?.visit?.answer({ setCookie: NONE, cacheable: false }, by).setCookie ?? NONE;
  }

  /** Returns `false` when it was free already. */
  free(): boolean {
    if (this.#released) return false;
    this.#released = true;
    this.#core.leases.delete(this);
    this.#core.limits.leave();
    this.#core.free(this.server);
    return true;
  }

  /** How the work went. */
  observe(ok: boolean): void {
    if (this.#released) return;
    const { balancer, environment, outliers } = this.#core;
    this.server.observer?.worked(ok);
    if (!(balancer.observes || outliers)) return;
    const ms = environment.now() - this.#takenAt;
    if (balancer.observes) balancer.observed(this.server, ms, ok);
    if (ok) outliers?.succeeded(this.server, this.#takenAt, ms);
    else outliers?.failed(this.server, this.#takenAt, 'work under a lease');
  }

  /** The lease was lost without a word. */
  lost(): void {
    if (this.free()) this.#core.emit('lease:leaked', { server: this.server.name });
  }
}

const lostLeases = new FinalizationRegistry<LeaseSlot>((slot) => slot.lost());

/**
 * The right to use one slot of a server until `release`. Made by `acquire`, `tryAcquire` and `run`. It is a `Disposable`:
 * `using lease = await pool.acquire()`.
 */
export class Lease implements Disposable {
  /** The server that was chosen. */
  readonly server: PoolServer;
  readonly #slot: LeaseSlot;

  /** @internal */
  constructor(slot: LeaseSlot, server: PoolServer) {
    this.server = server;
    this.#slot = slot;
    lostLeases.register(this, slot, this);
  }

  /**
   * `Set-Cookie` values for your answer to the client, so that it comes back to this server: what the pool's `cookie` in mode
   * `insert` sets; with `postonly` the context's `method` decides, too. Empty where nothing is to be set.
   */
  get setCookie(): readonly string[] {
    return this.#slot.setCookie;
  }

  /**
   * The `Cookie` field for the server: that of the context, but without what the pool's own `cookie` takes out or changes in a
   * request that it forwards. `undefined`: none is to be sent.
   */
  get cookie(): string | undefined {
    return this.#slot.cookie;
  }

  /** Gives the slot back. A second call does nothing. */
  release(result?: LeaseResult): void {
    // First: whoever gets the slot next is to be chosen by it.
    if (result) this.#slot.observe(result.ok);
    if (!this.#slot.free()) return;
    lostLeases.unregister(this);
    if (result?.ok === false) this.#slot.server.counters.eresp++;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
