import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type ServerCheckEvent, type ServerOptions } from '#src/index.ts';
import { until } from '../support/until.ts';

const BLANK = '\r\n\r\n';
const OK = `HTTP/1.1 200 OK\r\nContent-Length: 2${BLANK}OK`;

/** A server that keeps connections; a request for /healthz over one that is kept gets what `lent` does. */
class Origin {
  port = 0;
  connections = 0;
  lentRequests = 0;
  readonly sockets: Set<net.Socket> = new Set();
  lent: (socket: net.Socket) => void = (socket) => socket.write(OK);

  static async start(t: TestContext): Promise<Origin> {
    const origin = new Origin();
    const { sockets } = origin;
    const server = net.createServer((socket) => {
      origin.connections++;
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.setEncoding('latin1').on('data', (request: string) => {
        const lent = request.startsWith('GET /healthz') && !request.includes('Connection: close');
        if (lent) origin.lentRequests++;
        if (lent) origin.lent(socket);
        else socket.write(OK);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin.port = (server.address() as net.AddressInfo).port;
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return origin;
  }
}

/** A pool before one server, and a client's request through it. */
async function poolBefore(
  t: TestContext,
  { port }: Origin,
  options: Partial<ServerOptions> = {},
  answerMs = 5_000,
): Promise<[Pool, () => Promise<number>]> {
  const address = `127.0.0.1:${port}`;
  const check = { type: 'http', uri: '/healthz' } as const;
  const pool = new Pool({
    servers: [{ address, check, checkReusePool: true, inter: 100, initState: 'fully-up', fall: 1000, ...options }],
    httpReuse: 'always',
    timeout: { check: answerMs },
  });
  const front = createServer(pool.middleware()).listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(async () => {
    front.close();
    await pool.close();
  });
  const url = `http://127.0.0.1:${(front.address() as net.AddressInfo).port}/`;
  return [
    pool,
    async () => {
      const response = await fetch(url);
      await response.arrayBuffer();
      return response.status;
    },
  ];
}

function nextCheck(pool: Pool): Promise<ServerCheckEvent> {
  return new Promise((resolve) => pool.once('server:check', resolve));
}

/** The verdict of the next check that begins over a lent connection. */
async function lentCheck(pool: Pool, origin: Origin): Promise<ServerCheckEvent> {
  const before = origin.lentRequests;
  for (;;) {
    const event = await nextCheck(pool);
    if (origin.lentRequests > before) return event;
  }
}

test('checks go over an idle connection of the server, and give it back', async (t) => {
  const origin = await Origin.start(t);
  const [pool, ask] = await poolBefore(t, origin);
  assert.equal(await ask(), 200);
  await lentCheck(pool, origin);
  const { connections } = origin;
  for (let round = 0; round < 5; round++) assert.equal((await lentCheck(pool, origin)).code, 'L7OK');
  assert.equal(await ask(), 200);
  assert.equal(origin.connections, connections);
  assert.equal(pool.stats().servers['s1']?.idle, 1);
});

test('without idle connections, and without the option, checks make their own', async (t) => {
  const origin = await Origin.start(t);
  const [pool] = await poolBefore(t, origin);
  for (let round = 0; round < 3; round++) assert.equal((await nextCheck(pool)).code, 'L7OK');
  const [other, ask] = await poolBefore(t, origin, { checkReusePool: false });
  await ask();
  for (let round = 0; round < 3; round++) await nextCheck(other);
  assert.equal(origin.lentRequests, 0);
});

test('checks that go elsewhere or otherwise do not use connections of the server', async (t) => {
  const origin = await Origin.start(t);
  for (const options of [
    ...[{ port: origin.port }, { checkSendProxy: true }, { addr: '127.0.0.1' }],
    { strictMaxconn: true, maxconn: 5 },
  ]) {
    const [pool, ask] = await poolBefore(t, origin, options);
    await ask();
    for (let round = 0; round < 3; round++) await nextCheck(pool);
  }
  assert.equal(origin.lentRequests, 0);
});

for (const [what, act, code] of [
  ['that was dead', (socket) => socket.destroy(), 'L7OK'],
  ['that ends with half an answer', (socket) => socket.end('HTTP/1.1 200 OK\r\n'), 'L7RSP'],
  ['over which no HTTP comes', (socket) => socket.write('SSH-2.0-x\r\n'), 'L7RSP'],
  ['with more behind the answer', (socket) => socket.write(`${OK}${OK}`), 'L7OK'],
  ['that the server closes', (socket) => socket.end(`HTTP/1.1 200 OK\r\nConnection: close${BLANK}`), 'L7OK'],
  ['whose answer goes on', (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 9${BLANK}`), 'L7OK'],
  ['over which nothing comes', () => {}, 'L7TOUT'],
] as readonly (readonly [string, (socket: net.Socket) => void, string])[]) {
  test(`a lent connection ${what}: ${code}, and it is not given back`, async (t) => {
    const origin = await Origin.start(t);
    origin.lent = act;
    const [pool, ask] = await poolBefore(t, origin, {}, code === 'L7TOUT' ? 50 : 5_000);
    assert.equal(await ask(), 200);
    const event = await lentCheck(pool, origin);
    assert.equal(event.code, code, event.description);
    assert.equal(pool.stats().servers['s1']?.idle, 0);
  });
}

test('a server that is unwell keeps its connection', async (t) => {
  const origin = await Origin.start(t);
  origin.lent = (socket) => socket.write(`HTTP/1.1 503 Busy\r\nContent-Length: 0${BLANK}`);
  const [pool, ask] = await poolBefore(t, origin);
  await ask();
  const { code, status, description } = await lentCheck(pool, origin);
  assert.deepEqual([code, status, description], ['L7STS', 503, 'status 503, expected status 200-399']);
  assert.equal(pool.stats().servers['s1']?.idle, 1);
});

test('a pool that closes during a check over a lent connection ends it', async (t) => {
  const origin = await Origin.start(t);
  const asked = Promise.withResolvers<net.Socket>();
  origin.lent = asked.resolve;
  const [pool, ask] = await poolBefore(t, origin, { inter: 200 });
  await ask();
  const socket = await asked.promise;
  const closed = once(socket, 'close');
  await pool.close();
  await closed;
});

for (const act of ['maint', 'maint and ready', 'remove', 'close'] as const) {
  test(`a function that is asked as such a check begins may end it: ${act}`, async (t) => {
    const origin = await Origin.start(t);
    origin.lent = () => {};
    let armed = false;
    const uri = (): string => {
      if (!armed) return '/healthz';
      armed = false;
      if (act === 'close') void pool.close();
      else if (act === 'remove') void pool.removeServer('a');
      else pool.server('a').setState('maint');
      if (act === 'maint and ready') pool.server('a').setState('ready');
      return '/healthz';
    };
    const check = { type: 'http', method: 'GET', uri } as const;
    const [pool, ask] = await poolBefore(t, origin, { name: 'a', check, inter: 200, downinter: 60_000 }, 60_000);
    await nextCheck(pool);
    await ask();
    armed = true;
    await until(() => !armed, 'the check that begins');
    await until(() => origin.sockets.size === 0, 'the end of its connection', 5_000);
  });
}
