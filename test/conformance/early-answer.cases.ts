import assert from 'node:assert/strict';
import type { ClientExchange } from '../support/client-exchange.ts';
import { ok, response } from '../support/origin.ts';
import type { Case } from './case.ts';

/** Writes until the peer takes no more, or so much. */
async function pour(exchange: ClientExchange, bytes: number): Promise<number> {
  const piece = Buffer.alloc(16_384, 'x');
  let sent = 0;
  for (; sent < bytes && exchange.answer.ended === undefined; sent += piece.length)
    if (!exchange.write(piece)) await Promise.race([exchange.drained(), exchange.end]);
  return sent;
}

/** Architecture section 8: final answers while the upload runs. */
export const earlyAnswerCases: readonly Case[] = [
  {
    name: 'an answer that comes while the upload runs reaches the client whole',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => {
        socket.pause();
        socket.write(response(413, 'too big'));
      });
      const exchange = await front.start({ method: 'POST', framing: 100_000_000 });
      exchange.write('some');
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.body, answer.complete], [413, 'too big', true]);
      const event = await front.event();
      assert.deepEqual([event.status, event.flags], [413, '--']);
      const { socket, closed } = await origin.connection(1);
      socket.resume();
      await closed; // it still owed a body, so nobody else gets it
      assert.equal(front.stats().idle, 0);
    },
  },
  {
    name: 'an endless upload is not read for ever after the answer',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => {
        socket.pause();
        socket.write(response(413, 'too big'));
      });
      const client = await front.client();
      const exchange = client.start({ method: 'POST', framing: 100_000_000 });
      const sent = await pour(exchange, 64_000_000);
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.complete], [413, true]);
      // What was on its way when the answer came may be several megabytes of socket buffers.
      assert.ok(sent < 32_000_000, `${sent} bytes were taken`);
      if (stage.http1) await client.closed;
      const { socket } = await origin.connection(1);
      socket.resume();
    },
  },
  {
    name: 'after a short rest of a body the client’s connection serves on',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket, nth, connection }) =>
        socket.write(nth === 1 && connection.nth === 1 ? response(403, 'no') : ok()),
      );
      const client = await front.client();
      const exchange = client.start({ method: 'POST', framing: 30_000 });
      exchange.write('x'.repeat(10_000));
      const answer = await exchange.end;
      assert.equal(answer.status, 403);
      exchange.write('x'.repeat(20_000));
      exchange.finish();
      if (answer.field('connection') === 'close') return;
      assert.equal((await client.send()).status, 200);
      assert.deepEqual(
        origin.requests.map(({ method }) => method),
        ['POST', 'GET'],
      );
    },
  },
  {
    name: 'an answer and the end of the connection, while the upload runs, reach the client',
    async run(stage) {
      const { front } = await stage.both(({ socket }) =>
        socket.end('HTTP/1.1 413 X\r\nConnection: close\r\nContent-Length: 7\r\n\r\ntoo big'),
      );
      const exchange = await front.start({ method: 'POST', framing: 'chunked' });
      exchange.write('x'.repeat(1_000));
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.body], [413, 'too big']);
    },
  },
  {
    name: 'a refusal of ours while the upload runs reaches the client',
    async run(stage) {
      const front = await stage.open({});
      const client = await front.client();
      const exchange = client.start({ method: 'POST', framing: 10_000_000 });
      const sent = await pour(exchange, 10_000_000);
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.complete], [503, true]);
      assert.ok(sent < 10_000_000);
    },
  },
  {
    name: 'a server that resets while it is sent a body, having answered, is heard or is a 502; nothing hangs',
    async run(stage) {
      const { front } = await stage.both(({ socket }) =>
        socket.write(response(413, 'too big'), () => socket.resetAndDestroy()),
      );
      const exchange = await front.start({ method: 'POST', framing: 'chunked' });
      await pour(exchange, 1_000_000);
      const answer = await exchange.end;
      assert.ok([413, 502].includes(answer.status) && answer.complete, `${answer.status} ${answer.ended}`);
    },
  },
];
