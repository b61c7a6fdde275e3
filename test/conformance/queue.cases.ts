import assert from 'node:assert/strict';
import type { RequestContext } from '#src/index.ts';
import type { Handler } from '../support/fronts.ts';
import { type Origin, ok } from '../support/origin.ts';
import { until } from '../support/until.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

/** A front whose only server has one slot, which a first request holds. */
async function full(
  stage: Stage,
  options: Parameters<Stage['open']>[0] = {},
): Promise<{ origin: Origin; front: OpenFront; release: () => void }> {
  const origin = await stage.origin(() => {});
  const front = await stage.open({ servers: [{ address: origin.url, maxconn: 1 }], ...options });
  await front.start();
  const held = await origin.request(1);
  origin.script = async (request) => request.reply(ok(`got ${await request.body()}`));
  return { origin, front, release: () => held.socket.write(ok()) };
}

/** Waits until that many requests wait in the pool. */
async function queued(front: OpenFront, count: number): Promise<void> {
  await until(() => front.pool.stats().queued === count, `${count} in the queue`);
}

/** Facts §4.1 to §4.5: limits and queues. */
export const queueCases: readonly Case[] = [
  {
    name: 'a request that finds every server full waits, and is carried whole when a slot comes free',
    async run(stage) {
      const { origin, front, release } = await full(stage);
      const waiting = await front.start({ method: 'POST', body: 'abcdef' });
      await queued(front, 1);
      assert.equal(origin.requests.length, 1);
      release();
      const answer = await waiting.end;
      assert.deepEqual([answer.status, answer.body], [200, 'got abcdef']);
      const event = await front.event(2);
      assert.deepEqual([event.flags, event.queueMs > 0, event.queueMs <= event.totalMs], ['--', true, true]);
      assert.equal((await front.event(1)).queueMs, 0);
    },
  },
  {
    name: 'those that wait are served by priority, then in order of arrival',
    async run(stage) {
      const priority = ({ url }: RequestContext) => ({ class: Number.parseInt(url?.slice(1) ?? '', 10) });
      const { origin, front, release } = await full(stage, { priority });
      const waiting = [];
      for (const [index, path] of ['/5', '/0', '/5?b', '/-1'].entries()) {
        waiting.push(await front.start({ path }));
        await queued(front, index + 1);
      }
      release();
      for (const exchange of waiting) assert.equal((await exchange.end).status, 200);
      const order = origin.requests.slice(1).map(({ target }) => target);
      assert.deepEqual(order, ['/-1', '/0', '/5', '/5?b']);
    },
  },
  {
    name: 'a rule that says class 0 goes before the option priority, too',
    async run(stage) {
      const { origin, front, release } = await full(stage, {
        priority: ({ url }: RequestContext) => ({ class: url === '/ruled' ? 9 : 5 }),
        httpRequest: [{ setPriority: { class: 0 }, if: ({ url }: RequestContext) => url === '/ruled' }],
      });
      const waiting = [];
      for (const [index, path] of ['/', '/ruled'].entries()) {
        waiting.push(await front.start({ path }));
        await queued(front, index + 1);
      }
      release();
      for (const exchange of waiting) assert.equal((await exchange.end).status, 200);
      assert.deepEqual(
        origin.requests.slice(1).map(({ target }) => target),
        ['/ruled', '/'],
      );
    },
  },
  {
    name: 'a client that leaves while it waits is forgotten: CQ',
    async run(stage) {
      const { origin, front, release } = await full(stage);
      const leaving = await front.start({ method: 'POST', body: 'abc' });
      await queued(front, 1);
      leaving.leave();
      const event = await front.event();
      assert.deepEqual([event.status, event.flags, event.server], [499, 'CQ', undefined]);
      await queued(front, 0);
      release();
      await front.event(2);
      assert.deepEqual([origin.requests.length, front.stats().cli_abrt], [1, 0]);
    },
  },
  {
    name: 'timeout.queue: 503 and Retry-After, sQ',
    async run(stage) {
      const { origin, front, release } = await full(stage, { timeout: { queue: 60 }, retryAfter: '2s' });
      const answer = await front.send({ method: 'POST', body: 'abc' });
      assert.deepEqual([answer.status, answer.field('retry-after')], [503, '2']);
      const event = await front.event();
      assert.deepEqual([event.flags, event.queueMs >= 60], ['sQ', true]);
      release();
      await front.event(2);
      assert.equal(origin.requests.length, 1);
    },
  },
  {
    name: 'a pool with all the requests it may have sheds the next: 503, SQ, and Retry-After by itself',
    async run(stage) {
      const { front, release } = await full(stage, { poolMaxRequests: 1 });
      const answer = await front.send({ method: 'POST', body: 'abc' });
      assert.deepEqual([answer.status, answer.field('retry-after')], [503, '1']);
      assert.equal((await front.event()).flags, 'SQ');
      release();
      await front.event(2);
      assert.equal((await front.send()).status, 200);
    },
  },
  {
    name: 'the last server goes: those that wait get their 503 at once, SC',
    async run(stage) {
      const { front, release } = await full(stage);
      const waiting = await front.start();
      await queued(front, 1);
      front.pool.server('s1').setState('drain');
      assert.equal((await waiting.end).status, 503);
      assert.equal((await front.event()).flags, 'SC');
      release();
      await front.event(2);
    },
  },
  {
    name: 'a pipelined request that waits leaves with its client: the slot of the one before is not for it',
    needs: 'http1',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await stage.open({ servers: [{ address: origin.url, maxconn: 1 }] });
      const client = await front.raw();
      client.socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
      await origin.request(1);
      await queued(front, 1);
      client.leave();
      await front.event(2);
      assert.deepEqual(front.events.map(({ url, flags }) => `${url} ${flags}`).sort(), ['/1 CH', '/2 CQ']);
      assert.equal(front.stats().stot, 1);
    },
  },
  {
    name: 'a client that had left before the pool got its request is forgotten, too: CQ',
    needs: 'before',
    async run(stage) {
      const held: (() => void)[] = [];
      const before: Handler = (request, _response, next) => {
        if (request.url === '/late') held.push(next);
        else next();
      };
      const origin = await stage.origin((request) => request.nth === 1 && request.reply(ok()));
      const front = await stage.open({ servers: [{ address: origin.url, maxconn: 1 }] }, { before: [before] });
      const client = await front.client();
      assert.equal((await client.send()).status, 200); // the pool knows the connection
      await front.start();
      const holds = await origin.request(2);
      const late = client.start({ path: '/late' });
      await until(() => held.length === 1);
      late.leave();
      await new Promise((resolve) => setTimeout(resolve, 50));
      held[0]?.();
      const { status, flags } = await front.event(2);
      assert.deepEqual([status, flags, front.pool.stats().queued], [499, 'CQ', 0]);
      holds.socket.write(ok());
      await front.event(3);
    },
  },
  {
    name: 'onUnavailable next: after a wait in vain the next middleware has the whole body, also one that flowed before',
    needs: ['before', 'next'],
    async run(stage) {
      const before: Handler = (request, _response, next) => {
        request.on('data', () => {});
        next();
      };
      const behind: Handler = (request, response) => {
        let body = '';
        request.on('data', (chunk) => (body += chunk));
        request.on('end', () => response.end(`behind ${body}`));
      };
      const origin = await stage.origin(() => {});
      const front = await stage.open(
        { servers: [{ address: origin.url, maxconn: 1 }], timeout: { queue: 60 } },
        { before: [before], behind, middleware: { onUnavailable: 'next' } },
      );
      await front.start();
      const holds = await origin.request(1);
      const answer = await front.send({ method: 'POST', body: 'abcdef' });
      assert.deepEqual([answer.status, answer.body, (await front.event()).flags], [200, 'behind abcdef', 'sQ']);
      holds.socket.write(ok());
      await front.event(2);
    },
  },
  {
    name: 'a retry that waits, and has to wait elsewhere, does not come back to the server it was bound to',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.destroy());
      const busy = await stage.origin(() => {});
      const free = await stage.origin();
      const front = await stage.open({
        servers: [dying.url, { address: busy.url, maxconn: 1 }, { address: free.url, disabled: true }],
        balance: 'uri',
        useServer: ({ url }) => (url === '/held' ? 's2' : 's1'),
        retries: 2,
      });
      const held = await front.start({ path: '/held' });
      const holds = await busy.request(1);
      const bound = await front.start();
      await queued(front, 1);
      front.pool.server('s3').setState('ready');
      front.pool.server('s2').setState('maint');
      assert.equal((await bound.end).status, 200);
      assert.deepEqual([dying.requests.length, free.requests.length], [1, 1]);
      holds.socket.write(ok());
      await held.end;
    },
  },
  {
    name: 'a request that is tried again waits for its turn, behind whoever took its slot',
    async run(stage) {
      const bad = await stage.origin(() => {});
      const good = await stage.origin(() => {});
      const servers = [
        { address: good.url, maxconn: 1 },
        { address: bad.url, maxconn: 1 },
      ];
      const front = await stage.open({ servers, retries: 1 });
      const first = await front.start();
      const held = await good.request(1);
      const second = await front.start({ path: '/again' });
      const failing = await bad.request(1);
      const third = await front.start();
      await queued(front, 1);
      failing.socket.destroy();
      const thirds = await bad.request(2);
      held.socket.write(ok());
      assert.equal((await first.end).status, 200);
      (await good.request(2)).socket.write(ok());
      assert.equal((await second.end).status, 200);
      thirds.socket.write(ok());
      assert.equal((await third.end).status, 200);
      const event = front.events.find(({ url }) => url === '/again');
      assert.deepEqual([event?.retries, event?.redispatched, event?.server], [1, true, 's1']);
    },
  },
];
