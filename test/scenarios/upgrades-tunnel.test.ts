import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { until } from '../support/until.ts';
import { attached } from '../support/upgrade-fronts.ts';
import {
  switching,
  UpgradeClient,
  UpgradeOrigin,
  type UpgradeRequest,
  upgradeRequest,
} from '../support/upgrade-origin.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ENGINES: readonly NonNullable<PoolOptions['engine']>[] = ['http1', 'http-proxy-3'];

const HOUR_MS = 3_600_000;

/** One pool in front of one server that agrees to everything, on a clock that stands still. */
interface Stage {
  readonly pool: Pool;
  readonly clock: VirtualClock;
  readonly port: number;
  readonly origin: UpgradeOrigin;
  readonly events: RequestEvent[];
  /** The next request is over. */
  over(): Promise<RequestEvent>;
  /** No slot, socket or deadline is left. */
  clean(): Promise<void>;
}

async function stage(
  t: TestContext,
  options: PoolOptions<never>,
  act?: (request: UpgradeRequest) => void,
): Promise<Stage> {
  const clock = new VirtualClock();
  clock.advance(1); // a time of 0 says that something has not been yet
  const origin = await UpgradeOrigin.start(t, act);
  const pool = new Pool({ ...(options as PoolOptions), servers: [{ name: 'a', address: origin.url }] }, clock);
  const events: RequestEvent[] = [];
  pool.on('request', (event) => events.push(event));
  const { port, sockets } = await attached(t, pool);
  return {
    pool,
    clock,
    port,
    origin,
    events,
    over: () => new Promise((resolve) => pool.once('request', resolve)),
    async clean() {
      await until(() => !(origin.sockets.size > 0 || sockets.size > 0));
      assert.equal(pool.stats().servers['a']?.active, 0);
      // The watch over deadlines ends with the last of them.
      clock.advance(1_000);
      assert.equal(clock.pending, 0);
    },
  };
}

