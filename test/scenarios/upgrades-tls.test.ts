import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { Pool, type PoolOptions } from '#src/index.ts';
import { certificateFor } from '../support/certificates.ts';
import { ask } from '../support/echo-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

const ENGINES: readonly NonNullable<PoolOptions['engine']>[] = ['http1', 'http-proxy-3'];

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

for (const engine of ENGINES) {
  test(`${engine}: WebSockets over TLS on both sides, and to a server of HTTP/2 that speaks HTTP/1 too`, async (t) => {
    const certificate = await certificateFor('127.0.0.1');
    const behind = https.createServer(certificate, (_request, response) => response.end('plain'));
    const sockets = new WebSocketServer({ server: behind });
    sockets.on('connection', (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const address = `https://127.0.0.1:${await listening(t, behind)}`;
    const pool = new Pool({ engine, servers: [{ name: 'a', address, ca: certificate.cert }] });
    t.after(() => pool.close({ graceMs: 0 }));
    const fronts = [
      https.createServer(certificate),
      http2.createSecureServer({ ...certificate, allowHTTP1: true }) as unknown as https.Server,
    ];
    for (const front of fronts) {
      pool.attach(front);
      const port = await listening(t, front);
      const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { ca: certificate.cert });
      await once(socket, 'open');
      assert.equal(await ask(socket, 'hello'), 'hello');
      const big = Buffer.alloc(2_000_000, 'x');
      assert.deepEqual(await ask(socket, big), big);
      const closed = once(socket, 'close');
      for (const server of sockets.clients) server.close(4001);
      assert.equal((await closed)[0], 4001);

      const client = await RawClient.open(port, { ca: certificate.cert });
      for (const body of ['hello', 'again']) {
        const fields = 'Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n';
        const answer = await client.sendRaw(`POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n${body}`, 'POST');
        assert.deepEqual([answer.status, answer.body], [200, 'plain']);
      }
      client.leave();
    }
    await until(() => pool.stats().servers['a']?.active === 0);
  });
}
