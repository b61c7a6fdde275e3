/** Who waits, for what, and whose turn it is: leases on the virtual clock. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, type RequestContext, type ServerView } from '#src/index.ts';
import { Counter } from './counter.ts';
import { nowhere } from './picks.ts';

/** Requests for `/b` belong to `b`. */
const useServer = ({ url }: RequestContext): string | undefined => url?.slice(1) || undefined;

test('whoever finds every server full waits, and is served in order of arrival by whichever has room first', async () => {
  const counter = new Counter('ab');
  for (const id of ['1', '2', '3', '4', '5']) counter.ask(id);
  assert.equal(await counter.heard(), '1:a 2:b');
  assert.deepEqual([counter.waiting, counter.pool.stats().qmax], [3, 3]);
  assert.equal(counter.pool.tryAcquire(), undefined, 'it never waits');
  counter.release('2');
  assert.equal(await counter.heard(), '3:b');
  counter.release('1', '3');
  assert.equal(await counter.heard(), '4:a 5:b');
  assert.equal(counter.waiting, 0);
  counter.release('4', '5');
  counter.clock.advance(100);
  assert.deepEqual([counter.pool.stats().leases, counter.clock.pending], [0, 0], 'nothing is left behind');
});

test('what belongs to one server waits for that, beside what any may have: the earlier first', async () => {
  const counter = new Counter('ab', { useServer });
  for (const id of ['1', '2']) counter.ask(id);
  counter.ask('any');
  counter.clock.advance(2);
  counter.ask('b1', { url: '/b' });
  counter.ask('b2', { url: '/b' });
  await counter.heard();
  assert.deepEqual([counter.waiting, counter.pool.server('b').queued], [3, 2]);
  counter.release('2');
  assert.equal(await counter.heard(), 'any:b');
  counter.release('1');
  assert.equal(await counter.heard(), '', 'a is free, and nothing is for it');
  counter.release('any');
  assert.equal(await counter.heard(), 'b1:b');
  counter.release('b1');
  assert.equal(await counter.heard(), 'b2:b');
  assert.equal(counter.pool.stats().servers['b']?.qmax, 2);
});

test('of two that came in one millisecond the one that belongs to the server goes first', async () => {
  const counter = new Counter('a', { useServer });
  counter.ask('1');
  counter.ask('any');
  counter.ask('own', { url: '/a' });
  await counter.heard();
  counter.release('1');
  assert.equal(await counter.heard(), 'own:a');
});

test('priority: lower classes first, then arrival plus offset; a function that throws is told of', async () => {
  const priority = ({ url = '' }: RequestContext) => {
    const [rank, offset] = url.split(' ');
    return { class: Number(rank), offset: Number(offset ?? 0) };
  };
  const counter = new Counter('a', { priority });
  const faults: string[] = [];
  counter.pool.on('sample:error', ({ sample, error }) => faults.push(`${sample}: ${(error as Error).message}`));
  counter.ask('first');
  for (const [id, url] of Object.entries({ d: '0', e: '7', b: '0 -100', c: '0 -50', a: '-3 9999', f: 'x' })) {
    counter.ask(id, { url });
    counter.clock.advance(1);
  }
  assert.equal(await counter.heard(), 'first:a');
  const served: string[] = [];
  for (let last = 'first'; counter.waiting > 0; ) {
    counter.release(last);
    last = (await counter.heard()).replace(':a', '');
    served.push(last);
  }
  assert.deepEqual(served, ['a', 'b', 'c', 'd', 'f', 'e']);
  assert.deepEqual(faults, ['priority: priority.class: NaN is not allowed; allowed: an integer from -2047 to 2047']);
});

test('timeout.queue ends the wait with sQ, whatever the class; by default it is timeout.connect', async () => {
  const counter = new Counter('a', { timeout: { connect: '2s' } });
  counter.ask('1');
  counter.ask('2');
  counter.clock.advance(1_000);
  counter.ask('3', {}, { timeout: '200ms' });
  counter.clock.advance(220);
  assert.equal(await counter.heard(), '1:a 3!EK_QUEUE_TIMEOUT sQ');
  counter.clock.advance(770);
  assert.equal(await counter.heard(), '');
  counter.clock.advance(30);
  assert.equal(await counter.heard(), '2!EK_QUEUE_TIMEOUT sQ');
  counter.release('1');
  assert.deepEqual([counter.waiting, counter.clock.pending], [0, 0]);
  await assert.rejects(counter.pool.acquire({}, { timeout: '2 s' as never }), ConfigError);
});

