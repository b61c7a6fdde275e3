import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { ConfigError, Pool, type UpgradeOptions } from '#src/index.ts';
import { ask, EchoServer, openWebSocket, webSocket } from '../support/echo-server.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { UpgradeClient, UpgradeOrigin, upgradeRequest } from '../support/upgrade-origin.ts';

async function listening(t: TestContext, server: http.Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

function poolOf(t: TestContext, ...servers: string[]): Pool {
  const pool = new Pool({ servers });
  t.after(() => pool.close({ graceMs: 0 }));
  return pool;
}

/** Status with which an upgrade is answered. */
async function statusOf(port: number, path: string): Promise<number> {
  const opened = await openWebSocket(`ws://127.0.0.1:${port}${path}`);
  if (!('socket' in opened)) return opened.status;
  opened.socket.terminate();
  return 101;
}

test('authorize lets in on true alone; what it gives or throws is answered, and no server hears of it', async (t) => {
  const echo = await EchoServer.start(t);
  const pool = poolOf(t, echo.url);
  const faults: unknown[] = [];
  pool.on('sample:error', ({ sample, error }) => faults.push([sample, (error as Error).message]));
  const denial = { status: 401, headers: { 'WWW-Authenticate': 'Basic', 'Set-Cookie': ['a=1', 'b=2'] }, body: 'who?' };
  const verdicts: [UpgradeOptions['authorize'], number][] = [
    [() => true, 101],
    [async () => true, 101],
    [() => false, 403],
    [() => undefined, 403],
    [async () => false, 403],
    [() => denial, 401],
    [async () => denial, 401],
    [() => ({ status: 42 }), 500],
    [() => ({ status: 401, headers: { 'x-a': 'line\r\nx-b: break' } }), 500],
    [
      () => {
        throw new Error('thrown');
      },
      500,
    ],
    [() => Promise.reject(new Error('rejected')), 500],
    // biome-ignore lint/suspicious/noThenProperty: promises of other libraries are such objects
    [() => ({ then: (done: (verdict: boolean) => void) => done(true) }) as unknown as Promise<boolean>, 101],
  ];
  const connected: IncomingMessage[] = [];
  echo.sockets.on('connection', (_socket, request) => connected.push(request));
  for (const [index, [authorize, status]] of verdicts.entries()) {
    const server = http.createServer();
    pool.attach(server, authorize ? { authorize } : {});
    const port = await listening(t, server);
    assert.equal(await statusOf(port, '/chat'), status, `verdict ${index}`);
    // Requests pass the same gate.
    const answer = await (await RawClient.open(port)).send({ path: '/chat' });
    assert.equal(answer.status, status === 101 ? 426 : status, `verdict ${index}`);
    if (status === 401) {
      assert.deepEqual([answer.body, answer.field('www-authenticate')], ['who?', 'Basic']);
      assert.deepEqual(answer.values('set-cookie'), ['a=1', 'b=2']);
    }
  }
  assert.equal(connected.length, 3);
  assert.deepEqual(faults.slice(-4), [
    ['authorize', 'thrown'],
    ['authorize', 'thrown'],
    ['authorize', 'rejected'],
    ['authorize', 'rejected'],
  ]);
});

test('a client that leaves while authorize thinks is no request any more', async (t) => {
  const origin = await UpgradeOrigin.start(t);
  const pool = poolOf(t, origin.url);
  const verdict = Promise.withResolvers<boolean>();
  const asked = Promise.withResolvers<void>();
  const authorize = (): Promise<boolean> => {
    asked.resolve();
    return verdict.promise;
  };
  const server = http.createServer().on('upgrade', pool.upgradeHandler({ authorize }));
  const seen = once(server, 'connection');
  const port = await listening(t, server);
  const client = await UpgradeClient.open(t, port);
  client.socket.write(upgradeRequest());
  await asked.promise;
  const [socket] = (await seen) as [Socket];
  client.socket.destroy();
  await once(socket, 'end');
  verdict.resolve(true);
  await once(socket, 'close');
  assert.equal(pool.stats().servers['s1']?.active, 0);
  await until(() => origin.sockets.size === 0);
  assert.equal(origin.requests.length, 0);
});

test('an upgrade outside the path is left to other listeners, and without any gets a 404', async (t) => {
  const echo = await EchoServer.start(t);
  const pool = poolOf(t, echo.url);
  const alone = await listening(t, http.createServer().on('upgrade', pool.upgradeHandler({ path: '/ws/' })));
  const statuses: Record<string, number> = {
    '/ws': 101,
    '/ws/': 101,
    '/ws/room?x': 101,
    '/ws?x': 101,
    '/wsx': 404,
    '/': 404,
    '/x/ws': 404,
  };
  for (const [path, status] of Object.entries(statuses)) assert.equal(await statusOf(alone, path), status, path);

  const other = new WebSocketServer({ noServer: true });
  t.after(() => other.close());
  const server = http.createServer();
  server.on('upgrade', (request, socket, head) => {
    if (request.url === '/own') other.handleUpgrade(request, socket, head, (own) => own.send('own'));
  });
  pool.attach(server, { path: '/ws' });
  const shared = await listening(t, server);
  const opened = await openWebSocket(`ws://127.0.0.1:${shared}/own`);
  assert.ok('socket' in opened);
  opened.socket.terminate();
  assert.equal(await ask(await webSocket(`ws://127.0.0.1:${shared}/ws`), 'hello'), 'hello');
});

test('of several pools on one server the one with the longest path takes the request; one of them says 404', async (t) => {
  const [a, b, c] = [await EchoServer.start(t), await EchoServer.start(t), await EchoServer.start(t)];
  const server = http.createServer();
  const detach = poolOf(t, a.url).attach(server, { path: '/chat' });
  poolOf(t, b.url).attach(server, { path: '/chat/admin' });
  poolOf(t, c.url).attach(server, { path: '/news' });
  const port = await listening(t, server);
  const taken = async (path: string): Promise<number[]> => {
    const before = [a, b, c].map((echo) => echo.sockets.clients.size);
    const socket = await webSocket(`ws://127.0.0.1:${port}${path}`);
    assert.equal(await ask(socket, 'hello'), 'hello');
    return [a, b, c].map((echo, index) => echo.sockets.clients.size - (before[index] ?? 0));
  };
  assert.deepEqual(await taken('/chat'), [1, 0, 0]);
  assert.deepEqual(await taken('/chat/adminx'), [1, 0, 0]);
  assert.deepEqual(await taken('/chat/admin/x'), [0, 1, 0]);
  assert.deepEqual(await taken('/news?x'), [0, 0, 1]);
  assert.equal(await statusOf(port, '/other'), 404);
  const client = await RawClient.open(port);
  assert.equal((await client.send({ path: '/chat/admin' })).status, 426);
  assert.equal((await client.send({ path: '/other' })).status, 404);
  assert.equal((await client.sendRaw('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')).status, 501);
  detach();
  assert.equal(await statusOf(port, '/chat'), 404);
  assert.deepEqual(await taken('/chat/admin'), [0, 1, 0]);
});

test('rewriteUrl decides what the server is asked for; without an answer the client gets a 400', async (t) => {
  const origin = await UpgradeOrigin.start(t);
  const pool = poolOf(t, origin.url);
  const rewriteUrl = (url: string): string => {
    if (url === '/throws') throw new Error('no');
    return `/v2${url}`;
  };
  const port = await listening(t, http.createServer().on('upgrade', pool.upgradeHandler({ rewriteUrl })));
  await UpgradeClient.upgraded(t, port, '/chat?x=%2F');
  assert.match((await origin.request(1)).head, /^GET \/v2\/chat\?x=%2F HTTP\/1\.1\r\n/);
  const client = await UpgradeClient.open(t, port);
  client.socket.write(upgradeRequest('/throws'));
  await client.ended;
  assert.match(client.text, /^HTTP\/1\.1 400 /);
});

test('a path that is none is a ConfigError', async (t) => {
  const pool = poolOf(t);
  for (const path of ['ws', 5, ''])
    assert.throws(() => pool.upgradeHandler({ path: path as string }), ConfigError, String(path));
  assert.throws(() => pool.attach(http.createServer(), { authorise: 1 } as UpgradeOptions), ConfigError);
});

test('what asks for HTTP/2 alone is the plain request that it also is, with its body, on a connection that stays', async (t) => {
  const origin = await EchoServer.start(t);
  const pool = poolOf(t, origin.url);
  const bodies: string[] = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(`${request.method} ${request.url} ${request.headers.upgrade} ${request.headers['x-a']} ${body}`);
    response.end('plain');
  });
  server.on('upgrade', pool.upgradeHandler({ path: '/ws', authorize: () => false }));
  const port = await listening(t, server);
  const client = await RawClient.open(port);
  for (const path of ['/ws', '/other']) {
    for (const length of [5, 5000, 200_000]) {
      const body = 'x'.repeat(length);
      const fields = `Connection: Upgrade, HTTP2-Settings, X-A\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-A: 1\r\n`;
      const answer = await client.sendRaw(
        `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${length}\r\n\r\n${body}`,
        'POST',
      );
      assert.deepEqual([answer.status, answer.body], [200, 'plain']);
      assert.equal(bodies.pop(), `POST ${path} undefined 1 ${body}`);
    }
  }
  assert.equal(await statusOf(port, '/ws'), 403);
});

