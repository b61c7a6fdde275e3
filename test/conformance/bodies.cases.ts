import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import express from 'express';
import type { Handler } from '../support/fronts.ts';
import type { Case } from './case.ts';

type Parsed = IncomingMessage & { body?: unknown; rawBody?: Buffer };

const json = express.json({ limit: '10mb' }) as unknown as Handler;
const urlencoded = express.urlencoded({ extended: true }) as unknown as Handler;
const raw = express.raw({ type: () => true }) as unknown as Handler;
const text = express.text({ type: () => true }) as unknown as Handler;
const keepingRaw = express.json({
  verify: (request, _response, buffer) => Object.assign(request, { rawBody: buffer }),
}) as unknown as Handler;

/** Reads a body and leaves nothing of it. */
const swallow: Handler = (request, _response, next) => {
  request.resume().on('end', () => next());
};

/** Reads the first piece and leaves the rest where it is. */
const nibble: Handler = async (request, _response, next) => {
  await once(request, 'data');
  request.pause();
  request.removeAllListeners('data');
  next();
};

const JSON_TYPE = [['Content-Type', 'application/json; charset=utf-8']] as const;
const FORM_TYPE = [['Content-Type', 'application/x-www-form-urlencoded']] as const;

/** Architecture section 8: requests that a framework has already read. */
export const bodiesCases: readonly Case[] = [
  {
    name: 'a body read by express.json() is sent again, its length counted anew',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [json] });
      const value = { name: 'Zo\xeb \u{1f600}', list: [1, null, true, { deep: '"' }] };
      const body = Buffer.from(JSON.stringify(value, null, 2));
      assert.equal((await front.send({ method: 'POST', body, fields: JSON_TYPE })).status, 200);
      const request = await origin.request(1);
      await request.ended;
      assert.deepEqual(JSON.parse(request.bytes.toString()), value);
      assert.equal(request.field('content-length'), String(Buffer.byteLength(JSON.stringify(value))));
      assert.equal(request.field('transfer-encoding'), undefined);
    },
  },
  {
    name: 'a body that came in chunks and was read is sent with its length',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [json] });
      const spec = { method: 'PUT', body: '{"a": 1}', framing: 'chunked', fields: JSON_TYPE } as const;
      assert.equal((await front.send(spec)).status, 200);
      const request = await origin.request(1);
      // Over HTTP/2 Express sees no body without a Content-Length, and leaves it to us unread.
      assert.equal(await request.body(), stage.http1 ? '{"a":1}' : '{"a": 1}');
      assert.equal(request.field('content-length'), stage.http1 ? '7' : undefined);
    },
  },
  {
    name: 'what a middleware has made of the body is what is sent',
    needs: 'before',
    async run(stage) {
      const change: Handler = (request, _response, next) => {
        (request as Parsed).body = { changed: true };
        next();
      };
      const { origin, front } = await stage.both(undefined, {}, { before: [json, change] });
      assert.equal((await front.send({ method: 'POST', body: '{"a":1}', fields: JSON_TYPE })).status, 200);
      assert.equal(await (await origin.request(1)).body(), '{"changed":true}');
    },
  },
  {
    name: 'a body that was inflated is sent inflated, without Content-Encoding',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [json] });
      const fields = [...JSON_TYPE, ['Content-Encoding', 'gzip']] as const;
      const body = gzipSync(JSON.stringify({ a: 'x'.repeat(500) }));
      assert.equal((await front.send({ method: 'POST', body, fields })).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(JSON.parse(await request.body()), { a: 'x'.repeat(500) });
      assert.equal(request.field('content-encoding'), undefined);
    },
  },
  {
    name: 'a body that was kept deflated is sent deflated, with Content-Encoding',
    needs: 'before',
    async run(stage) {
      const keep: Handler = async (request, _response, next) => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        (request as Parsed).rawBody = Buffer.concat(chunks);
        next();
      };
      const { origin, front } = await stage.both(undefined, {}, { before: [keep] });
      const body = gzipSync('hello');
      for (const framing of [body.length, 'chunked'] as const) {
        const fields = [['Content-Encoding', 'gzip']] as const;
        assert.equal((await front.send({ method: 'POST', body, framing, fields })).status, 200);
      }
      for (const request of origin.requests) {
        assert.ok((await request.ended) && request.bytes.equals(body));
        assert.equal(request.field('content-encoding'), 'gzip');
      }
    },
  },
  {
    name: 'a form read by express.urlencoded() is sent again, nested values and all',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [urlencoded] });
      const body = 'a=1&b%5Bc%5D=x%20y%26z&d%5B%5D=1&d%5B%5D=2&e=%C3%A9&f=';
      assert.equal((await front.send({ method: 'POST', body, fields: FORM_TYPE })).status, 200);
      const sent = new URLSearchParams(await (await origin.request(1)).body());
      const pairs = [...sent].map(([name, value]) => `${name.replace(/\[\d*\]$/, '')}=${value}`);
      assert.deepEqual(pairs, ['a=1', 'b[c]=x y&z', 'd=1', 'd=2', 'e=\u00e9', 'f=']);
    },
  },
  {
    name: 'a body kept as Buffer or text is sent to the byte',
    needs: 'before',
    async run(stage) {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, code) => code));
      const buffered = await stage.both(undefined, {}, { before: [raw] });
      await buffered.front.send({ method: 'POST', body: bytes, fields: [['Content-Type', 'image/png']] });
      assert.ok((await (await buffered.origin.request(1)).ended) && buffered.origin.requests[0]?.bytes.equals(bytes));
      const texts = await stage.both(undefined, {}, { before: [text] });
      const utf8 = Buffer.from('Zo\u00eb \u{1f600}');
      await texts.front.send({ method: 'POST', body: utf8, fields: [['Content-Type', 'text/plain; charset=utf-8']] });
      const latin1 = Buffer.from('Zo\xeb', 'latin1');
      const type = [['Content-Type', 'text/plain; charset=iso-8859-1']] as const;
      await texts.front.send({ method: 'POST', body: latin1, fields: type });
      const [first, second] = [await texts.origin.request(1), await texts.origin.request(2)];
      assert.deepEqual([await first.ended, await second.ended], [true, true]);
      assert.deepEqual([first.bytes, second.bytes], [utf8, latin1]);
    },
  },
  {
    name: 'rawBody comes before body: the exact bytes are sent',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [keepingRaw] });
      const body = '{ "a" : 1.0, "a": 1.00 }';
      assert.equal((await front.send({ method: 'POST', body, fields: JSON_TYPE })).status, 200);
      assert.equal(await (await origin.request(1)).body(), body);
    },
  },
  {
    name: 'a request without a body stays one behind parsers',
    needs: 'before',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { before: [json, urlencoded] });
      assert.equal((await front.send({ method: 'GET', fields: JSON_TYPE })).status, 200);
      assert.equal((await front.send({ method: 'POST', body: '', fields: JSON_TYPE })).status, 200);
      const [get, post] = [await origin.request(1), await origin.request(2)];
      assert.deepEqual([get.field('content-length'), get.field('transfer-encoding')], [undefined, undefined]);
      assert.deepEqual([post.field('content-length'), await post.body()], ['0', '']);
    },
  },
  {
    name: 'a body that was read is sent again to another server',
    needs: 'before',
    async run(stage) {
      const dying = await stage.origin(async ({ ended, socket }) => (await ended) && socket.end());
      const alive = await stage.origin();
      const servers = [dying.url, alive.url];
      const front = await stage.open({ servers, bufferBody: 0 }, { before: [json] });
      assert.equal((await front.send({ method: 'PUT', body: '{"a": 1}', fields: JSON_TYPE })).status, 200);
      assert.equal(await (await alive.request(1)).body(), '{"a":1}');
    },
  },
  {
    name: 'a body that is gone or half gone is a 500 that says so, never a hang',
    needs: 'before',
    async run(stage) {
      const type = [
        ['Content-Type', 'multipart/form-data; boundary=b'],
        ['Accept', 'application/json'],
      ] as const;
      for (const [index, before] of [swallow, nibble].entries()) {
        const { origin, front } = await stage.both(undefined, {}, { before: [before] });
        const client = await front.client();
        const answer = await client.send({ method: 'POST', body: 'x'.repeat(100_000), fields: type });
        assert.deepEqual([answer.status, answer.complete], [500, true], `${index}`);
        assert.equal((JSON.parse(answer.body) as { code: unknown }).code, 'EK_BODY_CONSUMED');
        assert.equal((await front.event()).flags, 'IH');
        assert.equal(origin.requests.length, 0);
      }
    },
  },
  {
    name: 'a parsed body of another type than JSON or a form is not guessed at: 500',
    needs: 'before',
    async run(stage) {
      const parse: Handler = (request, response, next) =>
        swallow(request, response, () => {
          (request as Parsed).body = { field: 'value' };
          next();
        });
      const { front } = await stage.both(undefined, {}, { before: [parse] });
      for (const type of ['multipart/form-data; boundary=b', 'text/xml', 'application/octet-stream'])
        assert.equal((await front.send({ method: 'POST', body: 'abc', fields: [['Content-Type', type]] })).status, 500);
    },
  },
];
