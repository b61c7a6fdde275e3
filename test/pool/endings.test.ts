import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EvenkeelError, Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { CommandProcess } from '../bin/command-process.ts';
import { Http2Client } from '../support/http2-client.ts';
import { Origin, ok, REFUSING, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { switching, upgradeRequest } from '../support/upgrade-origin.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

const isClosed = (error: unknown): boolean => error instanceof EvenkeelError && error.code === 'EK_CLOSED';

const HALF = 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf';

/** Fronts for both versions of HTTP, before whatever pool is theirs. */
async function fronts(t: TestContext) {
  const [plain, modern] = [http.createServer(), http2.createServer()];
  const sockets: Socket[] = [];
  for (const server of [plain, modern] as Server[]) {
    server.on('connection', (socket) => sockets.push(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
  }
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  return {
    sockets,
    take: (pool: Pool) => {
      pool.attach(plain);
      pool.attach(modern);
    },
    connect: () => RawClient.open(portOf(plain)),
    connect2: () => Http2Client.open(portOf(modern)),
  };
}

const script: Script = (request) => {
  const { target, socket } = request;
  if (target === '/half') socket.write(HALF);
  else if (target === '/tunnel') socket.write(switching());
  else if (target === '/answered') void request.reply(ok());
};

function resources(): string[] {
  return process.getActiveResourcesInfo().sort();
}

function sockets(): number {
  return resources().filter((name) => name === 'TCPSocketWrap').length;
}

/** What a pool has noted on connections of clients. */
function notes(sockets: readonly Socket[]): number {
  const living = sockets.filter(({ destroyed }) => !destroyed);
  return living.flatMap((socket) =>
    Object.getOwnPropertySymbols(socket).filter((symbol) => String(symbol).includes('evenkeel')),
  ).length;
}

for (const engine of ['http1', 'http-proxy-3'] as const satisfies PoolOptions['engine'][]) {
  test(`${engine}: close ends all there may be: what can ends by itself, the rest is cut, and nothing of it is left`, async (t) => {
    const front = await fronts(t);
    const origins = [await Origin.start(script), await Origin.start(script)];
    const [origin, full] = origins as [Origin, Origin];
    t.after(() => Promise.all(origins.map((each) => each.stop())));
    const [outliving, outliving2] = [await front.connect(), await front.connect2()];
    t.after(() => {
      outliving.leave();
      outliving2.leave();
    });
    // The clients and nothing else: sockets of an earlier test may still be closing, and HTTP/2 has things to do first.
    const calm = (): boolean => !/ConnectWrap|Immediate/.test(resources().join()) && sockets() === 4;
    await until(calm);
    const before = resources();
    const listeners = front.sockets.map((socket) => socket.listenerCount('close'));

    const pool = new Pool({
      engine,
      servers: [
        { name: 'a', address: origin.url, check: 'tcp', inter: '1m' },
        { name: 'full', address: full.url, maxconn: 1, weight: 0 },
        { name: 'dead', address: REFUSING, weight: 0 },
      ],
      useServer: ({ url }) => /^\/(full|dead)/.exec(url ?? '')?.[1],
      httpRequest: [{ tarpit: true, if: ({ url }) => url === '/tarpit' }],
      timeout: { tarpit: 'infinite', queue: 'infinite', connect: '5s' },
      redispatch: false,
      hedge: { after: '1h' },
    });
    front.take(pool);
    const ended: RequestEvent[] = [];
    pool.on('request', (event) => ended.push(event));
    await outliving.send({ path: '/answered' });
    await outliving2.send({ path: '/answered' });

    const clients = new Map<string, RawClient>();
    const start = async (path: string, spec: object = {}) => {
      const client = await front.connect();
      clients.set(path, client);
      return client.start({ path, ...spec });
    };
    const finishing = await start('/finishes');
    const held = await origin.request(3);
    const waiting = await start('/waits');
    const half = await start('/half');
    await half.until(() => half.answer.length === 4);
    const uploading = await start('/upload', { method: 'POST', framing: 10 });
    uploading.write('abc');
    const modern = await front.connect2();
    const stream = modern.start({ path: '/h2' });
    const tunnel = await front.connect();
    clients.set('/tunnel', tunnel);
    const switched = tunnel.sendRaw(upgradeRequest('/tunnel'));
    assert.equal((await switched).status, 101);
    await origin.request(8);
    await start('/full/1');
    const slow = await full.request(1);
    const queued = await start('/full/2');
    const tarpitted = await start('/tarpit');
    const turning = await start('/dead');
    const controller = new AbortController();
    const acquiring = assert.rejects(pool.acquire({ url: '/full/3' }, { signal: controller.signal }), isClosed);
    const lease = pool.tryAcquire({ url: '/' });
    await until(() => !(pool.stats().queued < 2 || pool.stats().servers['dead']?.econ !== 1));

    const closing = pool.close({ graceMs: 500 });
    assert.equal((await tarpitted.end).status, 500);
    const late = await front.connect();
    clients.set('late', late);
    const refused = await late.send();
    assert.deepEqual([refused.status, refused.field('connection')], [503, 'close']);
    const refused2 = await outliving2.send();
    assert.deepEqual([refused2.status, refused2.values('connection')], [503, []]);
    held.socket.write(ok('finished'));
    assert.equal((await finishing.end).body, 'finished');
    assert.equal(tunnel.socket.destroyed, false, 'tunnels have the grace time');

    assert.deepEqual(await closing, { cut: 8, leaked: 1 });
    assert.deepEqual([pool.stats().active, pool.stats().queued], [0, 0]);
    await acquiring;
    for (const exchange of [waiting, uploading, queued, turning]) {
      const answer = await exchange.end;
      assert.deepEqual([answer.status, answer.complete, answer.field('connection')], [503, true, 'close']);
    }
    assert.equal((await half.end).complete, false);
    assert.equal((await stream.end).status, 503);
    assert.deepEqual(Object.fromEntries(ended.map(({ url, flags }) => [url, flags])), {
      '/answered': '--',
      '/tarpit': 'PT',
      '/': 'SC',
      '/finishes': '--',
      '/waits': 'KH',
      '/half': 'KD',
      '/upload': 'KH',
      '/h2': 'KH',
      '/tunnel': 'KD',
      '/full/1': 'KH',
      '/full/2': 'KQ',
      '/dead': 'KC',
    });
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
    await slow.connection.closed;
    for (const path of ['/finishes', '/tarpit']) clients.get(path)?.leave(); // answered in time: these are kept
    modern.leave();
    for (const client of clients.values()) await client.closed;
    for (const { connections } of origins) for (const { closed } of connections) await closed;

    const again = await outliving2.send();
    assert.equal(again.status, 503, 'and a closed pool refuses on');
    assert.equal(notes(front.sockets), 0);
    assert.deepEqual(
      front.sockets.slice(0, listeners.length).map((socket) => socket.listenerCount('close')),
      listeners,
    );
    await until(() => !(front.sockets.filter(({ destroyed }) => !destroyed).length > 2));
    await setImmediate();
    assert.deepEqual(resources(), before);
    lease?.release();
    assert.equal(pool.stats().active, 0);
  });
}

for (const engine of ['http1', 'http-proxy-3'] as const satisfies PoolOptions['engine'][]) {
  test(`${engine}: tunnels go with their server, and with the need for a backup, where the options say so`, async (t) => {
    const front = await fronts(t);
    const origin = await Origin.start(script);
    t.after(() => origin.stop());
    const pool = new Pool({
      engine,
      servers: [
        { name: 'a', address: origin.url, onMarkedDown: 'shutdown-sessions', onMarkedUp: 'shutdown-backup-sessions' },
        { name: 'b', address: origin.url, backup: true },
      ],
    });
    front.take(pool);
    const flags: string[] = [];
    pool.on('request', (event) => flags.push(`${event.server} ${event.flags}`));
    for (const health of ['down', 'up'] as const) {
      const client = await front.connect();
      assert.equal((await client.sendRaw(upgradeRequest('/tunnel'))).status, 101);
      const { closed } = origin.connections.at(-1) ?? assert.fail();
      pool.server('a').setHealth(health);
      await Promise.all([client.closed, closed]);
    }
    assert.deepEqual(flags, ['a DD', 'b UD']);
    assert.deepEqual([pool.server('a').active, pool.server('b').active], [0, 0]);
    await pool.close();
  });
}

test('a request whose body is looked at first leaves no timer behind when it is cut or its client leaves', async (t) => {
  const front = await fronts(t);
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a'), balance: 'url_param id check_post' }, clock);
  front.take(pool);
  const events: RequestEvent[] = [];
  pool.on('request', (event) => events.push(event));
  const [gone, kept] = [await front.connect(), await front.connect()];
  gone.start({ method: 'POST', framing: 10, path: '/gone' });
  const exchange = kept.start({ method: 'POST', framing: 10, path: '/kept' });
  await until(() => !(pool.stats().active < 2));
  gone.leave();
  await until(() => !(pool.stats().active > 1));
  const closing = pool.close({ graceMs: 10 });
  clock.advance(10);
  assert.deepEqual(await closing, { cut: 1, leaked: 0 });
  assert.equal((await exchange.end).status, 503);
  assert.deepEqual([events.map(({ flags }) => flags), clock.pending], [['CC', 'KR'], 0]);
});

test('clients that outlive many pools are told of none of them', async (t) => {
  const front = await fronts(t);
  const origin = await Origin.start((request) => request.reply(ok()));
  t.after(() => origin.stop());
  const handlers: Pool[] = [];
  const server = http.createServer((request, response) => handlers.at(-1)?.middleware()(request, response));
  server.on('connection', (socket) => front.sockets.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const client = await RawClient.open((server.address() as AddressInfo).port);
  t.after(() => client.leave());
  const [socket] = front.sockets as [Socket];
  const before = socket.listenerCount('close');
  for (let i = 0; i < 20; i++) {
    const pool = new Pool({ servers: [origin.url] });
    handlers.push(pool);
    assert.equal((await client.send()).status, 200);
    await pool.close();
    assert.deepEqual([socket.listenerCount('close'), notes([socket])], [before, 0]);
  }
});

test('a removal that still waits when the pool closes waits no longer', async () => {
  const clock = new VirtualClock();
  const pool = new Pool({ servers: nowhere('a', 'b') }, clock);
  const lease = await pool.acquire();
  const removing = pool.removeServer(lease.server.name, { graceMs: 60_000 });
  const closing = pool.close({ graceMs: 0 });
  clock.advance(1);
  assert.deepEqual(await closing, { cut: 0, leaked: 1 });
  assert.deepEqual([await removing, clock.pending], [{ cut: 0, leaked: 1 }, 0]);
});

test('a server that is removed keeps no connection of those that still end', async (t) => {
  const front = await fronts(t);
  const origin = await Origin.start(() => {});
  t.after(() => origin.stop());
  const pool = new Pool({ servers: [{ address: origin.url, name: 'a' }] });
  front.take(pool);
  const [one, other] = [await front.connect(), await front.connect()];
  const [first, second] = [one.start(), other.start()];
  const [request, last] = [await origin.request(1), await origin.request(2)];
  const removing = pool.removeServer('a');
  assert.equal((await (await front.connect()).send()).status, 503);
  await request.reply(ok('first'));
  await request.connection.closed;
  await last.reply(ok('second'));
  assert.deepEqual([(await first.end).status, (await second.end).status], [200, 200]);
  assert.deepEqual(await removing, { cut: 0, leaked: 0 });
  await last.connection.closed;
  await pool.close();
  for (const socket of front.sockets) socket.destroy();
});

test('a process whose pool is closed ends by itself', async (t) => {
  for (const engine of ['http1', 'http-proxy-3']) {
    const child = new CommandProcess(t, [engine], { script: import.meta.resolve('./endings.child.ts') });
    const { code, signal, stderr } = await child.ended;
    assert.deepEqual([code, signal, stderr], [0, null, '']);
    assert.match(child.stdout, /^closed .*"cut":2/);
  }
});
