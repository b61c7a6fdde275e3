/** Checks, operators, work and ejections at the same servers at once: what a pool tells, shows and does is one and the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lease, Pool, type PoolOptions, type ServerOptions } from '#src/index.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';

const NAMES = ['a', 'b', 'c', 'd', 'x', 'y'];
const CONTEXTS = [{ url: '/1' }, { url: '/2' }, { url: '/3' }, { url: 'a' }];
/** Those whose next choice cannot always be told: by chance, and past a full server. */
const UNTOLD = ['random', 'roundrobin'];
const BALANCES = ['roundrobin', 'static-rr', 'leastconn', 'first', 'uri', 'random'] as const;

class Episode {
  readonly clock: VirtualClock;
  readonly pool: Pool<unknown>;
  readonly balance: (typeof BALANCES)[number];
  /** What events say of each server. */
  readonly up = new Map<string, boolean>();
  readonly admin = new Map<string, string>();
  readonly ejected = new Set<string>();
  readonly held: Lease[] = [];
  /** What listeners have found wrong: what they throw is only warned of. */
  readonly wrong: string[] = [];
  readonly #random: () => number;
  readonly #verdicts = new Map<string, 'passed' | 'failed' | 'conditional' | 'neutral'>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.clock = new VirtualClock({ seed });
    this.balance = this.oneOf(...BALANCES);
    const options = {
      servers: NAMES.map((name) => this.#server(name)),
      balance: this.balance,
      allbackups: this.chance(0.5),
      useServer: ({ url = '' }) => (this.pool.hasServer(url) ? url : undefined),
      outlier: {
        consecutiveErrors: this.oneOf(1, 3),
        baseEjection: '1s',
        interval: '1s',
        trials: this.oneOf(1, 2),
        maxEjected: this.oneOf('10%', '100%'),
        panicThreshold: this.oneOf('0%', '50%', '100%'),
      },
    } as const satisfies PoolOptions<unknown>;
    this.pool = new Pool<unknown>(options, this.clock);
    for (const { name, state } of this.pool.servers) this.#begins(name, state);
    this.#listen();
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  oneOf<T>(...choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)] as T;
  }

  #server(name: string): ServerOptions {
    const port = 80 + NAMES.indexOf(name);
    const common = {
      ...{ name, address: `192.0.2.1:${port}`, backup: name >= 'x' },
      ...{ maxconn: this.oneOf(0, 1, 3), maxqueue: this.oneOf(0, 1), slowstart: this.oneOf(0, 3000) },
    };
    if (name !== 'a' && this.chance(0.3)) return { ...common, track: 'a' };
    return {
      ...common,
      disabled: this.chance(0.1),
      check: () => ({ result: this.#verdicts.get(name) ?? 'passed' }),
      inter: this.oneOf(300, 1000),
      initState: this.oneOf('none', 'down', 'fully-up', 'fully-down'),
      observe: this.oneOf('none', 'layer7'),
      errorLimit: this.oneOf(1, 4),
      onError: this.oneOf('fail-check', 'sudden-death', 'mark-down'),
    };
  }

  #begins(name: string, state: string): void {
    this.up.set(name, isUp(state));
    this.admin.set(name, state.startsWith('MAINT') ? 'maint' : 'ready');
  }

  #listen(): void {
    const { pool, up, admin, ejected } = this;
    const expect = (holds: boolean, what: string): void => {
      if (!holds) this.wrong.push(`${what} at ${this.clock.now()}`);
    };
    pool.on('server:up', ({ server }) => {
      expect(up.get(server) === false, `${server} came up twice`);
      up.set(server, true);
    });
    pool.on('server:down', ({ server }) => {
      expect(up.get(server) === true, `${server} went down twice`);
      up.set(server, false);
    });
    pool.on('server:state', ({ server, from, to }) => {
      expect(from !== to && admin.get(server) === from, `${server} was told to go from ${from} to ${to}`);
      admin.set(server, to);
      if (from === 'maint' || to === 'maint') up.set(server, isUp(pool.server(server).state));
    });
    pool.on('server:ejected', ({ server }) => ejected.add(server));
    pool.on('server:restored', ({ server }) =>
      expect(ejected.delete(server), `${server} was restored, and not ejected`),
    );
  }

  async step(): Promise<void> {
    const { pool, held, clock } = this;
    const server = this.oneOf(...pool.servers);
    switch (
      this.oneOf('state', 'health', 'weight', 'verdict', 'verdict', 'end', 'end', 'end', 'wait', 'swap', 'time', 'time')
    ) {
      case 'state':
        server.setState(this.oneOf('ready', 'ready', 'drain', 'maint'));
        break;
      case 'health':
        try {
          server.setHealth(this.oneOf('up', 'stopping', 'down'));
        } catch (error) {
          assert.match(String(error), /its health is set there/);
        }
        break;
      case 'weight':
        server.setWeight(this.oneOf(0, 1, 1));
        break;
      case 'verdict':
        this.#verdicts.set(this.oneOf(...NAMES), this.oneOf('passed', 'passed', 'failed', 'conditional', 'neutral'));
        break;
      case 'end': {
        const [lease] = held.splice(Math.floor(this.#random() * held.length), 1);
        lease?.release(this.oneOf({ ok: true }, { ok: false }, { ok: false }, undefined));
        break;
      }
      case 'wait':
        pool.acquire(this.oneOf(...CONTEXTS), { timeout: '1s' }).then(
          (lease) => held.push(lease),
          () => undefined,
        );
        break;
      case 'swap':
        await this.#swap(server.name);
        break;
      case 'time':
        await clock.advanceAsync(this.oneOf(1, 300, 1000, 4000));
    }
    await clock.settle();
  }

  /** Takes a server out, and puts another in its place, under its name. */
  async #swap(name: string): Promise<void> {
    const removed = this.pool.removeServer(name, { graceMs: 1 });
    if (this.pool.hasServer(name)) await assert.rejects(removed, /while it is tracked/);
    else {
      this.ejected.delete(name);
      const options = this.#server(name);
      this.#begins(name, this.pool.addServer(options).state);
      if (options.track && this.admin.get(options.track) === 'drain') this.admin.set(name, 'drain');
    }
  }

  /** What is shown, told and done agrees. */
  check(): void {
    const { pool, up, admin, ejected, held, wrong, balance } = this;
    assert.deepEqual(wrong, []);
    const { servers } = pool.stats();
    for (const server of pool.servers) {
      const { name, state, usable, weight } = server;
      const { breaker, active } = servers[name] ?? assert.fail();
      assert.equal(active, held.filter((lease) => lease.server === server).length, `slots of ${name}`);
      assert.equal(breaker !== 'closed', ejected.has(name), `the breaker of ${name} is ${breaker}`);
      assert.equal(up.get(name), isUp(state), `${name} is ${state}`);
      assert.equal(admin.get(name) === 'maint', state.startsWith('MAINT'), `${name} is ${state}`);
      if (usable) assert.ok(weight > 0 && isUp(state) && admin.get(name) === 'ready', `${name} is usable`);
    }
    const context = this.oneOf(...CONTEXTS);
    const { chosen, waits, by, candidates, excluded, loads } = pool.explain(context);
    assert.deepEqual(
      [...candidates, ...excluded.map(({ server }) => server)].sort(),
      pool.servers.map(({ name }) => name).sort(),
    );
    for (const { server: name, reason } of excluded) {
      const { usable, weight, backup, active } = pool.server(name);
      if (reason.includes('its state')) assert.doesNotMatch(reason, /UP|no check/);
      else if (reason.includes('ejected')) assert.ok(!usable && ejected.has(name), reason);
      else if (reason.includes('weight')) assert.equal(weight, 0);
      else if (reason.includes('backup')) assert.ok(backup);
      else assert.ok(reason.includes('slots') && active >= (loads[name]?.effectiveMaxconn ?? 0), reason);
    }
    const lease = pool.tryAcquire(context);
    if (lease) held.push(lease);
    const got = lease?.server.name;
    if (chosen !== undefined || !UNTOLD.includes(by)) assert.equal(got, waits ? undefined : chosen, `by ${by}`);
    if (got !== undefined && by !== 'useServer') assert.ok(candidates.includes(got), `${got} by ${by}`);
    if (candidates.length > 0 && !waits && balance !== 'uri') assert.ok(got, `one of ${candidates.join()} by ${by}`);
  }

  async end(): Promise<void> {
    const { pool, held, clock } = this;
    const closed = pool.close({ graceMs: 1000 });
    await clock.advanceAsync(2000);
    await closed;
    for (const lease of held) lease.release();
    assert.equal(clock.pending, 0, 'no timer is left');
  }
}

function isUp(state: string): boolean {
  return !/DOWN|NOLB|MAINT/.test(state);
}

test('in whatever order things happen, events, stats and explain agree with what is chosen', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const episode = new Episode(seed);
    for (let step = 0; step < 60; step++) {
      try {
        await episode.step();
        episode.check();
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}`, { cause: error });
      }
    }
    await episode.end();
  }
});
