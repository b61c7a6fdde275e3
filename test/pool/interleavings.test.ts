/**
 * Requests and leases in every order of what can happen to them: queues, retries, hedges, budgets, clients that leave, servers
 * that come and go, functions of the user that throw or reach back into the pool, and the pool's end. Seeded, on the virtual
 * clock, with an engine that does what the seed says: each run is the same.
 */
import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { EvenkeelError } from '#src/core/errors.ts';
import { requestHandlers } from '#src/core/exchange.ts';
import type { FailureReason, Outcome } from '#src/core/outcome.ts';
import type { Attempt, Endpoint, HttpExchange, OutcomeSink } from '#src/forward/forwarder.ts';
import { Http1Engine } from '#src/forward/http1-engine.ts';
import { type Lease, Pool, type PoolEvents, type PoolOptions } from '#src/index.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';

type RequestEvent = Parameters<PoolEvents['request']>[0];

/** One attempt of the engine that does what chance says. */
class ScriptedAttempt implements Attempt {
  over = false;
  readonly server: string;
  readonly #world: World;
  readonly #exchange: HttpExchange;
  readonly #sink: OutcomeSink;

  constructor(world: World, exchange: HttpExchange, { server }: Endpoint, fresh: boolean, sink: OutcomeSink) {
    this.#world = world;
    this.#exchange = exchange;
    this.#sink = sink;
    this.server = server.name;
    const reused = !fresh && world.chance(0.3);
    world.later(0, 40, () => this.#connect(reused));
  }

  abort(): void {
    this.over = true;
  }

  #connect(reused: boolean): void {
    if (this.over) return;
    if (this.#world.chance(0.15)) {
      this.#fail('conn-failure', 'nothing', false);
      return;
    }
    this.#exchange.connectedAt = this.#world.clock.now();
    this.#exchange.body.start({
      onRequestBody: () => !this.over,
      onRequestEnd() {},
      onRequestBroken: () => this.#end({ kind: 'client-gone', flags: 'CH' }),
    });
    this.#world.later(0, 120, () => this.#respond(reused));
  }

  #respond(reused: boolean): void {
    if (this.over) return;
    const world = this.#world;
    const exchange = this.#exchange;
    const sent = exchange.body.framing === 'none' ? 'head' : 'body';
    if (world.chance(0.2)) {
      this.#fail(world.oneOf(['empty-response', 'junk-response', 'response-timeout', 'local']), sent, reused);
      return;
    }
    const status = world.oneOf([200, 200, 200, 404, 503, 500]);
    if (exchange.repeatsAfter(status, sent)) {
      this.#end({ kind: 'discarded', status, headers: [] });
      return;
    }
    exchange.respondedAt = world.clock.now();
    const refusal = exchange.onResponse({ status, reason: '', headers: [] });
    if (refusal) {
      this.#end(refusal);
      return;
    }
    (exchange.clientResponse as ServerResponse).writeHead(status);
    world.later(0, 30, () => {
      if (this.over) return;
      if (world.chance(0.1)) {
        exchange.clientResponse.destroy();
        this.#end({ kind: 'cut', status, flags: 'SD' });
        return;
      }
      exchange.clientResponse.end();
      this.#end({ kind: 'answered', status });
    });
  }

  #fail(reason: FailureReason, sent: 'nothing' | 'head' | 'body', onReusedConnection: boolean): void {
    const error = new EvenkeelError(reason === 'conn-failure' ? 'EK_CONNECT' : 'EK_BAD_RESPONSE');
    this.#end({ kind: 'failed', reason, sent, onReusedConnection, error });
  }

  #end(outcome: Outcome): void {
    if (this.over) return;
    this.over = true;
    this.#exchange.body.stop();
    this.#sink.onOutcome(outcome);
  }
}

/** `d` is a backup, and nobody's cookie is `x`. */
const COOKIES = [undefined, undefined, 'SRV=a', 'SRV=b~own; y=1', 'SRV=b', 'SRV=d', 'SRV=x'];

