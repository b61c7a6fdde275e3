import assert from 'node:assert/strict';
import { ok, REFUSING } from '../support/origin.ts';
import { until } from '../support/until.ts';
import type { Case } from './case.ts';
import { type OpenFront, within } from './stage.ts';

const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello';
const CUTS = { onMarkedDown: 'shutdown-sessions' } as const;

/** What became of the requests so far, by target. */
function told(front: OpenFront): string[] {
  return front.events
    .map(({ url, status, flags, error }) => `${url} ${status} ${flags}${error ? ` ${error.code}` : ''}`)
    .sort();
}

/** HAProxy's `on-marked-down` and `on-marked-up`: flags `D` and `U`. */
export const markedCases: readonly Case[] = [
  {
    name: 'onMarkedDown: a server that goes down or into maintenance loses what it has, and only that',
    async run(stage) {
      for (const act of ['down', 'maint'] as const) {
        const { origin, front } = await stage.both(
          (request) => request.target === '/half' && request.socket.write(HALF),
          { defaultServer: { ...CUTS, maxconn: 3 } },
        );
        const healthy = await stage.origin(() => {});
        const waiting = await front.start({ path: '/waiting' });
        const streaming = await front.start({ path: '/half' });
        const uploading = await front.start({ method: 'POST', framing: 10, path: '/upload' });
        uploading.write('abc');
        await streaming.until(() => streaming.answer.length === 5);
        await origin.request(3);
        front.pool.addServer({ name: 'other', address: healthy.url, maxconn: 1 });
        const elsewhere = await front.start({ path: '/elsewhere' });
        const { socket } = await healthy.request(1);
        const queued = await front.start({ path: '/queued' });
        await until(() => front.pool.stats().queued === 1);

        if (act === 'down') front.pool.server('s1').setHealth('down');
        else front.pool.server('s1').setState('maint');
        assert.deepEqual([(await waiting.end).status, (await uploading.end).status], [502, 502]);
        const cut = await streaming.end;
        assert.deepEqual([cut.status, cut.complete, cut.ended === 'hang'], [200, false, false]);
        await front.event(3);
        assert.deepEqual(told(front), ['/half 200 DD', '/upload 502 DH EK_CUT', '/waiting 502 DH EK_CUT']);
        assert.equal(front.stats().active, 0);
        for (const { closed } of origin.connections) await closed;

        assert.deepEqual([front.pool.stats().active, front.pool.stats().queued], [2, 1]);
        socket.write(ok('elsewhere'));
        assert.equal((await elsewhere.end).body, 'elsewhere');
        await (await healthy.request(2)).reply(ok('queued'));
        assert.equal((await queued.end).body, 'queued');
      }
    },
  },
  {
    name: 'onMarkedDown: draining, NOLB and no such option leave everything as it is',
    async run(stage) {
      const { origin, front } = await stage.both(() => {}, { defaultServer: CUTS });
      const plain = await stage.origin(() => {});
      const held = await front.start();
      const { socket } = await origin.request(1);
      front.pool.server('s1').setState('drain');
      front.pool.server('s1').setState('ready');
      front.pool.server('s1').setHealth('stopping');
      front.pool.addServer({ name: 'plain', address: plain.url, onMarkedDown: 'none' });
      const other = await front.start();
      const request = await plain.request(1);
      front.pool.server('plain').setHealth('down');
      front.pool.server('plain').setState('maint');
      socket.write(ok('drained'));
      await request.reply(ok('down'));
      assert.deepEqual([(await held.end).body, (await other.end).body], ['drained', 'down']);
    },
  },
  {
    name: 'onMarkedDown: a request that was not connected yet is cut, too: DC',
    async run(stage) {
      // Refused, it waits before it asks that server again.
      const front = await stage.open({ servers: [REFUSING], defaultServer: CUTS, redispatch: false });
      const exchange = await front.start();
      await until(() => front.stats().econ === 1);
      front.pool.server('s1').setHealth('down');
      assert.equal((await exchange.end).status, 502);
      assert.deepEqual([(await front.event()).flags, front.stats().active], ['DC', 0]);
    },
  },
  {
    name: 'onMarkedDown: a failed check is enough, and the error handler is asked where there is one',
    needs: 'errorHandler',
    async run(stage) {
      const { origin, front } = await stage.both(
        (request) => request.target === '/check' && request.reply(ok('', {})),
        {
          defaultServer: { ...CUTS, check: { type: 'http', uri: '/check' }, inter: '250ms', fall: 1 },
        },
        { middleware: { errorHandler: 'next' } },
      );
      await front.pool.ready();
      const exchange = await front.start({ path: '/waiting' });
      await until(() => origin.requests.some(({ target }) => target === '/waiting'));
      origin.script = (request) => request.reply('HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n');
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.body], [599, 'EK_CUT']);
      assert.equal((await front.event()).flags, 'DH');
    },
  },
  {
    name: 'onMarkedDown: a hedge on that server is given up alone; a hedge elsewhere goes on alone',
    async run(stage) {
      for (const [down, answers] of [
        ['s2', 's1'],
        ['s1', 's2'],
      ] as const) {
        const origins = { s1: await stage.origin(() => {}), s2: await stage.origin(() => {}) };
        const front = await stage.open({
          servers: [origins.s1.url, origins.s2.url],
          defaultServer: CUTS,
          hedge: { after: '20ms', budget: 1 },
        });
        const exchange = await front.start();
        const requests = { s1: await origins.s1.request(1), s2: await origins.s2.request(1) };
        front.pool.server(down).setHealth('down');
        await within(requests[down].connection.closed, 'the end of what was on the server');
        await requests[answers].reply(ok(answers));
        assert.equal((await exchange.end).body, answers);
        const { server, flags } = await front.event();
        assert.deepEqual([server, flags, front.stats('s1').active, front.stats('s2').active], [answers, '--', 0, 0]);
      }
    },
  },
  {
    name: 'onMarkedUp: a server that comes up, leaves maintenance or is added takes the place of backups: U',
    async run(stage) {
      for (const act of ['up', 'ready', 'added'] as const) {
        const active = await stage.origin();
        const backup = await stage.origin((request) => request.target === '/half' && request.socket.write(HALF));
        const server = { name: 'active', address: active.url, onMarkedUp: 'shutdown-backup-sessions' } as const;
        const front = await stage.open({
          servers: [...(act === 'added' ? [] : [server]), { name: 'backup', address: backup.url, backup: true }],
        });
        if (act === 'up') front.pool.server('active').setHealth('down');
        else if (act === 'ready') front.pool.server('active').setState('maint');
        const waiting = await front.start({ path: '/waiting' });
        const streaming = await front.start({ path: '/half' });
        await streaming.until(() => streaming.answer.length === 5);
        await backup.request(2);
        if (act === 'up') front.pool.server('active').setHealth('up');
        else if (act === 'ready') front.pool.server('active').setState('ready');
        else front.pool.addServer(server);
        assert.equal((await waiting.end).status, 502);
        assert.equal((await streaming.end).complete, false);
        await front.event(2);
        assert.deepEqual(told(front), ['/half 200 UD', '/waiting 502 UH EK_CUT']);
        assert.equal((await front.send()).status, 200);
        assert.equal(front.stats('backup').active, 0);
      }
    },
  },
  {
    name: 'onMarkedUp: not of a backup, not of a server that takes nothing, not when draining ends',
    async run(stage) {
      const held = await stage.origin(() => {});
      const other = await stage.origin();
      const front = await stage.open({
        servers: [
          { name: 'active', address: other.url },
          { name: 'first', address: held.url, backup: true },
          { name: 'second', address: other.url, backup: true },
        ],
        defaultServer: { onMarkedUp: 'shutdown-backup-sessions' },
      });
      front.pool.server('active').setState('drain');
      const exchange = await front.start();
      const request = await held.request(1);
      front.pool.server('second').setHealth('down');
      front.pool.server('second').setHealth('up');
      front.pool.server('active').setHealth('down');
      front.pool.server('active').setHealth('up'); // it drains all the same
      front.pool.server('active').setState('ready');
      front.pool.server('active').setWeight(0);
      front.pool.server('active').setHealth('down');
      front.pool.server('active').setHealth('up');
      await request.reply(ok('backup'));
      assert.equal((await exchange.end).body, 'backup');
    },
  },
];
