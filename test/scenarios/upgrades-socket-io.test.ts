import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket as NetSocket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Server } from 'socket.io';
import { io, type ManagerOptions, type Socket } from 'socket.io-client';
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

/** @param options `withCredentials` has it keep cookies from one request to the next */
function connect(t: TestContext, port: number, transports: string[], options: Partial<ManagerOptions> = {}): Socket {
  const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, reconnectionDelay: 5, ...options });
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

async function upgraded(socket: Socket): Promise<void> {
  await connected(socket);
  const { engine } = socket.io;
  if (engine.transport.name !== 'websocket')
    await new Promise<void>((resolve) => {
      engine.once('upgrade', () => resolve());
    });
}

for (const front of UPGRADE_FRONTS) {
  test(`${front.name}: socket.io polls, then upgrades to a WebSocket`, async (t) => {
    const { url, server } = await ioServer(t, 'a');
    const { port } = await startFront(t, front, new Pool({ servers: [url] }));
    const socket = connect(t, port, ['polling', 'websocket']);
    await upgraded(socket);
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

  test(`${front.name}: with a cookie, each client of socket.io stays on one server through polls and upgrade, and finds the other when that dies`, {
    timeout: 20_000,
  }, async (t) => {
    const both = [await ioServer(t, 'a'), await ioServer(t, 'b')] as const;
    const servers = both.map(({ url }, at) => ({ name: 'ab'.charAt(at), address: url, cookie: 'ab'.charAt(at) }));
    const pool = new Pool({ servers, cookie: 'SRV insert indirect' });
    const flags: Record<string, number> = {};
    pool.on('request', ({ cookieFlags }) => {
      flags[cookieFlags] = (flags[cookieFlags] ?? 0) + 1;
    });
    const { port } = await startFront(t, front, pool);
    const sockets = Array.from({ length: 6 }, () =>
      connect(t, port, ['polling', 'websocket'], { withCredentials: true }),
    );
    const home = await Promise.all(
      sockets.map(async (socket) => {
        await connected(socket);
        const [polled] = await socket.emitWithAck('ask', 'while it polls, or upgrades');
        await upgraded(socket);
        for (let i = 0; i < 3; i++) assert.deepEqual(await socket.emitWithAck('ask', i), [polled, i]);
        return polled;
      }),
    );
    assert.deepEqual([...home].sort(), ['a', 'a', 'a', 'b', 'b', 'b']);
    assert.deepEqual(
      [flags['NI'], Object.keys(flags).sort()],
      [6, ['NI', 'VN']],
      'one cookie each; all else follows it',
    );
    const lost = sockets
      .filter((_, at) => home[at] === 'a')
      .map((socket) => new Promise((resolve) => socket.once('disconnect', resolve)));
    both[0].kill();
    await Promise.all(lost);
    for (const socket of sockets) {
      await connected(socket);
      assert.deepEqual(await socket.emitWithAck('ask', 'again'), ['b', 'again']);
    }
  });
}
