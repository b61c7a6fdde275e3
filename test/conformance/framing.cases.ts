import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { seededRandom } from '../support/virtual-clock.ts';
import type { Case } from './case.ts';

/** Sizes around every limit of buffers, strings and high-water marks. */
const SIZES = [1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 300_000];

const random = seededRandom(11);
const NOISE = Buffer.from(Uint8Array.from({ length: 300_000 }, () => Math.floor(random() * 256)));

function noise(size: number): Buffer {
  return NOISE.subarray(NOISE.length - size);
}

/** In chunks of sizes that are no round numbers. */
function inChunks(body: Buffer): string {
  let text = '';
  for (let at = 0, size = 1; at < body.length; at += size, size = Math.min(size * 3 + 1, 20_000)) {
    const chunk = body.toString('latin1', at, at + size);
    text += `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
  }
  return `${text}0\r\n\r\n`;
}

/** Architecture section 8: framing is decided by us, never inherited. */
export const framingCases: readonly Case[] = [
  {
    name: 'a request without a body goes out without fields of a body',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const method of ['GET', 'DELETE', 'OPTIONS', 'HEAD', 'POST'])
        assert.equal((await front.send({ method })).status, 200);
      for (const request of origin.requests)
        assert.deepEqual([...request.values('content-length'), ...request.values('transfer-encoding')], []);
    },
  },
  {
    name: 'a length that is announced goes out as it is, once, and so many bytes',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const body of ['', 'a', 'caf\xe9\0\r\n\r\n', 'x'.repeat(100_000)])
        assert.equal((await front.send({ method: 'POST', body })).status, 200);
      assert.deepEqual(
        origin.requests.map((request) => request.values('content-length')),
        // Over HTTP/2 an empty body is announced like any other.
        [['0'], ['1'], ['9'], ['100000']],
      );
      assert.deepEqual(await Promise.all(origin.requests.map((request) => request.body())), [
        '',
        'a',
        'caf\xe9\0\r\n\r\n',
        'x'.repeat(100_000),
      ]);
    },
  },
  {
    name: 'a body without a length goes out chunked, whatever the method',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const method of ['POST', 'PUT', 'GET', 'DELETE', 'OPTIONS', 'PATCH']) {
        const answer = await front.send({
          method,
          framing: 'chunked',
          body: 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n',
        });
        assert.equal(answer.status, 200, method);
      }
      assert.equal(origin.requests.length, 6); // nothing of a body was taken for a request
      for (const request of origin.requests) {
        assert.deepEqual([request.field('transfer-encoding'), request.field('content-length')], ['chunked', undefined]);
        assert.equal(await request.body(), 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n');
      }
    },
  },
  {
    name: 'an empty body without a length is an empty body',
    async run(stage) {
      const { origin, front } = await stage.both();
      const exchange = await front.start({ method: 'POST', framing: 'chunked' });
      exchange.finish();
      assert.equal((await exchange.end).status, 200);
      assert.equal(await (await origin.request(1)).body(), '');
    },
  },
  {
    name: 'request bodies of all sizes arrive to the byte, with a length and without',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.client();
      for (const size of SIZES) {
        assert.equal((await client.send({ method: 'POST', body: noise(size) })).status, 200);
        assert.equal((await client.send({ method: 'PUT', body: noise(size), framing: 'chunked' })).status, 200);
      }
      for (const [index, { bytes }] of origin.requests.entries())
        assert.ok(bytes.equals(noise(SIZES[index >> 1] ?? 0)), `request ${index}`);
    },
  },
  {
    name: 'a body that comes piece by piece goes on piece by piece',
    async run(stage) {
      const { origin, front } = await stage.both();
      const exchange = await front.start({ method: 'POST', framing: 'chunked' });
      exchange.write('one');
      const request = await origin.request(1);
      while (request.length < 3) await new Promise((resolve) => request.socket.once('data', resolve));
      exchange.write('two');
      while (request.length < 6) await new Promise((resolve) => request.socket.once('data', resolve));
      assert.equal(exchange.answer.ended, undefined);
      exchange.finish();
      assert.equal((await exchange.end).status, 200);
      assert.equal(await request.body(), 'onetwo');
    },
  },
  {
    name: 'a request of two lengths, or of a length and chunks, reaches no server',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const fields of [
        'Content-Length: 3\r\nContent-Length: 4',
        'Content-Length: 3\r\nContent-Length: 3',
        'Content-Length: 3\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding: chunked\r\nContent-Length: 3',
        'Content-Length: 3, 3',
        'Content-Length: +3',
        'Content-Length: 0x3',
        'Content-Length: ',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
        'Transfer-Encoding : chunked',
        'Transfer-Encoding: chunked, identity',
      ]) {
        const client = await front.raw();
        const answer = await client.sendRaw(`POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
        assert.ok([400, 501].includes(answer.status), `${fields}: ${answer.status}`);
        client.leave();
      }
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: 'a body shorter than its length never looks whole to the server',
    async run(stage) {
      const { origin, front } = await stage.both();
      const client = await front.client();
      const exchange = client.start({ method: 'POST', framing: 10 });
      exchange.write('abc');
      const request = await origin.request(1);
      client.leave();
      assert.equal(await request.ended, false);
      assert.equal((await front.event()).status, 499);
    },
  },
  {
    name: 'response bodies of all sizes arrive to the byte: with a length, in chunks, up to the end of the connection',
    async run(stage) {
      const { origin, front } = await stage.both((request) => {
        const [, kind, size] = request.target.split('/');
        const body = noise(Number(size));
        if (kind === 'length')
          void request.reply(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${body.toString('latin1')}`);
        else if (kind === 'chunked')
          void request.reply(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${inChunks(body)}`);
        else request.socket.end(`HTTP/1.1 200 OK\r\n\r\n${body.toString('latin1')}`, 'latin1');
      });
      const client = await front.client();
      for (const kind of ['length', 'chunked', 'close']) {
        for (const size of SIZES) {
          const answer = await client.send({ path: `/${kind}/${size}` });
          assert.ok(answer.complete && answer.bytes.equals(noise(size)), `${kind} ${size}: ${answer.length}`);
          if (kind === 'length') assert.equal(answer.field('content-length'), String(size));
        }
      }
      assert.equal(origin.requests.length, 3 * SIZES.length);
    },
  },
  {
    name: 'an empty response is whole: length 0, no chunk, an ended connection',
    async run(stage) {
      const { front } = await stage.both((request) => {
        if (request.target === '/length') void request.reply('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        if (request.target === '/chunked')
          void request.reply('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
        if (request.target === '/close') request.socket.end('HTTP/1.1 200 OK\r\n\r\n');
      });
      for (const path of ['/length', '/chunked', '/close']) {
        const answer = await front.send({ path });
        assert.deepEqual([answer.status, answer.complete, answer.length], [200, true, 0], path);
      }
    },
  },
  {
    name: 'a response to HEAD keeps its length and has no body; the connection serves on',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.reply(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${request.method === 'HEAD' ? '' : 'hello'}`),
      );
      const client = await front.client();
      const head = await client.send({ method: 'HEAD' });
      assert.deepEqual([head.status, head.field('content-length'), head.body], [200, '5', '']);
      assert.equal((await client.send()).body, 'hello');
      assert.equal(origin.connections.length, 1);
    },
  },
  {
    name: 'a GET that a middleware has made a HEAD leaves no client waiting for a body',
    needs: ['http1', 'before'],
    async run(stage) {
      const { front } = await stage.both(
        (request) => request.reply('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'),
        {},
        { before: [(request, _response, next) => next(void (request.method = 'HEAD'))] },
      );
      assert.equal((await front.send()).ended, 'closed');
      const answer = await front.send({ method: 'HEAD' });
      assert.deepEqual([answer.status, answer.field('content-length'), answer.complete], [200, '5', true]);
    },
  },
  {
    name: 'a method that would be more than one is a 400 and reaches no server',
    needs: ['http1', 'before'],
    async run(stage) {
      const { origin, front } = await stage.both(
        undefined,
        {},
        { before: [(request, _response, next) => next(void (request.method = 'GET /evil HTTP/1.1\r\n\r\nGET'))] },
      );
      assert.equal((await front.send()).status, 400);
      assert.equal(origin.requests.length, 0);
    },
  },
  {
    name: '204 and 304 have no body, and 204 no length',
    async run(stage) {
      const { front } = await stage.both((request) => {
        if (request.target === '/204') void request.reply('HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n');
        if (request.target === '/204-length')
          void request.reply('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n');
        if (request.target === '/304')
          void request.reply('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\nX-A: 1\r\n\r\n');
      });
      const client = await front.client();
      for (const path of ['/204', '/204-length', '/304']) {
        const answer = await client.send({ path });
        assert.deepEqual([answer.status, answer.complete, answer.field('x-a')], [Number(path.slice(1, 4)), true, '1']);
        assert.equal(answer.field('content-length'), path === '/304' ? '5' : undefined);
      }
    },
  },
  {
    name: 'what comes behind a whole response is dropped with its connection',
    async run(stage) {
      const { origin, front } = await stage.both((request) =>
        request.reply(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`),
      );
      const client = await front.client();
      for (let i = 1; i <= 3; i++) {
        assert.equal((await client.send()).body, 'ok');
        await (await origin.connection(i)).closed;
      }
      assert.equal(origin.connections.length, 3);
    },
  },
  {
    name: 'to an HTTP/1.0 client nothing is chunked, and it is told when the connection stays',
    needs: 'http1',
    async run(stage) {
      const { front } = await stage.both((request) => {
        if (request.target === '/length') void request.reply('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else void request.reply('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n');
      });
      const client = await front.raw();
      const kept = await client.send({ version: '1.0', path: '/length', fields: [['Connection', 'keep-alive']] });
      assert.deepEqual([kept.body, kept.field('connection')], ['ok', 'keep-alive']);
      const chunked = await client.send({ version: '1.0', path: '/chunked', fields: [['Connection', 'keep-alive']] });
      assert.deepEqual(
        [chunked.body, chunked.field('transfer-encoding'), chunked.complete, chunked.trailers],
        ['ok', undefined, true, []],
      );
      const answer = await front.send({ version: '1.0', path: '/length', host: null });
      assert.deepEqual([answer.body, answer.field('connection')], ['ok', 'close']);
    },
  },
];
