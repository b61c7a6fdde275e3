import assert from 'node:assert/strict';
import type { CookieOption, PoolOptions, RequestContext } from '#src/index.ts';
import type { Field } from '../support/message-reader.ts';
import { type Origin, ok, REFUSING, response, type Script } from '../support/origin.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

const INSERT = 'SRV insert indirect';
const TO_A = { fields: [['Cookie', 'SRV=a']] } as const;
const TO_B = { fields: [['Cookie', 'SRV=b']] } as const;

interface Pair {
  readonly a: Origin;
  readonly b: Origin;
  readonly front: OpenFront;
}

/** A pool of `a` and `b`, which take turns, and what their cookies say. */
async function pair(
  stage: Stage,
  options: PoolOptions<never> & { cookie: CookieOption },
  script?: Script,
  setting: Parameters<Stage['open']>[1] = {},
): Promise<Pair> {
  const [a, b] = [await stage.origin(script), await stage.origin(script)];
  const servers = [a, b].map(({ url }, at) => ({ name: 'ab'.charAt(at), address: url, cookie: 'ab'.charAt(at) }));
  return { a, b, front: await stage.open({ servers, ...options }, setting) };
}

/** Answers with these values of `Set-Cookie`, and more fields as lines. */
function setting(values: readonly string[], ...lines: string[]): Script {
  const fields = [...values.map((value) => `Set-Cookie: ${value}`), ...lines].map((line) => `${line}\r\n`).join('');
  return (request) => request.reply(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`);
}

/** Of each request so far, the server and what became of cookies. */
async function outcomes(front: OpenFront, count: number): Promise<string[]> {
  await front.event(count);
  return front.events.map(({ server, cookieFlags }) => `${server} ${cookieFlags}`);
}

/** Facts §6.1, §6.2 and §4.6: a client is kept on its server by a cookie. */
export const cookiesCases: readonly Case[] = [
  {
    name: 'insert indirect nocache: set once, followed from then on, and hidden from the server',
    async run(stage) {
      const script: Script = (request) => request.reply(ok('ok', { ETag: '"1"' }));
      const { a, b, front } = await pair(stage, { cookie: 'SRV insert indirect nocache httponly' }, script);
      const first = await front.send();
      assert.deepEqual(first.values('set-cookie'), ['SRV=a; path=/; HttpOnly']);
      assert.deepEqual(first.values('cache-control'), ['private']);
      const next = await front.send({ fields: [['Cookie', 'x=1; SRV=a; y=2']] });
      assert.deepEqual([next.values('set-cookie'), next.values('cache-control'), next.body], [[], [], 'ok']);
      assert.equal((await front.send(TO_A)).status, 200);
      assert.deepEqual(
        a.requests.map((request) => request.values('cookie')),
        [[], ['x=1; y=2'], []],
      );
      assert.equal(b.requests.length, 0);
      assert.deepEqual(await outcomes(front, 3), ['a NI', 'a VN', 'a VN']);
    },
  },
  {
    name: 'every kind of answer carries it: HEAD, 204, 304, 404, 500, of one on a kept connection, too',
    async run(stage) {
      const statuses = [200, 204, 304, 404, 500];
      const { origin, front } = await stage.both((request) => {
        const status = Number(request.target.slice(1));
        const body = status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n';
        return request.reply(`HTTP/1.1 ${status} X\r\n${body}\r\n`);
      });
      const keeping = await stage.open({ servers: [{ address: origin.url, cookie: 'a' }], cookie: INSERT });
      const client = await keeping.client();
      for (const method of ['GET', 'HEAD', 'POST'])
        for (const status of statuses) {
          const answer = await client.send({ method, path: `/${status}`, ...(method === 'POST' && { body: '' }) });
          assert.deepEqual([answer.status, answer.values('set-cookie')], [status, ['SRV=a; path=/']], method);
        }
      assert.deepEqual((await front.send({ path: '/200' })).values('set-cookie'), []);
    },
  },
  {
    name: "other cookies of the server stay, each as it was; one of the pool's name goes",
    async run(stage) {
      const own = ['sid=1; Path=/; HttpOnly', 'SRVX=2', 'srv=3', 'SRV=b; Path=/', 'a=SRV=4'];
      const { front } = await pair(stage, { cookie: INSERT }, setting(own));
      const kept = own.filter((value) => !value.startsWith('SRV='));
      assert.deepEqual((await front.send()).values('set-cookie'), [...kept, 'SRV=a; path=/']);
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), kept);
      assert.deepEqual(await outcomes(front, 2), ['a NI', 'a VD']);
    },
  },
  {
    name: 'cookies of a middleware in front stay beside those of the server and ours',
    needs: 'before',
    async run(stage) {
      const { front } = await pair(stage, { cookie: INSERT }, setting(['sid=1']), {
        before: [
          (_request, response, next) => {
            response.setHeader('Set-Cookie', ['session=1; HttpOnly', 'csrf=2']);
            next();
          },
        ],
      });
      const before = ['session=1; HttpOnly', 'csrf=2', 'sid=1'];
      assert.deepEqual((await front.send()).values('set-cookie'), [...before, 'SRV=a; path=/']);
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), before);
    },
  },
  {
    name: 'prefix: the client has the server before its own value, the server gets it back as it was',
    async run(stage) {
      const { b, front } = await pair(stage, { cookie: 'SID prefix' }, setting(['SID=x~y=z; Path=/', 'other=1']));
      assert.deepEqual((await front.send()).values('set-cookie'), ['SID=a~x~y=z; Path=/', 'other=1']);
      await front.send({ fields: [['Cookie', 'k=v; SID=b~x~y=z; l=w']] });
      assert.equal((await b.request(1)).field('cookie'), 'k=v; SID=x~y=z; l=w');
      assert.deepEqual(await outcomes(front, 2), ['a NR', 'b VR']);
    },
  },
  {
    name: "rewrite: the server's own value is replaced by what stands for it",
    async run(stage) {
      const { b, front } = await pair(stage, { cookie: 'SRV rewrite' }, setting(['SRV=whatever; Path=/x', 'o=1']));
      assert.deepEqual((await front.send()).values('set-cookie'), ['SRV=a; Path=/x', 'o=1']);
      await front.send(TO_B);
      assert.equal((await b.request(1)).field('cookie'), 'SRV=b');
      assert.deepEqual(await outcomes(front, 2), ['a NR', 'b VR']);
    },
  },
  {
    name: 'several Cookie fields are one',
    async run(stage) {
      const { b, front } = await pair(stage, { cookie: INSERT });
      const fields: Field[] = ['x=1', 'SRV=b', 'y=2; z=3'].map((value) => ['cookie', value]);
      for (let i = 0; i < 3; i++) assert.equal((await front.send({ fields })).status, 200);
      assert.deepEqual(
        b.requests.map((request) => request.values('cookie')),
        [['x=1; y=2; z=3'], ['x=1; y=2; z=3'], ['x=1; y=2; z=3']],
      );
      assert.deepEqual(await outcomes(front, 3), ['b VN', 'b VN', 'b VN']);
    },
  },
  {
    name: "redispatch: when the cookie's server refuses, another one answers with its own cookie, DI",
    async run(stage) {
      const alive = await stage.origin();
      const servers = [
        { name: 'a', address: REFUSING, cookie: 'a' },
        { name: 'b', address: alive.url, cookie: 'b' },
      ];
      const front = await stage.open({ servers, cookie: INSERT });
      const answer = await front.send({ method: 'POST', body: 'abc', ...TO_A });
      assert.deepEqual([answer.status, answer.values('set-cookie')], [200, ['SRV=b; path=/']]);
      assert.deepEqual((await front.send(TO_B)).values('set-cookie'), []);
      assert.deepEqual(await outcomes(front, 2), ['b DI', 'b VN']);
      assert.deepEqual([front.events[0]?.redispatched, front.events[0]?.flags], [true, '--']);
    },
  },
  {
    name: 'redispatch -1: its server has every try but the last; without redispatch all of them, and nobody else is asked',
    async run(stage) {
      for (const [redispatch, expected] of [
        [-1, { status: 200, outcome: 'b DI', wretr: 2, requests: 1 }],
        [false, { status: 503, outcome: 'a VN', wretr: 3, requests: 0 }],
      ] as const) {
        const alive = await stage.origin();
        const servers = [
          { name: 'a', address: REFUSING, cookie: 'a' },
          { name: 'b', address: alive.url, cookie: 'b' },
        ];
        const front = await stage.open({ servers, cookie: INSERT, redispatch, timeout: { connect: 150 } });
        const { status } = await front.send(TO_A);
        const [outcome] = await outcomes(front, 1);
        const { wretr } = front.stats('a');
        assert.deepEqual({ status, outcome, wretr, requests: alive.requests.length }, expected);
      }
    },
  },
  {
    name: 'a server that is added is found by its cookie at once, one that is removed is known no more: II',
    async run(stage) {
      const { a, front } = await pair(stage, { cookie: INSERT });
      front.pool.addServer({ name: 'c', address: a.url, cookie: 'c' });
      const toC = { fields: [['Cookie', 'SRV=c']] } as const;
      assert.deepEqual((await front.send(toC)).values('set-cookie'), []);
      await front.pool.removeServer('c');
      await front.pool.removeServer('a');
      for (const client of [toC, TO_A])
        assert.deepEqual((await front.send(client)).values('set-cookie'), ['SRV=b; path=/']);
      assert.deepEqual(await outcomes(front, 3), ['c VN', 'b II', 'b II']);
    },
  },
  {
    name: 'a response that is not passed on sets nothing: the cookie is of the server whose answer is, DI',
    async run(stage) {
      const { a, b, front } = await pair(stage, { cookie: INSERT, retryOn: '503' as never }, undefined);
      a.script = (request) => request.reply(response(503, 'no', { 'Set-Cookie': 'of-a=1' }));
      b.script = setting(['of-b=1']);
      const answer = await front.send(TO_A);
      assert.deepEqual([answer.status, answer.values('set-cookie')], [200, ['of-b=1', 'SRV=b; path=/']]);
      assert.deepEqual(await outcomes(front, 1), ['b DI']);
    },
  },
  {
    name: 'an answer of ours carries none: 503 when the other one refuses as well, DN',
    async run(stage) {
      const servers = ['a', 'b'].map((name) => ({ name, address: REFUSING, cookie: name }));
      const front = await stage.open({ servers, cookie: INSERT, retries: 1 });
      const answer = await front.send(TO_A);
      assert.deepEqual([answer.status, answer.values('set-cookie')], [503, []]);
      assert.equal((await front.send()).status, 503);
      assert.deepEqual((await outcomes(front, 2))[0], 'b DN');
      assert.deepEqual([front.events[0]?.redispatched, front.events[1]?.cookieFlags], [true, 'NN']);
    },
  },
  {
    name: 'the hedge that answers first sets the cookie of its server; who belongs to one is not hedged',
    async run(stage) {
      const { a, front } = await pair(stage, { cookie: INSERT, hedge: { after: '20ms', budget: 1 } });
      a.script = () => {};
      assert.deepEqual((await front.send()).values('set-cookie'), ['SRV=b; path=/']);
      const bound = await front.start(TO_A);
      const held = await a.request(2);
      // These are hedged, later than the one that is bound would have been: each takes the turn of b.
      for (let i = 0; i < 2; i++) await front.send();
      held.socket.write(ok('late'));
      const answer = await bound.end;
      assert.deepEqual([answer.body, answer.values('set-cookie')], ['late', []]);
      assert.deepEqual(await outcomes(front, 4), ['b NI', 'b NI', 'b NI', 'a VN']);
      assert.deepEqual([front.events[3]?.hedges, front.stats('b').hedges], [0, 3]);
    },
  },
  {
    name: 'redir: GET and HEAD are sent to the server themselves, without slot or connection; POST is carried',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const there = 'http://images.test/base';
      const servers = [
        { name: 'a', address: origin.url, cookie: 'a', redir: there, maxconn: 1 },
        { name: 'b', address: REFUSING, cookie: 'b' },
      ];
      const front = await stage.open({ servers, cookie: INSERT });
      for (const method of ['GET', 'HEAD']) {
        const answer = await front.send({ method, path: '/x/y?z=1', ...TO_A });
        assert.deepEqual([answer.status, answer.field('location')], [302, `${there}/x/y?z=1`], method);
        assert.deepEqual([answer.body, answer.values('set-cookie')], ['', []]);
      }
      assert.deepEqual([origin.connections.length, front.stats('a').stot], [0, 0]);
      const post = await front.start({ method: 'POST', body: 'abc', ...TO_A });
      const carried = await origin.request(1);
      assert.equal(await carried.body(), 'abc');
      assert.equal((await front.send(TO_A)).status, 302, 'though its only slot is taken');
      carried.socket.write(ok());
      assert.equal((await post.end).status, 200);
      await front.event(4);
      assert.deepEqual(
        front.events.map(({ flags, cookieFlags, status }) => `${status} ${flags}${cookieFlags}`),
        ['302 LCVN', '302 LCVN', '302 LCVN', '200 --VN'],
      );
      assert.equal(origin.connections.length, 1);
    },
  },
  {
    name: 'redir: a slash at its end and the one of the target are one',
    async run(stage) {
      for (const [redir, location] of [
        ['https://images.test/', 'https://images.test/x'],
        ['http://images.test/base//', 'http://images.test/base/x'],
        ['/images/', '/images/x'],
        ['//images.test/', '//images.test/x'],
        ['//', '/x'],
      ] as const) {
        const front = await stage.open({ servers: [{ address: REFUSING, redir }] });
        assert.equal((await front.send({ path: '/x' })).field('location'), location, redir);
      }
    },
  },
  {
    name: 'redir without a cookie: whom a hash leads there needs no slot either',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const servers = [{ address: origin.url, redir: '/', maxconn: 1 }];
      const front = await stage.open({ servers, balance: 'uri' });
      const post = await front.start({ method: 'POST', body: '' });
      const carried = await origin.request(1);
      const answer = await front.send({ path: '//evil.test/x' });
      assert.deepEqual([answer.status, answer.field('location')], [302, '/evil.test/x']);
      carried.socket.write(ok());
      assert.equal((await post.end).status, 200);
      const { stot, lbtot } = front.stats();
      assert.deepEqual([(await front.event(1)).flags, stot, lbtot], ['LC', 1, 2]);
    },
  },
  {
    name: 'redir: nor does whoever is redispatched there',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const servers = [
        { name: 'a', address: origin.url, redir: '/there', maxconn: 1 },
        { name: 'b', address: REFUSING },
      ];
      const useServer = ({ headers }: RequestContext) => headers?.['x-to'] as string | undefined;
      const front = await stage.open({ servers, balance: 'uri', redispatch: 1, useServer });
      const post = await front.start({ method: 'POST', body: '', fields: [['x-to', 'a']] });
      const carried = await origin.request(1);
      const answer = await front.send({ fields: [['x-to', 'b']] });
      assert.deepEqual([answer.status, answer.field('location')], [302, '/there/']);
      carried.socket.write(ok());
      assert.equal((await post.end).status, 200);
      const { flags, retries } = front.events[0] ?? {};
      assert.deepEqual([flags, retries], ['LC', 1]);
    },
  },
  {
    name: 'checkcache: a response that sets a cookie and that a cache might keep is a 502, PH',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { checkcache: true });
      const long = 'x'.repeat(100_000);
      origin.script = (request) => request.reply(ok(long, { 'Set-Cookie': 'sid=1', ETag: '"1"' }));
      const refused = await front.send();
      assert.deepEqual(
        [refused.status, refused.values('set-cookie'), refused.body.includes('x'.repeat(9))],
        [502, [], false],
      );
      for (const [body, fields] of Object.entries({
        'for one': { 'Set-Cookie': 'sid=1', ETag: '"1"', 'Cache-Control': 'private' },
        'without it': { ETag: '"1"', 'Cache-Control': 'no-cache="set-cookie"', 'Set-Cookie': 'sid=1' },
        'no cookie': { ETag: '"1"' },
      })) {
        origin.script = (request) => request.reply(ok(body, fields));
        const answer = await front.send();
        assert.deepEqual([answer.status, answer.body], [200, body]);
      }
      await front.event(4);
      assert.deepEqual(
        front.events.map(({ status, flags, cookieFlags, error }) => [status, flags + cookieFlags, error?.code]),
        [
          [502, 'PH--', 'EK_BAD_RESPONSE'],
          [200, '----', undefined],
          [200, '----', undefined],
          [200, '----', undefined],
        ],
      );
    },
  },
  {
    name: 'checkcache with an inserted cookie: nocache makes the response private, and so lets it pass',
    async run(stage) {
      const script = setting(['sid=1'], 'ETag: "1"');
      const { front } = await pair(stage, { cookie: 'SRV insert indirect nocache', checkcache: true }, script);
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.values('set-cookie')], [200, ['sid=1', 'SRV=a; path=/']]);
      assert.equal(answer.field('cache-control'), 'private');
      assert.equal((await front.send(TO_A)).status, 502, 'nothing is inserted, so that nothing makes it private');
    },
  },
  {
    name: 'ignorePersist: the cookie is not followed and none is set, and the server does not see it',
    async run(stage) {
      const ignorePersist = ({ url }: RequestContext): boolean => url === '/image';
      const { a, b, front } = await pair(stage, { cookie: INSERT, ignorePersist });
      for (let i = 0; i < 4; i++)
        assert.deepEqual((await front.send({ path: '/image', ...TO_B })).values('set-cookie'), []);
      assert.deepEqual((await front.send({ path: '/image' })).values('set-cookie'), []);
      await front.send(TO_B);
      assert.deepEqual(await outcomes(front, 6), ['a UN', 'b UN', 'a UN', 'b UN', 'a NN', 'b VN']);
      for (const request of [...a.requests, ...b.requests]) assert.deepEqual(request.values('cookie'), []);
    },
  },
  {
    name: 'forcePersist: a server in maintenance is reached, and when it fails nobody else is: 503',
    async run(stage) {
      const forcePersist = ({ headers }: RequestContext): boolean => headers?.['x-test'] === '1';
      const options = { cookie: INSERT, forcePersist, retries: 1, timeout: { connect: 400 } };
      const { a, b, front } = await pair(stage, options);
      front.pool.server('a').setState('maint');
      const forced = { fields: [['X-Test', '1'], ...TO_A.fields] as Field[] };
      const reached = await front.send(forced);
      assert.deepEqual([reached.status, reached.values('set-cookie'), a.requests.length], [200, [], 1]);
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), ['SRV=b; path=/']);
      await a.stop();
      assert.equal((await front.send(forced)).status, 503);
      assert.deepEqual(await outcomes(front, 3), ['a DN', 'b DI', 'a DN']);
      const { retries, redispatched, flags } = await front.event(3);
      assert.deepEqual([retries, redispatched, flags, b.requests.length], [1, false, 'SC', 1]);
    },
  },
  {
    name: 'persist: a server that is down is tried, and left for another when it fails',
    async run(stage) {
      const { a, front } = await pair(stage, { cookie: INSERT, persist: true, retries: 1, timeout: { connect: 400 } });
      front.pool.server('a').setHealth('down');
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), []);
      await a.stop();
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), ['SRV=b; path=/']);
      assert.deepEqual(await outcomes(front, 2), ['a DN', 'b DI']);
    },
  },
  {
    name: 'forcePersist and ignorePersist that throw, or give a promise, are reported; the request goes on without',
    async run(stage) {
      const { front } = await pair(stage, {
        cookie: INSERT,
        forcePersist: () => {
          throw new Error('oops');
        },
        ignorePersist: (async () => true) as never,
      });
      for (let i = 0; i < 2; i++) assert.equal((await front.send(TO_B)).status, 200);
      assert.deepEqual(await outcomes(front, 2), ['b VN', 'b VN']);
      assert.deepEqual(
        front.faults.map(({ sample }) => sample),
        ['forcePersist', 'ignorePersist'],
      );
    },
  },
  {
    name: 'response rules come before ours: what they set stays beside it, or goes as the server’s own would',
    async run(stage) {
      const { front } = await pair(
        stage,
        {
          cookie: INSERT,
          httpResponse: [
            { delHeader: 'set-cookie' },
            { addHeader: ['set-cookie', 'SRV=rule'] },
            { addHeader: ['set-cookie', 'rule=1'] },
          ],
        },
        setting(['sid=1']),
      );
      assert.deepEqual((await front.send()).values('set-cookie'), ['rule=1', 'SRV=a; path=/']);
      assert.deepEqual((await front.send(TO_A)).values('set-cookie'), ['rule=1']);
    },
  },
  {
    name: 'request rules decide what cookie is seen',
    async run(stage) {
      const { front } = await pair(stage, {
        cookie: INSERT,
        httpRequest: [
          { delHeader: 'cookie', if: ({ url }: RequestContext) => url === '/none' },
          { setHeader: ['cookie', 'SRV=b'], if: ({ url }: RequestContext) => url === '/b' },
          {
            call: ({ headers }) => {
              headers['cookie'] = ['x=1', 'SRV=b'];
            },
            if: ({ url }: RequestContext) => url === '/list',
          },
        ],
      });
      for (const path of ['/b', '/list', '/none', '/']) assert.equal((await front.send({ path, ...TO_A })).status, 200);
      assert.deepEqual(await outcomes(front, 4), ['b VN', 'b VN', 'a NI', 'a VN']);
    },
  },
];
