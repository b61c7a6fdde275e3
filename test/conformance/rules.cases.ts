import assert from 'node:assert/strict';
import type { Case } from './case.ts';

const TWO_COOKIES = 'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: x\r\nContent-Length: 2\r\n\r\nok';

/** `httpRequest` and `httpResponse` rules: setHeader, addHeader, delHeader, call. */
export const rulesCases: readonly Case[] = [
  {
    name: 'request rules apply in their order, and only where their condition holds',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        httpRequest: [
          { setHeader: ['x-env', 'prod'] },
          { addHeader: ['X-List', 'mine'] },
          { delHeader: 'x-role' },
          { setHeader: ['x-path', (context) => context.url] },
          { setHeader: ['x-none', () => undefined] },
          { setHeader: ['x-never', '1'], if: () => false },
          { setHeader: ['x-post', '1'], if: (context) => context.method === 'POST' },
          {
            call: ({ headers }) => {
              headers['x-call'] = [`${headers['x-env']}`, 'two'];
            },
          },
        ],
      });
      const fields = [
        ['X-Env', 'test'],
        ['X-List', 'theirs'],
        ['X-Role', 'admin'],
        ['X-Twice', '1'],
        ['X-Twice', '2'],
      ] as const;
      assert.equal((await front.send({ method: 'POST', path: '/a?b', body: 'abc', fields })).status, 200);
      const request = await origin.request(1);
      const names = ['x-env', 'x-list', 'x-role', 'x-path', 'x-none', 'x-never', 'x-post', 'x-call', 'x-twice'];
      assert.deepEqual(
        names.map((name) => request.values(name)),
        [['prod'], ['theirs', 'mine'], [], ['/a?b'], [], [], ['1'], ['prod', 'two'], ['1', '2']],
      );
      assert.equal(await request.body(), 'abc');
    },
  },
  {
    name: 'a request rule that fails is reported and left out',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        httpRequest: [
          {
            call: () => {
              throw new Error('oops');
            },
          },
          { setHeader: ['x-a', () => 'a\r\nX-Evil: 1'] },
          { setHeader: ['x-b', '1'] },
        ],
      });
      assert.equal((await front.send()).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(
        ['x-a', 'x-evil', 'x-b'].map((name) => request.field(name)),
        [undefined, undefined, '1'],
      );
      assert.deepEqual(
        front.faults.map(({ sample }) => sample),
        ['httpRequest[0].call', 'httpRequest[1].setHeader'],
      );
    },
  },
  {
    name: 'request rules change nothing for the framework',
    needs: 'before',
    async run(stage) {
      let kept: unknown;
      const { front } = await stage.both(
        undefined,
        { httpRequest: [{ delHeader: 'x-a' }] },
        {
          before: [
            (request, response, next) => {
              response.on('finish', () => {
                kept = request.headers['x-a'];
              });
              next();
            },
          ],
        },
      );
      assert.equal((await front.send({ fields: [['X-A', '1']] })).status, 200);
      await front.event();
      assert.equal(kept, '1');
    },
  },
  {
    name: 'response rules apply in their order',
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(TWO_COOKIES), {
        httpResponse: [
          { delHeader: 'server' },
          { setHeader: ['strict-transport-security', 'max-age=1'] },
          { addHeader: ['set-cookie', 'c=3'] },
          { setHeader: ['x-status', (context) => String(context.response.status)] },
          {
            call: ({ response, url }) => {
              response.headers['x-url'] = url;
              response.status = 201;
            },
          },
        ],
      });
      const answer = await front.send({ path: '/a' });
      assert.deepEqual(answer.values('set-cookie'), ['a=1', 'b=2', 'c=3']);
      assert.deepEqual(
        [
          answer.status,
          answer.body,
          ...['server', 'strict-transport-security', 'x-status', 'x-url'].map((name) => answer.field(name)),
        ],
        [201, 'ok', undefined, 'max-age=1', '200', '/a'],
      );
    },
  },
  {
    name: 'a response rule that fails, or sets what cannot be sent, is no crash and no smuggled field',
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(TWO_COOKIES), {
        httpResponse: [
          {
            call: () => {
              throw new Error('oops');
            },
          },
          {
            call: ({ response }) => {
              response.headers['x-a'] = 'a\r\nX-Evil: 1';
              response.headers['x b'] = '1';
              response.headers['x-snow'] = '\u2603';
              response.headers['content-length'] = '99';
              response.headers['transfer-encoding'] = 'chunked';
              response.headers['connection'] = 'x-b';
              response.status = 100;
            },
          },
          { setHeader: ['x-c', '1'] },
        ],
      });
      const answer = await front.send();
      assert.ok(answer.complete, `${answer.status} ${answer.ended}`);
      assert.equal(answer.field('x-evil'), undefined);
      if (answer.status === 200) assert.deepEqual([answer.body, answer.field('x-c')], ['ok', '1']);
      else assert.ok(answer.status >= 500);
      assert.ok(front.faults.length >= 1);
      assert.equal((await front.event()).status, answer.status);
    },
  },
  {
    name: 'rules that touch framing fields in a call do not change the framing',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        httpRequest: [
          {
            call: ({ headers }) => {
              headers['content-length'] = '1';
              headers['transfer-encoding'] = 'gzip';
              headers['connection'] = 'close';
            },
          },
        ],
      });
      assert.equal((await front.send({ method: 'POST', body: 'abc' })).status, 200);
      const request = await origin.request(1);
      assert.equal(await request.body(), 'abc');
      assert.deepEqual(
        ['content-length', 'transfer-encoding', 'connection'].map((name) => request.field(name)),
        ['3', undefined, undefined],
      );
    },
  },
];
