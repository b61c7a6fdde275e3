import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { PoolView, Scheduler, SchedulerFactory } from '../schedulers/scheduler.ts';
import type { BackendServer } from './backend-server.ts';

/** How a balancer is set up. */
export interface BalancerOptions {
  readonly factory: SchedulerFactory;
  readonly allbackups: boolean;
  /** Picks to skip before the first. */
  readonly startOffset: number;
  readonly environment: Environment;
  readonly addressOf: (context: RequestContext) => string | undefined;
  /** A function of the user's threw, of which schedulers make use. */
  readonly report: (sample: string, error: unknown) => void;
  /** A scheduler of the user's own threw. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Chooses among the servers of a pool: the active ones while any is usable, else the first usable backup, or all of them
 * with `allbackups`. Schedulers hear of a change at once: HAProxy's order depends on the order of changes, too. One that has
 * to rebuild something waits with it for the next pick.
 * @see HAProxy backend.c:recount_servers
 */
export class Balancer implements PoolView {
  readonly addressOf: (context: RequestContext) => string | undefined;
  readonly report: (sample: string, error: unknown) => void;
  /** Requests and leases that hold a slot now. */
  served = 0;
  readonly #options: BalancerOptions;
  readonly #active: Scheduler;
  readonly #backup: Scheduler;
  readonly #servers: BackendServer[] = [];
  #activeCount = 0;
  #backupCount = 0;
  /** The one that the scheduler of backups knows, without `allbackups`. */
  #seatedBackup: BackendServer | undefined = undefined;
  #skipped = false;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.addressOf = options.addressOf;
    this.report = options.report;
    this.#active = options.factory(options.environment, this);
    this.#backup = options.factory(options.environment, this);
  }

  get servers(): readonly BackendServer[] {
    return this.#servers;
  }

