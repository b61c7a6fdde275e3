import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { PoolOptions } from '#src/index.ts';
import { answersOk, ok, REFUSING, response } from '../support/origin.ts';
import type { Case } from './case.ts';

const POST = { method: 'POST', body: 'abc' } as const;

/** Retries and redispatch: facts 4.6, 4.7; methods that are not idempotent are never sent twice. */
export const retriesCases: readonly Case[] = [
  {
    name: 'a request that could not be sent goes to another server, a POST too',
    async run(stage) {
      const alive = await stage.origin();
      const front = await stage.open({ servers: [REFUSING, alive.url] });
      for (const [index, spec] of [{}, POST, { method: 'PATCH', body: 'abc' }].entries()) {
        assert.equal((await front.send(spec)).status, 200);
        const { server, retries, redispatched } = await front.event(index + 1);
        assert.equal(server, 's2');
        if (index === 0) assert.deepEqual([retries, redispatched], [1, true]);
      }
      assert.deepEqual([await alive.requests[1]?.body(), alive.requests.length], ['abc', 3]);
      assert.ok(front.stats('s1').wredis >= 1);
    },
  },
  {
    name: 'an idempotent request that got no answer goes to another server',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, { address: alive.url, backup: false }] });
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
        const spec = method === 'PUT' || method === 'DELETE' ? { method, body: 'abc' } : { method };
        assert.equal((await front.send(spec)).status, 200, method);
        assert.equal((await front.send(spec)).status, 200, method);
      }
      assert.ok(dying.requests.length > 0);
      for (const request of alive.requests.filter(({ method }) => method === 'PUT' || method === 'DELETE'))
        assert.equal(await request.body(), 'abc');
    },
  },
  {
    name: 'a POST that was sent and got no answer is a 502, and reached one server once',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url], retries: 5 });
      for (const method of ['POST', 'PATCH', 'PROPFIND']) {
        assert.equal((await front.send({ method, body: 'abc' })).status, 502, method);
        assert.equal((await front.send({ method, body: 'abc' })).status, 200, method);
      }
      assert.deepEqual([dying.requests.length, alive.requests.length], [3, 3]);
    },
  },
  {
    name: 'with retryNonIdempotent a POST goes to another server, body and all',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url], retryNonIdempotent: true });
      const body = 'abc'.repeat(10_000);
      assert.equal((await front.send({ method: 'POST', body })).status, 200);
      assert.equal((await front.send({ method: 'POST', body, framing: 'chunked' })).status, 200);
      for (const request of alive.requests) assert.equal(await request.body(), body);
    },
  },
  {
    name: 'a body too big to be held is not sent again once some of it was sent',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url], bufferBody: '1kb' });
      assert.equal((await front.send({ method: 'PUT', body: 'a'.repeat(1025) })).status, 502);
      assert.equal((await front.send({ method: 'PUT', body: 'a'.repeat(1025) })).status, 200);
      assert.equal(alive.requests.length, 1);
    },
  },
  {
    name: 'a body too big to be held goes to another server while none of it was sent',
    async run(stage) {
      const alive = await stage.origin();
      const front = await stage.open({ servers: [REFUSING, alive.url], bufferBody: 0 });
      const body = 'x'.repeat(200_000);
      assert.equal((await front.send({ method: 'POST', body })).status, 200);
      assert.equal((await front.send({ method: 'POST', body, framing: 'chunked' })).status, 200);
      for (const request of alive.requests) assert.equal((await request.body()).length, 200_000);
    },
  },
  {
    name: 'a body still coming when its server dies goes on to the next from its start',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.resetAndDestroy());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url] });
      const exchange = await front.start({ method: 'PUT', framing: 'chunked' });
      exchange.write('one');
      await alive.request(1);
      exchange.write('two');
      exchange.finish();
      assert.equal((await exchange.end).status, 200);
      assert.equal(await alive.requests[0]?.body(), 'onetwo');
    },
  },
  {
    name: 'what is held of a body is given back as soon as the head of a response is passed on',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start({ method: 'PUT', framing: 6 });
      exchange.write('abc');
      const request = await origin.request(1);
      while (request.length < 3) await once(request.socket, 'data');
      assert.equal(front.pool.stats().bufferedBytes, 3);
      request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
      await exchange.head;
      assert.equal(front.pool.stats().bufferedBytes, 0);
      exchange.write('def');
      assert.equal(await request.body(), 'abcdef');
      assert.equal(front.pool.stats().bufferedBytes, 0);
      request.socket.write('ok');
      assert.equal((await exchange.end).body, 'ok');
    },
  },
  {
    name: 'a body for which all requests together hold too much is not sent again',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin(() => {});
      const front = await stage.open({ servers: [alive.url, dying.url], maxBufferedBytes: 4 });
      const holder = await front.start({ method: 'PUT', framing: 6 });
      holder.write('abc');
      const held = await alive.request(1);
      while (held.length < 3) await once(held.socket, 'data');
      assert.equal((await front.send({ method: 'PUT', body: 'ab' })).status, 502);
      assert.equal(alive.requests.length, 1);
      holder.write('def');
      assert.equal(await held.body(), 'abcdef');
      held.socket.write(ok());
      assert.equal((await holder.end).status, 200);
      alive.script = (request) => request.reply(ok());
      for (let i = 0; i < 2; i++) assert.equal((await front.send({ method: 'PUT', body: 'ab' })).status, 200);
      assert.equal(dying.requests.length, 2);
    },
  },
  {
    name: 'retries 0 makes one attempt',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => socket.end(), { retries: 0 });
      assert.equal((await front.send()).status, 502);
      assert.equal(origin.requests.length, 1);
    },
  },
  {
    name: 'retries N makes N + 1 attempts, on one server too',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => socket.end(), { retries: 2 });
      assert.equal((await front.send()).status, 502);
      assert.equal(origin.requests.length, 3);
      assert.deepEqual([(await front.event()).retries, front.stats().wretr], [2, 2]);
    },
  },
  {
    name: 'a retry that the budget does not pay for is not made, and the request fails as it stands',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const front = await stage.open({
        servers: [dying.url, dying.url],
        retryBudget: { ratio: 0.5, minPerSecond: 0 },
      });
      for (let i = 0; i < 8; i++) assert.equal((await front.send()).status, 502);
      await front.event(8);
      const retries = front.events.map((event) => event.retries);
      assert.deepEqual(retries, [0, 1, 0, 1, 0, 1, 0, 1]);
      assert.deepEqual([dying.requests.length, front.pool.stats().retriesRefused], [12, 8]);
    },
  },
  {
    name: 'retryOn says what is tried again',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => socket.end(), { retryOn: 'conn-failure' });
      assert.equal((await front.send()).status, 502);
      assert.equal(origin.requests.length, 1);
      origin.script = ({ socket }) => socket.end('junk\r\n\r\n');
      const eager = await stage.open({ servers: [origin.url], retryOn: ['junk-response'], retries: 1 });
      assert.equal((await eager.send()).status, 502);
      assert.equal(origin.requests.length, 3);
    },
  },
  {
    name: 'redispatch false stays with the server',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url], redispatch: false });
      assert.equal((await front.send()).status, 502);
      assert.deepEqual([dying.requests.length, alive.requests.length], [4, 0]);
      assert.equal((await front.event()).redispatched, false);
    },
  },
  {
    name: 'redispatch true changes the server at once where nothing binds the request to one',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url], redispatch: true });
      assert.equal((await front.send()).status, 200);
      assert.deepEqual([dying.requests.length, alive.requests.length], [1, 1]);
      assert.deepEqual([front.stats('s1').wredis, front.stats('s1').wretr], [1, 0]);
    },
  },
  ...Object.entries<PoolOptions>({
    'its hash leads to': { balance: 'hash str(x)', hashType: 'consistent' },
    'useServer names': { useServer: () => 's1' },
  }).map(
    ([bound, options]): Case => ({
      name: `redispatch true leaves the server that ${bound} at the last retry only`,
      async run(stage) {
        const origins = await Promise.all(
          Array.from({ length: 2 }, () => stage.origin(answersOk('ok', { connection: 'close' }))),
        );
        const front = await stage.open({ servers: origins.map(({ url }) => url), redispatch: true, ...options });
        await front.send();
        const own = origins.findIndex(({ requests }) => requests.length === 1);
        const [dying, alive] = own === 0 ? origins : origins.toReversed();
        assert.ok(dying && alive);
        dying.script = ({ socket }) => socket.end();
        assert.equal((await front.send()).status, 200);
        assert.deepEqual([dying.requests.length, alive.requests.length], [4, 1]);
        const { retries, redispatched } = await front.event(2);
        assert.deepEqual([retries, redispatched], [3, true]);
        const { wretr, wredis } = front.stats(`s${own + 1}`);
        assert.deepEqual([wretr, wredis], [2, 1]);
      },
    }),
  ),
  {
    name: 'redispatch true leaves at once a server that has gone down meanwhile, whoever named it',
    async run(stage) {
      const alive = await stage.origin();
      const dying = await stage.origin(({ socket }) => {
        front.pool.server('s1').setState('maint');
        socket.end();
      });
      const front = await stage.open({ servers: [dying.url, alive.url], redispatch: true, useServer: () => 's1' });
      assert.equal((await front.send()).status, 200);
      assert.deepEqual([dying.requests.length, alive.requests.length], [1, 1]);
    },
  },
  {
    name: 'a status in retryOn: the request goes to another server, and its client sees nothing of it',
    async run(stage) {
      const failing = await stage.origin((request) =>
        request.reply(response(503, 'x'.repeat(100_000), { 'x-from': 'failing' })),
      );
      const alive = await stage.origin((request) => request.reply(ok()));
      const seen: number[] = [];
      const front = await stage.open({
        servers: [failing.url, alive.url],
        retryOn: 'conn-failure 503',
        httpResponse: [{ call: ({ response: { status } }) => void seen.push(status) }],
      });
      const answer = await front.send({ method: 'PUT', body: 'abc' });
      assert.deepEqual([answer.status, answer.body, answer.field('x-from')], [200, 'ok', undefined]);
      assert.equal(await (await alive.request(1)).body(), 'abc');
      const { retries, redispatched, server, bytesOut } = await front.event();
      assert.deepEqual([retries, redispatched, server, bytesOut], [1, true, 's2', 2]);
      const { responses, eresp, wredis, active } = front.stats('s1');
      assert.deepEqual([responses['5xx'], eresp, wredis, active], [1, 0, 1, 0]);
      assert.deepEqual(seen, [200], 'rules see what is passed on');
      await (await failing.connection(1)).closed;
    },
  },
  {
    name: 'a status in retryOn, when no retry is left: the last response as it is',
    async run(stage) {
      const { origin, front } = await stage.both(
        (request) => request.reply(response(502, `number ${request.connection.nth}`, { 'x-a': 'b' })),
        { retryOn: [502, 503], retries: 2 },
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('x-a')], [502, 'number 3', 'b']);
      assert.equal(origin.requests.length, 3);
      const { retries, redispatched, error, flags } = await front.event();
      assert.deepEqual([retries, redispatched, error, flags], [2, false, undefined, '--']);
      const { responses, wretr, eresp } = front.stats();
      assert.deepEqual([responses['5xx'], wretr, eresp], [3, 2, 0]);
    },
  },
  {
    name: 'a status in retryOn, to what must not be sent twice: the response as it is',
    async run(stage) {
      const failing = await stage.origin((request) => request.reply(response(503, 'busy')));
      const alive = await stage.origin((request) => request.reply(ok()));
      const options = { servers: [failing.url, alive.url], retryOn: 503 } as const;
      const front = await stage.open({ ...options, bufferBody: '1kb' });
      assert.equal((await front.send(POST)).body, 'busy');
      assert.equal((await front.send()).status, 200);
      assert.equal((await front.send({ method: 'PUT', body: 'a'.repeat(1025) })).body, 'busy');
      assert.deepEqual([failing.requests.length, alive.requests.length], [2, 1]);
      const willing = await stage.open({ ...options, retryNonIdempotent: true });
      assert.equal((await willing.send(POST)).status, 200);
    },
  },
  {
    name: 'a POST with an Idempotency-Key is as good as a PUT',
    async run(stage) {
      const dying = await stage.origin(({ ended, socket }) => ended.then(() => socket.end()));
      const alive = await stage.origin((request) => request.reply(ok()));
      const front = await stage.open({ servers: [dying.url, alive.url] });
      assert.equal((await front.send({ ...POST, fields: [['Idempotency-Key', '"8e03978e"']] })).status, 200);
      const request = await alive.request(1);
      assert.deepEqual([await request.body(), request.field('idempotency-key')], ['abc', '"8e03978e"']);
    },
  },
  {
    name: 'a status in retryOn while the body is still coming: the next server gets it from its start',
    async run(stage) {
      const failing = await stage.origin(({ socket }) => socket.write(response(503, 'busy')));
      const alive = await stage.origin();
      const front = await stage.open({ servers: [failing.url, alive.url], retryOn: 503 });
      const exchange = await front.start({ method: 'PUT', framing: 'chunked' });
      exchange.write('one');
      await alive.request(1);
      exchange.write('two');
      exchange.finish();
      assert.equal((await exchange.end).status, 200);
      assert.equal(await alive.requests[0]?.body(), 'onetwo');
    },
  },
  {
    name: 'a server killed under load loses no idempotent request',
    async run(stage) {
      const mortal = await stage.origin();
      const alive = await stage.origin();
      const front = await stage.open({ servers: [mortal.url, alive.url] });
      const clients = await Promise.all(Array.from({ length: 8 }, () => front.client()));
      let killed: Promise<void> | undefined;
      const statuses = await Promise.all(
        clients.map(async (client, index) => {
          const seen: number[] = [];
          for (let i = 0; i < 10; i++) {
            if (index === 0 && i === 4) killed = mortal.stop();
            seen.push((await client.send()).status);
          }
          return seen;
        }),
      );
      await killed;
      assert.deepEqual(
        statuses.flat().filter((status) => status !== 200),
        [],
      );
    },
  },
  {
    name: 'a request with a rule or a header of its own is the same on its second attempt',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const alive = await stage.origin((request) => request.reply(ok()));
      const front = await stage.open({
        servers: [dying.url, alive.url],
        forwardfor: true,
        httpRequest: [{ addHeader: ['x-rule', '1'] }],
      });
      assert.equal((await front.send({ path: '/a%20b?c', fields: [['X-Mine', '2']] })).status, 200);
      const [first] = dying.requests;
      const [second] = alive.requests;
      assert.deepEqual([second?.target, second?.fields], [first?.target, first?.fields]);
      assert.deepEqual(second?.values('x-rule'), ['1']);
      assert.deepEqual(second?.values('x-forwarded-for'), ['127.0.0.1']);
    },
  },
];
