import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { Pool } from '#src/index.ts';
import { startFront, UPGRADE_FRONTS } from '../support/upgrade-fronts.ts';

/** A server of socket.io that sends back what it gets; `kill` ends it as its process would. */
async function ioServer(t: TestContext, name: string): Promise<{ url: string; server: Server; kill: () => void }> {
  const httpServer = http.createServer();
  const connections = new Set<NetSocket>();
  httpServer.on('connection', (socket: NetSocket) => connections.add(socket));
  const server = new Server(httpServer, { serveClient: false });
  server.on('connection', (socket) => {
    socket.on('ask', (value: unknown, answer: (value: unknown) => void) => answer([name, value]));
  });
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const kill = (): void => {
    httpServer.close();
    for (const socket of connections) socket.destroy();
  };
  t.after(() => {
    kill();
    return server.close();
  });
  return { url: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, server, kill };
}

function connect(t: TestContext, port: number, transports: string[]): Socket {
  const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnectionDelay: 5 });
  t.after(() => socket.disconnect());
  return socket;
}

async function connected(socket: Socket): Promise<void> {
  if (socket.connected) return;
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
}

for (const front of UPGRADE_FRONTS) {
  test(`${front.name}: socket.io polls, then upgrades to a WebSocket`, async (t) => {
    const { url, server } = await ioServer(t, 'a');
    const { port } = await startFront(t, front, new Pool({ servers: [url] }));
    const socket = connect(t, port, ['polling', 'websocket']);
    await connected(socket);
    if (socket.io.engine.transport.name !== 'websocket')
      await new Promise<void>((resolve) => {
        socket.io.engine.once('upgrade', () => resolve());
      });
    const binary = Buffer.from([0, 255, 13, 10]);
    const [name, [text, bytes]] = await socket.emitWithAck('ask', ['ü', binary]);
    assert.deepEqual([name, text, Buffer.from(bytes)], ['a', 'ü', binary]);
    const pushed = new Promise((resolve) => socket.once('news', resolve));
    server.emit('news', 7);
    assert.equal(await pushed, 7);
  });

  test(`${front.name}: socket.io over WebSockets alone finds another server when its own is killed`, async (t) => {
    const [a, b] = [await ioServer(t, 'a'), await ioServer(t, 'b')];
    const servers = [
      { name: 'a', address: a.url },
      { name: 'b', address: b.url },
    ];
    const { port } = await startFront(t, front, new Pool({ servers }));
    const socket = connect(t, port, ['websocket']);
    await connected(socket);
    assert.deepEqual(await socket.emitWithAck('ask', 1), ['a', 1]);
    const lost = new Promise((resolve) => socket.once('disconnect', resolve));
    a.kill();
    await lost;
    await connected(socket);
    assert.deepEqual(await socket.emitWithAck('ask', 2), ['b', 2]);
  });
}