test('a signal ends the wait of its caller, from the middle of the queue; many may share one', async () => {
  const counter = new Counter('a');
  const own = new AbortController();
  const shared = new AbortController();
  counter.ask('1', {}, { signal: shared.signal });
  counter.ask('2', {}, { signal: own.signal });
  for (let i = 3; i < 60; i++) counter.ask(`${i}`, {}, { signal: shared.signal });
  counter.ask('last');
  assert.equal(await counter.heard(), '1:a');
  own.abort(new Error('changed my mind'));
  assert.equal(await counter.heard(), '2!EK_ABORTED CQ');
  counter.release('1');
  assert.equal(await counter.heard(), '3:a');
  shared.abort();
  const told = (await counter.heard()).split(' ');
  assert.deepEqual([told.length / 2, told[0], told[1]], [56, '4!EK_ABORTED', 'CQ']);
  assert.equal(counter.leases.get('3')?.server.active, 1, 'a lease that was given is not taken away');
  counter.release('3');
  assert.equal(await counter.heard(), 'last:a');
});

describe('limits of the queues', () => {
  test('maxqueue: more than that go elsewhere, or are refused where they may not', async () => {
    for (const [redispatch, expected] of [
      [1, '4:a'],
      [0, '4!EK_QUEUE_FULL SQ'],
    ] as const) {
      const counter = new Counter('ab', { useServer, redispatch, defaultServer: { maxqueue: 2 } });
      for (const id of ['1', '2', '3', '4']) counter.ask(id, { url: '/b' });
      assert.equal(await counter.heard(), `1:b ${expected}`);
      assert.equal(counter.pool.server('b').queued, 2);
    }
  });

  test('maxqueue with leastconn: the queues fill up by load before anybody waits for all', async () => {
    const counter = new Counter('ab', { balance: 'leastconn', defaultServer: { maxqueue: 1 } });
    for (const id of ['1', '2', '3', '4', '5']) counter.ask(id);
    assert.equal(await counter.heard(), '1:a 2:b');
    const { a, b } = counter.pool.stats().servers;
    assert.deepEqual([a?.queued, b?.queued, counter.waiting], [1, 1, 3]);
    counter.release('1');
    assert.equal(await counter.heard(), '3:a');
  });

  test('hashes stay with a full server, unless hashPreserveAffinity says otherwise', async () => {
    for (const [hashPreserveAffinity, expected] of [
      ['always', '2!EK_QUEUE_TIMEOUT sQ 3!EK_QUEUE_TIMEOUT sQ'],
      ['maxqueue', '3:b 2!EK_QUEUE_TIMEOUT sQ'],
      ['maxconn', '2:b 3!EK_QUEUE_TIMEOUT sQ'],
    ] as const) {
      const options = { balance: 'uri', hashType: 'consistent', hashPreserveAffinity } as const;
      const counter = new Counter('ab', {
        ...options,
        defaultServer: { maxqueue: hashPreserveAffinity === 'maxqueue' ? 1 : 0 },
      });
      const url = ['/', '/x', '/y', '/z'].find((path) => {
        const lease = counter.pool.tryAcquire({ url: path });
        lease?.release();
        return lease?.server.name === 'a';
      });
      for (const id of ['1', '2', '3']) counter.ask(id, url === undefined ? {} : { url });
      counter.clock.advance(5_020);
      assert.equal(await counter.heard(), `1:a ${expected}`, hashPreserveAffinity);
    }
  });

  test('poolMaxQueue and poolMaxRequests refuse the rest at once', async () => {
    const queue = new Counter('a', { poolMaxQueue: 1 });
    for (const id of ['1', '2', '3']) queue.ask(id);
    assert.equal(await queue.heard(), '1:a 3!EK_QUEUE_FULL SQ');
    const requests = new Counter('a', { poolMaxRequests: 2 });
    for (const id of ['1', '2', '3']) requests.ask(id);
    assert.equal(await requests.heard(), '1:a 3!EK_QUEUE_FULL SQ');
    assert.equal(requests.pool.tryAcquire(), undefined);
    requests.release('1');
    assert.equal(await requests.heard(), '2:a');
    requests.release('2');
    requests.ask('4');
    assert.equal(await requests.heard(), '4:a');
  });
});

