import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientSession, ConnectionPool, type ConnectionPoolSettings } from '#src/connections/connection-pool.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { FakeConnection } from './fake-connection.ts';
import { NaivePool } from './naive-pool.ts';

const DEFAULTS: ConnectionPoolSettings = {
  httpReuse: 'safe',
  poolMaxConn: -1,
  poolLowConn: 0,
  poolPurgeDelayMs: 5_000,
  maxReuse: -1,
  maxOpen: Number.POSITIVE_INFINITY,
};

/** A pool, and what its callers do with it. */
class Stage {
  readonly clock = new VirtualClock();
  readonly pool: ConnectionPool<FakeConnection>;
  /** Destroyed sockets that have not said `close` yet. */
  #closing: FakeConnection[] = [];

  constructor(settings: Partial<ConnectionPoolSettings> = {}) {
    this.pool = new ConnectionPool({ ...DEFAULTS, ...settings }, this.clock);
  }

  take(
    session: ClientSession | undefined,
    { replayable = true, maxIdleMs = Number.POSITIVE_INFINITY, key = 'k' } = {},
  ): FakeConnection | undefined {
    return this.pool.take(key, session, replayable, maxIdleMs, this.clock.now());
  }

  open(session?: ClientSession, key = 'k'): FakeConnection {
    this.pool.makeRoom();
    const connection = new FakeConnection(key, (destroyed) => this.#closing.push(destroyed));
    this.pool.opened(connection, session);
    return connection;
  }

  /** Destroyed sockets tell so a little later. */
  closeDestroyed(): void {
    for (const connection of this.#closing.splice(0)) this.pool.forget(connection);
  }

  /** `count` connections that have each served one request, in use all at once. */
  idle(count: number): FakeConnection[] {
    const connections = Array.from({ length: count }, () => this.open());
    for (const connection of connections) this.pool.release(connection, this.clock.now());
    return connections;
  }
}

/** A client at its nth request. */
function client(nthRequest: number): ClientSession {
  const session = new ClientSession();
  session.requests = nthRequest;
  return session;
}

test('who may take a kept connection: http-reuse, for first and later requests', () => {
  // Facts 5.1, with our refinement: a request that can be replayed may take one even as a client's first.
  const expected: Record<string, readonly (readonly string[])[]> = {
    never: [[], [], []],
    safe: [[], ['fresh', 'proven'], ['fresh', 'proven']],
    aggressive: [['proven'], ['fresh', 'proven'], ['fresh', 'proven']],
    always: [
      ['proven', 'fresh'],
      ['proven', 'fresh'],
      ['fresh', 'proven'],
    ],
  };
  for (const httpReuse of ['never', 'safe', 'aggressive', 'always'] as const) {
    const taken = [
      { session: client(1), replayable: false },
      { session: client(1), replayable: true },
      { session: client(2), replayable: false },
    ].map(({ session, replayable }) => {
      const stage = new Stage({ httpReuse });
      const [proven, fresh] = [stage.open(), stage.open()];
      proven.requests = 1; // and one more now
      for (const connection of [proven, fresh]) stage.pool.release(connection, 0);
      const names = new Map([
        [proven, 'proven'],
        [fresh, 'fresh'],
      ]);
      return [stage.take(session, { replayable }), stage.take(session, { replayable })].flatMap((connection) =>
        connection ? [names.get(connection)] : [],
      );
    });
    assert.deepEqual(taken, expected[httpReuse], httpReuse);
  }
});

test('a request that came over no connection counts as no first', () => {
  const stage = new Stage();
  stage.idle(1);
  assert.ok(stage.take(undefined, { replayable: false }));
});

test('connections of one key take turns, oldest first; those of another key are left alone', () => {
  const stage = new Stage();
  const [a, b, c] = stage.idle(3);
  assert.deepEqual(
    [stage.take(client(2), { key: 'other' }), stage.take(client(2)), stage.take(client(2)), stage.take(client(2))],
    [undefined, a, b, c],
  );
});

test('what cannot be sent again takes only a connection that was used a moment ago, the youngest', () => {
  const stage = new Stage();
  const [old, young] = [stage.open(), stage.open()];
  stage.pool.release(old, 0);
  stage.clock.advance(600);
  stage.pool.release(young, stage.clock.now());
  stage.clock.advance(500);
  assert.equal(stage.take(client(2), { maxIdleMs: 1_000 }), young);
  assert.equal(stage.take(client(2), { maxIdleMs: 1_000 }), undefined);
  assert.equal(stage.take(client(2)), old);
});

test('a server’s Keep-Alive: timeout=N is honoured: nobody is sent there after N - 1 s', () => {
  const stage = new Stage();
  const [soon, late] = [stage.open(), stage.open()];
  soon.keepAliveTimeoutMs = 5_000;
  late.keepAliveTimeoutMs = 30_000;
  for (const connection of [soon, late]) stage.pool.release(connection, 0);
  assert.equal(stage.pool.take('k', client(2), true, Number.POSITIVE_INFINITY, 3_999), soon);
  stage.pool.release(soon, 0);
  assert.equal(stage.pool.take('k', client(2), true, Number.POSITIVE_INFINITY, 4_000), late);
  stage.pool.release(late, 4_000);
  stage.pool.take('k', client(2), true, Number.POSITIVE_INFINITY, 33_000);
  assert.deepEqual([soon.destroyed, late.destroyed, stage.pool.idle], [true, true, 0]);

  const brief = stage.open();
  brief.keepAliveTimeoutMs = 1_000;
  stage.pool.release(brief, 0);
  assert.ok(brief.destroyed, 'one that may be closed at any moment is not kept at all');
});

test('limits: pool-max-conn, pool-purge-delay 0, max-reuse', () => {
  const bounded = new Stage({ poolMaxConn: 2 });
  assert.deepEqual(
    bounded.idle(3).map(({ destroyed }) => destroyed),
    [false, false, true],
  );
  assert.equal(new Stage({ poolMaxConn: 0 }).idle(1)[0]?.destroyed, true);
  assert.equal(new Stage({ poolPurgeDelayMs: 0 }).idle(1)[0]?.destroyed, true);

  const worn = new Stage({ maxReuse: 2 });
  const connection = worn.open();
  for (let reuse = 0; reuse < 2; reuse++) {
    worn.pool.release(connection, 0);
    assert.equal(worn.take(client(2)), connection, 'two requests more than its first');
  }
  worn.pool.release(connection, 0);
  assert.ok(connection.destroyed);
});

test('httpReuse never: a connection belongs to its client, and goes with it', () => {
  const stage = new Stage({ httpReuse: 'never' });
  const [one, other] = [client(1), client(2)];
  const connection = stage.open(one);
  stage.pool.release(connection, 0);
  assert.equal(stage.take(other), undefined);
  assert.equal(stage.take(one), connection);
  stage.pool.release(connection, 0);
  const busy = stage.open(one);
  one.end();
  stage.pool.release(busy, 0);
  assert.deepEqual([connection.destroyed, busy.destroyed], [true, true]);
  const orphan = stage.open(undefined);
  stage.pool.release(orphan, 0);
  assert.ok(orphan.destroyed, 'nobody could ever have it again');
});

test('a connection that became private while in use, by NTLM say, is not shared; each client keeps five at most', () => {
  const stage = new Stage();
  const one = client(2);
  const connections = Array.from({ length: 6 }, () => stage.open(one));
  for (const connection of connections) {
    connection.owner = one;
    stage.pool.release(connection, 0);
  }
  assert.equal(stage.take(client(2)), undefined);
  assert.deepEqual(
    connections.map(({ destroyed }) => destroyed),
    [false, false, false, false, false, true],
  );
  assert.equal(stage.take(one), connections[0]);
});

test('idle connections decay by half of what exceeds the need, which itself halves: facts 5.4', () => {
  const stage = new Stage();
  stage.idle(64);
  const counts = Array.from({ length: 12 }, () => {
    stage.clock.advance(5_000);
    return stage.pool.idle;
  });
  // est_need 64 → 64 (max_used was 64) → 32 → 16 …; each purge closes ceil((idle - need) / 2), need being that of before.
  assert.deepEqual(counts, [64, 64, 48, 32, 20, 12, 7, 4, 2, 1, 0, 0]);
  assert.equal(stage.clock.pending, 0, 'with nothing idle no timer runs');
  stage.idle(1);
  stage.clock.advance(20_000);
  assert.equal(stage.pool.idle, 0, 'and the next one starts it again');
});

test('beyond the estimated need a connection is not even kept, but for the slack of pool-low-conn', () => {
  for (const [poolLowConn, kept] of [
    [0, false],
    [32, false],
    [33, true],
  ] as const) {
    const stage = new Stage({ poolLowConn });
    stage.idle(64);
    stage.clock.advance(15_000); // 48 are left, and 16 are thought to be needed
    const extra = stage.open();
    stage.pool.release(extra, stage.clock.now());
    assert.equal(!extra.destroyed, kept, `${poolLowConn}`);
  }
});

test('strict-maxconn: for a new connection the oldest idle one is closed, shared or private; never one in use', () => {
  const stage = new Stage({ maxOpen: 3 });
  const one = client(2);
  const own = stage.open(one);
  own.owner = one;
  stage.pool.release(own, 0);
  stage.clock.advance(1);
  const [shared] = stage.idle(1);
  const inUse = stage.open();
  stage.open(undefined, 'other');
  assert.deepEqual([own.destroyed, shared?.destroyed, inUse.destroyed], [true, false, false]);
  assert.equal(one.privateConnections.size, 0);
  stage.open();
  assert.deepEqual([shared?.destroyed, inUse.destroyed, stage.pool.idle, stage.pool.used], [true, false, 0, 3]);
});

test('strict-maxconn: a connection that is about to be released may be closed in place of an idle one', () => {
  const stage = new Stage({ maxOpen: 1 });
  const parting = stage.open();
  parting.onDestroy = () => stage.pool.discard(parting);
  stage.pool.part(parting);
  stage.open();
  assert.deepEqual([parting.destroyed, stage.pool.used], [true, 1]);
  const other = new Stage({ maxOpen: 2 });
  const released = other.open();
  other.pool.part(released);
  other.pool.release(released, 0);
  assert.deepEqual([released.destroyed, other.pool.idle, other.pool.used], [false, 1, 0]);
  assert.equal(other.take(client(2)), released);
});

test('closed, it keeps nothing; cleared, it goes on', () => {
  const stage = new Stage();
  const inUse = stage.open();
  const [idle] = stage.idle(1);
  stage.pool.clear();
  assert.deepEqual([idle?.destroyed, inUse.destroyed, stage.pool.idle], [true, false, 0]);
  stage.idle(1);
  assert.equal(stage.pool.idle, 1);
  stage.pool.close();
  stage.pool.release(inUse, 0);
  assert.deepEqual([inUse.destroyed, stage.pool.idle, stage.pool.used, stage.clock.pending], [true, 0, 0, 0]);
});

test('over random lives it does exactly what a naive pool does', () => {
  const settings = fc.record({
    httpReuse: fc.constantFrom('never', 'safe', 'aggressive', 'always'),
    poolMaxConn: fc.constantFrom(-1, -1, 0, 1, 4),
    poolLowConn: fc.constantFrom(0, 0, 2),
    poolPurgeDelayMs: fc.constantFrom(5_000, 5_000, 700, 0),
    maxReuse: fc.constantFrom(-1, -1, 0, 2),
    maxOpen: fc.constantFrom(Number.POSITIVE_INFINITY, 1, 3),
  });
  const act = fc.record({
    kind: fc.constantFrom('ask', 'ask', 'ask', 'finish', 'finish', 'fail', 'close', 'wait', 'leave', 'clear', 'own'),
    which: fc.nat(20),
    key: fc.constantFrom('k', 'k', 'l'),
    replayable: fc.boolean(),
    maxIdleMs: fc.constantFrom(Number.POSITIVE_INFINITY, 1_000),
    ms: fc.nat(3_000),
    keepAliveTimeoutMs: fc.constantFrom(undefined, undefined, 500, 4_000),
  });
  fc.assert(
    fc.property(settings, fc.boolean(), fc.array(act, { maxLength: 200, size: 'max' }), (chosen, closesLate, acts) => {
      const stage = new Stage(chosen);
      const naive = new NaivePool({ ...DEFAULTS, ...chosen });
      const all: FakeConnection[] = [];
      const used: FakeConnection[] = [];
      const sessions = [client(0), client(0), client(0)];
      for (const { kind, which, key, replayable, maxIdleMs, ms, keepAliveTimeoutMs } of acts) {
        if (closesLate) stage.closeDestroyed();
        stage.clock.advance(1); // no two fall idle at one time: which of them is older would be anybody's guess
        naive.advanceTo(stage.clock.now());
        const now = stage.clock.now();
        const session = sessions[which % 4]; // the fourth has none
        const connection = used[which % Math.max(1, used.length)];
        switch (kind) {
          case 'ask': {
            if (session) session.requests++;
            const expected = naive.take(key, session, replayable, maxIdleMs, now);
            const taken = stage.take(session, { key, replayable, maxIdleMs });
            assert.equal(taken && all.indexOf(taken), expected && all.indexOf(expected));
            if (!taken) naive.open();
            const next = taken ?? stage.open(session, key);
            if (!taken) all.push(next);
            used.push(next);
            break;
          }
          case 'own':
            if (connection && session) connection.owner ??= session;
            break;
          case 'finish':
            if (!connection) break;
            used.splice(used.indexOf(connection), 1);
            connection.keepAliveTimeoutMs = keepAliveTimeoutMs;
            stage.pool.release(connection, now);
            naive.release(connection, now);
            break;
          case 'fail':
            if (!connection) break;
            used.splice(used.indexOf(connection), 1);
            stage.pool.discard(connection);
            naive.used--;
            break;
          case 'close': {
            const idle = all[which % Math.max(1, all.length)];
            if (!idle || used.includes(idle)) break;
            stage.pool.forget(idle);
            naive.lose(idle);
            break;
          }
          case 'wait':
            stage.clock.advance(ms);
            naive.advanceTo(stage.clock.now());
            break;
          case 'leave':
            if (!session) break;
            session.end();
            naive.endSession(session);
            break;
          case 'clear':
            stage.pool.clear();
            naive.clear();
        }
        if (!closesLate) stage.closeDestroyed();
        assert.deepEqual([stage.pool.idle, stage.pool.used], [naive.shared.length, naive.used], kind);
        assert.deepEqual(
          all.flatMap(({ destroyed }, index) => (destroyed ? [index] : [])),
          all.flatMap((each, index) => (naive.closed.has(each) ? [index] : [])),
          kind,
        );
      }
    }),
    { numRuns: 300 },
  );
});
