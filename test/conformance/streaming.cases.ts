import assert from 'node:assert/strict';
import type { Answer } from '../support/client-exchange.ts';
import type { Case } from './case.ts';

/** What has come goes on at once; interim responses; trailers. */
export const streamingCases: readonly Case[] = [
  {
    name: 'the head of a response goes on before its body is there',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const heads = ['Content-Length: 2', 'Transfer-Encoding: chunked', 'X-A: until the end'];
      for (const [index, field] of heads.entries()) {
        const exchange = await front.start();
        const { socket } = await origin.request(index + 1);
        socket.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`);
        assert.equal((await exchange.head).status, 200, field);
        assert.equal(exchange.answer.ended, undefined);
        if (index === 1) socket.write('2\r\nok\r\n0\r\n\r\n');
        else socket.end('ok');
        assert.equal((await exchange.end).body, 'ok');
      }
    },
  },
  {
    name: 'pieces of a body go on as they come',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      const { socket } = await origin.request(1);
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const piece of ['data: 1\n\n', 'data: 2\n\n', 'data: 3\n\n']) {
        const before = exchange.answer.length;
        socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
        await exchange.until(() => exchange.answer.length === before + piece.length);
      }
      socket.write('0\r\n\r\n');
      assert.equal((await exchange.end).body, 'data: 1\n\ndata: 2\n\ndata: 3\n\n');
    },
  },
  {
    name: '103 goes on with its Link, and 102; an unasked 100 does not',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.reply(
          [
            'HTTP/1.1 100 Continue\r\n\r\n',
            'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n',
            'HTTP/1.1 102 Processing\r\n\r\n',
            'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
          ].join(''),
        ),
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body], [200, 'ok']);
      const statuses = answer.interim.map(({ status }) => status);
      assert.deepEqual(statuses, [103, 102]);
      const links = answer.interim[0]?.fields.filter(([name]) => name.toLowerCase() === 'link');
      assert.equal(links?.map(([, value]) => value).join(', '), '</a.css>; rel=preload, </b.js>; rel=preload');
      assert.equal(origin.requests.length, 1);
    },
  },
  {
    name: 'an interim response goes on before the final one is there',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start();
      const { socket } = await origin.request(1);
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n');
      assert.equal((await exchange.interims(1))[0]?.status, 103);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      assert.equal((await exchange.end).body, 'ok');
    },
  },
  {
    name: 'a hundred interim responses are borne, more are a bad response',
    async run(stage) {
      const { front } = await stage.both((request) => {
        const interim = 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(Number(request.target.slice(1)));
        return request.reply(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`);
      });
      assert.equal((await front.send({ path: '/100' })).status, 200);
      assert.equal((await front.send({ path: '/101' })).status, 502);
      assert.equal((await front.event(2)).flags, 'PH');
    },
  },
  {
    name: 'a switch of protocols that nobody asked for is a bad response',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.reply('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
      );
      assert.equal((await front.send()).status, 502);
      assert.equal((await front.event()).flags, 'PH');
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'trailers of a request reach the server',
    async run(stage) {
      const { origin, front } = await stage.both();
      const answer = await front.send({
        method: 'POST',
        framing: 'chunked',
        body: 'abc',
        fields: [['Trailer', 'X-Sum']],
        trailers: [['x-sum', '900150983cd24fb0d6963f7d28e17f72']],
      });
      assert.equal(answer.status, 200);
      const request = await origin.request(1);
      assert.deepEqual(
        request.trailers.map(([name, value]) => [name.toLowerCase(), value]),
        [['x-sum', '900150983cd24fb0d6963f7d28e17f72']],
      );
    },
  },
  {
    name: 'trailers of a response reach the client, but none that route, authenticate or set cookies',
    async run(stage) {
      const { front } = await stage.both((request) =>
        request.reply(
          [
            'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n',
            '2\r\nok\r\n0\r\nX-Sum: 1\r\nX-Also: caf\xe9\r\nContent-Type: x\r\nSet-Cookie: a=1\r\nHost: x\r\n\r\n',
          ].join(''),
        ),
      );
      const client = await front.client();
      const answer = await client.send();
      assert.deepEqual([answer.status, answer.body], [200, 'ok']);
      const trailers = answer.trailers.map(([name, value]) => `${name.toLowerCase()}: ${value}`);
      // Node's HTTP/2 knows only ASCII and UTF-8, so the other one is compared over HTTP/1 alone.
      assert.equal(trailers[0], 'x-sum: 1');
      assert.equal(trailers.length, 2);
      if (stage.http1) assert.equal(trailers[1], 'x-also: caf\xe9');
      assert.equal((await client.send()).body, 'ok');
    },
  },
  {
    name: 'a head that goes before any of its body is sent byte for byte, both ways',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start({ method: 'POST', framing: 'chunked', fields: [['X-A', 'caf\xe9']] });
      const request = await origin.request(1);
      assert.equal(request.field('x-a'), 'caf\xe9');
      request.socket.write(
        'HTTP/1.1 200 caf\xe9\r\nX-B: \xa0\xff\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
        'latin1',
      );
      const answer = await exchange.head;
      assert.deepEqual([answer.reason, answer.field('x-b')], ['caf\xe9', '\xa0\xff']);
      exchange.finish();
      await request.ended;
      request.socket.write('ok');
      assert.equal((await exchange.end).body, 'ok');
    },
  },
  {
    name: 'a Trailer field where no trailers can follow is no crash',
    async run(stage) {
      const { front } = await stage.both((request) => {
        if (request.target === '/length')
          void request.reply('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nok');
        if (request.target === '/close') request.socket.end('HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n\r\nok');
        if (request.target === '/none') void request.reply('HTTP/1.1 204 X\r\nTrailer: X-Sum\r\n\r\n');
        if (request.target === '/chunked')
          void request.reply(
            'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
          );
      });
      for (const version of ['1.1', '1.0'] as const) {
        for (const path of ['/length', '/close', '/none', '/chunked']) {
          const answer = await front.send({ path, version });
          assert.deepEqual(
            [answer.status, answer.body, answer.complete],
            path === '/none' ? [204, '', true] : [200, 'ok', true],
            `${path} ${version}`,
          );
        }
      }
    },
  },
  ...Object.entries({
    'a trailer section without an end': 'X-Sum: 1\r\n',
    'a trailer section of more than 16 KiB': `X-Sum: ${'1'.repeat(20_000)}\r\n\r\n`,
  }).map(
    ([what, section]): Case => ({
      name: `${what} cuts the response, or is a 502 where its head has not gone on`,
      async run(stage) {
        const { front } = await stage.both(({ socket }) =>
          socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${section}`),
        );
        assertNotWhole(await front.send());
      },
    }),
  ),
  {
    name: 'junk in a trailer section cuts the response, or is a 502 where its head has not gone on',
    async run(stage) {
      const junk = [
        ...['X Sum: 1', ': 1', 'X-Sum', 'X-Sum: a\0b', 'X-Sum : 1', 'Content-Length: 2', 'transfer-encoding: chunked'],
      ];
      const { front } = await stage.both((request) =>
        request.reply(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${junk[Number(request.target.slice(1))]}\r\n\r\n`,
        ),
      );
      for (const [index, line] of junk.entries()) {
        assertNotWhole(await front.send({ path: `/${index}` }), JSON.stringify(line));
      }
    },
  },
];

function assertNotWhole({ complete, status, ended }: Answer, what?: string): void {
  assert.deepEqual([complete && status !== 502, ended === 'hang'], [false, false], what);
}