describe('a server that takes no more work', () => {
  for (const state of ['maint', 'drain'] as const) {
    test(`${state}: what waits for it goes elsewhere, and keeps its place`, async () => {
      const counter = new Counter('ab', { balance: () => bound() });
      counter.ask('1', { url: '/b' });
      counter.ask('2', { url: '/b' });
      counter.ask('3', { url: '/b' });
      counter.ask('any', { url: '/a' });
      await counter.heard();
      assert.equal(counter.pool.server('b').queued, 2);
      counter.ask('late', {});
      counter.pool.server('b').setState(state);
      assert.equal(counter.pool.server('b').queued, 0);
      counter.release('any');
      assert.equal(await counter.heard(), '2:a');
      counter.release('2');
      assert.equal(await counter.heard(), '3:a');
      counter.release('3');
      assert.equal(await counter.heard(), 'late:a');
    });
  }

  test('without redispatch it stays, and is served when the server has room; maintenance moves it all the same', async () => {
    const counter = new Counter('ab', { balance: () => bound(), redispatch: false });
    counter.ask('1', { url: '/b' });
    counter.ask('2', { url: '/b' });
    counter.ask('3', { url: '/b' });
    await counter.heard();
    counter.pool.server('b').setState('drain');
    assert.equal(counter.pool.server('b').queued, 2);
    counter.release('1');
    assert.equal(await counter.heard(), '2:b');
    counter.pool.server('b').setState('maint');
    assert.equal(await counter.heard(), '3:a');
  });

  test('what waited for it comes after those that wait for any server and were there before', async () => {
    const servers = nowhere('a', 'b').map((server) => ({ ...server, maxconn: 1, backup: server.name === 'b' }));
    const counter = new Counter('', { servers, useServer });
    counter.ask('1');
    counter.ask('any');
    counter.clock.advance(1);
    counter.ask('own', { url: '/a' });
    await counter.heard();
    counter.pool.server('a').setState('maint');
    assert.equal(await counter.heard(), 'any:b', 'the backup has its turn now');
    counter.release('any');
    assert.equal(await counter.heard(), 'own:b');
  });

  test('one that gives up while another is balanced anew takes no slot', async () => {
    const controller = new AbortController();
    let gone = false;
    const counter = new Counter('ab', { balance: () => bound(() => gone && controller.abort()) });
    for (const id of ['1', '2', '3']) counter.ask(id, { url: '/a' }, id === '3' ? { signal: controller.signal } : {});
    await counter.heard();
    gone = true;
    counter.pool.server('a').setState('maint');
    assert.equal(await counter.heard(), '3!EK_ABORTED CQ 2:b');
    counter.release('1', '2');
    assert.deepEqual([counter.pool.stats().leases, counter.pool.server('b').active], [0, 0]);
  });

  test('removed: likewise', async () => {
    const counter = new Counter('ab', { balance: () => bound(), redispatch: false });
    counter.ask('1', { url: '/b' });
    counter.ask('2', { url: '/b' });
    await counter.heard();
    const removing = counter.pool.removeServer('b');
    assert.equal(await counter.heard(), '2:a');
    counter.release('1');
    assert.deepEqual(await removing, { cut: 0, leaked: 0 });
  });

  test('the last one: all that wait get a 503 at once', async () => {
    const counter = new Counter('ab');
    for (const id of ['1', '2', '3', '4']) counter.ask(id);
    await counter.heard();
    counter.pool.server('a').setState('drain');
    counter.pool.server('b').setHealth('down');
    assert.equal(await counter.heard(), '3!EK_NO_SERVER SC 4!EK_NO_SERVER SC');
    assert.equal(counter.waiting, 0);
  });

  test('backups serve those that wait once they have their turn, and not before', async () => {
    const servers = [
      { name: 'a', address: '127.0.0.1:1', maxconn: 1 },
      { name: 'b', address: '127.0.0.1:1', maxconn: 1, backup: true },
      { name: 'c', address: '127.0.0.1:1', maxconn: 1, backup: true },
    ];
    const counter = new Counter('', { servers });
    for (const id of ['1', '2', '3']) counter.ask(id);
    assert.equal(await counter.heard(), '1:a');
    counter.pool.server('a').setState('maint');
    assert.equal(await counter.heard(), '2:b', 'the first backup alone');
    counter.pool.server('a').setState('ready');
    counter.release('2');
    assert.equal(await counter.heard(), '', 'an active server is there again');
    counter.release('1');
    assert.equal(await counter.heard(), '3:a');
  });

  test('one that comes back, or is added, serves those that wait', async () => {
    const counter = new Counter('ab');
    counter.pool.server('b').setState('maint');
    for (const id of ['1', '2', '3']) counter.ask(id);
    assert.equal(await counter.heard(), '1:a');
    counter.pool.server('b').setState('ready');
    assert.equal(await counter.heard(), '2:b');
    counter.pool.addServer({ name: 'c', address: '127.0.0.1:1' });
    assert.equal(await counter.heard(), '3:c');
  });
});