for (const engine of ENGINES) {
  const story = (name: string): string => `${engine}: ${name}`;

  test(
    story('a client that ends its side still gets all that the server sends, and the server all it sent'),
    async (t) => {
      const { port, origin, over, clean } = await stage(t, { engine });
      const client = await UpgradeClient.upgraded(t, port);
      const server = await origin.request(1);
      const last = Buffer.alloc(3_000_000, 'c');
      client.socket.end(last);
      await server.ended;
      assert.equal(Buffer.concat(server.received).length, last.length);
      const ended = over();
      const before = client.length;
      server.socket.write(Buffer.alloc(2_000_000, 's'));
      server.socket.end('the end');
      await client.closed;
      assert.equal(client.length - before, 2_000_007);
      const event = await ended;
      assert.deepEqual([event.status, event.flags, event.bytesIn, event.bytesOut], [101, '--', 3_000_000, 2_000_007]);
      await clean();
    },
  );

  test(story('a server that ends its side still gets all that the client sends'), async (t) => {
    const { port, origin, over, clean } = await stage(t, { engine });
    const client = await UpgradeClient.upgraded(t, port);
    const server = await origin.request(1);
    server.socket.end('bye');
    await client.ended;
    assert.ok(client.text.endsWith('bye'));
    const ended = over();
    client.socket.end(Buffer.alloc(3_000_000, 'c'));
    await server.ended;
    assert.equal(Buffer.concat(server.received).length, 3_000_000);
    assert.equal((await ended).flags, '--');
    await clean();
  });

  test(story('timeout.total ends with the upgrade'), async (t) => {
    const { port, origin, clock, over, clean } = await stage(t, { engine, timeout: { total: '1s' } });
    const client = await UpgradeClient.upgraded(t, port);
    const server = await origin.request(1);
    clock.advance(5_000);
    const ended = over();
    server.socket.end('still here');
    await client.ended;
    client.socket.end();
    assert.ok(client.text.endsWith('still here'));
    assert.equal((await ended).flags, '--');
    await clean();
  });

  test(story('a server that is gone leaves its last words with the client, then the client is gone too'), async (t) => {
    const { port, origin, over, clean } = await stage(t, { engine });
    const client = await UpgradeClient.upgraded(t, port);
    const server = await origin.request(1);
    const ended = over();
    client.socket.write('unread');
    server.socket.write('last words', () => server.socket.resetAndDestroy());
    await client.ended;
    client.socket.end();
    await client.closed;
    assert.equal((await ended).flags, 'SD');
    await clean();
  });

  test(story('a client that is gone takes the connection to the server with it'), async (t) => {
    const { port, origin, over, events, clean } = await stage(t, { engine });
    for (const leave of ['resetAndDestroy', 'destroy'] as const) {
      const client = await UpgradeClient.upgraded(t, port);
      const server = await origin.request(origin.requests.length);
      const ended = over();
      client.socket[leave]();
      if (leave === 'destroy') {
        // A FIN alone says no more than that the client has nothing to send.
        await server.ended;
        while (events.length < 2) {
          server.socket.write('anybody?');
          await new Promise(setImmediate);
        }
      }
      assert.equal((await ended).flags, 'CD', leave);
      await server.ended;
      server.socket.end();
    }
    await clean();
  });

  test(story('bytes behind the head reach the other side first, both ways'), async (t) => {
    const { port, origin, clean } = await stage(t, { engine }, ({ socket }) => socket.write(`${switching()}first `));
    const client = await UpgradeClient.open(t, port);
    client.socket.write(`${upgradeRequest()}early `);
    await client.until(/first $/);
    client.socket.write('later');
    const server = await origin.request(1);
    while (Buffer.concat(server.received).toString() !== 'early later') await once(server.socket, 'data');
    server.socket.write('second');
    await client.until(/first second$/);
    client.socket.destroy();
    server.socket.destroy();
    await clean();
  });

  test(story('who does not read holds the other up, and loses nothing'), async (t) => {
    const { port, origin, clean } = await stage(t, { engine });
    const client = await UpgradeClient.upgraded(t, port);
    const server = await origin.request(1);
    const before = client.length;
    const sizes = { there: 0, back: 0 };
    for (const [from, to, way] of [
      [client.socket, server.socket, 'there'],
      [server.socket, client.socket, 'back'],
    ] as const) {
      to.pause();
      const chunk = Buffer.alloc(65_536, way);
      // Until nothing moves for a while: both kernels and our one buffer are full.
      for (let idle = 0; idle < 20; ) {
        const full = from.writableNeedDrain;
        if (!full) {
          from.write(chunk);
          sizes[way] += chunk.length;
        }
        idle = full ? idle + 1 : 0;
        if (full) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.ok(sizes[way] < 64_000_000, `${sizes[way]} bytes went ${way} unread`);
    }
    client.socket.resume();
    server.socket.resume();
    while (Buffer.concat(server.received).length < sizes.there) await once(server.socket, 'data');
    while (client.length - before < sizes.back) await once(client.socket, 'data');
    client.socket.end();
    server.socket.end();
    await client.closed;
    await clean();
  });

  test(
    story('a tunnel in which nothing moves is cut after timeout.tunnel; a byte either way starts it anew'),
    async (t) => {
      const { port, origin, clock, over, events, clean } = await stage(t, { engine });
      const client = await UpgradeClient.upgraded(t, port);
      const server = await origin.request(1);
      clock.advance(HOUR_MS - 1_000);
      client.socket.write('a');
      await once(server.socket, 'data');
      clock.advance(HOUR_MS - 1_000);
      server.socket.write('b');
      await client.until(/b$/);
      clock.advance(HOUR_MS - 1_000);
      await clock.settle();
      assert.equal(events.length, 0);
      const ended = over();
      clock.advance(2_000);
      const { flags, timeout } = await ended;
      assert.deepEqual([flags, timeout], ['sD', 'tunnel']);
      await Promise.all([client.ended, server.ended]);
      client.socket.end();
      server.socket.end();
      await clean();
    },
  );

  test(story('a half-closed tunnel lives by timeout.serverFin or timeout.clientFin'), async (t) => {
    const timeout = { serverFin: 5_000, clientFin: 7_000 };
    const { port, origin, clock, over, clean } = await stage(t, { engine, timeout });
    const client = await UpgradeClient.upgraded(t, port);
    const server = await origin.request(1);
    client.socket.end();
    await server.ended;
    const first = over();
    clock.advance(4_900);
    assert.ok(!server.socket.destroyed);
    clock.advance(200);
    const byServer = await first;
    assert.deepEqual([byServer.flags, byServer.timeout], ['sD', 'server-fin']);
    await client.ended;
    server.socket.end();

    const second = await UpgradeClient.upgraded(t, port);
    const secondServer = await origin.request(2);
    secondServer.socket.end();
    await second.ended;
    const other = over();
    clock.advance(6_900);
    clock.advance(200);
    const byClient = await other;
    assert.deepEqual([byClient.flags, byClient.timeout], ['cD', 'client-fin']);
    second.socket.end();
    await clean();
  });

  test(
    story("limits that a server has for requests do not reach into tunnels: its 'timeout' least of all"),
    async (t) => {
      const origin = await UpgradeOrigin.start(t);
      const pool = new Pool({ engine, servers: [origin.url] });
      const { port, server } = await attached(t, pool);
      server.timeout = 60;
      server.keepAliveTimeout = 60;
      server.requestTimeout = 60;
      const client = await UpgradeClient.upgraded(t, port);
      await new Promise((resolve) => setTimeout(resolve, 200));
      client.socket.write('still here');
      const request = await origin.request(1);
      while (Buffer.concat(request.received).toString() !== 'still here') await once(request.socket, 'data');
    },
  );

  test(story('close() refuses upgrades at once, leaves tunnels their grace, then cuts them'), async (t) => {
    const { port, pool, origin, clock, over, clean } = await stage(t, { engine });
    const client = await UpgradeClient.upgraded(t, port);
    const waiting = await UpgradeClient.open(t, port);
    waiting.socket.write(upgradeRequest('/waits'));
    await waiting.until(/101/);
    const server = await origin.request(1);
    const closed = pool.close({ graceMs: 10_000 });
    const late = await UpgradeClient.open(t, port);
    late.socket.write(upgradeRequest());
    await late.until(/^HTTP\/1\.1 503 /);
    late.socket.end();
    clock.advance(9_000);
    server.socket.write('still here');
    await client.until(/still here$/);
    const ended = over();
    clock.advance(1_000);
    assert.deepEqual(await closed, { cut: 2, leaked: 0 });
    assert.equal((await ended).flags, 'KD');
    await Promise.all([client.ended, waiting.ended, server.ended]);
    for (const socket of [client.socket, waiting.socket, ...origin.sockets]) socket.end();
    await clean();
  });

  test(story('removeServer leaves its tunnels their grace, then cuts them'), async (t) => {
    const { port, pool, origin, clock } = await stage(t, { engine });
    const client = await UpgradeClient.upgraded(t, port);
    const removed = pool.removeServer('a', { graceMs: 10_000 });
    clock.advance(9_000);
    client.socket.write('still here');
    const server = await origin.request(1);
    while (Buffer.concat(server.received).toString() !== 'still here') await once(server.socket, 'data');
    clock.advance(1_000);
    assert.deepEqual(await removed, { cut: 1, leaked: 0 });
    await Promise.all([client.ended, server.ended]);
  });

  test(story('a client that leaves before the server has answered frees its slot, however it leaves'), async (t) => {
    const { port, origin, over, clean } = await stage(t, { engine }, () => {});
    for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
      const client = await UpgradeClient.open(t, port);
      client.socket.write(upgradeRequest());
      const server = await origin.request(origin.requests.length + 1);
      const ended = over();
      client.socket[leave]();
      await server.ended;
      server.socket.end();
      const event = await ended;
      assert.deepEqual([event.status, event.flags], [499, 'CH'], leave);
    }
    await clean();
  });
}
