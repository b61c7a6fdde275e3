import assert from 'node:assert/strict';
import type { RequestContext } from '#src/core/context.ts';
import type { Environment } from '#src/core/environment.ts';
import { OptionReader } from '#src/core/options.ts';
import { readBalance } from '#src/schedulers/index.ts';
import type { PoolView, Scheduler } from '#src/schedulers/scheduler.ts';
import type { Server, ServerView } from '#src/servers/server.ts';
import { VirtualClock } from './virtual-clock.ts';

/** What of a pool's options concerns a scheduler. */
export interface BalanceOptions {
  readonly balance?: unknown;
  readonly hashType?: unknown;
  readonly hashBalanceFactor?: unknown;
  readonly hashPreserveAffinity?: unknown;
}

/** The group's pool: what it has declared, and what is reported to it. */
export class GroupView implements PoolView {
  readonly servers: Server[] = [];
  readonly reports: [sample: string, error: unknown][] = [];

  get served(): number {
    return this.servers.reduce((sum, server) => sum + server.active, 0);
  }

  addressOf(context: RequestContext): string | undefined {
    return context.remoteAddress;
  }

  report(sample: string, error: unknown): void {
    this.reports.push([sample, error]);
  }
}

/** A scheduler as a pool makes it of these options. @throws {ConfigError} */
export function makeScheduler(
  options: BalanceOptions,
  view: PoolView = new GroupView(),
  environment: Environment = new VirtualClock(),
): Scheduler {
  const read = new OptionReader(options, '');
  const { factory } = readBalance(read);
  read.throwFaults();
  return factory(environment, view);
}

/** A scheduler with its servers, told of everything as a pool tells it; or, if not `notifies`, of no slot. */
export class SchedulerGroup {
  readonly view: GroupView = new GroupView();
  readonly scheduler: Scheduler;
  readonly members: Set<Server> = new Set();
  readonly #notifies: boolean;

  constructor(
    options: BalanceOptions,
    { notifies = true, environment = new VirtualClock() }: { notifies?: boolean; environment?: Environment } = {},
  ) {
    this.scheduler = makeScheduler(options, this.view, environment);
    this.#notifies = notifies;
  }

  /** Declares them, where they are not yet, and has them usable. */
  add(...servers: Server[]): void {
    for (const server of servers) {
      if (!this.view.servers.includes(server)) this.view.servers.push(server);
      this.members.add(server);
      this.scheduler.add(server);
    }
  }

  remove(server: Server): void {
    this.members.delete(server);
    this.scheduler.remove(server);
  }

  setWeight(server: Server, weight: number): void {
    server.weight = weight;
    server.recalculate(0);
    this.scheduler.reweigh(server);
  }

  take(server: Server): void {
    server.active++;
    if (this.#notifies) this.scheduler.took?.(server);
  }

  free(server: Server): void {
    server.active--;
    if (this.#notifies) this.scheduler.freed?.(server);
  }

  pick(context: RequestContext = {}, avoid?: ServerView): Server | undefined {
    const picked = this.scheduler.pick(context, avoid);
    if (picked === undefined) return undefined;
    const server = picked as Server;
    assert.ok(this.members.has(server), 'a server that is not in the group');
    return server;
  }
}

/** The nth request: other than all others in whatever is hashed. */
export function nthRequest(n: number): RequestContext {
  return {
    method: 'GET',
    url: `/${n}?k=${n}`,
    headers: { 'x-k': String(n) },
    remoteAddress: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
  };
}