describe('limits that move', () => {
  test('minconn: slots grow with the load, which those that wait are part of', async () => {
    const servers = [{ name: 'a', address: '127.0.0.1:1', minconn: 2, maxconn: 10 }];
    const counter = new Counter('', { servers, fullconn: 20 });
    const { pool } = counter;
    const slots: number[] = [];
    for (let i = 0; i < 20; i++) {
      counter.ask(`${i}`);
      await counter.heard();
      slots.push(pool.server('a').active);
    }
    assert.deepEqual(slots, [1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10]);
    for (let i = 0; i < 10; i++) {
      const [id = ''] = counter.leases.keys();
      counter.release(id);
      counter.leases.delete(id);
      await counter.heard();
    }
    assert.deepEqual([pool.server('a').active, counter.waiting], [5, 5], 'and shrink with it');
  });

  test('minconn: whoever comes counts before it is looked where it may go', async () => {
    const servers = [{ name: 'a', address: '127.0.0.1:1', minconn: 1, maxconn: 4 }];
    const counter = new Counter('', { servers, fullconn: 4 });
    for (const id of ['1', '2']) counter.ask(id);
    assert.equal(await counter.heard(), '1:a 2:a');
    assert.equal(counter.pool.tryAcquire()?.server.name, 'a');
    counter.ask('4');
    assert.equal(await counter.heard(), '4:a');
    assert.equal(counter.pool.tryAcquire(), undefined);
    counter.ask('5', {}, { timeout: 1 });
    counter.clock.advance(20);
    assert.equal(await counter.heard(), '5!EK_QUEUE_TIMEOUT sQ', 'whoever is refused, or gives up, counts no more');
    counter.release('1', '2', '4');
    for (const id of ['6', '7']) counter.ask(id);
    assert.equal(await counter.heard(), '6:a 7:a');
  });

  test('minconn: one that is served counts once', async () => {
    const servers = [{ name: 'a', address: '127.0.0.1:1', minconn: 1, maxconn: 5 }];
    const counter = new Counter('', { servers, fullconn: 7 });
    const slots: number[] = [];
    for (let i = 1; i <= 7; i++) {
      counter.ask(`${i}`);
      await counter.heard();
      slots.push(counter.pool.server('a').active);
    }
    assert.deepEqual(slots, [1, 1, 2, 2, 3, 4, 5]);
  });

  test('slow start while draining: what waits for the server has the slots that it gets', async () => {
    const counter = new Counter('', {
      servers: [{ name: 'a', address: '127.0.0.1:1', maxconn: 10, slowstart: '10s', disabled: true }],
      timeout: { queue: '1m' },
      redispatch: false,
      useServer,
    });
    counter.pool.server('a').setState('ready');
    for (const id of ['1', '2', '3']) counter.ask(id, { url: '/a' });
    assert.equal(await counter.heard(), '1:a');
    counter.pool.server('a').setState('drain');
    counter.clock.advance(2_500);
    assert.equal(await counter.heard(), '2:a');
    counter.clock.advance(1_000);
    assert.equal(await counter.heard(), '3:a');
  });
  for (const fullconn of [10, 20, 30])
    test(`minconn: whoever raises the load has the slot that comes of it, and a turn raises none; fullconn ${fullconn}`, async () => {
      const servers = [{ name: 'a', address: '127.0.0.1:1', minconn: 1, maxconn: 10 }];
      const counter = new Counter('', { servers, fullconn });
      const { pool } = counter;
      const slots = (): number => {
        const load = pool.stats().leases + counter.waiting;
        return Math.min(load, 10, Math.max(1, Math.floor((load * 10) / fullconn)));
      };
      for (let i = 0; i < 40; i++) {
        counter.ask(`${i}`);
        await counter.heard();
        assert.equal(pool.server('a').active, slots(), `${i + 1} in the pool`);
      }
      while (pool.server('a').active > 0) {
        const [id = ''] = counter.leases.keys();
        const active = pool.server('a').active;
        counter.release(id);
        counter.leases.delete(id);
        await counter.heard();
        assert.equal(pool.server('a').active, Math.min(active, slots()), `${counter.waiting} wait`);
      }
    });

  test('slow start: one more slot now and then, for those that wait', async () => {
    const counter = new Counter('', {
      servers: [{ name: 'a', address: '127.0.0.1:1', maxconn: 10, slowstart: '10s', disabled: true }],
      timeout: { queue: '1m' },
    });
    counter.pool.server('a').setState('ready');
    for (let i = 0; i < 12; i++) counter.ask(`${i}`);
    const slots: number[] = [];
    for (let second = 0; second <= 10; second++) {
      await counter.heard();
      slots.push(counter.pool.server('a').active);
      counter.clock.advance(1_000);
    }
    assert.deepEqual(slots, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

test('a pool that closes serves those that wait while it can, and then refuses them', async () => {
  const counter = new Counter('a', { timeout: { queue: '1m' } });
  for (const id of ['1', '2', '3']) counter.ask(id);
  await counter.heard();
  const closing = counter.pool.close({ graceMs: 5_000 });
  counter.ask('late'); // refused
  counter.release('1');
  assert.equal(await counter.heard(), 'late!EK_CLOSED SC 2:a');
  counter.clock.advance(5_000);
  assert.equal(await counter.heard(), '3!EK_CLOSED KQ');
  assert.deepEqual(await closing, { cut: 0, leaked: 1 });
  counter.release('2');
  assert.deepEqual([counter.waiting, counter.clock.pending], [0, 0]);
});

test('run waits for its turn, too', async () => {
  const counter = new Counter('a');
  counter.ask('1');
  const ran = counter.pool.run({}, (lease) => lease.server.name);
  await counter.heard();
  counter.release('1');
  assert.equal(await ran, 'a');
});

/** `/b` belongs to `b` while that is there. @param picking is called at each choice */
function bound(picking: () => void = () => {}) {
  const all: ServerView[] = [];
  return {
    add: (server: ServerView) => void all.push(server),
    remove: (server: ServerView) => void all.splice(all.indexOf(server), 1),
    reweigh: () => {},
    pick({ url }: RequestContext) {
      picking();
      return all.find(({ name }) => name === url?.slice(1)) ?? all.find((server) => !server.saturated);
    },
  };
}

describe('functions of the user that reach back into the pool', () => {
  test('who leaves while the queue of a server is redistributed has left', async () => {
    const second = new AbortController();
    let moving = false;
    const counter = new Counter('ab', { balance: () => bound(() => moving && second.abort()) });
    for (const id of ['1', '2']) counter.ask(id);
    counter.ask('first', { url: '/b' });
    counter.ask('second', { url: '/b' }, { signal: second.signal });
    assert.equal(await counter.heard(), '1:a 2:b');
    moving = true;
    counter.pool.server('b').setState('maint');
    assert.equal(await counter.heard(), 'second!EK_ABORTED CQ');
    moving = false;
    counter.release('1');
    assert.equal(await counter.heard(), 'first:a');
    counter.release('first', '2');
    const { leases, queued } = counter.pool.stats();
    assert.deepEqual([leases, queued], [0, 0]);
  });

  test('a scheduler that takes a server out of service as it is used has nobody else sent there', async () => {
    const counter: Counter = new Counter('ab', {
      servers: [
        { name: 'a', address: '127.0.0.1:1', maxconn: 1 },
        { name: 'b', address: '127.0.0.1:2', maxconn: 2, disabled: true },
      ],
      balance: () => {
        const servers = new Set<ServerView>();
        return {
          add: (server) => servers.add(server),
          remove: (server) => servers.delete(server),
          reweigh() {},
          took({ name }) {
            if (name === 'b') counter.pool.server('b').setState('drain');
          },
          pick: () => [...servers].find(({ saturated }) => !saturated),
        };
      },
    });
    for (const id of ['1', '2', '3']) counter.ask(id);
    counter.pool.server('b').setState('ready');
    assert.equal(await counter.heard(), '1:a 2:b');
    counter.release('1');
    assert.equal(await counter.heard(), '3:a');
  });
});