/** A client's request, and all that came of it. */
class Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket = new Socket();
  left = false;
  answers = 0;
  declined = 0;

  constructor(method: string, url: string, length: number, cookie: string | undefined) {
    this.socket.once('close', () => {
      this.left = true;
    });
    this.socket.on('error', () => {});
    this.request = new IncomingMessage(this.socket);
    Object.assign(this.request, { method, url, httpVersionMajor: 1, httpVersionMinor: 1, httpVersion: '1.1' });
    this.request.on('error', () => {});
    this.request.headers.host = 'front.test';
    if (cookie !== undefined) this.request.headers.cookie = cookie;
    if (length > 0) this.request.headers['content-length'] = String(length);
    else this.request.push(null);
    this.response = new ServerResponse(this.request);
    const end = this.response.end;
    this.response.end = ((bytes?: unknown) => {
      this.answers++;
      return end.call(this.response, bytes, 'latin1');
    }) as typeof end;
  }
}

class World {
  readonly clock: VirtualClock;
  readonly pool: Pool<unknown>;
  readonly asked: Asked[] = [];
  readonly events: RequestEvent[] = [];
  readonly attempts: ScriptedAttempt[] = [];
  readonly #random: () => number;
  readonly #leases: Lease[] = [];
  readonly #controllers: AbortController[] = [];
  /** Callers of `acquire`, and of `removeServer`, that have no answer yet. */
  pending = 0;
  #depth = 0;
  #closing = false;

