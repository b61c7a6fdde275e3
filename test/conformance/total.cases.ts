import assert from 'node:assert/strict';
import { ok } from '../support/origin.ts';
import type { Case } from './case.ts';

/** `timeout.total`: all of a request, whatever it waits for. */
export const totalCases: readonly Case[] = [
  {
    name: 'a server that does not answer in all of the time: 504, sH',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, { timeout: { total: 60 } });
      assert.equal((await front.send({ method: 'POST', body: 'abc' })).status, 504);
      const event = await front.event();
      assert.deepEqual([event.flags, event.timeout, event.totalMs >= 60], ['sH', 'total', true]);
      assert.equal(front.stats().active, 0);
      await (await origin.connection(1)).closed;
    },
  },
  {
    name: 'retries and all',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, {
        timeout: { server: 120, total: 300 },
        retryOn: 'response-timeout',
        retries: 100,
      });
      const { status } = await front.send();
      const { timeout, retries } = await front.event();
      assert.equal(timeout, 'total');
      assert.ok(retries >= 1 && retries <= 3, `${retries} retries`);
      // The last retry may have been connecting still, or on its way.
      assert.ok(status === 503 || status === 504, `${status}`);
      assert.ok([retries, retries + 1].includes(origin.requests.length), `${origin.requests.length} attempts`);
    },
  },
  {
    name: 'a response that takes longer is cut, sD',
    async run(stage) {
      const { front } = await stage.both(
        ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello'),
        { timeout: { total: 400 } },
      );
      const answer = await front.send();
      assert.deepEqual([answer.status, answer.complete], [200, false]);
      const { flags, timeout } = await front.event();
      assert.deepEqual([flags, timeout], ['sD', 'total']);
    },
  },
  {
    name: 'a request that waits for a slot: 503, sQ; a rule may set it for some',
    async run(stage) {
      const origin = await stage.origin(() => {});
      const front = await stage.open({
        servers: [{ address: origin.url, maxconn: 1 }],
        httpRequest: [{ setTimeout: { total: 60 }, if: ({ url }) => url === '/hasty' }],
      });
      const first = await front.start();
      const held = await origin.request(1);
      assert.equal((await front.send({ path: '/hasty' })).status, 503);
      const { flags, timeout } = await front.event();
      assert.deepEqual([flags, timeout], ['sQ', 'total']);
      held.socket.write(ok());
      assert.equal((await first.end).status, 200);
    },
  },
  {
    name: 'deadlineHeader tells the server what is left; a client may leave less, and no more',
    async run(stage) {
      const { origin, front } = await stage.both(undefined, { timeout: { total: 2_000 }, deadlineHeader: 'X-Left-Ms' });
      for (const [sent, most] of [
        [undefined, 2_000],
        ['1500', 1_500],
        ['999999', 2_000],
        ['soon', 2_000],
      ] as const) {
        const answer = await front.send({ fields: sent === undefined ? [] : [['x-left-ms', sent]] });
        assert.equal(answer.status, 200);
        const values = origin.requests.at(-1)?.values('x-left-ms') ?? [];
        assert.equal(values.length, 1);
        const left = Number(values[0]);
        assert.ok(Number.isInteger(left) && left <= most && left > most - 1_000, `${sent}: ${left} left`);
      }
      origin.script = () => {};
      assert.equal((await front.send({ fields: [['x-left-ms', '30']] })).status, 504);
      assert.equal((await front.event(5)).timeout, 'total');
      const asked = origin.requests.length;
      assert.equal((await front.send({ fields: [['x-left-ms', '0']] })).status, 504);
      const late = await front.event(6);
      assert.deepEqual(
        [late.timeout, late.flags, late.server, origin.requests.length],
        ['total', 'sH', undefined, asked],
      );
    },
  },
];
