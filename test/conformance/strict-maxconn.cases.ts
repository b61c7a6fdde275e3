import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { type Origin, ok, response } from '../support/origin.ts';
import { seededRandom } from '../support/virtual-clock.ts';
import type { Case } from './case.ts';
import { within } from './stage.ts';

const MAXCONN = 3;

/**
 * The most connections that were open to a port at one time. As their clients saw it: the kernel tells a server of the end of
 * one connection and the beginning of the next in any order.
 */
const mostOpen = new Map<number, number>();

/** Counts anew: another case may have had the port before. */
function count(origin: Origin): void {
  mostOpen.delete(origin.port);
}

const open = new Set<Socket>();
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  open.add(socket);
  socket.once('close', () => open.delete(socket));
  socket.once('connect', () => {
    const port = socket.remotePort;
    if (port === undefined) return;
    const now = [...open].filter(({ destroyed, remotePort }) => !destroyed && remotePort === port).length;
    mostOpen.set(port, Math.max(mostOpen.get(port) ?? 0, now));
  });
});

/** Facts §4.1: `strict-maxconn`. */
export const strictMaxconnCases: readonly Case[] = [
  {
    name: 'strictMaxconn: a kept connection that the next request may not use makes room for a new one',
    async run(stage) {
      const origin = await stage.origin();
      count(origin);
      const front = await stage.open({
        servers: [{ address: origin.url, maxconn: 1, strictMaxconn: true }],
        httpReuse: 'never',
      });
      for (let nth = 1; nth <= 3; nth++) {
        const client = await front.client();
        assert.equal((await client.send()).status, 200);
        assert.equal((await client.send()).status, 200);
      }
      await within(
        Promise.all(origin.connections.slice(0, 2).map(({ closed }) => closed)),
        'the end of connections that had to make room',
      );
      // One that is not yet given back by its engine makes room, too.
      assert.ok(origin.connections.length >= 3);
      assert.equal(mostOpen.get(origin.port), 1);
    },
  },
  {
    name: 'strictMaxconn: over a random run no server ever has more connections than its maxconn',
    async run(stage) {
      const random = seededRandom(7);
      const origin = await stage.origin(async (request) => {
        if (!(await request.ended)) return;
        const { socket, target } = request;
        if (target === '/cut') socket.destroy();
        else if (target === '/half') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
        else if (target === '/close') socket.end(ok('last', { Connection: 'close' }));
        else if (target === '/503') socket.write(response(503, 'busy'));
        else if (target === '/ntlm') socket.write(response(401, 'who?', { 'WWW-Authenticate': 'NTLM' }));
        else if (target !== '/silent') socket.write(ok());
      });
      count(origin);
      const front = await stage.open({
        servers: [{ address: origin.url, maxconn: MAXCONN, strictMaxconn: true }],
        retryOn: ['conn-failure', 'empty-response', 503],
        retries: 1,
        hedge: { after: '5ms', budget: 1 },
        timeout: { queue: '10s' },
      });
      const targets = ['/', '/', '/', '/', '/cut', '/half', '/close', '/503', '/ntlm', '/silent'];
      const work = async (): Promise<void> => {
        let client = await front.client();
        for (let n = 0; n < 30; n++) {
          const path = targets[Math.floor(random() * targets.length)] as string;
          const post = random() < 0.3 ? { method: 'POST', body: 'abc' } : {};
          const exchange = client.start({ path, ...post });
          if (path === '/silent') {
            for (let turns = Math.floor(random() * 5); turns >= 0; turns--) await setImmediate();
            exchange.leave();
          } else await exchange.end;
          if (path === '/' && random() < 0.8) continue;
          client.leave();
          client = await front.client();
        }
        client.leave();
      };
      await within(Promise.all(Array.from({ length: 6 }, work)), 'the end of the run', 30_000);
      assert.equal(mostOpen.get(origin.port), MAXCONN);
    },
  },
];
