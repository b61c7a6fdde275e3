import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { type HttpProxyOptions, Pool } from '#src/index.ts';
import { within } from '../conformance/stage.ts';
import { portOf } from '../support/fronts.ts';
import { answersOk, ok, response, type Script } from '../support/origin.ts';
import { switching, UpgradeClient, UpgradeOrigin } from '../support/upgrade-origin.ts';
import { proxied, proxyStage } from './http-proxy-stage.ts';

type Listeners = NonNullable<HttpProxyOptions['on']>;

const EVENTS = ['start', 'proxyReq', 'proxyReqWs', 'proxyRes', 'end', 'open', 'close', 'econnreset', 'error'] as const;

/** Listeners that note the names of events in their order. */
function noting(seen: string[]): Listeners {
  return Object.fromEntries(EVENTS.map((event) => [event, () => void seen.push(event)]));
}

test('an exchange tells its events in order, with the client’s own request and response', async (t) => {
  const seen: string[] = [];
  const clients: [IncomingMessage, ServerResponse][] = [];
  const on: Listeners = {
    ...noting(seen),
    proxyReq: (proxyReq, req, res, _options, socket) => {
      seen.push(`proxyReq ${proxyReq.method} ${proxyReq.path} ${socket.remotePort}`);
      clients.push([req, res]);
    },
    proxyRes: (proxyRes, req, res) => {
      seen.push(`proxyRes ${proxyRes.statusCode}`);
      clients.push([req, res]);
    },
  };
  const { origin, front } = await proxied(
    t,
    { on },
    undefined,
    {},
    {
      before: [
        (req, res, next) => {
          clients.push([req, res]);
          next();
        },
      ],
    },
  );
  assert.equal((await front.send({ path: '/a?b' })).status, 200);
  assert.deepEqual(seen, ['start', `proxyReq GET /a?b ${origin.port}`, 'proxyRes 200', 'end']);
  const [first, ...others] = clients;
  for (const other of others) assert.deepEqual([other[0] === first?.[0], other[1] === first?.[1]], [true, true]);
});

test('a listener may change the request and the response on their way', async (t) => {
  const on: Listeners = {
    proxyReq: (proxyReq, req) => {
      proxyReq.path = `/changed${req.url}`;
      proxyReq.setHeader('x-added', 'yes');
      proxyReq.removeHeader('x-secret');
    },
    proxyRes: (proxyRes, _req, res) => {
      proxyRes.statusCode = 203;
      delete proxyRes.headers['x-inner'];
      proxyRes.headers['x-outer'] = 'yes';
      proxyRes.headers['x-bad'] = 'a\r\nb: c';
      proxyRes.headers['content-length'] = '1';
      proxyRes.headers['transfer-encoding'] = 'gzip';
      proxyRes.headers['connection'] = 'x-kept';
      res.setHeader('x-own', 'yes');
    },
  };
  const { origin, front } = await proxied(t, { on }, answersOk('ok', { 'X-Inner': '1', 'X-Kept': '1' }));
  const answer = await front.send({ path: '/a', fields: [['x-secret', '1']] });
  const request = await origin.request(1);
  assert.deepEqual(
    [request.target, request.field('x-added'), request.field('x-secret')],
    ['/changed/a', 'yes', undefined],
  );
  assert.deepEqual([answer.status, answer.body], [203, 'ok']);
  assert.deepEqual(
    ['x-inner', 'x-outer', 'x-bad', 'content-length', 'transfer-encoding', 'x-kept', 'x-own'].map((name) =>
      answer.field(name),
    ),
    [undefined, 'yes', undefined, '2', undefined, '1', 'yes'],
  );
});

test('a listener that throws or rejects is reported, and the request goes on', async (t) => {
  const on: Listeners = Object.fromEntries(
    EVENTS.map((event, index) => [
      event,
      () => {
        if (index % 2 === 0) throw new Error(event);
        return Promise.reject(new Error(event));
      },
    ]),
  );
  const { front } = await proxied(t, { on });
  assert.equal((await front.send({ method: 'POST', body: 'abc' })).body, 'ok');
  assert.deepEqual(
    front.faults.map(({ sample, error }) => [sample, (error as Error).message]).sort(),
    ['end', 'proxyReq', 'proxyRes', 'start'].map((event) => [`httpProxy.on.${event}`, event]),
  );
});

