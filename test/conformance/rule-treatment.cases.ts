import assert from 'node:assert/strict';
import { ok } from '../support/origin.ts';
import type { Case } from './case.ts';

/** Rules that change how a request is treated: `setTimeout`, `disableL7Retry`. */
export const ruleTreatmentCases: readonly Case[] = [
  {
    name: 'setTimeout: a request may have less time than the others',
    async run(stage) {
      const { front } = await stage.both(() => {}, {
        timeout: { server: 'infinite' },
        httpRequest: [
          { setTimeout: { server: '1m' } },
          { setTimeout: { server: ({ url }) => (url === '/soon' ? 20 : undefined) } },
          { setTimeout: { server: (() => 'soon') as never } },
        ],
      });
      assert.equal((await front.send({ path: '/soon' })).status, 504);
      assert.equal((await front.event()).flags, 'sH');
      assert.deepEqual(
        front.faults.map(({ sample }) => sample),
        ['httpRequest[2].setTimeout'],
      );
    },
  },
  {
    name: 'setTimeout: a request may have more time than the others',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, {
        timeout: { server: 20 },
        httpRequest: [{ setTimeout: { server: 'infinite' }, if: ({ url }) => url === '/export' }],
      });
      const patient = await front.start({ path: '/export' });
      const { socket } = await origin.request(1);
      assert.equal((await front.send()).status, 504);
      socket.write(ok('at last'));
      assert.equal((await patient.end).body, 'at last');
    },
  },
  {
    name: 'setTimeout: the time in the tarpit',
    async run(stage) {
      const front = await stage.open({
        timeout: { tarpit: 'infinite' },
        httpRequest: [{ setTimeout: { tarpit: 10 } }, { tarpit: true }],
      });
      assert.equal((await front.send()).status, 500);
    },
  },
  {
    name: 'disableL7Retry: only a connection that was not made is tried again',
    async run(stage) {
      const dying = await stage.origin(({ socket }) => socket.destroy());
      const good = await stage.origin();
      const httpRequest = [{ disableL7Retry: true, if: ({ url = '' }) => url === '/once' }] as const;
      const front = await stage.open({ balance: 'first', servers: [dying.url, good.url], httpRequest });
      assert.equal((await front.send({ path: '/once' })).status, 502);
      assert.deepEqual([(await front.event(1)).retries, dying.requests.length, good.requests.length], [0, 1, 0]);
      assert.equal((await front.send()).status, 200);
      const refusing = await stage.open({ balance: 'first', servers: ['http://127.0.0.1:1', good.url], httpRequest });
      assert.equal((await refusing.send({ path: '/once' })).status, 200);
    },
  },
];
