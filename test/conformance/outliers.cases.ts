import assert from 'node:assert/strict';
import type { OutlierOptions, PoolOptions, ServerEjectedEvent } from '#src/index.ts';
import { answersOk, REFUSING, response, type Script } from '../support/origin.ts';
import type { Case } from './case.ts';
import type { OpenFront, Stage } from './stage.ts';

const OUTLIER: OutlierOptions = { consecutiveErrors: 2, baseEjection: '1m' };

/** What a server may do wrong. */
const FAULTS: Readonly<Record<string, Script>> = {
  'status 502': (request) => request.reply(response(502)),
  'status 503': (request) => request.reply(response(503)),
  'status 504': (request) => request.reply(response(504)),
  'empty-response': ({ socket }) => socket.end(),
  'junk-response': (request) => request.reply('junk\r\n\r\n'),
  'response-timeout': () => {},
  'a cut response': ({ socket }) => socket.end('HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc'),
};

async function open(stage: Stage, servers: readonly string[], options: PoolOptions<never> = {}) {
  const front = await stage.open({ servers, retries: 0, outlier: OUTLIER, ...options });
  const ejected: ServerEjectedEvent[] = [];
  front.pool.on('server:ejected', (event) => ejected.push(event));
  return { front, ejected };
}

/** Sends one request after another. One whose answer is cut has no whole one. */
async function send(front: OpenFront, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const before = front.events.length;
    await front.send().catch(() => undefined);
    await front.event(before + 1);
  }
}

/** Ejection by live traffic: what counts against a server, and what does not. */
export const outliersCases: readonly Case[] = [
  {
    name: 'errors in a row of every kind eject a server, and the next requests go to the other',
    async run(stage) {
      const good = await stage.origin();
      for (const [what, script] of Object.entries({ 'conn-failure': undefined, ...FAULTS })) {
        const url = script ? (await stage.origin(script)).url : REFUSING;
        // Only where it is waited for is it short: the other server is to answer in time.
        const timeout = what === 'response-timeout' ? { server: 300 } : {};
        const { front, ejected } = await open(stage, [url, good.url], { timeout });
        await send(front, 3);
        assert.deepEqual(
          ejected.map(({ server, cause, reason }) => [server, cause, reason]),
          [['s1', 'consecutive-errors', `2 errors in a row, the last: ${what}`]],
        );
        await send(front, 3);
        assert.deepEqual(
          front.events.slice(3).map(({ server, status }) => [server, status]),
          [1, 2, 3].map(() => ['s2', 200]),
          what,
        );
        assert.equal(front.stats('s1').breaker, 'open');
      }
    },
  },
  {
    name: 'what is not the doing of the server, and what is no gateway error, ejects nobody',
    async run(stage) {
      const good = await stage.origin();
      for (const status of [200, 404, 429, 500, 501]) {
        const other = await stage.origin((request) => request.reply(response(status)));
        const { front, ejected } = await open(stage, [other.url, good.url]);
        await send(front, 8);
        assert.deepEqual(ejected, [], String(status));
      }
      const denying = await open(stage, [good.url, good.url], { httpResponse: [{ deny: 503 }] });
      await send(denying.front, 8);
      assert.deepEqual(denying.ejected, []);

      const silent = await stage.origin(() => {});
      const { front, ejected } = await open(stage, [silent.url, silent.url]);
      for (let i = 0; i < 8; i++) {
        const exchange = await front.start();
        await silent.request(i + 1);
        exchange.leave();
        assert.equal((await front.event(i + 1)).status, 499);
      }
      const hurried = await open(stage, [silent.url, silent.url], { timeout: { total: 50 } });
      await send(hurried.front, 8);
      assert.deepEqual([ejected, hurried.ejected], [[], []]);
    },
  },
  {
    name: 'a response that was given up for a retry counts, and so does its Retry-After where that is honoured',
    async run(stage) {
      const good = await stage.origin();
      const busy = await stage.origin((request) => request.reply(response(503, '', { 'Retry-After': '7' })));
      const retrying = { retries: 1, retryOn: [503] } as const;
      const plain = await open(stage, [busy.url, good.url], retrying);
      await send(plain.front, 4);
      assert.deepEqual(
        [plain.ejected.map(({ cause }) => cause), plain.front.events.map(({ status }) => status)],
        [['consecutive-errors'], [200, 200, 200, 200]],
      );
      for (const options of [retrying, {}]) {
        const honouring = await open(stage, [busy.url, good.url], {
          ...options,
          outlier: { ...OUTLIER, honorRetryAfter: { max: '5s' } },
        });
        await send(honouring.front, 2);
        assert.deepEqual(honouring.ejected, [
          { server: 's1', cause: 'retry-after', reason: 'status 503 with Retry-After', forMs: 5_000 },
        ]);
      }
    },
  },
  {
    name: 'a server that works again is restored by the requests that try it',
    async run(stage) {
      const ill = await stage.origin(FAULTS['status 503']);
      const good = await stage.origin();
      const { front, ejected } = await open(stage, [ill.url, good.url], {
        outlier: { ...OUTLIER, baseEjection: '50ms', trials: 2 },
      });
      await send(front, 3);
      assert.equal(ejected.length, 1);
      ill.script = answersOk();
      let restored = false;
      front.pool.on('server:restored', ({ server }) => {
        restored = server === 's1';
      });
      for (let tries = 0; !restored; tries++) {
        assert.ok(tries < 5_000, 'it is never restored');
        await send(front, 1);
      }
      assert.ok(front.events.slice(3).every(({ status }) => status === 200));
      assert.deepEqual([front.stats('s1').breaker, front.stats('s1').ejections], ['closed', 1]);
    },
  },
];