  /** Servers that may be picked: HAProxy's `be_usable_srv`. */
  get usableCount(): number {
    if (this.#activeCount > 0) return this.#activeCount;
    return this.#options.allbackups ? this.#backupCount : Math.min(1, this.#backupCount);
  }

  /** Active servers that may be picked. HAProxy: `srv_act`. */
  get activeCount(): number {
    return this.#activeCount;
  }

  add(server: BackendServer): void {
    this.#servers.push(server);
    this.changed(server);
  }

  /** All that were declared are added now. */
  declared(): void {
    for (const scheduler of [this.#active, this.#backup]) {
      try {
        scheduler.declared?.();
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }

  remove(server: BackendServer): void {
    const index = this.#servers.indexOf(server);
    if (index !== -1) this.#servers.splice(index, 1);
    server.removed = true;
    this.changed(server);
  }

  /** Something of the server changed that may matter to a pick: its state, its weight, its slots. */
  changed(server: BackendServer): void {
    const before = server.scheduledWeight;
    const weight = server.usable ? server.effectiveWeight : 0;
    if (before === 0 && weight === 0) return;
    server.scheduledWeight = weight;
    const step = before === 0 ? 1 : weight === 0 ? -1 : 0;
    if (server.backup) this.#backupCount += step;
    else this.#activeCount += step;
    if (server.backup && !this.#options.allbackups) this.#seatBackup(server);
    else if (step > 0) this.#tell((scheduler) => scheduler.add(server), server);
    else if (step < 0) this.#tell((scheduler) => scheduler.remove(server), server);
    else this.#tell((scheduler) => scheduler.reweigh(server), server);
  }

  /** Without `allbackups` the group of backups is the first one that is usable. */
  #seatBackup(changed: BackendServer): void {
    const first = this.#servers.find((server) => server.backup && server.scheduledWeight > 0);
    const seated = this.#seatedBackup;
    this.#seatedBackup = first;
    if (first === seated) {
      if (first === changed) this.#tell((scheduler) => scheduler.reweigh(changed), changed);
      return;
    }
    if (seated) this.#tell((scheduler) => scheduler.remove(seated), seated);
    if (first) this.#tell((scheduler) => scheduler.add(first), first);
  }

  took(server: BackendServer): void {
    this.served++;
    if (server.scheduledWeight > 0) this.#tell((scheduler) => scheduler.took?.(server), server);
  }

  freed(server: BackendServer): void {
    this.served--;
    if (server.scheduledWeight > 0) this.#tell((scheduler) => scheduler.freed?.(server), server);
  }

  /** More or fewer wait for the server, or it has more or fewer slots. */
  queueChanged(server: BackendServer): void {
    if (server.scheduledWeight > 0) this.#tell((scheduler) => scheduler.reweigh(server), server);
  }

  /** Whether the server takes what any may have: it is usable, and its group is in charge. */
  hasItsTurn(server: BackendServer): boolean {
    if (server.scheduledWeight === 0) return false;
    if (!server.backup) return true;
    return this.#activeCount === 0 && (this.#options.allbackups || server === this.#seatedBackup);
  }

  /** Whether `observed` is of use. */
  get observes(): boolean {
    return this.#active.observed !== undefined;
  }

  observed(server: BackendServer, ms: number, ok: boolean): void {
    if (server.scheduledWeight > 0) this.#tell((scheduler) => scheduler.observed?.(server, ms, ok), server);
  }

  /** A server to send the request to, now or when it has room; `undefined`: all are full. */
  pick(context: RequestContext, avoid: BackendServer | undefined): BackendServer | undefined {
    if (!this.#skipped) this.#skip(context);
    if (this.#activeCount > 0) return this.#ask(this.#active, context, avoid);
    return this.#backupCount > 0 ? this.#ask(this.#backup, context, avoid) : undefined;
  }

  /**
   * What `pick` would give, without its taking a turn. `undefined` also where that cannot be told.
   */
  peek(context: RequestContext): BackendServer | undefined {
    if (this.usableCount === 0 || (!this.#skipped && this.#options.startOffset > 0)) return undefined;
    const scheduler = this.#activeCount > 0 ? this.#active : this.#backup;
    try {
      const picked = scheduler.peek?.(context);
      // One of the user's may give anything.
      return this.#servers.find((server) => server === picked && server.scheduledWeight > 0);
    } catch (error) {
      this.#options.onFault(error);
      return undefined;
    }
  }

  /** A backup, though active servers are usable; `undefined`: none is usable. */
  pickBackup(context: RequestContext): BackendServer | undefined {
    return this.#backupCount > 0 ? this.#ask(this.#backup, context, undefined) : undefined;
  }

  /** Whether all active servers that could be picked are among these. */
  allActiveAreIn(tried: readonly BackendServer[]): boolean {
    return this.#servers.every((server) => server.backup || server.scheduledWeight === 0 || tried.includes(server));
  }

  /**
   * A server with a free slot that was not tried yet, of the group that `chosen` is of; `undefined`: there is none. Schedulers
   * know of one server to avoid, which is not enough where several are down and not known to be.
   */
  untried(chosen: BackendServer, tried: readonly BackendServer[]): BackendServer | undefined {
    if (chosen.backup && !this.#options.allbackups) return undefined;
    return this.#servers.find(
      (server) =>
        server.scheduledWeight > 0 && server.backup === chosen.backup && !server.saturated && !tried.includes(server),
    );
  }

  /** Any server with a free slot that has its turn. */
  roomy(): BackendServer | undefined {
    return this.#servers.find((server) => !server.saturated && this.hasItsTurn(server));
  }

  /** Tells the scheduler of a server; one of the user's may throw. */
  #tell(what: (scheduler: Scheduler) => void, server: BackendServer): void {
    try {
      what(this.#schedulerOf(server));
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #ask(scheduler: Scheduler, context: RequestContext, avoid: BackendServer | undefined): BackendServer | undefined {
    try {
      const picked = scheduler.pick(context, avoid) as BackendServer | undefined;
      if (picked === undefined || picked.scheduledWeight > 0) return picked;
      atOnce(picked);
      throw new TypeError('the scheduler picked what is no usable server of its group');
    } catch (error) {
      this.#options.onFault(error);
      return this.roomy();
    }
  }

  #skip(context: RequestContext): void {
    this.#skipped = true;
    for (let i = 0; i < this.#options.startOffset; i++) this.pick(context, undefined);
  }

  #schedulerOf(server: BackendServer): Scheduler {
    return server.backup ? this.#backup : this.#active;
  }
}
