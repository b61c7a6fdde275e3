import assert from 'node:assert/strict';
import { ok, response } from '../support/origin.ts';
import type { Case } from './case.ts';
import { within } from './stage.ts';

const EXPECT = [['Expect', '100-continue']] as const;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const PROCESSING = 'HTTP/1.1 102 Processing\r\n\r\n';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n';

/** Ways in which the second of two pipelined answers is cut while the first is still to come. */
const CUTS: Readonly<Record<string, string>> = {
  'in a body by length': 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello',
  'in a chunked body': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
};

/** Requests that a client sends on one connection without waiting: each answer has its turn, and only then the wire. */
export const pipeliningCases: readonly Case[] = [
  {
    name: 'pipelined requests are answered in their order',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const client = await front.client();
      const exchanges = ['/1', '/2', '/3'].map((path) => client.start({ path }));
      await origin.request(3);
      for (const request of [...origin.requests].reverse()) request.socket.write(ok(request.target));
      const answers = await Promise.all(exchanges.map(({ end }) => end));
      assert.deepEqual(
        answers.map(({ body }) => body),
        ['/1', '/2', '/3'],
      );
    },
  },
  {
    name: 'pipelined requests with bodies stay apart',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.ended.then(() => request.reply(ok(request.target))),
      );
      const client = await front.client();
      const exchanges = [
        client.start({ path: '/1', method: 'POST', body: 'one' }),
        client.start({ path: '/2', method: 'POST', body: 'two', framing: 'chunked' }),
        client.start({ path: '/3', method: 'GET' }),
      ];
      const answers = await Promise.all(exchanges.map(({ end }) => end));
      assert.deepEqual(
        answers.map(({ body }) => body),
        ['/1', '/2', '/3'],
      );
      const bodies = await Promise.all(origin.requests.map(async (request) => [request.target, await request.body()]));
      assert.deepEqual(bodies.sort(), [
        ['/1', 'one'],
        ['/2', 'two'],
        ['/3', ''],
      ]);
    },
  },
  ...Object.entries(CUTS).map(
    ([how, text]): Case => ({
      name: `an answer cut ${how} before its turn ends the connection at its turn, behind whole answers`,
      needs: 'http1',
      async run(stage) {
        const { origin, front } = await stage.both(() => {});
        const client = await front.client();
        const exchanges = ['/1', '/2', '/3', '/4'].map((path) => client.start({ path }));
        await origin.request(4);
        const of = (target: string) => origin.requests.find((request) => request.target === target)?.socket;
        of('/3')?.end(text);
        assert.equal((await front.event(1)).url, '/3');
        const late = 'x'.repeat(100_000);
        of('/2')?.write(ok(late));
        of('/1')?.write(ok('first'));
        const answers = await Promise.all(exchanges.map(({ end }) => within(end, 'the end of all answers', 3_000)));
        assert.deepEqual(
          answers.map(({ complete, body }) => [complete, body.length]),
          [
            [true, 5],
            [true, late.length],
            [false, 0],
            [false, 0],
          ],
        );
        await client.closed;
        const flags = await Promise.all([1, 2, 3, 4].map((nth) => front.event(nth)));
        assert.deepEqual(flags.map((event) => `${event.url} ${event.flags}`).sort(), [
          '/1 --',
          '/2 --',
          '/3 SD',
          '/4 CH',
        ]);
      },
    }),
  ),
  {
    name: 'interim responses before their turn are in nobody’s way',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const client = await front.client();
      const exchanges = ['/1', '/2'].map((path) => client.start({ path }));
      await origin.request(2);
      const of = (target: string) => origin.requests.find((request) => request.target === target)?.socket;
      // Long enough to come in pieces: nothing may stand between the second answer's head and its body, either.
      const body = 'x'.repeat(40_000);
      of('/2')?.write(PROCESSING + HINTS + ok(body));
      assert.equal((await front.event(1)).url, '/2');
      of('/1')?.write(HINTS + ok('first'));
      const answers = await Promise.all(exchanges.map(({ end }) => end));
      assert.deepEqual(
        answers.map((answer) => [
          answer.body === 'first' || answer.body === body,
          answer.complete,
          answer.interim.length,
        ]),
        [
          [true, true, 1],
          [true, true, 0],
        ],
      );
    },
  },
  {
    name: 'a 100 waits for its turn, and its client sends nothing before',
    needs: ['http1', 'checkContinue'],
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const client = await front.client();
      const first = client.start({ path: '/1' });
      const second = client.start({ path: '/2', method: 'PUT', framing: 3, fields: EXPECT });
      await origin.request(2);
      const of = (target: string) => origin.requests.find((request) => request.target === target);
      of('/2')?.socket.write(CONTINUE);
      of('/1')?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      await first.until(() => first.answer.length === 5);
      assert.deepEqual([first.answer.interim.length, second.answer.interim.length], [0, 0]);
      of('/1')?.socket.write('hello');
      assert.equal((await first.end).body, 'hellohello');
      assert.equal((await second.interims(1))[0]?.status, 100);
      second.write('abc');
      second.finish();
      assert.equal(await of('/2')?.body(), 'abc');
      of('/2')?.socket.write(ok('second'));
      const answer = await second.end;
      assert.deepEqual([answer.body, answer.interim.length], ['second', 1]);
    },
  },
  {
    name: 'a 100 that was still waiting when its server died is not said for the next',
    needs: ['http1', 'checkContinue'],
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, { redispatch: false });
      const client = await front.client();
      const first = client.start({ path: '/1' });
      const second = client.start({ path: '/2', method: 'PUT', framing: 3, fields: EXPECT });
      await origin.request(2);
      const all = () => origin.requests.filter((request) => request.target === '/2');
      all()[0]?.socket.end(CONTINUE);
      await origin.request(3);
      origin.requests.find((request) => request.target === '/1')?.socket.write(ok('first'));
      assert.equal((await first.end).body, 'first');
      assert.equal(all()[1]?.field('expect'), '100-continue');
      all()[1]?.socket.write(response(417));
      const answer = await second.end;
      assert.deepEqual([answer.status, answer.interim.length], [417, 0]);
    },
  },
  {
    name: 'a body that the choice depends on is asked for at its turn',
    needs: ['http1', 'checkContinue'],
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, {
        balance: 'url_param id check_post',
        timeout: { client: 400 },
      });
      const client = await front.client();
      const first = client.start({ path: '/1' });
      const second = client.start({ path: '/2', method: 'POST', framing: 4, fields: EXPECT });
      const { socket } = await origin.request(1);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
      await first.until(() => first.answer.length === 5);
      assert.deepEqual([first.answer.interim.length, second.answer.interim.length], [0, 0]);
      socket.write('hello');
      assert.equal((await first.end).body, 'hellohello');
      assert.equal((await second.interims(1))[0]?.status, 100);
      second.write('id=1');
      second.finish();
      const request = await origin.request(2);
      assert.equal(await request.body(), 'id=1');
      request.socket.write(ok('second'));
      assert.equal((await second.end).body, 'second');
    },
  },
];
