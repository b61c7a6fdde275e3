import assert from 'node:assert/strict';
import { ok, REFUSING } from '../support/origin.ts';
import type { Case } from './case.ts';

/** The table of architecture section 4: every cause has its status and its flags. */
export const statusCases: readonly Case[] = [
  {
    name: 'no usable server: 503 at once, SC',
    async run(stage) {
      const front = await stage.open({ servers: [{ address: '127.0.0.1:1', disabled: true }] });
      const answer = await front.send({ method: 'POST', body: 'x'.repeat(10_000) });
      assert.deepEqual([answer.status, answer.complete], [503, true]);
      const event = await front.event();
      assert.deepEqual([event.flags, event.server, event.retries], ['SC', undefined, 0]);
    },
  },
  {
    name: 'no server at all: 503 at once, SC',
    async run(stage) {
      const front = await stage.open({});
      assert.equal((await front.send()).status, 503);
      assert.equal((await front.event()).flags, 'SC');
    },
  },
  {
    name: 'connection refused after all retries: 503, SC',
    async run(stage) {
      const front = await stage.open({ servers: [REFUSING], retries: 2, timeout: { connect: 100 } });
      for (const spec of [{}, { method: 'POST', body: 'abc' }]) assert.equal((await front.send(spec)).status, 503);
      for (const nth of [1, 2]) {
        const event = await front.event(nth);
        assert.deepEqual([event.flags, event.retries, event.server], ['SC', 2, 's1']);
        assert.deepEqual([event.error?.code, event.error?.server, event.timeout], ['EK_CONNECT', 's1', undefined]);
      }
      assert.deepEqual([front.stats().econ, front.stats().wretr], [6, 4]);
    },
  },
  {
    name: 'connection timed out after all retries: 503, sC',
    async run(stage) {
      // The TLS handshake is part of connecting, and this server never says a word of it.
      const origin = await stage.origin(() => {}, { onConnection: () => false });
      const front = await stage.open({
        servers: [{ address: origin.url.replace('http:', 'https:'), verify: 'none' }],
        timeout: { connect: 60 },
        retries: 1,
      });
      assert.equal((await front.send()).status, 503);
      const event = await front.event();
      assert.deepEqual([event.flags, event.retries, event.timeout], ['sC', 1, 'connect']);
      assert.deepEqual([event.error?.code, event.error?.timeout], ['EK_CONNECT_TIMEOUT', 'connect']);
      assert.equal(origin.connections.length, 2);
      for (const { closed, socket } of origin.connections) {
        socket.resume();
        await closed;
      }
    },
  },
  {
    name: 'every server and the queue full: 503 and Retry-After, SQ',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const servers = [{ address: origin.url, maxconn: 1 }];
      const front = await stage.open({ servers, poolMaxQueue: 0, retryAfter: '1500ms' });
      const first = await front.start();
      const held = await origin.request(1);
      const answer = await front.send({ method: 'POST', body: 'abc' });
      assert.deepEqual([answer.status, answer.field('retry-after')], [503, '2']);
      assert.equal((await front.event()).flags, 'SQ');
      held.socket.write(ok());
      assert.equal((await first.end).status, 200);
      await front.event(2);
      origin.script = (request) => request.reply(ok());
      assert.equal((await front.send()).status, 200);
    },
  },
  ...(['end', 'resetAndDestroy'] as const).map(
    (how): Case => ({
      name: `${how === 'end' ? 'closed' : 'reset'} before a response's head: 502, SH`,
      async run(stage) {
        const { origin, front } = await stage.both(({ socket }) => socket[how](), { retries: 0 });
        for (const spec of [{}, { method: 'POST', body: 'abc' }]) assert.equal((await front.send(spec)).status, 502);
        assert.deepEqual([(await front.event(1)).flags, (await front.event(2)).flags], ['SH', 'SH']);
        assert.deepEqual([origin.requests.length, front.stats().eresp], [2, 2]);
      },
    }),
  ),
  {
    name: "closed in the middle of a response's head: 502, SH",
    async run(stage) {
      const { front } = await stage.both(({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'), { retries: 0 });
      assert.equal((await front.send()).status, 502);
      assert.equal((await front.event()).flags, 'SH');
    },
  },
  {
    name: 'no response in timeout.server: 504, sH; the connection is given up, and no retry made',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, { timeout: { server: 100 } });
      for (const spec of [{}, { method: 'POST', body: 'abc' }]) assert.equal((await front.send(spec)).status, 504);
      for (const nth of [1, 2]) {
        const { flags, timeout, error } = await front.event(nth);
        assert.deepEqual(
          [flags, timeout, error?.code, error?.timeout],
          ['sH', 'server', 'EK_SERVER_TIMEOUT', 'server'],
        );
      }
      assert.equal(origin.requests.length, 2);
    },
  },
  {
    name: 'a response whose head never ends: 504, sH',
    async run(stage) {
      const { front } = await stage.both(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nX-A: '), {
        timeout: { server: 100 },
      });
      assert.equal((await front.send()).status, 504);
      assert.equal((await front.event()).flags, 'sH');
    },
  },
  {
    name: 'the client stops sending: 408, cH, its connection closed',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, { timeout: { client: 100, server: 3_000 } });
      const exchange = await front.start({ method: 'POST', framing: 10 });
      exchange.write('abc');
      const answer = await exchange.end;
      assert.equal(answer.status, 408);
      if (stage.http1) assert.equal(answer.field('connection'), 'close');
      const event = await front.event();
      assert.deepEqual([event.status, event.flags, event.timeout], [408, 'cH', 'client']);
      assert.deepEqual([event.error?.code, event.error?.timeout], ['EK_ABORTED', 'client']);
      assert.equal(await (await origin.request(1)).ended, false);
    },
  },
  {
    name: 'timeout.server counts only once the whole request is there',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { timeout: { client: 10_000, server: 1_000 } });
      const exchange = await front.start({ method: 'POST', framing: 6 });
      exchange.write('abc');
      await origin.request(1);
      await new Promise((resolve) => setTimeout(resolve, 1_200)); // the passing of time is what is looked at
      exchange.write('def');
      exchange.finish();
      assert.equal((await exchange.end).status, 200);
    },
  },
  {
    name: 'a request transfer coding other than chunked: 501, PR, connection closed',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.raw();
      const answer = await client.sendRaw(
        'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      );
      assert.deepEqual([answer.status, answer.field('connection')], [501, 'close']);
      assert.equal((await front.event()).flags, 'PR');
      await client.closed;
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: 'CONNECT: 501 or refused by the server, connection closed, never sent on',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.raw();
      const answer = await client.sendRaw(
        'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n',
        'CONNECT',
      );
      // Without a listener for CONNECT Node closes the connection, and no middleware hears of it.
      if (stage.front.adapter.can.has('checkContinue')) assert.equal(answer.status, 501);
      else assert.equal(answer.complete, false);
      await client.closed;
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: 'the client left before the answer: nothing but 499 in the event, CH',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      await origin.request(1);
      exchange.leave();
      const event = await front.event();
      assert.deepEqual([event.status, event.flags, event.server], [499, 'CH', 's1']);
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'a closed pool: 503, connection closed',
    async run(stage) {
      const { front } = await stage.both();
      await front.pool.close();
      const client = await front.client();
      const answer = await client.send({ fields: [['Accept', 'application/json']] });
      assert.equal(answer.status, 503);
      assert.equal((JSON.parse(answer.body) as { code: unknown }).code, 'EK_CLOSED');
      if (stage.http1) await client.closed;
    },
  },
  {
    name: 'a normal end is --, with its figures',
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(ok('hello')));
      await front.send({ method: 'POST', path: '/a?b', body: 'abc' });
      const { queueMs, connectMs, responseMs, totalMs, ...event } = await front.event();
      assert.deepEqual(event, {
        method: 'POST',
        url: '/a?b',
        server: 's1',
        status: 200,
        flags: '--',
        cookieFlags: '--',
        timeout: undefined,
        error: undefined,
        retries: 0,
        hedges: 0,
        redispatched: false,
        bytesIn: 3,
        bytesOut: 5,
      });
      for (const ms of [queueMs, connectMs, responseMs]) assert.ok(ms >= 0 && ms <= totalMs, `${ms} of ${totalMs}`);
      const { stot, lbtot, smax, bin, bout, responses, connect } = front.stats();
      assert.deepEqual([stot, lbtot, smax, bin, bout, responses['2xx'], connect], [1, 1, 1, 3, 5, 1, 1]);
    },
  },
];