test('listeners that make an end of their own: nothing hangs, nothing is uncaught', async (t) => {
  const ends: Record<string, [Listeners, number]> = {
    'destroys the request': [{ proxyReq: (proxyReq) => void proxyReq.destroy() }, 502],
    'destroys the request with an error': [{ proxyReq: (proxyReq) => void proxyReq.destroy(new Error('no')) }, 502],
    'destroys the socket': [{ proxyReq: (_proxyReq, _req, _res, _options, socket) => void socket.destroy() }, 502],
    'writes to the request': [{ proxyReq: (proxyReq) => void proxyReq.write('own') }, 0],
    'sends the head': [{ proxyReq: (proxyReq) => proxyReq.flushHeaders() }, 200],
    'sets a trailer': [{ proxyReq: (proxyReq) => void proxyReq.setHeader('trailer', 'x-sum') }, 502],
    'ends the request': [{ proxyReq: (proxyReq) => void proxyReq.end() }, 502],
    'answers before': [{ proxyReq: (_proxyReq, _req, res) => void res.writeHead(418).end('own') }, 418],
    'answers after': [{ proxyRes: (_proxyRes, _req, res) => void res.writeHead(418).end('own') }, 418],
    'destroys the response': [{ proxyRes: (proxyRes) => void proxyRes.destroy() }, 0],
    'sets what no field can be': [{ proxyRes: (proxyRes) => Object.assign(proxyRes.headers, { 'set-cookie': 7 }) }, 0],
  };
  for (const [what, [on, status]] of Object.entries(ends)) {
    for (const [method, followRedirects] of [
      ['GET', false],
      ['POST', false],
      ['GET', true],
      ['POST', true],
    ] as const) {
      const script: Script = ({ socket }) => void socket.write(ok());
      const { front } = await proxied(t, { on, followRedirects, cookiePathRewrite: '/' }, script, { retries: 1 });
      const answer = await front.send(method === 'GET' ? {} : { method, body: 'abc' });
      const trial = `${what}, ${method}, ${followRedirects}`;
      assert.notEqual(answer.ended, 'hang', trial);
      if (status !== 0 && !followRedirects && !(what === 'ends the request' && method === 'GET'))
        assert.equal(answer.status, status, trial);
    }
  }
});

test('each failed attempt is told, and then tried again', async (t) => {
  const stage = proxyStage(t);
  const told: string[] = [];
  const on: Listeners = {
    error: (error, req, _res, target) => void told.push(`${error.message} ${req.url} ${target}`),
  };
  const refusing = await stage.origin();
  await refusing.stop();
  const closing = await stage.origin(({ socket }) => void socket.end());
  const cutting = await stage.origin(
    ({ socket }) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'),
  );
  const front = await stage.open({
    servers: [refusing.url, closing.url, cutting.url],
    httpProxy: { on },
  });
  const answer = await front.send({ path: '/a' });
  assert.deepEqual([answer.status, answer.complete], [200, false]);
  assert.equal(told.length, 3);
  assert.match(told[0] ?? '', new RegExp(`^could not connect to the server: .*ECONNREFUSED.* /a ${refusing.url}/$`));
  assert.equal(told[1], `the connection was closed before a response /a ${closing.url}/`);
  assert.equal(told[2], `the response was cut /a ${cutting.url}/`);
});

test('a client that leaves is an econnreset, and no error', async (t) => {
  const seen: string[] = [];
  const reset = Promise.withResolvers<void>();
  const on: Listeners = {
    ...noting(seen),
    econnreset: (_error, req) => {
      seen.push(`econnreset ${req.url}`);
      reset.resolve();
    },
  };
  const { origin, front } = await proxied(t, { on }, () => {});
  const exchange = await front.start({ path: '/a' });
  await origin.request(1);
  exchange.leave();
  assert.equal((await front.event()).flags, 'CH');
  await within(reset.promise, 'econnreset');
  assert.deepEqual(seen, ['start', 'proxyReq', 'econnreset /a']);
});

test('an upgrade tells proxyReqWs, open and close', async (t) => {
  const seen: string[] = [];
  const on: Listeners = {
    ...noting(seen),
    proxyReqWs: (proxyReq, req, socket, _options, head) => {
      seen.push(`proxyReqWs ${req.url} ${socket.destroyed} ${head.length}`);
      proxyReq.setHeader('x-added', 'yes');
    },
    open: (proxySocket) => void seen.push(`open ${proxySocket.remotePort}`),
  };
  const origin = await UpgradeOrigin.start(t, ({ socket }) => void socket.write(`${switching()}hello`));
  const pool = new Pool({ engine: 'http-proxy-3', servers: [origin.url], httpProxy: { on } });
  const server = http.createServer();
  pool.attach(server);
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await UpgradeClient.upgraded(t, portOf(server), '/ws');
  await client.until(/hello$/);
  const { head, socket } = await origin.request(1);
  assert.match(head, /^GET \/ws HTTP\/1\.1\r\n/);
  assert.match(head, /\r\nx-added: yes$/);
  socket.end();
  await client.ended;
  client.socket.end();
  await client.closed;
  assert.deepEqual(seen, ['start', 'proxyReqWs /ws false 0', `open ${new URL(origin.url).port}`, 'close']);
});

test('listeners do not see a response that is thrown away for another attempt', async (t) => {
  const seen: string[] = [];
  const on: Listeners = {
    ...noting(seen),
    proxyRes: (proxyRes, _req, res) => {
      seen.push(`proxyRes ${proxyRes.statusCode}`);
      res.setHeader('x-seen', String(proxyRes.statusCode));
    },
  };
  const script: Script = (request) =>
    request.reply(request.connection.nth === 1 ? response(503, 'x'.repeat(100_000)) : ok());
  const { front } = await proxied(t, { on }, script, { retryOn: [503] });
  const answer = await front.send();
  assert.deepEqual([answer.status, answer.body, answer.field('x-seen')], [200, 'ok', '200']);
  assert.deepEqual(seen, ['start', 'proxyReq', 'start', 'proxyReq', 'proxyRes 200', 'end']);
});
