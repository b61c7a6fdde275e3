/** Whatever comes, goes and changes: a pool admits as a naive model allows it, and nobody waits for what is to be had. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  EvenkeelError,
  type Lease,
  Pool,
  type PoolServer,
  type RequestContext,
  type ServerOptions,
} from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { AdmissionModel, GLANCE, type ModelServer, type Told } from './admission-model.ts';

const QUEUE_MS = 300;
const NAMES = ['a', 'b', 'c', 'd', 'e'];

const name = fc.constantFrom(...NAMES);
const index = fc.nat(1_000);

const server = fc.record({
  maxconn: fc.integer({ min: 1, max: 4 }),
  minconn: fc.constantFrom(0, 0, 1),
  maxqueue: fc.constantFrom(0, 0, 1, 2),
  backup: fc.constantFrom(false, false, true),
  slowstart: fc.constantFrom(0, 0, 0, 2_000),
  weight: fc.constantFrom(1, 1, 5, 0),
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('acquire'),
      bound: fc.option(name, { freq: 2, nil: undefined }),
      class: fc.integer({ min: -1, max: 1 }),
      offset: fc.integer({ min: -3, max: 3 }),
      timeout: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      withSignal: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tryAcquire'), bound: fc.option(name, { nil: undefined }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('release'), index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('abort'), index }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('state'),
      index,
      to: fc.constantFrom('ready', 'ready', 'drain', 'maint'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('health'), index, to: fc.constantFrom('up', 'up', 'stopping', 'down') }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('weight'), index, to: fc.constantFrom(0, 1, 1, 7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add'), server }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), index }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.constantFrom(0.25, 1, 3, 40, 400, 2_500) }) },
);

type Declared = typeof server extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const setup = fc.record({
  servers: fc.array(server, { minLength: 1, maxLength: 4 }),
  balance: fc.constantFrom('roundrobin', 'leastconn', 'first', 'random'),
  fullconn: fc.integer({ min: 4, max: 12 }),
  redispatch: fc.boolean(),
  allbackups: fc.boolean(),
  poolMaxQueue: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3),
  poolMaxRequests: fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 9),
});

type Setup = typeof setup extends fc.Arbitrary<infer T> ? T : never;

/** A pool, and what its model needs to know of what is done with it. */
class Play {
  readonly #setup: Setup;
  readonly #clock = new VirtualClock();
  readonly #pool: Pool<unknown>;
  readonly #model: AdmissionModel;
  readonly #leases: { readonly lease: Lease; readonly server: ModelServer }[] = [];
  readonly #aborts = new Map<number, AbortController>();
  readonly #granted: Lease[] = [];
  #told: Told[] = [];
  #asked = 0;

