import assert from 'node:assert/strict';
import type { OriginRequest } from '../support/origin.ts';
import type { Case } from './case.ts';

const HEADS: Readonly<Record<string, string>> = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello',
  chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  'inside a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello',
  'before the last chunk ends': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
};

function cuts(how: 'end' | 'reset') {
  return ({ socket, target }: OriginRequest): void => {
    socket.write(HEADS[decodeURIComponent(target.slice(1))] ?? '', () =>
      how === 'end' ? socket.end() : socket.resetAndDestroy(),
    );
  };
}

/** Architecture section 8: a client can always tell a cut answer from a whole one. */
export const cutCases: readonly Case[] = [
  ...(['end', 'reset'] as const).map(
    (how): Case => ({
      name: `a server that ${how === 'end' ? 'closes' : 'resets'} in the middle of a body cuts the client's response`,
      async run(stage) {
        const { front } = await stage.both(cuts(how));
        for (const [index, kind] of Object.keys(HEADS).entries()) {
          const answer = await front.send({ path: `/${encodeURIComponent(kind)}` });
          assert.deepEqual([answer.complete, answer.ended === 'hang'], [false, false], kind);
          const event = await front.event(index + 1);
          assert.deepEqual([event.status, event.flags], [200, 'SD'], kind);
        }
        const stats = front.stats();
        assert.deepEqual([stats.srv_abrt, stats.eresp], [4, 4]);
      },
    }),
  ),
  {
    name: 'a reset in a body that ends with its connection is no end',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      const { socket } = await origin.request(1);
      socket.write('HTTP/1.1 200 OK\r\n\r\nhello');
      await exchange.until(() => exchange.answer.length === 5);
      socket.resetAndDestroy();
      const answer = await exchange.end;
      assert.deepEqual([answer.complete, answer.ended === 'hang'], [false, false]);
      assert.equal((await front.event()).flags, 'SD');
    },
  },
  {
    name: 'a response cut on one connection leaves other clients alone',
    async run(stage) {
      const { origin, front } = await stage.both((request) => {
        if (request.target === '/cut') request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello');
        if (request.target === '/whole') void request.reply('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
      const slow = await front.start({ path: '/slow' });
      const { socket } = await origin.request(1);
      const answers = await Promise.all(['/cut', '/whole', '/cut', '/whole'].map((path) => front.send({ path })));
      assert.deepEqual(
        answers.map(({ complete }) => complete),
        [false, true, false, true],
      );
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      assert.equal((await slow.end).body, 'ok');
    },
  },
  {
    name: 'a server that stalls in the middle of a body is cut after timeout.server',
    async run(stage) {
      const { origin, front } = await stage.both(
        ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello'),
        { timeout: { server: 100 } },
      );
      const answer = await front.send();
      assert.deepEqual([answer.complete, answer.ended === 'hang'], [false, false]);
      const { flags, timeout, error } = await front.event();
      assert.deepEqual([flags, timeout, error], ['sD', 'server', undefined]);
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'a client that takes nothing of a response for timeout.client is cut: cD',
    async run(stage) {
      const { origin, front } = await stage.both(
        ({ socket }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
          const piece = Buffer.alloc(1_000_000);
          const pour = (): void => {
            while (!socket.destroyed && socket.write(piece));
          };
          socket.on('drain', pour);
          pour();
        },
        { timeout: { client: 150 } },
      );
      const client = await front.client();
      const exchange = client.start();
      exchange.keepsBody = false;
      exchange.pause();
      const event = await front.event();
      assert.deepEqual([event.status, event.flags, event.timeout], [200, 'cD', 'client']);
      assert.deepEqual([front.stats().srv_abrt, front.stats().cli_abrt], [0, 1]);
      await (await origin.connection(1)).closed;
      exchange.resume();
      const answer = await exchange.end;
      assert.deepEqual([answer.complete, answer.ended === 'hang'], [false, false]);
    },
  },
  {
    name: 'a body that goes on slowly is not cut: timeout.server is between two pieces',
    async run(stage) {
      const { front } = await stage.both(
        ({ socket }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n');
          let left = 8;
          const timer = setInterval(() => {
            socket.write('x');
            if (--left === 0) clearInterval(timer);
          }, 200);
        },
        { timeout: { server: 1_200 } },
      );
      const answer = await front.send();
      assert.deepEqual([answer.body, answer.complete], ['xxxxxxxx', true]);
    },
  },
];
