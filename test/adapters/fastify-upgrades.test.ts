import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyRequest } from 'fastify';
import { WebSocketServer } from 'ws';
import evenkeel from '#src/adapters/fastify.ts';
import { Pool } from '#src/index.ts';
import { ask, EchoServer, openWebSocket, webSocket } from '../support/echo-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { switching, UpgradeClient, UpgradeOrigin, upgradeRequest } from '../support/upgrade-origin.ts';
import { echoes, originFor, type Seen } from './fastify-app.ts';

function portOf(app: { readonly server: { address(): unknown } }): number {
  return (app.server.address() as AddressInfo).port;
}

test("an upgrade runs the scope's onRequest and preHandler before any server hears of it", async (t) => {
  const origin = await UpgradeOrigin.start(t);
  const ran: string[] = [];
  const app = fastify();
  t.after(() => app.close());
  app.addHook('onRequest', async (request) => {
    await sleep(1);
    ran.push(`onRequest ${request.url}`);
  });
  app.addHook('onResponse', async (_request, reply) => void ran.push(`onResponse ${reply.statusCode}`));
  app.register(async (scope) => {
    scope.addHook('preHandler', async (request, reply) => {
      ran.push('preHandler');
      request.headers['x-user'] = 'u1';
      if (request.headers.authorization === undefined) return reply.code(401).header('x-a', 'b').send('who?');
    });
    scope.register(evenkeel, { servers: [origin.url], prefix: '/ws' });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });

  const refused = await UpgradeClient.open(t, portOf(app));
  refused.socket.write(upgradeRequest('/ws/chat'));
  await refused.ended;
  assert.match(refused.text, /^HTTP\/1\.1 401 Unauthorized\r\n.*x-a: b\r\n.*connection: close\r\n.*who\?$/is);
  assert.deepEqual(ran, ['onRequest /ws/chat', 'preHandler', 'onResponse 401']);
  assert.equal(origin.requests.length, 0);

  const let_in = await UpgradeClient.open(t, portOf(app));
  let_in.socket.write(upgradeRequest('/ws/chat?x', 'Authorization: yes'));
  await let_in.until(/101 Switching/);
  const { head } = await origin.request(1);
  assert.match(head, /^GET \/chat\?x HTTP\/1\.1\r\n.*x-user: u1/is);
  let_in.socket.destroy();
});

test('fields that reply.header() has set are in the 101; the tunnel is only bytes', async (t) => {
  const origin = await UpgradeOrigin.start(t, ({ socket }) => void socket.write(`${switching('X-A: server')}early`));
  const app = fastify({ handlerTimeout: 30 });
  t.after(() => app.close());
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('Set-Cookie', ['a=1', 'b=2']).header('x-a', 'framework');
  });
  app.register(evenkeel, { servers: [origin.url], prefix: '/own' });
  app.register(evenkeel, { servers: [origin.url], prefix: '/next', errorHandler: 'next' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  for (const prefix of ['/own', '/next']) {
    const client = await UpgradeClient.upgraded(t, portOf(app), prefix);
    await client.until(/early$/);
    const [head = '', rest] = client.text.split('\r\n\r\n');
    assert.deepEqual(head.split('\r\n').slice(1), [
      'connection: Upgrade',
      'upgrade: websocket',
      'X-A: server',
      'set-cookie: a=1',
      'set-cookie: b=2',
    ]);
    await sleep(60); // Fastify's own time limit is over
    const { socket, received } = await origin.request(origin.requests.length);
    client.socket.write('there');
    while (Buffer.concat(received).toString() !== 'there') await once(socket, 'data');
    assert.equal(rest, 'early');
    client.socket.destroy();
  }
});

