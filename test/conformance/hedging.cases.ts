import assert from 'node:assert/strict';
import type { PoolOptions, ServerView } from '#src/index.ts';
import { type Origin, ok, REFUSING, type Script } from '../support/origin.ts';
import { until } from '../support/until.ts';
import type { Case } from './case.ts';
import { type OpenFront, type Stage, within } from './stage.ts';

const silent: Script = () => {};

/** Soon enough for a test, and every request pays for its own. */
const HEDGE = { after: '20ms', budget: 1 } as const;

/** Later than any server that answers at once. */
const UNHURRIED = { after: '300ms', budget: 1 } as const;

interface Race {
  readonly first: Origin;
  readonly second: Origin;
  readonly front: OpenFront;
}

/** Two servers, of which the first request goes to the first. */
async function race(stage: Stage, one: Script, other: Script, options: PoolOptions<never> = {}): Promise<Race> {
  const [first, second] = [await stage.origin(one), await stage.origin(other)];
  return { first, second, front: await stage.open({ servers: [first.url, second.url], hedge: HEDGE, ...options }) };
}

/** What a hedge that is lost must not leave behind: s1's slot, and any count of a failure. */
function assertUnharmed(front: OpenFront, ...names: string[]): void {
  for (const name of names) {
    const { active, econ, eresp, srv_abrt, cli_abrt, wretr, wredis } = front.stats(name);
    assert.deepEqual([active, econ, eresp, srv_abrt, cli_abrt, wretr, wredis], [0, 0, 0, 0, 0, 0, 0], name);
  }
}

/** Once a request that came after all others is hedged, they would have been, too. */
async function pastHedging({ front, second }: Race): Promise<void> {
  const later = await front.start({ path: '/later' });
  await until(() => second.requests.length > 0);
  assert.deepEqual(
    second.requests.map(({ target }) => target),
    ['/later'],
  );
  later.leave();
}

async function soonClosed(origin: Origin): Promise<void> {
  await within((await origin.connection(1)).closed, 'the end of an attempt that has lost', 1_500);
}

