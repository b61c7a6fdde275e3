import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import compression from 'compression';
import type { Handler } from '../support/fronts.ts';
import { ok } from '../support/origin.ts';
import type { Case } from './case.ts';

/** Targets, fields set before, and middleware in front: issue section 5, architecture section 2. */
export const mountingCases: readonly Case[] = [
  {
    name: 'the target is sent byte for byte',
    async run(stage) {
      const { origin, front } = await stage.both();
      const targets = [
        '/',
        '/a/../b/./c//d',
        '/%41%2f%2F%00?x=%zz&y',
        "/a;b=c,d:e@f!$&'()*+=~-._",
        '/?',
        '/??a?b=/c',
        '//evil.example/a',
        '///a',
        '/a"b<c>d\\e^f`g{h|i}j',
        `/${'x'.repeat(8_000)}`,
      ];
      for (const path of targets) assert.equal((await front.send({ path })).status, 200, path);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        targets,
      );
    },
  },
  {
    name: 'the path of the mount is removed, whatever follows it',
    needs: 'mount',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { mount: '/api' });
      for (const path of ['/api', '/api/', '/api/a?b=/api', '/api?x=1', '/api/api'])
        assert.equal((await front.send({ path })).status, 200, path);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        ['/', '/', '/a?b=/api', '/?x=1', '/api'],
      );
      assert.equal((await front.send({ path: '/apis' })).status, 404);
    },
  },
  {
    name: 'stripPrefix false keeps the path of the mount',
    needs: 'mount',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {}, { mount: '/api', middleware: { stripPrefix: false } });
      for (const path of ['/api', '/api/a?b']) assert.equal((await front.send({ path })).status, 200);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        ['/api', '/api/a?b'],
      );
    },
  },
  {
    name: 'rewriteUrl gives the target; one that fails or gives junk is a 400 or 500 and not a crash',
    async run(stage) {
      const rewriteUrl = (url: string): string => {
        if (url === '/throw') throw new Error('oops');
        return url === '/junk' ? '/a b\r\nX-Evil: 1' : `/v2${url}`;
      };
      const { origin, front } = await stage.both(undefined, {}, { middleware: { rewriteUrl }, attach: { rewriteUrl } });
      assert.equal((await front.send({ path: '/a?b' })).status, 200);
      assert.equal((await front.send({ path: '/junk' })).status, 400);
      assert.match(String((await front.send({ path: '/throw' })).status), /^[45]00$/);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        ['/v2/a?b'],
      );
      assert.equal(front.faults[0]?.sample, 'rewriteUrl');
    },
  },
  {
    name: 'fields set before stay; where the server has one too both are sent, Set-Cookie above all',
    needs: 'before',
    async run(stage) {
      const before: Handler = (_request, response, next) => {
        response.setHeader('x-request-id', 'r1');
        response.setHeader('set-cookie', ['session=1', 'csrf=2']);
        response.setHeader('vary', 'origin');
        response.setHeader('content-type', 'text/x-before');
        next();
      };
      const { front } = await stage.both(
        (request) =>
          request.reply(
            'HTTP/1.1 200 OK\r\nSet-Cookie: a=3\r\nSet-Cookie: b=4\r\nVary: accept\r\nContent-Type: text/plain\r\nX-Server: 1\r\nContent-Length: 2\r\n\r\nok',
          ),
        {},
        { before: [before] },
      );
      const answer = await front.send();
      assert.deepEqual(answer.values('set-cookie'), ['session=1', 'csrf=2', 'a=3', 'b=4']);
      assert.deepEqual(answer.values('vary').join(', '), 'origin, accept');
      assert.deepEqual(
        [answer.field('x-request-id'), answer.field('x-server'), answer.field('content-type'), answer.body],
        ['r1', '1', 'text/plain', 'ok'],
      );
    },
  },
  {
    name: 'repeated fields of a response keep their lines',
    async run(stage) {
      const { front } = await stage.both((request) =>
        request.reply(
          'HTTP/1.1 200 OK\r\nSet-Cookie: a=1, x\r\nWarning: 1 a\r\nset-cookie: b=2\r\nWarning: 2 b\r\nContent-Length: 2\r\n\r\nok',
        ),
      );
      const answer = await front.send();
      assert.deepEqual(answer.values('set-cookie'), ['a=1, x', 'b=2']);
      assert.deepEqual(answer.values('warning'), ['1 a', '2 b']);
    },
  },
  {
    name: 'fields set before are in our own answers too',
    needs: 'before',
    async run(stage) {
      const before: Handler = (_request, response, next) => {
        response.setHeader('x-request-id', 'r1');
        response.setHeader('content-encoding', 'gzip');
        next();
      };
      const front = await stage.open({}, { before: [before] });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.field('x-request-id')], [503, 'r1']);
      assert.deepEqual([answer.field('content-encoding'), answer.body], [undefined, '503 Service Unavailable\n']);
    },
  },
  {
    name: 'an auth middleware that deletes, changes and adds fields is obeyed',
    needs: 'before',
    async run(stage) {
      const auth: Handler = (request, _response, next) => {
        const { headers } = request;
        delete headers['authorization'];
        headers['x-role'] = 'user';
        headers['x-user'] = 'zo\xeb';
        headers['x-groups'] = ['a', 'b'] as never;
        headers['cookie'] = headers['cookie']?.replace(/secret=[^;]*; /, '');
        next();
      };
      const { origin, front } = await stage.both(undefined, {}, { before: [auth] });
      const fields = [
        ['Authorization', 'Bearer t'],
        ['X-Role', 'admin'],
        ['X-Role', 'root'],
        ['Cookie', 'secret=1; a=2'],
        ['X-Stays', '3'],
      ] as const;
      assert.equal((await front.send({ fields })).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(
        ['authorization', 'x-role', 'x-user', 'cookie', 'x-stays'].map((name) => request.values(name)),
        [[], ['user'], ['zo\xeb'], ['a=2'], ['3']],
      );
      assert.equal(request.values('x-groups').join(', '), 'a, b');
    },
  },
  {
    name: 'a middleware that sets what cannot be sent gets a 400 or 500 for its client, and no smuggled field',
    needs: 'before',
    async run(stage) {
      for (const [name, value] of [
        ['x-a', 'a\r\nX-Evil: 1'],
        ['x-a', 'a\nb'],
        ['x-a', 'a\0b'],
        ['x-a', 'snow\u2603'],
        ['x b', '1'],
        ['x:b', '1'],
      ] as const) {
        const before: Handler = (request, _response, next) => {
          request.headers[name] = value;
          next();
        };
        const { origin, front } = await stage.both(undefined, {}, { before: [before] });
        const answer = await front.send();
        assert.match(String(answer.status), /^[45]00$/, JSON.stringify([name, value]));
        assert.equal(origin.requests.length, 0);
      }
    },
  },
  {
    name: 'a middleware that sets framing fields, in any case of letters, does not change the framing',
    needs: 'before',
    async run(stage) {
      const before: Handler = (request, _response, next) => {
        Object.assign(request.headers, { 'Content-Length': '1', 'Transfer-Encoding': 'chunked', Host: 'b', TE: 'x' });
        next();
      };
      const { origin, front } = await stage.both(undefined, {}, { before: [before] });
      assert.equal((await front.send({ method: 'POST', body: 'abc' })).status, 200);
      const request = await origin.request(1);
      assert.equal(await request.body(), 'abc');
      const names = ['content-length', 'transfer-encoding', 'host', 'te'];
      assert.deepEqual(
        names.map((name) => request.values(name)),
        [['3'], [], ['front.test'], []],
      );
    },
  },
  {
    name: 'a middleware that answers itself is left in peace',
    needs: 'before',
    async run(stage) {
      const before: Handler = (request, response, next) => {
        if (request.url !== '/mine') return next();
        response.statusCode = 201;
        response.end('mine');
      };
      const { origin, front } = await stage.both(undefined, {}, { before: [before] });
      assert.equal((await front.send({ path: '/mine' })).body, 'mine');
      assert.equal((await front.send()).body, 'ok');
      assert.equal(origin.requests.length, 1);
    },
  },
  {
    name: 'a middleware that answers while the server is at work is no crash',
    needs: 'before',
    async run(stage) {
      let answerNow = (): void => {};
      const before: Handler = (_request, response, next) => {
        answerNow = () => {
          response.statusCode = 503;
          response.end('too late');
        };
        next();
      };
      const { origin, front } = await stage.both(() => {}, {}, { before: [before] });
      const exchange = await front.start();
      const { socket } = await origin.request(1);
      answerNow();
      assert.equal((await exchange.end).body, 'too late');
      socket.write(ok());
      await front.event();
      assert.equal(front.stats().active, 0);
    },
  },
  {
    name: 'compression before it compresses',
    needs: 'before',
    async run(stage) {
      const body = 'all work and no play '.repeat(500);
      const { front } = await stage.both(
        (request) =>
          request.target === '/chunked'
            ? request.reply(
                `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
              )
            : request.reply(ok(body, { 'Content-Type': 'text/plain' })),
        {},
        { before: [compression({ threshold: 0 }) as unknown as Handler] },
      );
      for (const path of ['/', '/chunked']) {
        const answer = await front.send({ path, fields: [['Accept-Encoding', 'gzip']] });
        assert.deepEqual([answer.status, answer.complete, answer.field('content-encoding')], [200, true, 'gzip']);
        assert.equal(gunzipSync(answer.bytes).toString(), body);
        assert.ok(answer.length < body.length);
        assert.equal((await front.send({ path })).body, body);
      }
    },
  },
  {
    name: 'a big answer behind compression comes whole, however slowly its client reads',
    needs: 'before',
    async run(stage) {
      const body = Array.from({ length: 60_000 }, (_, index) => `line ${index * 7919}\n`).join('');
      const { front } = await stage.both(
        (request) => request.reply(ok(body, { 'Content-Type': 'text/plain' })),
        {},
        {
          before: [compression({ threshold: 0 }) as unknown as Handler],
        },
      );
      const exchange = await front.start({ fields: [['Accept-Encoding', 'gzip']] });
      await exchange.head;
      for (let i = 0; i < 5; i++) {
        exchange.pause();
        await new Promise((resolve) => setTimeout(resolve, 5)); // a reader that stops now and then
        exchange.resume();
      }
      assert.equal(gunzipSync((await exchange.end).bytes).toString(), body);
    },
  },
];