test('failures of an upgrade are answered as those of a request', async (t) => {
  const app = fastify();
  t.after(() => app.close());
  app.setErrorHandler(async (error, _request, reply) => reply.code(599).send((error as { code?: string }).code));
  app.register(evenkeel, { servers: [], prefix: '/own' });
  app.register(evenkeel, { servers: [], prefix: '/next', errorHandler: 'next' });
  app.register(async (scope) => {
    scope.addHook('preHandler', async () => {
      throw new Error('a fault of the hook');
    });
    scope.register(evenkeel, { servers: [], prefix: '/throws' });
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  for (const [path, status] of [
    ['/own', 503],
    ['/next', 599],
    ['/throws', 599],
  ] as const) {
    const answer = await openWebSocket(`ws://127.0.0.1:${portOf(app)}${path}`);
    assert.ok(!('socket' in answer));
    assert.equal(answer.status, status);
  }
});

test('outside the prefix an upgrade is the plain request that it would be without us', async (t) => {
  const origin = await originFor(t, echoes);
  const app = fastify();
  t.after(() => app.close());
  app.post('/own', (request) => request.body);
  app.register(evenkeel, { servers: [origin.url], prefix: '/api' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const client = await RawClient.open(portOf(app));
  t.after(() => client.leave());
  const post = (path: string, upgrade: string): ReturnType<RawClient['sendRaw']> =>
    client.sendRaw(
      `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n` +
        'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}',
      'POST',
    );
  assert.equal((await post('/own', 'websocket')).body, '{"a":1}');
  assert.equal((await post('/none', 'websocket')).status, 404);
  const seen = JSON.parse((await post('/api/x', 'h2c')).body) as Seen;
  assert.deepEqual([seen.target, seen.body], ['/x', '{"a":1}']);
});

test('two mounts, another listener and a pool of its own share one server', async (t) => {
  const [a, b, c] = [await EchoServer.start(t), await EchoServer.start(t), await EchoServer.start(t)];
  const other = new WebSocketServer({ noServer: true });
  const handled = new Pool({ servers: [c.url] });
  t.after(() => {
    other.close();
    return handled.close({ graceMs: 0 });
  });
  const app = fastify();
  t.after(() => app.close());
  app.server.on('upgrade', (request, socket, head) => {
    if (request.url === '/other') other.handleUpgrade(request, socket, head, (own) => own.send('other'));
  });
  app.server.on('upgrade', handled.upgradeHandler({ path: '/a/own' }));
  app.register(evenkeel, { servers: [a.url], prefix: '/a' });
  app.register(evenkeel, { servers: [b.url], prefix: '/:any/b' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const counts = (): number[] => [a, b, c].map((echo) => echo.sockets.clients.size);
  const sockets = [];
  for (const [path, expected] of [
    ['/a/x', [1, 0, 0]],
    ['/a/own/x', [1, 0, 1]],
    ['/z/b/x', [1, 1, 1]],
  ] as const) {
    const socket = await webSocket(`ws://127.0.0.1:${portOf(app)}${path}`);
    assert.equal(await ask(socket, path), path);
    assert.deepEqual(counts(), expected, path);
    sockets.push(socket);
  }
  const opened = await openWebSocket(`ws://127.0.0.1:${portOf(app)}/other`);
  assert.ok('socket' in opened);
  for (const socket of [...sockets, opened.socket]) socket.terminate();
});

test('close() leaves tunnels their grace, then cuts them, whoever owns the pool', async (t) => {
  const origin = await UpgradeOrigin.start(t);
  const pool = new Pool<FastifyRequest>({ servers: [{ name: 'a', address: origin.url }] });
  t.after(() => pool.close({ graceMs: 0 }));
  const app = fastify();
  app.register(evenkeel, { pool, prefix: '/shared', graceMs: 60 });
  app.register(evenkeel, { servers: [origin.url], prefix: '/own', graceMs: 60 });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const clients = [];
  for (const path of ['/shared', '/own']) clients.push(await UpgradeClient.upgraded(t, portOf(app), path));
  const closed = app.close();
  for (const [index, client] of clients.entries()) {
    (await origin.request(index + 1)).socket.write('still here');
    await client.until(/still here$/);
  }
  for (const client of clients) {
    await client.ended;
    client.socket.end();
  }
  await closed;
  await until(() => pool.stats().servers['a']?.active === 0);
  const lease = pool.tryAcquire();
  assert.ok(lease);
  lease.release();
});

test('close() does not wait for a tunnel that ends by itself, and takes its listener off the server', async (t) => {
  const origin = await UpgradeOrigin.start(t);
  const app = fastify();
  app.register(evenkeel, { servers: [origin.url], prefix: '/a' });
  app.register(evenkeel, { servers: [origin.url], prefix: '/b' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  assert.equal(app.server.listenerCount('upgrade'), 1);
  const client = await UpgradeClient.upgraded(t, portOf(app), '/a');
  const closed = app.close();
  client.socket.destroy();
  (await origin.request(1)).socket.end();
  await closed;
  assert.equal(app.server.listenerCount('upgrade'), 0);
});