/** A second attempt for a request whose server is slow: the first response wins, and the loser costs its server nothing. */
export const hedgingCases: readonly Case[] = [
  {
    name: 'a slow server is not waited for: the hedge answers, and the first attempt is cancelled',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, (request) => request.reply(ok('hedge')));
      const answer = await front.send({ fields: [['x-mine', '1']] });
      assert.deepEqual([answer.status, answer.body], [200, 'hedge']);
      const { server, hedges, retries, flags, redispatched, bytesOut, ...times } = await front.event();
      const { queueMs, connectMs, responseMs, totalMs } = times;
      assert.ok(responseMs > 0 && 19 + connectMs + responseMs <= totalMs, JSON.stringify(times));
      assert.equal(queueMs, 0);
      assert.deepEqual([server, hedges, retries, flags, redispatched, bytesOut], ['s2', 1, 0, '--', true, 5]);
      await soonClosed(first);
      assertUnharmed(front, 's1', 's2');
      const { hedges: sent, hedgesWon, lbtot, stot, responses } = front.stats('s2');
      assert.deepEqual([sent, hedgesWon, lbtot, stot, responses['2xx']], [1, 1, 1, 1, 1]);
      assert.deepEqual(second.requests[0]?.fields.slice(1), first.requests[0]?.fields.slice(1));
    },
  },
  {
    name: 'a first attempt that answers after all wins, and the hedge is cancelled',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent);
      const exchange = await front.start();
      await second.request(1);
      assert.deepEqual([front.stats('s1').active, front.stats('s2').active], [1, 1]);
      (await first.request(1)).socket.write(ok('first'));
      await exchange.end;
      assert.equal(exchange.answer.body, 'first');
      const { server, hedges, redispatched } = await front.event();
      assert.deepEqual([server, hedges, redispatched], ['s1', 1, false]);
      await soonClosed(second);
      assertUnharmed(front, 's1', 's2');
      assert.deepEqual([front.stats('s2').hedges, front.stats('s2').hedgesWon], [1, 0]);
    },
  },
  {
    name: 'a quick answer is not hedged, and its connection is kept',
    async run(stage) {
      const { first, second, front } = await race(stage, (request) => request.reply(ok()), silent, {
        hedge: { after: '10s', budget: 1 },
        balance: 'first',
      });
      const client = await front.client();
      for (let i = 0; i < 3; i++) assert.equal((await client.send()).status, 200);
      assert.deepEqual([first.connections.length, second.connections.length], [1, 0]);
      assert.equal((await front.event()).hedges, 0);
    },
  },
  {
    name: 'with a quantile nothing is hedged before a hundred response times are known',
    async run(stage) {
      const { first, second, front } = await race(
        stage,
        (request) => request.reply(ok()),
        (request) => request.reply(ok('hedge')),
        { balance: 'first', hedge: { after: 'p99', budget: 1 } },
      );
      const client = await front.client();
      for (let i = 0; i < 100; i++) assert.equal((await client.send()).status, 200);
      assert.equal(second.requests.length, 0);
      first.script = silent;
      assert.equal((await client.send()).body, 'hedge');
    },
  },
  {
    name: 'a response that has begun wins, however long it takes from there',
    async run(stage) {
      const both = await race(stage, silent, silent, { balance: 'first', hedge: UNHURRIED });
      const exchange = await both.front.start();
      const { socket } = await both.first.request(1);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      await exchange.head;
      await pastHedging(both);
      socket.write('world');
      assert.equal((await exchange.end).body, 'helloworld');
    },
  },
  {
    name: 'a first attempt that fails leaves the request to the hedge, and costs no retry',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent, { retries: 0 });
      const exchange = await front.start();
      const hedged = await second.request(1);
      (await first.request(1)).socket.destroy();
      await until(() => front.stats('s1').eresp === 1);
      hedged.socket.write(ok('hedge'));
      await exchange.end;
      const { server, retries, hedges, status } = await front.event();
      assert.deepEqual([exchange.answer.body, server, retries, hedges, status], ['hedge', 's2', 0, 1, 200]);
      assert.deepEqual([front.stats('s1').eresp, front.stats('s1').active], [1, 0]);
      assertUnharmed(front, 's2');
    },
  },
  {
    name: 'a hedge that fails leaves the request to the first attempt, and counts for its own server',
    async run(stage) {
      const { first, front } = await race(stage, silent, ({ socket }) => socket.destroy(), { retries: 0 });
      const exchange = await front.start();
      await until(() => front.stats('s2').eresp === 1);
      assert.equal(front.stats('s2').active, 0);
      (await first.request(1)).socket.write(ok('first'));
      await exchange.end;
      assert.deepEqual([exchange.answer.body, (await front.event()).server], ['first', 's1']);
      assertUnharmed(front, 's1');
    },
  },
  {
    name: 'a hedge that cannot connect leaves the request to the first attempt',
    async run(stage) {
      const slow = await stage.origin(silent);
      const front = await stage.open({ servers: [slow.url, REFUSING], hedge: HEDGE, retries: 0 });
      const exchange = await front.start();
      await until(() => front.stats('s2').econ === 1);
      assert.equal(front.stats('s2').active, 0);
      (await slow.request(1)).socket.write(ok());
      assert.equal((await exchange.end).status, 200);
      assert.deepEqual([front.stats('s2').hedges, (await front.event()).hedges], [1, 1]);
    },
  },
  {
    name: 'only when all attempts have failed is there a retry, on a server that none of them was on',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent, { servers: [], balance: 'first' });
      const third = await stage.origin((request) => request.reply(ok('third')));
      for (const { url } of [first, second, third]) front.pool.addServer(url);
      front.pool.server('s3').setState('drain');
      const exchange = await front.start();
      const hedged = await second.request(1);
      front.pool.server('s3').setState('ready');
      (await first.request(1)).socket.destroy();
      await until(() => front.stats('s1').eresp === 1);
      assert.equal(third.requests.length, 0);
      hedged.socket.destroy();
      await exchange.end;
      const { server, retries, hedges } = await front.event();
      assert.deepEqual([exchange.answer.body, server, retries, hedges], ['third', 's3', 1, 1]);
    },
  },
  {
    name: 'when all have failed and nothing is left to try, the last failure is the answer',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent, { retries: 0 });
      const exchange = await front.start();
      (await second.request(1)).socket.destroy();
      (await first.request(1)).socket.destroy();
      await exchange.end;
      const { status, flags, retries } = await front.event();
      assert.deepEqual([status, flags, retries], [502, 'SH', 0]);
      assert.deepEqual([front.stats('s1').eresp, front.stats('s2').eresp], [1, 1]);
    },
  },
  {
    name: 'a client that leaves ends both attempts',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent);
      const exchange = await front.start();
      await second.request(1);
      exchange.leave();
      assert.equal((await front.event()).flags, 'CH');
      await Promise.all([soonClosed(first), soonClosed(second)]);
      assert.deepEqual([front.stats('s1').active, front.stats('s2').active], [0, 0]);
      assert.deepEqual([front.stats('s1').cli_abrt, front.stats('s2').cli_abrt], [1, 0]);
    },
  },
  {
    name: 'a pool that closes cuts both attempts when the grace time is over',
    async run(stage) {
      const { first, second, front } = await race(stage, silent, silent);
      const exchange = await front.start();
      await second.request(1);
      assert.deepEqual(await front.pool.close({ graceMs: 1 }), { cut: 1, leaked: 0 });
      await exchange.end;
      assert.equal((await front.event()).flags, 'KH');
      await Promise.all([soonClosed(first), soonClosed(second)]);
    },
  },
  {
    name: 'a server that is removed takes its own attempt with it when the grace time is over, and the request with the last',
    async run(stage) {
      for (const [gone, left] of [
        ['s1', 's2'],
        ['s2', 's1'],
      ] as const) {
        const { first, second, front } = await race(stage, silent, silent);
        const exchange = await front.start();
        const answers = left === 's1' ? await first.request(1) : await second.request(1);
        await second.request(1);
        assert.deepEqual(await front.pool.removeServer(gone, { graceMs: 1 }), { cut: 0, leaked: 0 });
        await soonClosed(gone === 's1' ? first : second);
        assert.equal(front.stats(left).active, 1);
        answers.socket.write(ok(left));
        assert.equal((await exchange.end).body, left);
        assert.equal((await front.event()).server, left);

        const last = await front.start();
        await (left === 's1' ? first : second).request(2);
        assert.deepEqual(await front.pool.removeServer(left, { graceMs: 1 }), { cut: 1, leaked: 0 });
        assert.equal((await last.end).status, 503);
      }
    },
  },
  {
    name: 'what belongs to one server, and what is not to be sent twice, is not hedged',
    async run(stage) {
      const both = await race(stage, silent, silent, {
        balance: 'first',
        useServer: ({ url }) => (url === '/bound' ? 's1' : undefined),
        httpRequest: [{ disableL7Retry: true, if: ({ url }) => url === '/once' }],
      });
      const { first, front } = both;
      const exchanges = [await front.start({ path: '/bound' }), await front.start({ path: '/once' })];
      const requests = [await first.request(1), await first.request(2)];
      await pastHedging(both);
      for (const request of requests) await request.reply(ok());
      for (const exchange of exchanges) assert.equal((await exchange.end).status, 200);
    },
  },
  {
    name: 'a response that is as good as none loses to a hedge that has taken the place of the first attempt',
    async run(stage) {
      const script: Script = (request) => request.target === '/warm' && request.reply(ok());
      const origins = [await stage.origin(script), await stage.origin(script), await stage.origin(script)];
      const front = await stage.open({
        servers: origins.map(({ url }) => url),
        balance: 'first',
        hedge: { after: '100ms', max: 2, budget: 1 },
        retryOn: [503],
        retries: 0,
      });
      // A hedge costs as much as a request pays.
      for (let i = 0; i < 3; i++) await front.send({ path: '/warm' });
      const exchange = await front.start();
      const asked = (origin: Origin) => origin.requests.find(({ target }) => target === '/');
      await until(() => origins.every((origin) => asked(origin)));
      const [first, second, third] = origins.map(asked);
      first?.socket.destroy();
      await until(() => front.stats('s1').active === 0);
      third?.socket.write('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
      await until(() => front.stats('s3').responses['5xx'] === 1);
      second?.socket.write(ok('second'));
      assert.equal((await exchange.end).body, 'second');
    },
  },
  {
    name: 'a body that has come whole is sent with the hedge, too',
    async run(stage) {
      const { first, second, front } = await race(
        stage,
        silent,
        async (request) => request.reply(ok(await request.body())),
        { balance: 'first' },
      );
      for (const framing of [undefined, 'chunked'] as const) {
        const body = 'abc'.repeat(3_000);
        const answer = await front.send({ method: 'PUT', body, ...(framing && { framing }) });
        assert.deepEqual([answer.status, answer.body], [200, body]);
      }
      assert.deepEqual([first.requests.length, second.requests.length], [2, 2]);
      assert.equal(await first.requests[0]?.body(), 'abc'.repeat(3_000));
    },
  },
  {
    name: 'a body that is still coming, or too big to be held, is not sent twice',
    async run(stage) {
      const both = await race(stage, silent, silent, { bufferBody: '1kb', balance: 'first' });
      const { first, front } = both;
      const coming = await front.start({ method: 'PUT', framing: 'chunked' });
      coming.write('abc');
      const big = await front.start({ method: 'PUT', body: 'x'.repeat(2_000) });
      const [one, two] = [await first.request(1), await first.request(2)];
      await pastHedging(both);
      coming.finish();
      for (const request of [one, two]) await request.reply(ok('first'));
      await Promise.all([coming.end, big.end]);
      assert.deepEqual([coming.answer.body, big.answer.body], ['first', 'first']);
    },
  },
  {
    name: 'what is not idempotent is never hedged, though it may be retried',
    async run(stage) {
      const both = await race(stage, silent, silent, { retryNonIdempotent: true, balance: 'first' });
      const { first, front } = both;
      const methods = ['POST', 'PATCH'];
      const exchanges = await Promise.all(methods.map((method) => front.start({ method, body: 'abc' })));
      const requests = [await first.request(1), await first.request(2)];
      await pastHedging(both);
      for (const request of requests) await request.reply(ok());
      for (const exchange of exchanges) assert.equal((await exchange.end).status, 200);
      await front.event(3);
      for (const { method, hedges } of front.events) assert.equal(hedges, method === 'GET' ? 1 : 0, method);
    },
  },
  {
    name: 'nothing is hedged without budget, without a free slot, or without a second server',
    async run(stage) {
      const slow: Script = (request) => setTimeout(() => request.socket.write(ok()), 60);
      const origin = await stage.origin(slow);
      const settings: PoolOptions<never>[] = [
        { servers: [origin.url, origin.url], hedge: { ...HEDGE, budget: 0.9 } },
        { servers: [origin.url] },
        { servers: [origin.url, { address: origin.url, backup: true }] },
      ];
      for (const options of settings) {
        const front = await stage.open({ hedge: HEDGE, ...options });
        assert.equal((await front.send()).status, 200);
        assert.equal((await front.event()).hedges, 0);
      }
      const full = await stage.open({ servers: [origin.url, { address: origin.url, maxconn: 1 }], hedge: HEDGE });
      const both = [await full.start(), await full.start()];
      for (const exchange of both) await exchange.end;
      assert.deepEqual([full.stats('s2').hedges, full.stats('s1').hedges], [0, 1]);
    },
  },
  {
    name: 'each request pays in its share, and each hedge takes out one',
    async run(stage) {
      const slow: Script = (request) => setTimeout(() => request.socket.write(ok()), 60);
      const { front } = await race(stage, slow, silent, { balance: 'first', hedge: { ...HEDGE, budget: 0.5 } });
      for (let i = 0; i < 4; i++) assert.equal((await front.send()).status, 200);
      await front.event(4);
      assert.deepEqual(
        front.events.map(({ hedges }) => hedges),
        [0, 1, 0, 1],
      );
    },
  },
  {
    name: 'a full server that the scheduler insists on is not waited for',
    async run(stage) {
      const slow = await stage.origin((request) => setTimeout(() => request.socket.write(ok()), 60));
      const known: ServerView[] = [];
      const front = await stage.open({
        servers: [slow.url, { address: slow.url, maxconn: 1 }],
        hedge: HEDGE,
        balance: () => ({
          add: (server) => known.push(server),
          remove: () => {},
          reweigh: () => {},
          pick: (_context, avoid) => known[avoid ? 1 : 0],
        }),
      });
      const lease = await front.pool.acquire({}, { avoid: ['s1'] });
      assert.equal((await front.send()).status, 200);
      assert.deepEqual([lease.server.name, front.stats('s2').active, (await front.event()).hedges], ['s2', 1, 0]);
      lease.release();
    },
  },
  {
    name: 'max 2 asks a third server when two are slow',
    async run(stage) {
      const quick: Script = (request) => request.target === '/quick' && request.reply(ok());
      const { first, second, front } = await race(stage, quick, silent, {
        servers: [],
        balance: 'first',
        hedge: { ...UNHURRIED, max: 2 },
      });
      const third = await stage.origin((request) => request.reply(ok('third')));
      for (const { url } of [first, second, third]) front.pool.addServer(url);
      await front.send({ path: '/quick' }); // pays for the second hedge of the next
      assert.equal((await front.send()).body, 'third');
      const { hedges, server } = await front.event(2);
      assert.deepEqual([hedges, server], [2, 's3']);
      await Promise.all([soonClosed(second), within((await first.request(2)).ended, 'the end of the first attempt')]);
      assertUnharmed(front, 's1', 's2', 's3');
    },
  },
  {
    name: 'a kept connection that is dead is replaced under a hedge, too',
    async run(stage) {
      const { second, front } = await race(stage, silent, silent, { balance: 'first' });
      second.script = (request) => {
        if (request.connection.nth === 1 && request.nth === 2) request.socket.destroy();
        else void request.reply(ok('hedge'));
      };
      const client = await front.client();
      for (let i = 1; i <= 2; i++) assert.equal((await client.send()).body, 'hedge');
      assert.deepEqual([second.requests.length, second.connections.length], [3, 2]);
      assert.deepEqual([front.stats('s2').hedges, front.stats('s2').hedgesWon, front.stats('s2').eresp], [2, 2, 0]);
    },
  },
];