  constructor(seed: number) {
    this.#random = seededRandom(seed * 7919);
    this.clock = new VirtualClock({ seed });
    this.pool = new Pool<unknown>(this.#options(), this.clock);
    this.pool.on('request', (event) => {
      this.events.push(event);
      this.#mischief(false);
    });
    for (const event of ['server:state', 'server:removed'] as const) this.pool.on(event, () => this.#mischief(false));
    // What is told of `priority` is told between the choice of a queue and the entry into it.
    this.pool.on('sample:error', ({ sample }) => sample === 'priority' || this.#mischief(false));
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  oneOf<T>(these: readonly T[]): T {
    return these[Math.floor(this.#random() * these.length)] as T;
  }

  later(least: number, most: number, what: () => void): void {
    this.clock.setTimer(what, least + this.#random() * (most - least));
  }

  forward(exchange: HttpExchange, endpoint: Endpoint, fresh: boolean, sink: OutcomeSink): Attempt {
    const attempt = new ScriptedAttempt(this, exchange, endpoint, fresh, sink);
    this.attempts.push(attempt);
    return attempt;
  }

  #options(): PoolOptions<unknown> {
    const cookie = this.oneOf([
      undefined,
      undefined,
      undefined,
      undefined,
      'SRV insert indirect',
      'SRV prefix',
      'SRV insert maxidle 1m',
    ]);
    return {
      ...(cookie && { cookie, ignorePersist: () => this.chance(0.1) }),
      persist: this.chance(0.2),
      forcePersist: () => this.#mischief() || this.chance(0.1),
      servers: ['a', 'b', 'c', 'd'].map((name, index) => ({
        name,
        address: `127.0.0.1:${index + 1}`,
        maxconn: this.oneOf([1, 1, 2, 0]),
        maxqueue: this.oneOf([0, 1, 3]),
        backup: name === 'd' && this.chance(0.5),
        ...(cookie && name !== 'c' && { cookie: name }),
        ...(name === 'b' && this.chance(0.1) && { redir: 'http://b.example' }),
        ...(name === 'c' && { minconn: 1, maxconn: 4 }),
      })),
      fullconn: 12,
      balance: this.oneOf(['roundrobin', 'leastconn', 'first', 'uri', 'random', 'url_param id check_post']),
      poolMaxQueue: this.oneOf([3, 8, 100]),
      ...(this.chance(0.3) && { poolMaxRequests: 15 }),
      timeout: {
        queue: this.oneOf([20, 100, 2_000]),
        connect: 60,
        client: this.oneOf([50, 60_000]),
        total: this.oneOf([60_000, 150]),
      },
      retries: this.oneOf([0, 1, 3]),
      retryOn: this.oneOf([
        ['conn-failure'],
        ['all-retryable-errors'],
        ['conn-failure', 'empty-response', 503],
      ] as const),
      redispatch: this.oneOf([true, false, 1, 2]),
      retryNonIdempotent: this.chance(0.3),
      ...(this.chance(0.4) && { retryBudget: { ratio: 0.1, minPerSecond: 1 } }),
      ...(this.chance(0.7) && { hedge: { after: '5ms', max: this.oneOf([1, 3, 3]), budget: 1 } }),
      useServer: ({ url }) => {
        this.#mischief();
        if (url === '/promise') return Promise.reject(new Error('async by mistake')) as never;
        return url?.startsWith('/to-') ? url.slice(4) : undefined;
      },
      priority: ({ url }) => {
        if (this.chance(0.1)) throw new Error('no priority');
        return { class: url?.length ?? 0 };
      },
      errorfiles: {
        503: () => {
          this.#mischief();
          return { body: 'sorry' };
        },
        502: () => Promise.reject(new Error('async by mistake')) as never,
      },
      httpRequest: [
        { disableL7Retry: true, if: () => this.chance(0.1) },
        { tarpit: true, if: () => this.chance(0.03) },
        { setTimeout: { queue: 'infinite' }, if: () => this.chance(0.1) },
      ],
      httpResponse: [{ deny: true, if: () => this.#mischief() || this.chance(0.05) }],
    } as PoolOptions<unknown>;
  }

  /** A function of the user's does something to the pool now and then, or throws. */
  #mischief(throws = true): false {
    if (this.#depth > 2 || !this.chance(0.08)) return false;
    this.#depth++;
    try {
      if (throws && this.chance(0.2)) throw new Error('mischief');
      this.act();
    } finally {
      this.#depth--;
    }
    return false;
  }

  act(): void {
    this.oneOf([
      () => this.ask(),
      () => this.ask(),
      () => this.ask(),
      () => this.ask(),
      () => this.#acquire(),
      () => this.#acquire(),
      () => this.#leases.pop()?.release({ ok: this.chance(0.5) }),
      () => this.#leases.shift()?.release(),
      () => this.#controllers.pop()?.abort(),
      () => this.oneOf(this.asked)?.socket.destroy(),
      () => this.oneOf(this.asked)?.socket.emit('close'),
      () => this.#someServer()?.setState(this.oneOf(['ready', 'ready', 'drain', 'maint'])),
      () => this.#someServer()?.setWeight(this.oneOf([0, 1])),
      () => this.#someServer()?.setHealth(this.oneOf(['up', 'up', 'stopping', 'down'])),
      () => this.#addOrRemove(),
    ])();
  }

  ask(): void {
    const length = this.oneOf([0, 0, 4]);
    const url = this.oneOf(['/', '/x', '/y', '/long/one', '/to-a', '/to-b', '/promise']);
    const asked = new Asked(this.oneOf(['GET', 'GET', 'PUT', 'POST']), url, length, this.oneOf(COOKIES));
    this.asked.push(asked);
    if (length > 0 && this.chance(0.9))
      this.later(0, 80, () => {
        asked.request.push(Buffer.alloc(length));
        asked.request.push(null);
      });
    const declines = this.chance(0.2);
    requestHandlers.get(this.pool)?.handle(asked.request, asked.response, {
      target: url,
      frameworkRequest: asked.request,
      expectContinue: false,
      ...(declines && {
        decline: () => {
          asked.declined++;
          this.#mischief();
          return true;
        },
      }),
    });
  }

  #acquire(): void {
    const controller = new AbortController();
    const url = this.oneOf(['/', '/to-a', '/to-b']);
    this.#controllers.push(controller);
    this.pending++;
    this.pool
      .acquire(
        { url, headers: { cookie: this.oneOf(COOKIES) } },
        { signal: controller.signal, timeout: this.oneOf([10, 500]) },
      )
      .then(
        (lease) => void this.#leases.push(lease),
        (error) => assert.ok(error instanceof EvenkeelError, String(error)),
      )
      .finally(() => this.pending--);
  }

  #addOrRemove(): void {
    if (this.#closing) return;
    const { servers } = this.pool;
    if (servers.length < 4) this.pool.addServer({ address: '127.0.0.1:9', maxconn: 1 });
    else {
      this.pending++;
      this.pool.removeServer(this.oneOf(servers).name, { graceMs: this.oneOf([1, 50]) }).finally(() => this.pending--);
    }
  }

  #someServer() {
    return this.oneOf(this.pool.servers);
  }

  /** What must hold whenever nothing is being done. */
  check(): void {
    const { servers, queued } = this.pool.stats();
    let owned = 0;
    for (const [name, server] of Object.entries(servers)) {
      owned += server.queued;
      if (name !== 'c' && server.maxconn > 0)
        assert.ok(server.active <= server.maxconn, `${name}: ${server.active} > ${server.maxconn}`);
    }
    if (queued === owned) return;
    const idle = this.pool.servers.filter(
      ({ name, usable, backup, active }) =>
        usable && !backup && name !== 'c' && (servers[name]?.maxconn === 0 || active < (servers[name]?.maxconn ?? 0)),
    );
    assert.deepEqual(
      idle.map(({ name }) => name),
      [],
      `${queued - owned} wait beside free slots`,
    );
  }

  async end(): Promise<void> {
    this.#closing = true;
    const closed = this.pool.close({ graceMs: this.oneOf([1, 100, 5_000]) });
    await this.clock.advanceAsync(20_000);
    const { leaked } = await closed;
    assert.ok(leaked <= this.#leases.length, 'leases are leaked that nobody has');
    for (const lease of this.#leases) lease.release();
    await this.clock.advanceAsync(1_000);
  }

  /** What must hold in the end. */
  account(): void {
    const { active, queued, leases, bufferedBytes, servers } = this.pool.stats();
    assert.deepEqual({ active, queued, leases, bufferedBytes }, { active: 0, queued: 0, leases: 0, bufferedBytes: 0 });
    for (const [name, server] of Object.entries(servers))
      assert.deepEqual([server.active, server.queued], [0, 0], `slots and queue of ${name}`);
    assert.equal(this.pending, 0, 'callers without an answer');
    assert.equal(this.attempts.filter(({ over }) => !over).length, 0, 'attempts that nobody has ended');
    assert.equal(this.clock.holding, 0, 'timers that hold the process');
    assert.equal(this.events.length, this.asked.length, 'one event a request');
    for (const { request, response, socket, left, answers, declined } of this.asked) {
      const gone = response.destroyed || socket.destroyed || left;
      const what = `${request.method} ${request.url}: ${answers} answers, ${declined} times declined`;
      assert.ok(answers + declined <= 1 && (gone || answers + declined === 1), what);
    }
  }
}

const SEEDS = 200;
const STEPS = 150;

test(`${SEEDS} worlds: one end for each request, and nothing left behind`, async (t) => {
  let world: World | undefined;
  const forward = mock.method(Http1Engine.prototype, 'forward', (...values: Parameters<World['forward']>) =>
    world?.forward(...values),
  );
  t.after(() => forward.mock.restore());
  const ends = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    world = new World(seed);
    try {
      for (let step = 0; step < STEPS; step++) {
        world.act();
        if (world.chance(0.5)) await world.clock.advanceAsync(world.oneOf([1, 5, 15, 40]));
        world.check();
      }
      await world.end();
      world.account();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
    for (const { flags, cookieFlags, retries, hedges } of world.events)
      ends.add(flags).add(cookieFlags).add(`retries ${retries}`).add(`hedges ${hedges}`);
  }
  for (const end of [
    '--',
    'SC',
    'SQ',
    'sQ',
    'CQ',
    'CH',
    'KQ',
    'KH',
    'SD',
    'PT',
    'LC',
    'VN',
    'DI',
    'IN',
    'UN',
    'retries 3',
    'hedges 3',
  ])
    assert.ok(ends.has(end), `no request has ended with ${end}: ${[...ends]}`);
});
