import assert from 'node:assert/strict';
import type { Case } from './case.ts';

/** Architecture section 8: fields that speak of one connection stay on it. */
export const hopByHopCases: readonly Case[] = [
  {
    name: 'hop-by-hop fields of a request stay here, and those that Connection names',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const answer = await front.send({
        fields: [
          ['Connection', 'keep-alive, X-Mine'],
          ['Connection', 'X-Also, te'],
          ['X-Mine', '1'],
          ['x-also', '2'],
          ['Keep-Alive', 'timeout=9'],
          ['Proxy-Connection', 'keep-alive'],
          ['Proxy-Authorization', 'Basic eDp5'],
          ['TE', 'trailers'],
          ['Upgrade', 'h2c'],
          ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
          ['X-Stays', '3'],
        ],
      });
      assert.equal(answer.status, 200);
      const [request] = origin.requests;
      const names = request?.fields.map(([name]) => name.toLowerCase()).sort();
      assert.deepEqual(names, ['host', 'x-stays']);
    },
  },
  {
    name: 'Connection: close of a client does not reach the server, whose connection stays',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (let i = 0; i < 3; i++) {
        const client = await front.raw();
        const answer = await client.send({ fields: [['Connection', 'close']] });
        assert.deepEqual([answer.status, answer.field('connection')], [200, 'close']);
        await client.closed;
      }
      assert.equal(origin.connections.length, 1);
      assert.deepEqual(
        origin.requests.map((request) => request.field('connection')),
        [undefined, undefined, undefined],
      );
    },
  },
  {
    name: 'hop-by-hop fields of a response stay here, and those that Connection names',
    async run(stage) {
      const { front } = await stage.both((request) =>
        request.reply(
          [
            'HTTP/1.1 200 OK',
            'Connection: keep-alive, X-Secret',
            'X-Secret: 1',
            'Keep-Alive: timeout=55, max=7',
            'Proxy-Authenticate: Basic realm=x',
            'Proxy-Connection: keep-alive',
            'Upgrade: h2c',
            'TE: trailers',
            'X-Stays: 2',
            'Content-Length: 2',
            '\r\nok',
          ].join('\r\n'),
        ),
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('x-stays')], [200, 'ok', '2']);
      for (const name of ['x-secret', 'proxy-authenticate', 'proxy-connection', 'upgrade', 'te'])
        assert.equal(answer.field(name), undefined, name);
      // What there is of these is said by Node of its own connection.
      assert.doesNotMatch(answer.field('keep-alive') ?? '', /55|max/);
      assert.doesNotMatch(answer.field('connection') ?? '', /secret/i);
    },
  },
  {
    name: 'Connection: close of a server does not reach the client, whose connection stays',
    async run(stage) {
      const { origin, front } = await stage.both((request) => {
        request.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
      });
      const client = await front.client();
      for (let i = 0; i < 3; i++) {
        const answer = await client.send();
        assert.equal(answer.body, 'ok');
        assert.doesNotMatch(answer.field('connection') ?? '', /close/);
      }
      assert.equal(origin.connections.length, 3);
    },
  },
  {
    name: 'an HTTP/1.0 server is served: no reuse unless it says keep-alive',
    async run(stage) {
      const { origin, front } = await stage.both((request) => {
        if (request.target === '/keep')
          void request.reply('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok');
        else request.socket.end('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
      const client = await front.client();
      for (const path of ['/keep', '/keep', '/close', '/close']) assert.equal((await client.send({ path })).body, 'ok');
      assert.equal(origin.connections.length, 2);
    },
  },
];
