import assert from 'node:assert/strict';
import type { PoolOptions, ServerOptions } from '#src/index.ts';
import { answersOk, ok, REFUSING, response, type Script } from '../support/origin.ts';
import type { Case } from './case.ts';
import { type OpenFront, type Stage, within } from './stage.ts';

/** One error is enough, and no check says otherwise. */
const WATCHED: Omit<ServerOptions, 'address'> = {
  check: () => new Promise<never>(() => {}),
  inter: '1h',
  initState: 'fully-up',
  observe: 'layer7',
  errorLimit: 1,
  onError: 'mark-down',
};

function opened(
  stage: Stage,
  address: string,
  more: object = {},
  options: PoolOptions<never> = {},
): Promise<OpenFront> {
  return stage.open({ servers: [{ address, ...WATCHED, ...more }], retries: 0, ...options });
}

/** What counts, and what does not: title, what the server does, options of the server, its state after one request. */
const ANSWERS: readonly (readonly [string, Script, Partial<ServerOptions>, 'UP' | 'DOWN'])[] = [
  ['a 200', answersOk(), {}, 'UP'],
  ['a 404', (request) => request.reply(response(404)), {}, 'UP'],
  ['a 501', (request) => request.reply(response(501)), {}, 'UP'],
  ['a 500', (request) => request.reply(response(500)), {}, 'DOWN'],
  ['a 503', (request) => request.reply(response(503)), {}, 'DOWN'],
  ['a 503 with layer4', (request) => request.reply(response(503)), { observe: 'layer4' }, 'UP'],
  ['a 503 with none', (request) => request.reply(response(503)), { observe: 'none' }, 'UP'],
  ['a close without an answer', ({ socket }) => socket.end(), {}, 'DOWN'],
  ['a close without an answer with layer4', ({ socket }) => socket.end(), { observe: 'layer4' }, 'UP'],
  ['junk', ({ socket }) => socket.end('220 ftp\r\n\r\n'), {}, 'DOWN'],
];

/** Requests as evidence of a server's health. */
export const observeCases: readonly Case[] = [
  ...ANSWERS.map(
    ([title, script, options, state]): Case => ({
      name: `${title} leaves the server ${state}`,
      async run(stage) {
        const origin = await stage.origin(script);
        const front = await opened(stage, origin.url, options);
        await front.send();
        await front.event();
        assert.deepEqual([front.stats().state, front.stats().hanafail], [state, state === 'UP' ? 0 : 1]);
      },
    }),
  ),
  ...(['layer4', 'layer7'] as const).map(
    (observe): Case => ({
      name: `a refused connection is an error to ${observe}`,
      async run(stage) {
        const front = await opened(stage, REFUSING, { observe });
        await front.send();
        assert.equal(front.stats().state, 'DOWN');
      },
    }),
  ),
  {
    name: 'no answer in time is an error',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await opened(stage, origin.url, {}, { timeout: { server: 30 } });
      assert.equal((await front.send()).status, 504);
      assert.equal(front.stats().state, 'DOWN');
    },
  },
  {
    name: 'the limit of all of a request is ours, not the server’s',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await opened(stage, origin.url, {}, { timeout: { total: 500 } });
      const sent = front.send();
      await origin.request(1);
      assert.equal((await sent).status, 504);
      assert.equal(front.stats().state, 'UP');
    },
  },
  {
    name: 'a client that leaves, before its answer or in the middle of it, is no error',
    async run(stage) {
      const origin = await stage.origin((request) => {
        if (request.target === '/begins') request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
      });
      const front = await opened(stage, origin.url);
      for (const [nth, path] of ['/waits', '/begins'].entries()) {
        const exchange = await front.start({ path });
        await origin.request(nth + 1);
        if (path === '/begins') await exchange.until(() => exchange.answer.length > 0);
        exchange.leave();
        await front.event(nth + 1);
      }
      assert.equal(front.stats().state, 'UP');
    },
  },
  {
    name: 'a client that stops sending is no error',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await opened(stage, origin.url, {}, { timeout: { client: 30 } });
      const exchange = await front.start({ method: 'POST', framing: 10 });
      exchange.write('abc');
      const { status } = await front.event();
      assert.equal(status, 408);
      assert.equal(front.stats().state, 'UP');
    },
  },
  {
    name: 'what a rule makes of a response is not what the server said',
    async run(stage) {
      const origin = await stage.origin((request) => request.reply(response(request.target === '/200' ? 200 : 500)));
      const front = await opened(stage, origin.url, {}, { httpResponse: [{ deny: 503 }] } as PoolOptions<never>);
      assert.equal((await front.send({ path: '/200' })).status, 503);
      assert.equal(front.stats().state, 'UP');
      await front.send({ path: '/500' });
      assert.equal(front.stats().state, 'DOWN');
    },
  },
  ...(['no connection', 'no answer', 'a 500', 'a 500 to be tried again'] as const).map(
    (what): Case => ({
      name: `${what} that takes the server down, and its requests with it, is one of them`,
      async run(stage) {
        const origin = await stage.origin((request) => {
          if (what === 'no answer') request.socket.end();
          else request.reply(response(500));
        });
        const address = what === 'no connection' ? REFUSING : origin.url;
        const retries = what === 'a 500 to be tried again' ? { retries: 2, retryOn: [500] as const } : {};
        const front = await opened(
          stage,
          address,
          { onMarkedDown: 'shutdown-sessions' },
          retries as PoolOptions<never>,
        );
        assert.equal((await front.send()).status, 502);
        const { flags, status } = await front.event();
        assert.deepEqual([status, flags[0], front.events.length], [502, 'D', 1]);
        assert.deepEqual([front.stats().state, front.stats().active], ['DOWN', 0]);
      },
    }),
  ),
  {
    name: 'a hedge goes on for a request whose server its own error takes down',
    async run(stage) {
      const first = await stage.origin(() => {});
      const second = await stage.origin(() => first.requests[0]?.socket.end());
      const down = { ...WATCHED, onMarkedDown: 'shutdown-sessions' } as const;
      const servers = [{ address: first.url, ...down }, second.url];
      const front = await stage.open({ servers, hedge: { after: '20ms', budget: 1 } });
      front.pool.on('server:down', () => second.requests[0]?.reply(ok('hedge')));
      const { status, body } = await front.send();
      assert.deepEqual([status, body, second.requests.length], [200, 'hedge', 1]);
      const { server, retries, hedges } = await front.event();
      assert.deepEqual([server, retries, hedges], ['s2', 0, 1]);
      assert.deepEqual([front.stats('s1').state, front.stats('s1').active, front.stats('s2').active], ['DOWN', 0, 0]);
    },
  },
  {
    name: 'the server that errors take down is left, and the request goes to another',
    async run(stage) {
      const [bad, good] = [await stage.origin((request) => request.reply(response(503))), await stage.origin()];
      const front = await stage.open({
        servers: [{ address: bad.url, ...WATCHED }, good.url],
        retryOn: [503],
      });
      const told: string[] = [];
      front.pool.on('server:down', ({ server, reason }) => told.push(`${server}: ${reason}`));
      for (let count = 0; count < 4; count++) assert.equal((await within(front.send(), 'an answer')).status, 200);
      assert.equal(bad.requests.length, 1);
      assert.deepEqual(told, ['s1: Health analyze: a request failed: status 503 (HANA)']);
    },
  },
];
