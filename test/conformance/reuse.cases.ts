import assert from 'node:assert/strict';
import { type OriginRequest, ok } from '../support/origin.ts';
import type { Case } from './case.ts';
import { ShiftedClock } from './shifted-clock.ts';

/** Serves the first request of each connection; at the next, the connection is gone. */
function diesOnReuse(how: 'end' | 'resetAndDestroy') {
  return (request: OriginRequest): unknown => (request.nth === 1 ? request.reply(ok()) : request.socket[how]());
}

const POST = { method: 'POST', body: 'abc' } as const;

/** Reuse of connections to servers: architecture section 8, HAProxy `http-reuse` and `pool-*`. */
export const reuseCases: readonly Case[] = [
  {
    name: 'requests of one client and of many share a kept connection',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.client();
      for (let i = 0; i < 3; i++) assert.equal((await client.send()).status, 200);
      assert.equal((await front.send()).status, 200);
      assert.equal(origin.connections.length, 1);
      const { connect, reuse, idle } = front.stats();
      assert.deepEqual([connect, reuse, idle], [1, 3, 1]);
    },
  },
  {
    name: 'two requests at one time have a connection each',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchanges = [await front.start(), await front.start()];
      const requests = [await origin.request(1), await origin.request(2)];
      for (const { socket } of requests) socket.write(ok());
      for (const { end } of exchanges) assert.equal((await end).status, 200);
      assert.equal(origin.connections.length, 2);
    },
  },
  ...(['end', 'resetAndDestroy'] as const).map(
    (how): Case => ({
      name: `a GET on a kept connection that ${how === 'end' ? 'closes' : 'is reset'} is sent again on a new one, without a retry`,
      async run(stage) {
        const { origin, front } = await stage.both(diesOnReuse(how), { retries: 0, retryOn: 'none' });
        const client = await front.client();
        for (let i = 0; i < 4; i++) assert.equal((await client.send()).status, 200, `request ${i}`);
        const { retries, flags } = await front.event(4);
        assert.deepEqual([retries, flags], [0, '--']);
        assert.equal(origin.connections.length, 4);
        assert.deepEqual([front.stats().eresp, front.stats().wretr], [0, 0]);
      },
    }),
  ),
  {
    name: 'a PUT whose body is held is sent again whole; one whose body is too big to hold is not',
    async run(stage) {
      const { origin, front } = await stage.both(
        async (request) => {
          await request.ended;
          diesOnReuse('end')(request);
        },
        { retries: 0, bufferBody: 1000 },
      );
      const client = await front.client();
      await client.send();
      assert.equal((await client.send({ method: 'PUT', body: 'a'.repeat(1000) })).status, 200);
      assert.equal(await (await origin.request(3)).body(), 'a'.repeat(1000));
      const big = await client.send({ method: 'PUT', body: 'b'.repeat(1001) });
      assert.deepEqual([big.status, origin.requests.length], [502, 4]);
      assert.equal((await front.event(3)).flags, 'SH');
    },
  },
  {
    name: 'a POST on a kept connection that dies is not sent twice: 502, SH',
    async run(stage) {
      const { origin, front } = await stage.both(diesOnReuse('end'));
      const client = await front.client();
      await client.send();
      const answer = await client.send(POST);
      assert.equal(answer.status, 502);
      assert.equal((await front.event(2)).flags, 'SH');
      assert.deepEqual(
        origin.requests.map(({ method }) => method),
        ['GET', 'POST'],
      );
    },
  },
  {
    name: 'with retryNonIdempotent a POST is sent again like a GET',
    async run(stage) {
      const { origin, front } = await stage.both(diesOnReuse('end'), { retryNonIdempotent: true, retries: 0 });
      const client = await front.client();
      await client.send();
      assert.equal((await client.send(POST)).status, 200);
      assert.equal(await (await origin.request(3)).body(), 'abc');
    },
  },
  {
    name: 'a POST takes a connection that was idle for less than 1 s, else a new one',
    async run(stage) {
      const clock = new ShiftedClock();
      const origin = await stage.origin();
      const front = await stage.open({ servers: [origin.url] }, {}, clock);
      const client = await front.client();
      await client.send();
      clock.ahead += 500;
      await client.send(POST);
      assert.equal(origin.connections.length, 1);
      clock.ahead += 1_000;
      await client.send(POST);
      assert.equal(origin.connections.length, 2);
      clock.ahead += 60_000;
      await client.send(); // can be sent again, so takes any
      assert.equal(origin.connections.length, 2);
    },
  },
  {
    name: 'Keep-Alive: timeout=N of a server is kept to: no use after N - 1 s',
    async run(stage) {
      const clock = new ShiftedClock();
      const origin = await stage.origin((request) => request.reply(ok('ok', { 'Keep-Alive': 'timeout=5, max=100' })));
      const front = await stage.open({ servers: [origin.url] }, {}, clock);
      const client = await front.client();
      await client.send();
      clock.ahead += 3_000;
      await client.send();
      assert.equal(origin.connections.length, 1);
      clock.ahead += 4_000;
      await client.send();
      assert.equal(origin.connections.length, 2);
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'a connection that the server promises to keep for 1 s or less is not kept',
    async run(stage) {
      const { origin, front } = await stage.both((request) => request.reply(ok('ok', { 'Keep-Alive': 'timeout=1' })));
      const client = await front.client();
      for (let i = 0; i < 3; i++) await client.send();
      assert.equal(origin.connections.length, 3);
    },
  },
  {
    name: 'a kept connection on which the server says something unasked is given up',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.client();
      await client.send();
      const { socket, closed } = await origin.connection(1);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
      await closed;
      assert.equal((await client.send()).body, 'ok');
      assert.equal(front.stats().idle, 1);
    },
  },
  {
    name: 'a kept connection that the server closes is forgotten',
    async run(stage) {
      const { origin, front } = await stage.both();
      await front.send();
      assert.equal(front.stats().idle, 1);
      const { socket, closed } = await origin.connection(1);
      socket.end();
      await closed;
      assert.equal(front.stats().idle, 0);
      assert.equal((await front.send()).status, 200);
    },
  },
  {
    name: 'httpReuse never: a connection belongs to its client, and ends with it',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { httpReuse: 'never' });
      const client = await front.client();
      for (let i = 0; i < 3; i++) await client.send();
      assert.equal(origin.connections.length, 1);
      await front.send();
      assert.equal(origin.connections.length, 2);
      client.leave();
      await (await origin.connection(1)).closed;
      await (await origin.connection(2)).closed;
    },
  },
  {
    name: 'httpReuse safe: the first POST of a client takes no kept connection, its next one does',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { httpReuse: 'safe' });
      await front.send();
      const client = await front.client();
      await client.send(POST);
      assert.equal(origin.connections.length, 2);
      await client.send(POST);
      assert.equal(origin.connections.length, 2);
    },
  },
  {
    name: 'httpReuse aggressive: the first POST of a client takes only a connection that has proved itself',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { httpReuse: 'aggressive' });
      await front.send();
      await front.send(POST); // one request only so far: not taken
      assert.equal(origin.connections.length, 2);
      await front.send();
      await front.send();
      await front.send(POST);
      assert.equal(origin.connections.length, 2);
    },
  },
  {
    name: 'httpReuse always: the first POST of a client takes any kept connection',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { httpReuse: 'always' });
      await front.send();
      await front.send(POST);
      assert.equal(origin.connections.length, 1);
    },
  },
  {
    name: 'maxReuse: so many requests after the first, then the connection ends',
    async run(stage) {
      const origin = await stage.origin();
      const front = await stage.open({ servers: [{ address: origin.url, maxReuse: 2 }] });
      const client = await front.client();
      for (let i = 0; i < 6; i++) await client.send();
      assert.deepEqual(
        origin.connections.map(({ requests }) => requests.length),
        [3, 3],
      );
    },
  },
  {
    name: 'poolMaxConn: so many connections are kept idle',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await stage.open({ servers: [{ address: origin.url, poolMaxConn: 1, poolLowConn: 9 }] });
      const exchanges = await Promise.all([1, 2, 3].map(() => front.start()));
      for (const nth of [1, 2, 3]) (await origin.request(nth)).socket.write(ok());
      for (const { end } of exchanges) assert.equal((await end).status, 200);
      await front.event(3);
      assert.equal(front.stats().idle, 1);
    },
  },
  {
    name: 'poolMaxConn 0 and poolPurgeDelay 0 keep none',
    async run(stage) {
      for (const option of [{ poolMaxConn: 0 }, { poolPurgeDelay: 0 }]) {
        const origin = await stage.origin();
        const front = await stage.open({ servers: [{ address: origin.url, ...option }] });
        const client = await front.client();
        for (let i = 0; i < 2; i++) await client.send();
        assert.deepEqual([origin.connections.length, front.stats().idle], [2, 0]);
      }
    },
  },
  {
    name: 'a connection authenticated by NTLM or Negotiate serves its client alone, and ends with it',
    async run(stage) {
      for (const scheme of ['NTLM', 'Negotiate TlRMTVNTUAAB']) {
        const { origin, front } = await stage.both((request) =>
          request.nth === 1 && request.target === '/private'
            ? request.reply(`HTTP/1.1 401 X\r\nWWW-Authenticate: ${scheme}\r\nContent-Length: 0\r\n\r\n`)
            : request.reply(ok()),
        );
        const client = await front.client();
        const refused = await client.send({ path: '/private' });
        assert.deepEqual([refused.status, refused.field('www-authenticate')], [401, scheme]);
        for (let i = 0; i < 2; i++) assert.equal((await client.send({ path: '/private' })).status, 200);
        await front.send();
        assert.deepEqual(
          origin.connections.map(({ requests }) => requests.length),
          [3, 1],
        );
        client.leave();
        await (await origin.connection(1)).closed;
      }
    },
  },
];
