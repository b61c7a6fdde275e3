import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { ask, EchoServer, openWebSocket, webSocket } from '../support/echo-server.ts';
import { startFront, UPGRADE_FRONTS } from '../support/upgrade-fronts.ts';
import { UpgradeOrigin } from '../support/upgrade-origin.ts';

/** Nobody listens there: port 1 of the loopback. */
const NOBODY = 'http://127.0.0.1:1';

const ENGINES: readonly NonNullable<PoolOptions['engine']>[] = ['http1', 'http-proxy-3'];

for (const engine of ENGINES) {
  for (const front of UPGRADE_FRONTS) {
    const story = (name: string): string => `${front.name}, ${engine}: ${name}`;

    test(story('a WebSocket carries messages both ways and closes as either side says'), async (t) => {
      const echo = await EchoServer.start(t);
      const pool = new Pool({ engine, servers: [{ name: 'a', address: echo.url }] });
      const { port } = await startFront(t, front, pool);
      const seen = once(echo.sockets, 'connection');
      const socket = await webSocket(`ws://127.0.0.1:${port}/chat?room=1`, ['v2', 'v1']);
      const [server, request] = await seen;
      assert.equal(request.url, '/chat?room=1');
      assert.equal(request.headers.host, `127.0.0.1:${port}`);
      assert.equal(socket.protocol, 'v2');
      assert.equal(await ask(socket, 'hello'), 'hello');
      const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      assert.deepEqual(await ask(socket, binary), binary);
      const big = 'x'.repeat(1_000_000);
      assert.equal(await ask(socket, big), big);
      assert.equal(pool.stats().servers['a']?.active, 1);
      const ended = new Promise<RequestEvent>((resolve) => pool.once('request', resolve));
      const closed = once(server, 'close');
      socket.close(4001, 'bye');
      const [code, reason] = await closed;
      assert.deepEqual([code, String(reason)], [4001, 'bye']);
      const event = await ended;
      assert.deepEqual([event.status, event.flags, event.server], [101, '--', 'a']);
      assert.ok(event.bytesIn > big.length && event.bytesOut > big.length);
      assert.equal(pool.stats().servers['a']?.active, 0);

      const second = await webSocket(`ws://127.0.0.1:${port}/`);
      const told = once(second, 'close');
      for (const client of echo.sockets.clients) client.close(4002, 'server');
      const [secondCode] = await told;
      assert.equal(secondCode, 4002);
    });

    test(
      story('a server that refuses, drops the connection unanswered, or answers what is in retryOn, is passed over'),
      async (t) => {
        const echo = await EchoServer.start(t);
        const dropping = await UpgradeOrigin.start(t, ({ socket }) => socket.destroy());
        const busy = await UpgradeOrigin.start(t, ({ socket }) =>
          socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'),
        );
        const pool = new Pool({
          engine,
          retryOn: 'conn-failure empty-response 503',
          servers: [
            { name: 'refuses', address: NOBODY },
            { name: 'drops', address: dropping.url },
            { name: 'busy', address: busy.url },
            { name: 'good', address: echo.url },
          ],
        });
        const { port } = await startFront(t, front, pool);
        const ended = new Promise<RequestEvent>((resolve) => pool.once('request', resolve));
        const socket = await webSocket(`ws://127.0.0.1:${port}/`);
        assert.equal(await ask(socket, 'hello'), 'hello');
        socket.close();
        const event = await ended;
        assert.deepEqual([event.server, event.retries, event.redispatched], ['good', 3, true]);
        const { refuses, drops } = pool.stats().servers;
        assert.deepEqual([refuses?.active, drops?.active], [0, 0]);
      },
    );

    test(story('an answer that refuses the upgrade is relayed whole, with its body'), async (t) => {
      const origin = await UpgradeOrigin.start(t, ({ socket }) => {
        socket.write('HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic\r\nX-A: b\r\nContent-Length: 9\r\n\r\nnot');
        setTimeout(() => socket.write(' you :'), 5);
      });
      const pool = new Pool({ engine, servers: [origin.url] });
      const { port } = await startFront(t, front, pool);
      const answer = await openWebSocket(`ws://127.0.0.1:${port}/`);
      assert.ok(!('socket' in answer));
      assert.deepEqual([answer.status, answer.body], [401, 'not you :']);
      assert.deepEqual([answer.fields['www-authenticate'], answer.fields['x-a']], ['Basic', 'b']);
    });

    test(story('without a server, and with none that answers, the client is told so'), async (t) => {
      for (const [servers, status] of [
        [[], 503],
        [[NOBODY], 503],
        [[(await UpgradeOrigin.start(t, ({ socket }) => socket.end('junk\r\n\r\n'))).url], 502],
      ] as const) {
        const pool = new Pool({ engine, servers, retries: 1, timeout: { connect: 100 } });
        const { port } = await startFront(t, front, pool);
        const answer = await openWebSocket(`ws://127.0.0.1:${port}/`);
        assert.ok(!('socket' in answer));
        assert.equal(answer.status, status);
      }
    });
  }
}
