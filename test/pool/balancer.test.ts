import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConfigError,
  type Environment,
  EvenkeelError,
  Pool,
  type RequestContext,
  type Scheduler,
  type ServerView,
} from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere, picks } from './picks.ts';

/** Takes the first with room, and notes what it is told. */
class FirstFree implements Scheduler {
  readonly told: string[] = [];
  readonly #servers: ServerView[] = [];

  add(server: ServerView): void {
    this.told.push(`add ${server.name}`);
    this.#servers.push(server);
  }
  remove(server: ServerView): void {
    this.told.push(`remove ${server.name}`);
    this.#servers.splice(this.#servers.indexOf(server), 1);
  }
  reweigh(server: ServerView): void {
    this.told.push(`reweigh ${server.name} ${server.effectiveWeight}`);
  }
  took(server: ServerView): void {
    this.told.push(`took ${server.name} ${server.active}`);
  }
  freed(server: ServerView): void {
    this.told.push(`freed ${server.name} ${server.active}`);
  }
  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    const free = this.#servers.filter((server) => !server.saturated);
    return free.find((server) => server !== avoid) ?? free[0];
  }
}

/** A pool of `a` and `b` whose scheduler does its work badly, and what was reported of it. */
function poolWith(bad: Partial<Scheduler>): { pool: Pool; faults: string[]; clock: VirtualClock } {
  const balance = (): Scheduler => Object.assign(new FirstFree(), bad);
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 'b').map((server) => ({ ...server, maxconn: 1 })), balance }, clock);
  const faults: string[] = [];
  pool.on('sample:error', ({ sample, error }) => faults.push(`${sample}: ${(error as Error).message}`));
  return { pool, faults, clock };
}

test('backups take over only when no active server is left, and all of them only with allbackups', () => {
  for (const [allbackups, backups] of [
    [false, 'x x x'],
    [true, 'x y x'],
  ] as const) {
    const servers = [...nowhere('a', 'b'), ...nowhere('x', 'y').map((server) => ({ ...server, backup: true }))];
    const pool = new Pool({ servers, allbackups }, new VirtualClock());
    const stages = [
      picks(pool, 3),
      pool.server('a').setState('drain') ?? picks(pool, 2),
      pool.server('b').setWeight(0) ?? picks(pool, 3),
      pool.server('x').setState('maint') ?? picks(pool, 2),
      pool.server('x').setState('ready') ?? picks(pool, 2),
      pool.server('b').setWeight(1) ?? picks(pool, 2),
    ];
    assert.deepEqual(stages, ['a b a', 'b b', backups, 'y y', allbackups ? stages[4] : 'x x', 'b b']);
  }
});

test('backups are no overflow: active servers that are full are full', () => {
  const pool = new Pool(
    {
      servers: [
        { address: '127.0.0.1:1', maxconn: 1 },
        { address: '127.0.0.1:2', backup: true },
      ],
    },
    new VirtualClock(),
  );
  const held = pool.tryAcquire();
  assert.equal(held?.server.backup, false);
  assert.equal(pool.tryAcquire(), undefined);
});

test('startOffset skips choices, once, so that many processes do not begin alike', () => {
  for (const [startOffset, order] of [
    [0, 'a b c a'],
    [1, 'b c a b'],
    [5, 'c a b c'],
  ] as const) {
    const pool = new Pool({ servers: nowhere('a', 'b', 'c'), startOffset }, new VirtualClock());
    assert.equal(picks(pool, 4), order);
    assert.equal(pool.stats().servers['a']?.lbtot, order.split('a').length - 1, 'skipped ones do not count');
  }
});

test('a scheduler of the user’s own: one for each group, told of every change before the next choice', async () => {
  const made: FirstFree[] = [];
  const clock = new VirtualClock();
  const balance = (environment: Environment): Scheduler => {
    assert.equal(environment, clock);
    const scheduler = new FirstFree();
    made.push(scheduler);
    return scheduler;
  };
  const pool = new Pool(
    { servers: [...nowhere('a', 'b'), { address: '127.0.0.1:1', name: 'x', backup: true }], balance },
    clock,
  );
  const lease = await pool.acquire();
  pool.server('b').setWeight(2);
  pool.server('a').setState('drain');
  lease.release();
  pool.server('b').setState('drain');
  pool.addServer({ address: '127.0.0.1:2', name: 'c' });
  await pool.removeServer('c');
  const [active, backup] = made;
  assert.deepEqual(active?.told, [
    'add a',
    'add b',
    'took a 1',
    'reweigh b 32',
    'remove a',
    'remove b',
    'add c',
    'remove c',
  ]);
  assert.deepEqual([picks(pool, 1), backup?.told, made.length], ['x', ['add x', 'took x 1', 'freed x 0'], 2]);
});

test('a scheduler that throws or picks rubbish is reported, and another server found all the same', () => {
  const rubbish: [what: string, pick: () => unknown, message: RegExp][] = [
    ['throws', () => assert.fail('no idea'), /no idea/],
    ['null', () => null, /null/],
    ['an object', () => ({}), /no usable server/],
    ['a name', () => 'a', /no usable server/],
    ['a promise', async () => Promise.reject(new Error('unheard')), /it must answer at once/],
  ];
  for (const [what, pick, message] of rubbish) {
    const { pool, faults } = poolWith({ pick: pick as never });
    const first = pool.tryAcquire();
    const second = pool.tryAcquire();
    assert.deepEqual([first?.server.name, second?.server.name, pool.tryAcquire()], ['a', 'b', undefined], what);
    assert.equal(faults.length, 3);
    assert.match(faults[0] ?? '', /^balance: /);
    assert.match(faults[0] ?? '', message);
  }
});

test('a scheduler cannot fill a server past its slots, nor use one that is out', () => {
  let all: ServerView[] = [];
  const { pool, faults } = poolWith({ add: (server) => void all.push(server), remove: () => {}, pick: () => all[0] });
  all = [];
  pool.server('a').setState('maint');
  pool.server('a').setState('ready');
  const held = pool.tryAcquire();
  assert.deepEqual(
    [held?.server.name, pool.tryAcquire(), faults.length],
    ['a', undefined, 0],
    'it is to be waited for',
  );
  held?.release();
  pool.server('a').setState('drain');
  assert.deepEqual([picks(pool, 2), faults.length > 0], ['b b', true]);
});

test('what a scheduler throws when it is told something costs nobody a slot', async () => {
  const fail = (): never => assert.fail('told too much');
  const { pool, faults } = poolWith({ took: fail, freed: fail, reweigh: fail, remove: fail });
  const lease = await pool.acquire();
  pool.server('b').setWeight(5);
  pool.server('b').setState('drain');
  lease.release();
  assert.deepEqual([pool.server('a').active, faults.length], [0, 4]);
});

test('a scheduler that finds nothing is believed', async () => {
  const { pool, faults, clock } = poolWith({ pick: () => undefined });
  assert.equal(pool.tryAcquire(), undefined);
  const waiting = pool.acquire();
  clock.advance(5_010);
  await assert.rejects(waiting, (error) => error instanceof EvenkeelError && error.code === 'EK_QUEUE_TIMEOUT');
  assert.deepEqual(faults, []);
});

test('a factory that makes no scheduler, or throws, fails the constructor', () => {
  assert.throws(() => new Pool({ balance: (() => undefined) as never }), ConfigError);
  assert.throws(() => new Pool({ balance: () => assert.fail('not today') }), /not today/);
});