  constructor(setup: Setup) {
    const { servers, redispatch, ...options } = setup;
    this.#setup = setup;
    this.#pool = new Pool<unknown>(
      {
        ...options,
        redispatch: redispatch ? 1 : 0,
        timeout: { queue: QUEUE_MS },
        servers: servers.map((one, i) => this.#options(NAMES[i] as string, one)),
        useServer: ({ headers }: RequestContext) => headers?.['bound'] as string | undefined,
        priority: ({ headers }: RequestContext) => ({
          class: Number(headers?.['class'] ?? 0),
          offset: Number(headers?.['offset'] ?? 0),
        }),
      },
      this.#clock,
    );
    this.#pool.on('sample:error', () => {}); // `useServer` names servers that are removed, too
    this.#model = new AdmissionModel(this.#pool, setup);
    for (const [i, one] of servers.entries()) this.#know(this.#pool.servers[i] as PoolServer, one);
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (const one of steps) {
      this.#do(one);
      await this.#hear();
    }
    while (this.#leases.length > 0) {
      this.#release(0);
      await this.#hear();
    }
    this.#clock.advance(QUEUE_MS + 20);
    await this.#hear();
    const { queued, leases } = this.#pool.stats();
    assert.deepEqual(
      [queued, leases, ...this.#model.servers.map(({ facade }) => facade.active + facade.queued)].filter((n) => n > 0),
      [],
    );
    await this.#pool.close();
    assert.equal(this.#clock.pending, 0, 'timers left');
  }

  #do(one: Step): void {
    switch (one.kind) {
      case 'acquire':
        this.#acquire(one);
        break;
      case 'tryAcquire':
        this.#tryAcquire(one.bound);
        break;
      case 'release':
        this.#release(one.index);
        break;
      case 'abort':
        this.#abort(one.index);
        break;
      case 'state':
        this.#change(one.index, ({ facade }) => facade.setState(one.to));
        break;
      case 'health':
        this.#change(one.index, ({ facade }) => facade.setHealth(one.to));
        break;
      case 'weight':
        this.#change(one.index, ({ facade }) => facade.setWeight(one.to));
        break;
      case 'add':
        this.#add(one.server);
        break;
      case 'remove':
        this.#change(one.index, (server) => {
          server.removed = true;
          void this.#pool.removeServer(server.facade.name, { graceMs: 1_000 });
        });
        break;
      case 'pass':
        this.#clock.advance(one.ms);
    }
  }

  #acquire({ bound, timeout, withSignal, ...priority }: Extract<Step, { kind: 'acquire' }>): void {
    const id = this.#asked++;
    const now = this.#clock.now();
    const controller = new AbortController();
    if (withSignal) this.#aborts.set(id, controller);
    const deadline = now + (timeout ?? QUEUE_MS);
    this.#model.arrive({
      id,
      bound,
      class: priority.class,
      time: Math.floor(now) + priority.offset,
      deadline,
      aborted: false,
    });
    const headers = { ...(bound !== undefined && { bound }), class: `${priority.class}`, offset: `${priority.offset}` };
    const options = { ...(timeout !== undefined && { timeout }), ...(withSignal && { signal: controller.signal }) };
    this.#pool.acquire({ headers }, options).then(
      (lease) => {
        this.#granted.push(lease);
        this.#told.push({ id, server: lease.server });
      },
      (error: unknown) => {
        this.#told.push({ id, code: error instanceof EvenkeelError ? error.code : String(error) });
      },
    );
  }

  #tryAcquire(bound: string | undefined): void {
    this.#model.glance(bound);
    const lease = this.#pool.tryAcquire({ headers: { ...(bound !== undefined && { bound }) } });
    if (lease) this.#leases.push({ lease, server: this.#model.granted(GLANCE, lease.server) });
  }

  #release(index: number): void {
    const [held] = this.#leases.splice(index % Math.max(1, this.#leases.length), 1);
    if (!held) return;
    this.#model.release(held.server);
    held.lease.release();
  }

  #abort(index: number): void {
    const abortable = this.#model.waiting.filter(({ id }) => this.#aborts.has(id));
    const asked = abortable[index % Math.max(1, abortable.length)];
    if (!asked) return;
    asked.aborted = true;
    this.#aborts.get(asked.id)?.abort();
  }

  /** Something becomes of one of the servers that are there. */
  #change(index: number, change: (server: ModelServer) => void): void {
    const present = this.#model.servers.filter(({ removed }) => !removed);
    const server = present[index % Math.max(1, present.length)];
    if (!server) return;
    change(server);
    this.#model.changed(server);
  }

  #add(declared: Declared): void {
    const free = NAMES.find((known) => !this.#pool.hasServer(known));
    if (free !== undefined) this.#know(this.#pool.addServer(this.#options(free, declared)), declared);
  }

  #options(serverName: string, { minconn, maxqueue, ...declared }: Declared): ServerOptions {
    return {
      ...declared,
      name: serverName,
      address: '127.0.0.1:1',
      ...(minconn > 0 && { minconn }),
      // With `maxqueue`, leastconn sends to queues of its own choice.
      ...(this.#setup.balance !== 'leastconn' && { maxqueue }),
    };
  }

  #know(facade: PoolServer, { maxconn, minconn, maxqueue, slowstart }: Declared): void {
    this.#model.servers.push({
      facade,
      maxconn,
      minconn: minconn || maxconn,
      maxqueue: this.#setup.balance === 'leastconn' ? 0 : maxqueue,
      warms: slowstart > 0,
      removed: false,
      active: 0,
    });
  }

  async #hear(): Promise<void> {
    await this.#clock.settle();
    this.#model.hear(this.#told.splice(0), this.#clock.now());
    for (const lease of this.#granted.splice(0)) {
      const server = this.#model.servers.find(({ facade }) => facade === lease.server) as ModelServer;
      this.#leases.push({ lease, server });
    }
  }
}

test('admission is as the model allows, step by step, and nothing is left behind', async () => {
  await fc.assert(
    fc.asyncProperty(setup, fc.array(step, { maxLength: 120, size: 'max' }), async (declared, steps) => {
      await new Play(declared).play(steps);
    }),
    { numRuns: 400 },
  );
});
