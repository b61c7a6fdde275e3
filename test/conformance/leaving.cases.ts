import assert from 'node:assert/strict';
import { type OriginConnection, ok } from '../support/origin.ts';
import type { Case } from './case.ts';
import { within } from './stage.ts';

/** At once, and not when `timeout.server` is over. */
async function soonClosed({ closed }: OriginConnection): Promise<void> {
  await within(closed, 'the end of an attempt whose client has gone', 1_500);
}

/** Architecture section 8: a client that leaves cancels the attempt at once, costs its server nothing, and frees its slot. */
export const leavingCases: readonly Case[] = [
  {
    name: 'a client that leaves while it waits cancels the attempt and frees the slot',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      await origin.request(1);
      assert.equal(front.stats().active, 1);
      exchange.leave();
      assert.equal((await front.event()).flags, 'CH');
      const { active, cli_abrt, eresp, srv_abrt } = front.stats();
      assert.deepEqual([active, cli_abrt, eresp, srv_abrt], [0, 1, 0, 0]);
      await soonClosed(await origin.connection(1));
    },
  },
  {
    name: 'a client that leaves in the middle of a response cancels it: CD',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello'),
      );
      const exchange = await front.start();
      await exchange.until(() => exchange.answer.length > 0);
      exchange.leave();
      const event = await front.event();
      assert.deepEqual([event.status, event.flags], [200, 'CD']);
      const { active, cli_abrt, eresp, srv_abrt } = front.stats();
      assert.deepEqual([active, cli_abrt, eresp, srv_abrt], [0, 1, 0, 0]);
      await soonClosed(await origin.connection(1));
    },
  },
  {
    name: 'a client that leaves in the middle of its body cancels the attempt',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      for (const [index, framing] of ([10, 'chunked'] as const).entries()) {
        const exchange = await front.start({ method: 'POST', framing });
        exchange.write('abc');
        const request = await origin.request(index + 1);
        exchange.leave();
        const { flags, status } = await front.event(index + 1);
        assert.deepEqual([status, flags], [499, 'CH']);
        assert.equal(await within(request.ended, 'the end of the request', 1_500), false);
      }
      assert.deepEqual([front.stats().active, front.stats().eresp], [0, 0]);
    },
  },
  {
    name: 'a client that leaves while its server is being connected cancels that: CC',
    async run(stage) {
      const origin = await stage.origin(() => {}, { onConnection: ({ socket }) => void socket.resume() });
      const front = await stage.open({
        servers: [{ address: origin.url.replace('http:', 'https:'), verify: 'none' }],
      });
      const exchange = await front.start({ method: 'POST', body: 'abc' });
      const connection = await origin.connection(1);
      exchange.leave();
      const { flags, status } = await front.event();
      assert.deepEqual([status, flags], [499, 'CC']);
      assert.deepEqual([front.stats().active, front.stats().econ], [0, 0]);
      await soonClosed(connection);
    },
  },
  {
    name: 'a slot freed by a client that left is taken by the next',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await stage.open({ servers: [{ address: origin.url, maxconn: 1 }] });
      for (let i = 1; i <= 3; i++) {
        const exchange = await front.start();
        await origin.request(i);
        exchange.leave();
        await front.event(i);
      }
      origin.script = (request) => request.reply(ok());
      assert.equal((await front.send()).status, 200);
    },
  },
  {
    name: 'clients that leave together, pipelined or on streams of one connection, free all their slots',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const client = await front.client();
      for (let i = 0; i < 4; i++) client.start({ path: `/${i}` });
      await origin.request(4);
      assert.equal(front.stats().active, 4);
      client.leave();
      for (let i = 1; i <= 4; i++) assert.match((await front.event(i)).flags, /^C[HD]$/);
      assert.equal(front.stats().active, 0);
    },
  },
  {
    name: 'an answer that comes when its client has gone harms nobody',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      const { socket } = await origin.request(1);
      exchange.leave();
      socket.write(ok());
      assert.match((await front.event()).flags, /^C[HD]$|^--$/);
      origin.script = (request) => request.reply(ok('next'));
      assert.equal((await front.send()).body, 'next');
    },
  },
  {
    name: 'a client that half-closes after its request still gets its answer, or is taken for gone; nothing hangs',
    needs: 'http1',
    async run(stage) {
      const { front } = await stage.both();
      const client = await front.raw();
      const end = client.send();
      client.socket.end();
      const answer = await end;
      assert.notEqual(answer.ended, 'hang');
      await front.event();
    },
  },
];
