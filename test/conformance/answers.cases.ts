import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ok, REFUSING, response } from '../support/origin.ts';
import type { Case } from './case.ts';

const NO_SERVER = { servers: [] } as const;

/** Architecture section 4: what a client gets in place of a server's answer. */
export const answersCases: readonly Case[] = [
  {
    name: 'an error is plain text, small, and names no server',
    async run(stage) {
      const front = await stage.open({ servers: [{ address: REFUSING, name: 'secret-name' }], retries: 0 });
      for (const accept of [undefined, 'text/html', '*/*', 'text/html, application/json']) {
        const answer = await front.send({ fields: accept === undefined ? [] : [['Accept', accept]] });
        assert.deepEqual([answer.status, answer.body], [503, '503 Service Unavailable\n'], accept);
        assert.match(answer.field('content-type') ?? '', /^text\/plain/);
        assert.equal(answer.field('cache-control'), 'no-cache');
        assert.doesNotMatch(JSON.stringify(answer.fields), /secret-name|127\.0\.0\.1/);
      }
    },
  },
  {
    name: 'an error is JSON for who asks for JSON and not for HTML',
    async run(stage) {
      const front = await stage.open(NO_SERVER);
      const answer = await front.send({ fields: [['Accept', 'application/json, */*;q=0.1']] });
      assert.match(answer.field('content-type') ?? '', /^application\/json/);
      assert.deepEqual(JSON.parse(answer.body), { status: 503, error: 'Service Unavailable', code: 'EK_NO_SERVER' });
    },
  },
  {
    name: 'an error to HEAD has no body; the connection serves on',
    async run(stage) {
      const front = await stage.open(NO_SERVER);
      const client = await front.client();
      const answer = await client.send({ method: 'HEAD' });
      assert.deepEqual([answer.status, answer.body], [503, '']);
      assert.equal((await client.send()).body, '503 Service Unavailable\n');
    },
  },
  {
    name: 'errorfiles: an answer, another status, a function',
    async run(stage) {
      const { origin, front } = await stage.both(({ socket }) => socket.end('junk\r\n\r\n'), {
        errorfiles: {
          502: { status: 500, headers: { 'content-type': 'text/html', 'x-a': ['1', '2'] }, body: '<h1>Sorry</h1>' },
          503: (context) => ({ body: `${context.method} ${context.url}` }),
        },
      });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body], [500, '<h1>Sorry</h1>']);
      assert.deepEqual(answer.values('x-a').join(', '), '1, 2');
      assert.equal(answer.field('content-type'), 'text/html');
      assert.equal(answer.field('content-length'), '14');
      front.pool.server('s1').setState('maint');
      assert.equal((await front.send({ path: '/a?b' })).body, 'GET /a?b');
      assert.equal(origin.requests.length, 1);
      assert.deepEqual([(await front.event(1)).status, (await front.event(2)).status], [500, 503]);
    },
  },
  {
    name: 'errorfiles: a file that holds a whole message',
    async run(stage) {
      const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      const file = join(folder, '503.http');
      writeFileSync(file, 'HTTP/1.0 503 Gone fishing\nContent-Type: text/html\nX-A: 1\n\n<h1>Back soon</h1>\n');
      const front = await stage.open({ errorfiles: { 503: { file } } });
      rmSync(folder, { recursive: true });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('x-a')], [503, '<h1>Back soon</h1>\n', '1']);
    },
  },
  {
    name: 'errorfiles: a function that fails is reported, and our own answer given',
    async run(stage) {
      const front = await stage.open({
        errorfiles: {
          503: () => {
            throw new Error('oops');
          },
        },
      });
      assert.deepEqual([(await front.send()).body, front.faults.length], ['503 Service Unavailable\n', 1]);
      assert.equal(front.faults[0]?.sample, 'errorfiles.503');
    },
  },
  {
    name: "a server's own error is passed on and not replaced",
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(response(503, 'mine', { 'Retry-After': '9' })), {
        errorfiles: { 503: { body: 'ours' } },
      });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('retry-after')], [503, 'mine', '9']);
    },
  },
  {
    name: "onUnavailable 'next': a second pool gets the request, its body unread",
    needs: 'next',
    async run(stage) {
      const spare = await stage.origin((request) => request.reply(ok('spare')));
      const second = await stage.open({ servers: [spare.url] });
      const unavailable = [
        { servers: [] },
        { servers: [{ address: spare.url, disabled: true }] },
        { servers: [REFUSING], retries: 0 },
      ];
      const behind = second.pool.middleware() as never;
      for (const options of unavailable) {
        const front = await stage.open(options, { middleware: { onUnavailable: 'next' }, behind });
        const body = 'x'.repeat(200_000);
        const answer = await front.send({ method: 'POST', body });
        assert.deepEqual([answer.status, answer.body], [200, 'spare']);
        assert.equal((await front.event()).flags, 'SC');
        const request = spare.requests.at(-1);
        assert.equal((await request?.body())?.length, 200_000);
      }
    },
  },
  {
    name: "onUnavailable 'next' when every server is full",
    needs: 'next',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await stage.open(
        { servers: [{ address: origin.url, maxconn: 1 }] },
        { middleware: { onUnavailable: 'next' } },
      );
      const first = await front.start();
      const { socket } = await origin.request(1);
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body], [404, 'nobody']);
      socket.write(ok());
      assert.equal((await first.end).status, 200);
    },
  },
  {
    name: "onUnavailable 'next' leaves other failures to us",
    needs: 'next',
    async run(stage) {
      const { front } = await stage.both(
        ({ socket }) => socket.end(),
        { retries: 0 },
        {
          middleware: { onUnavailable: 'next' },
        },
      );
      assert.equal((await front.send()).body, '502 Bad Gateway\n');
      assert.equal((await front.send({ method: 'POST', body: 'abc' })).status, 502);
    },
  },
  {
    name: 'without it nothing ever goes on to the next middleware',
    needs: 'next',
    async run(stage) {
      const front = await stage.open(NO_SERVER);
      assert.equal((await front.send()).status, 503);
    },
  },
  {
    name: "errorHandler 'next' hands failures to the framework's error handler",
    needs: 'errorHandler',
    async run(stage) {
      const { origin, front } = await stage.both(
        ({ socket }) => socket.end(),
        { retries: 0 },
        {
          middleware: { errorHandler: 'next' },
        },
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body], [599, 'EK_BAD_RESPONSE']);
      assert.equal((await front.event()).flags, 'SH');
      front.pool.server('s1').setState('maint');
      assert.equal((await front.send()).body, 'EK_NO_SERVER');
      assert.equal(origin.requests.length, 1);
    },
  },
];
