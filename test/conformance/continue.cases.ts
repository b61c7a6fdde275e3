import assert from 'node:assert/strict';
import { ok, response, type Script } from '../support/origin.ts';
import type { Case } from './case.ts';

const EXPECT = [['Expect', '100-continue']] as const;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Architecture section 8: 100 is gated under attach; in a middleware Node has said it already. */
export const continueCases: readonly Case[] = [
  {
    name: 'the client hears 100 when the server has said so, and its body waits until then',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start({ method: 'POST', framing: 6, fields: EXPECT });
      const request = await origin.request(1);
      assert.deepEqual([request.field('expect'), request.field('content-length')], ['100-continue', '6']);
      assert.deepEqual([exchange.answer.interim.length, request.length], [0, 0]);
      request.socket.write(CONTINUE);
      assert.equal((await exchange.interims(1))[0]?.status, 100);
      exchange.write('abcdef');
      exchange.finish();
      assert.equal(await request.body(), 'abcdef');
      request.socket.write(ok());
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
    },
  },
  {
    name: 'a chunked body waits for the 100 too',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start({ method: 'PUT', framing: 'chunked', fields: EXPECT });
      const request = await origin.request(1);
      assert.equal(request.field('transfer-encoding'), 'chunked');
      request.socket.write(CONTINUE);
      await exchange.interims(1);
      exchange.write('abc');
      exchange.finish();
      assert.equal(await request.body(), 'abc');
      request.socket.write(ok());
      assert.equal((await exchange.end).status, 200);
    },
  },
  {
    name: 'an answer in place of 100 reaches the client, which need not send its body; nothing of it is taken for a request',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.socket.write(response(request.nth === 1 ? 413 : 200)),
      );
      const client = await front.client();
      const answer = await client.start({ method: 'POST', framing: 30, fields: EXPECT }).end;
      assert.deepEqual([answer.status, answer.interim.length], [413, 0]);
      if (stage.http1) {
        assert.equal(answer.field('connection'), 'close');
        await client.closed;
      }
      // That connection still owes the server a body.
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'a client that sends its body without waiting is not left hanging by a server that says no 100',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both();
      const answer = await front.send({ method: 'POST', body: 'abc', fields: EXPECT });
      assert.equal(answer.status, 200);
      assert.equal(await (await origin.request(1)).body(), 'abc');
    },
  },
  {
    name: 'a second 100 is nobody’s, and the body goes out once',
    needs: 'checkContinue',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      const exchange = await front.start({ method: 'PUT', framing: 6, fields: EXPECT });
      const request = await origin.request(1);
      request.socket.write(CONTINUE + CONTINUE);
      await exchange.interims(1);
      exchange.write('abc');
      while (request.length < 3) await new Promise((resolve) => request.socket.once('data', resolve));
      request.socket.write(CONTINUE);
      exchange.write('def');
      assert.equal(await request.body(), 'abcdef');
      request.socket.write(ok());
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
    },
  },
  {
    name: 'a server that dies before or after its 100 is replaced, and the client hears one 100',
    needs: 'checkContinue',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const promising = await stage.origin((request) => {
        request.socket.write(CONTINUE);
        void request.ended.then(() => request.socket.resetAndDestroy());
      });
      const alive = await stage.origin((request) => {
        request.socket.write(CONTINUE);
        return request.reply(ok());
      });
      const front = await stage.open({ servers: [dying.url, promising.url, alive.url] });
      const exchange = await front.start({ method: 'PUT', framing: 3, fields: EXPECT });
      await exchange.interims(1);
      exchange.write('abc');
      exchange.finish();
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
      assert.equal(await (await alive.request(1)).body(), 'abc');
      assert.equal((await front.event()).retries, 2);
    },
  },
  ...Object.entries<Script>({
    dies: ({ socket }) => socket.end(),
    'answers 503': ({ socket }) => socket.write(response(503)),
  }).map(
    ([does, script]): Case => ({
      name: `a POST whose server ${does} in place of its 100 goes to another, without losing a byte`,
      needs: 'checkContinue',
      async run(stage) {
        const failing = await stage.origin(script);
        const alive = await stage.origin((request) => {
          request.socket.write(CONTINUE);
          return request.reply(ok());
        });
        const front = await stage.open({ servers: [failing.url, alive.url], retryOn: 'empty-response 503' });
        const exchange = await front.start({ method: 'POST', framing: 200_000, fields: EXPECT });
        await exchange.interims(1);
        exchange.write('x'.repeat(200_000));
        exchange.finish();
        const answer = await exchange.end;
        assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
        assert.equal((await (await alive.request(1)).body()).length, 200_000);
        const { retries, bytesIn } = await front.event();
        assert.deepEqual([retries, bytesIn, failing.requests.length], [1, 200_000, 1]);
      },
    }),
  ),
  {
    name: 'a POST whose server has said 100 and dies is not sent again, though nothing of its body has come',
    needs: 'checkContinue',
    async run(stage) {
      const promising = await stage.origin((request) => request.socket.write(CONTINUE));
      const alive = await stage.origin();
      const front = await stage.open({ servers: [promising.url, alive.url] });
      const exchange = await front.start({ method: 'POST', framing: 3, fields: EXPECT });
      await exchange.interims(1);
      (await promising.request(1)).socket.resetAndDestroy();
      assert.equal((await exchange.end).status, 502);
      assert.equal(alive.requests.length, 0);
    },
  },
  {
    name: 'a POST of no bytes is whole with its head, whatever it expects: not sent again',
    needs: 'checkContinue',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.end());
      const alive = await stage.origin();
      const front = await stage.open({ servers: [dying.url, alive.url] });
      assert.equal((await front.send({ method: 'POST', framing: 0, fields: EXPECT })).status, 502);
      assert.equal(alive.requests.length, 0);
    },
  },
  {
    name: 'no usable server: 503 without any 100',
    needs: 'checkContinue',
    async run(stage) {
      const front = await stage.open({});
      const answer = await front.send({ method: 'POST', framing: 3, fields: EXPECT });
      assert.deepEqual([answer.status, answer.interim.length], [503, 0]);
    },
  },
  {
    name: 'a client that waits for 100 in vain is not told to hurry: 504 from the server, not 408',
    needs: 'checkContinue',
    async run(stage) {
      const { front } = await stage.both(() => {}, { timeout: { server: 100, client: 60 } });
      const answer = await front.send({ method: 'POST', framing: 3, fields: EXPECT });
      assert.deepEqual([answer.status, answer.interim.length], [504, 0]);
    },
  },
  {
    name: 'in a middleware Node has said 100, and Expect is not sent on',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both((request) => request.ended.then(() => request.reply(CONTINUE + ok())));
      const exchange = await front.start({ method: 'POST', framing: 3, fields: EXPECT });
      assert.equal((await exchange.interims(1))[0]?.status, 100);
      exchange.write('abc');
      exchange.finish();
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
      assert.equal((await origin.request(1)).field('expect'), undefined);
    },
  },
];
