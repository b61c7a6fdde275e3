import assert from 'node:assert/strict';
import { ok } from '../support/origin.ts';
import type { Case } from './case.ts';

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello';

/** The end of a pool, and servers that come and go. HAProxy's flag `K`: killed by an operator. */
export const closingCases: readonly Case[] = [
  {
    name: 'close waits for what is in flight, and takes nothing new',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      const { socket, connection } = await origin.request(1);
      const closing = front.pool.close();
      assert.equal(front.pool.close(), closing);
      assert.equal((await front.send()).status, 503);
      socket.write(ok());
      assert.equal((await exchange.end).body, 'ok');
      assert.deepEqual(await closing, { cut: 0, leaked: 0 });
      await connection.closed;
      assert.equal((await front.event(2)).flags, '--');
    },
  },
  {
    name: 'close cuts what is left after the grace time: a 503 before a head, a cut after one; K',
    async run(stage) {
      const { origin, front } = await stage.both((request) => request.target === '/half' && request.socket.write(HALF));
      const waiting = await front.start();
      const streaming = await front.start({ path: '/half' });
      const uploading = await front.start({ method: 'POST', framing: 10, path: '/upload' });
      uploading.write('abc');
      await streaming.until(() => streaming.answer.length === 5);
      await origin.request(3);
      assert.deepEqual(await front.pool.close({ graceMs: 20 }), { cut: 3, leaked: 0 });
      assert.equal((await waiting.end).status, 503);
      assert.equal((await uploading.end).status, 503);
      const cut = await streaming.end;
      assert.deepEqual([cut.status, cut.complete, cut.ended === 'hang'], [200, false, false]);
      const flags = [1, 2, 3].map(async (nth) => {
        const { url, flags: seen } = await front.event(nth);
        return `${url} ${seen}`;
      });
      assert.deepEqual((await Promise.all(flags)).sort(), ['/ KH', '/half KD', '/upload KH']);
      for (const { closed } of origin.connections) await closed;
    },
  },
  {
    name: 'removeServer lets work in flight end, and its idle connections go at once',
    async run(stage) {
      const leaving = await stage.origin((request) => request.target !== '/held' && request.reply(ok('leaving')));
      const staying = await stage.origin((request) => request.reply(ok('staying')));
      const front = await stage.open({ servers: [leaving.url] });
      await front.send();
      front.pool.addServer({ name: 'new', address: staying.url });
      const held = await front.start({ path: '/held' });
      const other = await front.start({ path: '/held' });
      const { socket } = await leaving.request(2);
      const removing = front.pool.removeServer('s1');
      assert.equal(front.pool.hasServer('s1'), false);
      for (let i = 0; i < 3; i++) assert.equal((await front.send()).body, 'staying');
      socket.write(ok('late'));
      const bodies = [(await held.end).body, (await other.end).body];
      assert.deepEqual(bodies.sort(), ['late', 'staying']);
      assert.deepEqual(await removing, { cut: 0, leaked: 0 });
      for (const { closed } of leaving.connections) await closed;
    },
  },
  {
    name: 'removeServer cuts what is left after the grace time',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => socket.write(HALF));
      const exchange = await front.start();
      await exchange.until(() => exchange.answer.length === 5);
      assert.deepEqual(await front.pool.removeServer('s1', { graceMs: 20 }), { cut: 1, leaked: 0 });
      assert.equal((await exchange.end).complete, false);
      assert.equal((await front.event()).flags, 'KD');
      await (await origin.connection(1)).closed;
      assert.equal((await front.send()).status, 503);
    },
  },
  {
    name: 'a server in maintenance or drain ends what it has and gets nothing new',
    async run(stage) {
      for (const state of ['maint', 'drain'] as const) {
        const resting = await stage.origin(() => {});
        const working = await stage.origin();
        const front = await stage.open({ servers: [resting.url] });
        const held = await front.start();
        const { socket } = await resting.request(1);
        front.pool.addServer({ name: 'new', address: working.url });
        front.pool.server('s1').setState(state);
        for (let i = 0; i < 3; i++) assert.equal((await front.send()).status, 200);
        assert.equal(resting.requests.length, 1);
        socket.write(ok('late'));
        assert.equal((await held.end).body, 'late');
        front.pool.server('s1').setState('ready');
        resting.script = (request) => request.reply(ok());
        for (let i = 0; i < 4; i++) await front.send();
        assert.ok(resting.requests.length > 1);
      }
    },
  },
];
