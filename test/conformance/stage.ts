import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Environment, PoolEvents, PoolOptions, ServerStats } from '#src/index.ts';
import { Pool } from '#src/index.ts';
import type { Answer, Client, ClientExchange, RequestSpec } from '../support/client-exchange.ts';
import { type Adapter, type EngineName, portOf, type Setting, trackSockets } from '../support/fronts.ts';
import { answersOk, Origin, type OriginOptions, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';

type RequestEvent = Parameters<PoolEvents['request']>[0];
type Fault = Parameters<PoolEvents['sample:error']>[0];

/** Where a case plays: one adapter with one engine. */
export interface Front {
  readonly adapter: Adapter;
  readonly engine: EngineName;
}

/** Time-outs that a test never waits for, unless it names its own. */
const TIMEOUTS = { connect: 2_000, server: 3_000, client: 3_000 } as const;

/** A pool that listens, and its clients. */
export class OpenFront {
  readonly pool: Pool;
  readonly port: number;
  readonly events: RequestEvent[] = [];
  readonly faults: Fault[] = [];
  readonly #adapter: Adapter;
  readonly #clients: Client[] = [];
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  constructor(pool: Pool, port: number, adapter: Adapter) {
    this.pool = pool;
    this.port = port;
    this.#adapter = adapter;
    pool.on('request', (event) => {
      this.events.push(event);
      for (const { count, resolve } of this.#waiting) if (this.events.length >= count) resolve();
    });
    pool.on('sample:error', (fault) => this.faults.push(fault));
  }

  /** A connection of a client, in the version of HTTP that the front speaks. */
  async client(): Promise<Client> {
    const client = await this.#adapter.connect(this.port);
    this.#clients.push(client);
    return client;
  }

  /** A connection to write on as one likes; HTTP/1 only. */
  async raw(): Promise<RawClient> {
    const client = await RawClient.open(this.port);
    this.#clients.push(client);
    return client;
  }

  /** Sends one request on a connection of its own, which then goes away. */
  async send(spec?: RequestSpec): Promise<Answer> {
    const client = await this.client();
    const answer = await client.send(spec);
    client.leave();
    return answer;
  }

  /** Starts one request on a connection of its own. */
  async start(spec?: RequestSpec): Promise<ClientExchange> {
    return (await this.client()).start(spec);
  }

  /** The nth request's `request` event, once it has come. */
  async event(nth: number = 1): Promise<RequestEvent> {
    if (this.events.length < nth) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push({ count: nth, resolve });
      await within(promise, `the end of request ${nth}`);
    }
    return this.events[nth - 1] as RequestEvent;
  }

  /** What is known of one server. Default: the first. */
  stats(name: string = 's1'): ServerStats {
    const stats = this.pool.stats().servers[name];
    if (!stats) throw new Error(`there is no server ${name}`);
    return stats;
  }

  leave(): void {
    for (const client of this.#clients) client.leave();
  }

  /** No client may have been sent more than was asked for. */
  assertNothingUnasked(): void {
    for (const client of this.#clients) if (client instanceof RawClient) assert.equal(client.unasked, '');
  }
}

/** What a case plays with. Whatever it opens is closed with it, and looked at: nothing may have been left behind. */
export class Stage {
  readonly front: Front;
  readonly #origins: Origin[] = [];
  readonly #fronts: { open: OpenFront; close: () => Promise<void> }[] = [];

  constructor(t: TestContext, front: Front) {
    this.front = front;
    t.after(() => this.#strike());
  }

  /** Whether clients speak HTTP/1. */
  get http1(): boolean {
    return this.front.adapter.can.has('http1');
  }

  /** Starts a server. Default: answers everything with 200 `ok`. */
  async origin(script: Script = answersOk(), options?: OriginOptions): Promise<Origin> {
    const origin = await Origin.start(script, options);
    this.#origins.push(origin);
    return origin;
  }

  /** Plugs a pool in and listens. */
  async open(options: PoolOptions<never>, setting: Setting = {}, environment?: Environment): Promise<OpenFront> {
    const { adapter, engine } = this.front;
    const timeout = { ...TIMEOUTS, ...options.timeout };
    const pool = new Pool({ engine, ...options, timeout } as PoolOptions, environment);
    const server = await adapter.listen(pool, setting);
    const sockets = trackSockets(server);
    const open = new OpenFront(pool, portOf(server), adapter);
    const close = async (): Promise<void> => {
      open.leave();
      await pool.close({ graceMs: 2_000 });
      const { active, leases, bufferedBytes, servers } = pool.stats();
      const slots = Object.values(servers).map((known) => known.active);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await within(closed, 'the end of the front');
      assert.deepEqual({ active, leases, bufferedBytes }, { active: 0, leases: 0, bufferedBytes: 0 });
      assert.deepEqual(
        slots,
        slots.map(() => 0),
      );
    };
    this.#fronts.push({ open, close });
    return open;
  }

  /** A server and a pool of it alone. */
  async both(
    script?: Script,
    options: PoolOptions<never> = {},
    setting?: Setting,
  ): Promise<{ origin: Origin; front: OpenFront }> {
    const origin = await this.origin(script);
    return { origin, front: await this.open({ servers: [origin.url], ...options }, setting) };
  }

  async #strike(): Promise<void> {
    const closings: PromiseSettledResult<unknown>[] = await Promise.allSettled(
      this.#fronts.map(({ close }) => close()),
    );
    const ends = this.#origins.flatMap(({ connections }) => connections.map(({ closed }) => closed));
    closings.push(...(await Promise.allSettled([within(Promise.all(ends), 'the end of every server connection')])));
    for (const origin of this.#origins) await origin.stop();
    for (const closing of closings) if (closing.status === 'rejected') throw closing.reason;
    for (const { open } of this.#fronts) open.assertNothingUnasked();
  }
}

/** Waits, but not for ever. */
export async function within<T>(promise: Promise<T>, what: string, ms: number = 10_000): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
