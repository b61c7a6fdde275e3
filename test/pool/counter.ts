import {
  type AcquireOptions,
  EvenkeelError,
  type Lease,
  Pool,
  type PoolOptions,
  type RequestContext,
} from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

/** A pool of `a`, `b` … with one slot each, and what became of those that asked for one. */
export class Counter {
  readonly clock: VirtualClock = new VirtualClock();
  readonly pool: Pool<unknown>;
  /** `1:a` got a slot of `a`; `1!EK_QUEUE_TIMEOUT sQ` did not. */
  readonly told: string[] = [];
  readonly leases: Map<string, Lease> = new Map();

  constructor(names: string, options: PoolOptions<unknown> = {}) {
    const servers = options.servers ?? nowhere(...names).map((server) => ({ ...server, maxconn: 1 }));
    this.pool = new Pool<unknown>({ ...options, servers }, this.clock);
  }

  ask(id: string, context: RequestContext = {}, options: AcquireOptions = {}): void {
    this.pool.acquire(context, options).then(
      (lease) => {
        this.leases.set(id, lease);
        this.told.push(`${id}:${lease.server.name}`);
      },
      (error: unknown) => {
        this.told.push(error instanceof EvenkeelError ? `${id}!${error.code} ${error.flags}` : String(error));
      },
    );
  }

  /** Gives back the slots of these. */
  release(...ids: string[]): void {
    for (const id of ids) this.leases.get(id)?.release();
  }

  /** What was told since the last look. */
  async heard(): Promise<string> {
    await this.clock.settle();
    return this.told.splice(0).join(' ');
  }

  get waiting(): number {
    return this.pool.stats().queued;
  }
}