test('an upgrade pipelined behind a request that is not answered yet ends the connection, and only that', async (t) => {
  const origin = await UpgradeOrigin.start(t, () => {});
  const pool = poolOf(t, origin.url);
  const server = http.createServer();
  pool.attach(server);
  const client = await UpgradeClient.open(t, await listening(t, server));
  client.socket.write(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${upgradeRequest()}`);
  await client.ended;
  await until(() => origin.sockets.size === 0);
  assert.equal(pool.stats().servers['s1']?.active, 0);
});

test('a server that agrees to an upgrade nobody asked for, or to none, is a bad one', async (t) => {
  const unasked = createServer((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'));
  });
  unasked.listen(0, '127.0.0.1');
  await once(unasked, 'listening');
  t.after(() => unasked.close());
  const nameless = await UpgradeOrigin.start(t, ({ socket }) => void socket.write('HTTP/1.1 101 Yes\r\n\r\n'));
  const url = `http://127.0.0.1:${(unasked.address() as AddressInfo).port}`;
  const plain = http.createServer();
  poolOf(t, url).attach(plain);
  assert.equal((await (await RawClient.open(await listening(t, plain))).send()).status, 502);
  const upgrading = http.createServer();
  poolOf(t, nameless.url).attach(upgrading);
  assert.equal(await statusOf(await listening(t, upgrading), '/'), 502);
});
