import assert from 'node:assert/strict';
import type { PoolOptions } from '#src/index.ts';
import { response } from '../support/origin.ts';
import type { Case } from './case.ts';

const SLOW = ({ url }: { readonly url?: string | undefined }): boolean => url === '/slow';

/** Rules that answer in place of a server: `deny`, `tarpit`, `return`, `redirect`. HAProxy: flags PR, PT, LR; PH, LH. */
export const ruleAnswersCases: readonly Case[] = [
  {
    name: 'a denied request reaches no server, costs it nothing, and the connection serves on',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        httpRequest: [
          { deny: true, if: ({ url }) => url === '/true' },
          { setHeader: ['x-role', 'none'] },
          { deny: 429, if: ({ headers, url }) => headers['x-role'] === 'none' && url === '/number' },
          { deny: { status: 401, headers: { 'www-authenticate': 'Basic' } }, if: ({ url }) => url === '/fields' },
          { deny: { status: 418, body: 'tea' }, if: ({ url }) => url === '/body' },
        ],
        errorfiles: { 429: (context) => ({ body: `no more ${context.url}` }) },
      });
      const client = await front.client();
      const seen: unknown[] = [];
      for (const path of ['/true', '/number', '/fields', '/body', '/']) {
        const { status, body } = await client.send({ method: 'POST', path, body: 'abc' });
        seen.push([status, body]);
      }
      assert.deepEqual(seen, [
        [403, '403 Forbidden\n'],
        [429, 'no more /number'],
        [401, '401 Unauthorized\n'],
        [418, 'tea'],
        [200, 'ok'],
      ]);
      assert.equal((await front.send({ path: '/fields' })).field('www-authenticate'), 'Basic');
      assert.equal((await front.send({ path: '/body' })).field('content-type'), 'text/plain; charset=utf-8');
      assert.equal(origin.requests.length, 1);
      const { status, flags, server, retries } = await front.event(1);
      assert.deepEqual([status, flags, server, retries], [403, 'PR', undefined, 0]);
      assert.deepEqual([front.stats().stot, front.stats().responses['4xx'], front.faults], [1, 0, []]);
    },
  },
  {
    name: 'a denial is JSON for who asks for JSON, and has no body for HEAD',
    async run(stage) {
      const front = await stage.open({ httpRequest: [{ deny: true }] });
      const answer = await front.send({ fields: [['Accept', 'application/json']] });
      assert.deepEqual(JSON.parse(answer.body), { status: 403, error: 'Forbidden' });
      const head = await front.send({ method: 'HEAD' });
      assert.deepEqual([head.status, head.body, head.complete], [403, '', true]);
    },
  },
  {
    name: 'the body of a denied upload is not read for ever',
    async run(stage) {
      const front = await stage.open({ httpRequest: [{ deny: true }] });
      const client = await front.client();
      const exchange = client.start({ method: 'POST', framing: 50_000_000 });
      const piece = Buffer.alloc(16_384, 'x');
      let sent = 0;
      for (; sent < 50_000_000 && exchange.answer.ended === undefined; sent += piece.length)
        if (!exchange.write(piece)) await Promise.race([exchange.drained(), exchange.end]);
      assert.equal((await exchange.head).status, 403);
      assert.ok(sent < 32_000_000, `${sent} bytes were taken`);
      if (stage.http1) await client.closed;
    },
  },
  {
    name: 'errorHandler and onUnavailable have no part in what a rule answers',
    needs: 'next',
    async run(stage) {
      for (const options of [{ errorHandler: 'next' }, { onUnavailable: 'next' }] as const) {
        const front = await stage.open({ httpRequest: [{ deny: 503 }] }, { middleware: options });
        assert.equal((await front.send()).body, '503 Service Unavailable\n');
      }
    },
  },
  {
    name: 'a client that waits for a 100 and is denied gets no 100, and its connection ends',
    needs: 'checkContinue',
    async run(stage) {
      for (const rule of [{ deny: true }, { return: { body: 'no' } }, { tarpit: true }] as const) {
        const front = await stage.open({ httpRequest: [rule], timeout: { tarpit: 10 } });
        const client = await front.client();
        const exchange = client.start({ method: 'POST', framing: 6, fields: [['Expect', '100-continue']] });
        const answer = await exchange.end;
        assert.deepEqual([answer.interim, answer.complete], [[], true]);
        if (!stage.http1) continue;
        assert.equal(answer.field('connection'), 'close');
        await client.closed;
      }
    },
  },
  {
    name: 'a request in the tarpit is refused when its time has come',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        timeout: { tarpit: 20 },
        httpRequest: [
          { tarpit: true, if: SLOW },
          { tarpit: { status: 429, body: 'later' }, if: ({ url }) => url === '/later' },
          { tarpit: 404, if: ({ url }) => url === '/gone' },
        ],
      });
      const client = await front.client();
      const bodies: unknown[] = [];
      for (const path of ['/slow', '/later', '/gone', '/'])
        bodies.push((await client.send({ method: 'POST', path, body: 'abc' })).body);
      assert.deepEqual(bodies, ['500 Internal Server Error\n', 'later', '404 Not Found\n', 'ok']);
      const { status, flags, server, totalMs } = await front.event(1);
      assert.deepEqual([status, flags, server], [500, 'PT', undefined]);
      assert.ok(totalMs >= 20, `${totalMs} ms`);
      assert.equal(origin.requests.length, 1);
    },
  },
  {
    name: 'a client that leaves the tarpit is forgotten: CT',
    async run(stage) {
      const entered = Promise.withResolvers<void>();
      const front = await stage.open({
        timeout: { tarpit: 'infinite' },
        httpRequest: [{ call: () => entered.resolve() }, { tarpit: true }],
      });
      const exchange = await front.start();
      await entered.promise;
      exchange.leave();
      const { status, flags } = await front.event();
      assert.deepEqual([status, flags, front.pool.stats().active], [499, 'CT', 0]);
    },
  },
  {
    name: 'close ends the tarpit at once',
    async run(stage) {
      const entered = Promise.withResolvers<void>();
      const front = await stage.open({
        timeout: { tarpit: 'infinite' },
        httpRequest: [{ call: () => entered.resolve() }, { tarpit: true }],
      });
      const exchange = await front.start();
      await entered.promise;
      assert.deepEqual(await front.pool.close({ graceMs: 600_000 }), { cut: 0, leaked: 0 });
      assert.equal((await exchange.end).status, 500);
      assert.equal((await front.event()).flags, 'PT');
    },
  },
  {
    name: 'return: an answer of its own; a function may let the request pass; one that fails is left out',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, {
        httpRequest: [
          { return: { status: 204 }, if: ({ url }) => url === '/204' },
          {
            return: { headers: { 'Content-Type': 'text/html', 'x-a': ['1', '2'] }, body: '<p>' },
            if: ({ url }) => url === '/html',
          },
          { return: true, if: ({ url }) => url === '/true' },
          { return: ({ url }) => (url === '/made' ? { status: 404, body: Buffer.from(`no ${url}`) } : undefined) },
          {
            return: () => {
              throw new Error('oops');
            },
          },
          { return: (() => ({ status: 99 })) as never },
          { return: (async () => ({ status: 200 })) as never },
        ],
      });
      const client = await front.client();
      const seen: unknown[] = [];
      for (const path of ['/204', '/html', '/true', '/made']) {
        const answer = await client.send({ path });
        seen.push([answer.status, answer.body, answer.field('content-type'), answer.values('x-a').join(', ')]);
      }
      assert.deepEqual(seen, [
        [204, '', undefined, ''],
        [200, '<p>', 'text/html', '1, 2'],
        [200, '', undefined, ''],
        [404, 'no /made', undefined, ''],
      ]);
      const { status, flags, server } = await front.event(4);
      assert.deepEqual([status, flags, server, origin.requests.length], [404, 'LR', undefined, 0]);
      assert.deepEqual(front.faults, []);
      assert.equal((await client.send()).body, 'ok');
      assert.deepEqual(
        front.faults.map(({ sample }) => sample),
        ['httpRequest[4].return', 'httpRequest[5].return', 'httpRequest[6].return'],
      );
    },
  },
  {
    name: 'redirect: to a place, under a prefix, to another scheme',
    async run(stage) {
      const on = (path: string) => (context: { readonly url?: string | undefined }) =>
        context.url?.startsWith(path) === true;
      const front = await stage.open({
        httpRequest: [
          { redirect: '/login', if: on('/plain') },
          { redirect: ({ url }) => (url === '/made' ? 'https://other.test/' : undefined) },
          { redirect: { location: '/l#x', keepQuery: true, code: 301 }, if: on('/query') },
          { redirect: { prefix: 'https://new.test/v2', code: 308 }, if: on('/prefix') },
          { redirect: { prefix: '/', dropQuery: true, appendSlash: true, setCookie: 'seen=1' }, if: on('/slash') },
          { redirect: { scheme: 'https', code: 307 } },
        ],
      });
      const client = await front.client();
      const seen: string[] = [];
      for (const path of ['/plain?a', '/made', '/query?a=b', '/prefix/a?b', '/slash?a', '/secure?a=b&c']) {
        const answer = await client.send({ path, host: 'front.test:8080' });
        const fields = ['location', 'cache-control', 'set-cookie'].map((name) => answer.field(name) ?? '-');
        seen.push([answer.status, ...fields, answer.body].join(' '));
      }
      assert.deepEqual(seen, [
        '302 /login no-cache - ',
        '302 https://other.test/ no-cache - ',
        '301 /l?a=b#x - - ',
        '308 https://new.test/v2/prefix/a?b - - ',
        '302 /slash/ no-cache seen=1; path=/ ',
        '307 https://front.test:8080/secure?a=b&c no-cache - ',
      ]);
      const { status, flags, server } = await front.event(1);
      assert.deepEqual([status, flags, server], [302, 'LR', undefined]);
    },
  },
  {
    name: 'a redirect goes by the target that the client sent, the path of the mount included',
    needs: 'mount',
    async run(stage) {
      const front = await stage.open(
        { httpRequest: [{ redirect: { scheme: 'https' }, if: ({ url }) => url === '/a?b' }] },
        { mount: '/api' },
      );
      assert.equal((await front.send({ path: '/api/a?b' })).field('location'), 'https://front.test/api/a?b');
    },
  },
  {
    name: "a response denied is a 502, the server's is thrown away with its connection, and nothing is retried",
    async run(stage) {
      const { origin, front } = await stage.both((request) => request.reply(response(200, 'secret', { 'X-A': '1' })), {
        httpResponse: [{ deny: true, if: ({ response: { headers } }) => headers['x-a'] === '1' }],
        retryOn: ['conn-failure', 'empty-response', 'junk-response', 'response-timeout'],
        errorfiles: { 502: { body: 'ours' } },
      });
      const client = await front.client();
      for (const method of ['GET', 'POST'] as const) {
        const answer = await client.send({ method, ...(method === 'POST' && { body: 'abc' }) });
        assert.deepEqual([answer.status, answer.body, answer.field('x-a')], [502, 'ours', undefined]);
      }
      assert.equal(origin.requests.length, 2);
      const { status, flags, server, retries } = await front.event(1);
      assert.deepEqual([status, flags, server, retries], [502, 'PH', 's1', 0]);
      const { responses, eresp, econ, idle, active } = front.stats();
      assert.deepEqual([Object.values(responses), eresp, econ, idle, active], [[0, 0, 0, 0, 0, 0], 0, 0, 0, 0]);
      for (const { closed } of origin.connections) await closed;
    },
  },
  {
    name: 'a response denied while its upload and its own body still run',
    async run(stage) {
      const { origin, front } = await stage.both(
        ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun'),
        { httpResponse: [{ deny: 504 }] },
      );
      const exchange = await front.start({ method: 'POST', framing: 100_000 });
      exchange.write('some');
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.body], [504, '504 Gateway Timeout\n']);
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: "a response's rules may answer or redirect in its place: LH",
    async run(stage) {
      const { front } = await stage.both((request) => request.reply(response(404, 'nothing')), {
        httpResponse: [
          { setHeader: ['x-a', '1'] },
          { redirect: { scheme: 'https' }, if: ({ url }) => url === '/moved' },
          { return: ({ response: { status } }) => ({ status, body: 'ours' }) },
        ],
      });
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.body, answer.field('x-a')], [404, 'ours', undefined]);
      const moved = await front.send({ path: '/moved' });
      assert.deepEqual([moved.status, moved.field('location')], [302, 'https://front.test/moved']);
      const { flags, server } = await front.event(2);
      assert.deepEqual([flags, server], ['LH', 's1']);
    },
  },
  {
    name: 'monitorUri: the pool answers for itself, before any rule, and tells nobody',
    async run(stage) {
      let fails: PoolOptions['monitorFail'] = () => false;
      const { origin, front } = await stage.both(undefined, {
        monitorUri: '/healthz',
        monitorFail: (pool) => fails?.(pool) ?? false,
        httpRequest: [{ deny: true, if: ({ url }) => url !== '/healthz' }],
        errorfiles: { 503: { body: 'not now' } },
      });
      const client = await front.client();
      const ask = async (spec: { method?: string; path?: string; body?: string } = {}): Promise<string> => {
        const answer = await client.send({ path: '/healthz', ...spec });
        return `${answer.status} ${answer.body}`;
      };
      assert.equal(await ask(), '200 200 OK\n');
      assert.equal(await ask({ method: 'HEAD' }), '200 ');
      fails = (pool) => pool.stats().state === 'UP';
      assert.equal(await ask(), '503 not now');
      fails = () => {
        throw new Error('oops');
      };
      assert.equal(await ask(), '503 not now');
      fails = (async () => false) as never;
      assert.equal(await ask(), '503 not now');
      assert.deepEqual(
        front.faults.map(({ sample }) => sample),
        ['monitorFail', 'monitorFail'],
      );
      assert.deepEqual([origin.requests.length, front.events.length, front.stats().stot], [0, 0, 0]);
      // Anything else is a request like any other.
      assert.equal(await ask({ path: '/healthz?' }), '403 403 Forbidden\n');
      assert.equal(await ask({ method: 'POST', body: 'abc' }), '200 ok');
      fails = undefined;
      assert.equal(await ask(), '200 200 OK\n');
      await front.pool.close();
      assert.equal(await ask(), '503 not now');
      assert.equal(front.events.length, 2);
    },
  },
];
