import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { WebSocket } from 'ws';
import { Pool } from '#src/index.ts';
import { ask, EchoServer, webSocket } from '../support/echo-server.ts';
import { until } from '../support/until.ts';
import { frontNamed, startFront } from '../support/upgrade-fronts.ts';

const COUNT = 1_000;

for (const [front, engine] of [
  ['attach', 'http1'],
  ['attach', 'http-proxy-3'],
  ['Fastify', 'http1'],
] as const) {
  test(`${front}, ${engine}: of ${COUNT} WebSockets those of a killed server end, the others live on, and nothing is left`, async (t) => {
    const echoes = await Promise.all(['a', 'b', 'c', 'd'].map(() => EchoServer.start(t)));
    const servers = echoes.map(({ url }, index) => ({ name: 'abcd'[index] as string, address: url }));
    const pool = new Pool({ engine, balance: 'leastconn', servers });
    const active = (): number[] => Object.values(pool.stats().servers).map((server) => server.active);
    const { port, sockets: clients } = await startFront(t, frontNamed(front), pool);
    const sockets: WebSocket[] = [];
    while (sockets.length < COUNT) {
      const batch = Array.from({ length: 50 }, () => webSocket(`ws://127.0.0.1:${port}/`));
      sockets.push(...(await Promise.all(batch)));
    }
    assert.deepEqual(active(), [250, 250, 250, 250]);
    const answers = await Promise.all(sockets.map((socket, index) => ask(socket, `number ${index}`)));
    assert.deepEqual(
      answers,
      sockets.map((_, index) => `number ${index}`),
    );

    const killed = new Promise<void>((resolve) => {
      let left = COUNT / 4;
      for (const socket of sockets) {
        socket.on('error', () => {});
        socket.once('close', () => {
          if (--left === 0) resolve();
        });
      }
    });
    echoes[1]?.kill();
    await killed;
    const living = sockets.filter((socket) => socket.readyState === socket.OPEN);
    assert.equal(living.length, (COUNT * 3) / 4);
    const again = await Promise.all(living.map((socket, index) => ask(socket, `again ${index}`)));
    assert.ok(again.every((answer, index) => answer === `again ${index}`));
    assert.deepEqual(active(), [250, 0, 250, 250]);

    // The dead server is passed over.
    for (let i = 0; i < 10; i++) {
      const late = await webSocket(`ws://127.0.0.1:${port}/`);
      assert.equal(await ask(late, 'late'), 'late');
      living.push(late);
    }
    // Half say good-bye, half are torn off.
    await Promise.all(
      living.map((socket, index) => {
        const closed = once(socket, 'close');
        if (index % 2 === 0) socket.close();
        else socket.terminate();
        return closed;
      }),
    );
    await until(() => !(clients.size > 0 || echoes.some((echo) => echo.open > 0)));
    assert.deepEqual(active(), [0, 0, 0, 0]);
    for (const server of Object.values(pool.stats().servers)) assert.equal(server.idle, 0);
  });
}
