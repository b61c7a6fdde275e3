import assert from 'node:assert/strict';
import type { Case } from './case.ts';

/** Whole requests on the wire that must not reach a server as they are. */
const REFUSED: Readonly<Record<string, string>> = {
  'two Host fields': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'the same Host twice': 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'a space in Host': 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
  'user info in Host': 'GET / HTTP/1.1\r\nHost: user@a\r\n\r\n',
  'a path in Host': 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'a control in Host': 'GET / HTTP/1.1\r\nHost: a\x01b\r\n\r\n',
  'an absolute target of another host': 'GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'an absolute target of another scheme': 'GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'an absolute target with user info': 'GET http://u@a/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'an authority as target': 'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target without a slash': 'GET x HTTP/1.1\r\nHost: a\r\n\r\n',
  'a star with GET': 'GET * HTTP/1.1\r\nHost: a\r\n\r\n',
  'a fragment in the target': 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a control in the target': 'GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a byte beyond ASCII in the target': 'GET /caf\xe9 HTTP/1.1\r\nHost: a\r\n\r\n',
  'a tab in the target': 'GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n',
  'no version': 'GET /\r\nHost: a\r\n\r\n',
  'a version of its own': 'GET / HTTP/3.0\r\nHost: a\r\n\r\n',
  'a NUL in a value': 'GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n',
  'a bare CR in a value': 'GET / HTTP/1.1\r\nHost: a\r\nX-A: a\rb\r\n\r\n',
  'a folded line': 'GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n',
  'a space before a colon': 'GET / HTTP/1.1\r\nHost: a\r\nX-A : 1\r\n\r\n',
  'a coding other than chunked': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n',
  'a coding before chunked': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'chunks in HTTP/1.0': 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a negative length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n',
  'fields of 100 kB': `GET / HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`,
};

/** Rests of what is said to be chunked. */
const BAD_CHUNKS = [
  'zz\r\nabc\r\n0\r\n\r\n',
  '3\r\nabcd\r\n0\r\n\r\n',
  '-1\r\n',
  '3\nabc\n0\n\n',
  `${'f'.repeat(17)}\r\n`,
];

/** Nothing that a client sends may crash, hang, or reach a server as two things. */
export const hostileCases: readonly Case[] = [
  {
    name: 'hostile heads are refused, and no server hears of them',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const [name, bytes] of Object.entries(REFUSED)) {
        const client = await front.raw();
        const answer = await client.sendRaw(bytes);
        assert.notEqual(answer.ended, 'hang', name);
        assert.ok(answer.status === 0 || (answer.status >= 400 && answer.status <= 501), `${name}: ${answer.status}`);
        client.leave();
        client.unasked = ''; // of what follows the bad part a server may say once more that it is bad
      }
      assert.deepEqual(
        origin.requests.map(({ target, fields }) => [target, fields]),
        [],
      );
      assert.equal((await front.send()).status, 200);
    },
  },
  {
    name: 'hostile chunks never look whole to a server',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both(() => {});
      for (const [index, chunks] of BAD_CHUNKS.entries()) {
        const client = await front.raw();
        const answer = await client.sendRaw(
          `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
          'POST',
        );
        assert.notEqual(answer.ended, 'hang', chunks);
        client.leave();
        const request = origin.requests[index];
        if (request) assert.equal(await request.ended, false, chunks);
      }
    },
  },
  {
    name: 'absolute targets are sent in origin form',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const spec = { host: 'front.test' };
      const paths = [
        'http://front.test/a?b',
        'http://front.test:80/a',
        'HTTP://FRONT.test',
        'https://front.test:443?c',
      ];
      for (const path of paths) assert.equal((await front.send({ ...spec, path })).status, 200, path);
      assert.deepEqual(
        origin.requests.map(({ target }) => target),
        ['/a?b', '/a', '/', '/?c'],
      );
      assert.deepEqual([...new Set(origin.requests.map((request) => request.field('host')))], ['front.test']);
    },
  },
  {
    name: 'OPTIONS * is sent as it is',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const answer = await front.send({ method: 'OPTIONS', path: '*' });
      // Frameworks that route by path may have no route for it.
      if (answer.status === 200) assert.equal(origin.requests[0]?.target, '*');
      else assert.ok(answer.status >= 400 && answer.complete);
    },
  },
  {
    name: 'repeated fields of a request keep their lines, singletons stay single, cookies pass',
    async run(stage) {
      const { origin, front } = await stage.both();
      const fields = [
        ['X-A', '1, 2'],
        ['Accept', 'text/html'],
        ['X-A', '3'],
        ['Accept', 'text/plain'],
        ['Cookie', 'a=1'],
        ['Cookie', 'b=2'],
      ] as const;
      assert.equal((await front.send({ fields })).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(request.values('x-a'), ['1, 2', '3']);
      assert.deepEqual(request.values('accept'), ['text/html', 'text/plain']);
      assert.equal(request.values('cookie').join('; '), 'a=1; b=2');
    },
  },
  {
    name: 'a field of which there is one is sent once',
    needs: 'http1',
    async run(stage) {
      const { origin, front } = await stage.both();
      const fields = [
        ['Authorization', 'Bearer mine'],
        ['Authorization', 'Bearer other'],
        ['Content-Type', 'text/plain'],
        ['Content-Type', 'text/evil'],
      ] as const;
      assert.equal((await front.send({ method: 'POST', body: 'a', fields })).status, 200);
      const request = await origin.request(1);
      assert.deepEqual(request.values('authorization'), ['Bearer mine']);
      assert.deepEqual(request.values('content-type'), ['text/plain']);
    },
  },
  {
    name: 'names of prototypes are fields like others',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { httpRequest: [{ setHeader: ['x-rule', '1'] }] });
      const fields = [
        ['__proto__', '1'],
        ['constructor', '2'],
        ['toString', '3'],
        ['hasOwnProperty', '4'],
      ] as const;
      assert.equal((await front.send({ fields })).status, 200);
      const request = await origin.request(1);
      // `__proto__` is lost in Node's own `headers`, which is what is sent.
      assert.deepEqual(
        ['constructor', 'tostring', 'hasownproperty'].map((name) => request.field(name)),
        ['2', '3', '4'],
      );
    },
  },
  {
    name: 'methods beyond the usual ones pass',
    async run(stage) {
      const { origin, front } = await stage.both();
      for (const method of ['PATCH', 'PROPFIND', 'REPORT', 'PURGE', 'M-SEARCH', 'TRACE', 'LOCK'])
        assert.equal((await front.send({ method })).status, 200, method);
      assert.equal(origin.requests.length, 7);
    },
  },
  {
    name: 'a head as big as Node lets in passes',
    async run(stage) {
      const { origin, front } = await stage.both();
      const fields = Array.from({ length: 60 }, (_, index) => [`X-${index}`, 'v'.repeat(200)] as const);
      assert.equal((await front.send({ fields })).status, 200);
      assert.equal((await origin.request(1)).fields.length, 61);
    },
  },
  {
    name: 'many clients at once, each with an odd request, and all are answered',
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`));
      const specs = [
        { method: 'DELETE', body: 'abc', framing: 'chunked' },
        { method: 'OPTIONS', body: 'x'.repeat(70_000), framing: 'chunked' },
        { method: 'GET', body: 'abc' },
        { method: 'HEAD' },
        { method: 'POST', body: '' },
      ] as const;
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, index) => front.send(specs[index % specs.length])),
      );
      assert.deepEqual([...new Set(answers.map(({ status, complete }) => `${status} ${complete}`))], ['200 true']);
    },
  },
];
