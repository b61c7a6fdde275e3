import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { Scheduler, SchedulerFactory } from '../schedulers/scheduler.ts';
import type { BackendServer } from './backend-server.ts';

/** How a balancer is set up. */
export interface BalancerOptions {
  readonly factory: SchedulerFactory;
  readonly allbackups: boolean;
  /** Picks to skip before the first. */
  readonly startOffset: number;
  readonly environment: Environment;
  /** A scheduler of the user's own threw. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Chooses among the servers of a pool: the active ones while any is usable, else the first usable backup, or all of them
 * with `allbackups`. Schedulers hear of a change at once: HAProxy's order depends on the order of changes, too. One that has
 * to rebuild something waits with it for the next pick.
 * @see HAProxy backend.c:recount_servers
 */
export class Balancer {
  readonly #options: BalancerOptions;
  readonly #active: Scheduler;
  readonly #backup: Scheduler;
  readonly #servers: BackendServer[] = [];
  #activeCount = 0;
  #backupCount = 0;
  #firstBackup: BackendServer | undefined = undefined;
  #skipped = false;

  constructor(options: BalancerOptions) {
    this.#options = options;
    this.#active = options.factory(options.environment);
    this.#backup = options.factory(options.environment);
  }

  get servers(): readonly BackendServer[] {
    return this.#servers;
  }

  /** Servers that may be picked: HAProxy's `be_usable_srv`. */
  get usableCount(): number {
    if (this.#activeCount > 0) return this.#activeCount;
    return this.#options.allbackups ? this.#backupCount : Math.min(1, this.#backupCount);
  }

  add(server: BackendServer): void {
    this.#servers.push(server);
    this.changed(server);
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
    const scheduler = this.#schedulerOf(server);
    try {
      if (before === 0) scheduler.add(server);
      else if (weight === 0) scheduler.remove(server);
      else scheduler.reweigh(server);
    } catch (error) {
      this.#options.onFault(error);
    }
    const step = before === 0 ? 1 : weight === 0 ? -1 : 0;
    if (!server.backup) this.#activeCount += step;
    else if (step !== 0) {
      this.#backupCount += step;
      this.#firstBackup = this.#servers.find((backup) => backup.backup && backup.scheduledWeight > 0);
    }
  }

  took(server: BackendServer): void {
    if (server.scheduledWeight === 0) return;
    try {
      this.#schedulerOf(server).took?.(server);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  freed(server: BackendServer): void {
    if (server.scheduledWeight === 0) return;
    try {
      this.#schedulerOf(server).freed?.(server);
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  /** A server with a free slot; `undefined`: there is none. */
  pick(context: RequestContext, avoid: BackendServer | undefined): BackendServer | undefined {
    if (!this.#skipped) this.#skip(context);
    if (this.#activeCount > 0) return this.#ask(this.#active, context, avoid);
    if (this.#options.allbackups) return this.#backupCount > 0 ? this.#ask(this.#backup, context, avoid) : undefined;
    return this.#firstBackup?.saturated ? undefined : this.#firstBackup;
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

  #ask(scheduler: Scheduler, context: RequestContext, avoid: BackendServer | undefined): BackendServer | undefined {
    try {
      const picked = scheduler.pick(context, avoid) as BackendServer | undefined;
      if (picked === undefined || (picked.scheduledWeight > 0 && !picked.saturated)) return picked;
      atOnce(picked);
      throw new TypeError('the scheduler picked what is no usable server of its group, or one that is full');
    } catch (error) {
      this.#options.onFault(error);
      return this.#servers.find(
        (server) => server.scheduledWeight > 0 && this.#schedulerOf(server) === scheduler && !server.saturated,
      );
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
