import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpProxyOptions } from '#src/index.ts';
import { certificateFor } from '../support/certificates.ts';
import { answersOk, ok, response } from '../support/origin.ts';
import { proxied, proxyStage } from './http-proxy-stage.ts';

// Cookies

const COOKIES = [
  'a=1; Domain=a.test; Path=/',
  'b=2; Domain=b.test; path=/old; Secure',
  'c=3; domain=constructor; Path=/__proto__',
  'd=4',
];

async function cookies(t: Parameters<typeof proxied>[0], options: HttpProxyOptions): Promise<string[]> {
  const lines = COOKIES.map((cookie) => `Set-Cookie: ${cookie}\r\n`).join('');
  const { front } = await proxied(t, options, (request) =>
    request.reply(`HTTP/1.1 200 OK\r\n${lines}Content-Length: 0\r\n\r\n`),
  );
  return (await front.send()).values('set-cookie');
}

test('cookies are rewritten: all, by name, or taken out', async (t) => {
  assert.deepEqual(await cookies(t, {}), COOKIES);
  assert.deepEqual(await cookies(t, { cookieDomainRewrite: 'x.test', cookiePathRewrite: '/app' }), [
    'a=1; Domain=x.test; Path=/app',
    'b=2; Domain=x.test; path=/app; Secure',
    'c=3; domain=x.test; Path=/app',
    'd=4',
  ]);
  assert.deepEqual(
    await cookies(t, { cookieDomainRewrite: { 'b.test': 'x.test' }, cookiePathRewrite: { '/': '/a' } }),
    [
      'a=1; Domain=a.test; Path=/a',
      'b=2; Domain=x.test; path=/old; Secure',
      'c=3; domain=constructor; Path=/__proto__',
      'd=4',
    ],
  );
  assert.deepEqual(await cookies(t, { cookieDomainRewrite: '' }), [
    'a=1; Path=/',
    'b=2; path=/old; Secure',
    'c=3; Path=/__proto__',
    'd=4',
  ]);
});

// Location

test('a Location that names the server is rewritten; any other, or one that is no URL, is not', async (t) => {
  const cases: [HttpProxyOptions, string, string][] = [
    [{}, 'http://SERVER/a?b#c', 'http://SERVER/a?b#c'],
    [{ autoRewrite: true }, 'http://SERVER/a?b#c', 'http://front.test/a?b#c'],
    [{ autoRewrite: true, protocolRewrite: 'https' }, 'http://SERVER/', 'https://front.test/'],
    [{ hostRewrite: 'x.test:8080' }, 'http://SERVER/a', 'http://x.test:8080/a'],
    [{ hostRewrite: 'x.test', autoRewrite: true }, 'http://SERVER/a', 'http://x.test/a'],
    [{ autoRewrite: true }, 'https://SERVER/a', 'https://front.test/a'],
    [{ protocolRewrite: 'https' }, 'http://SERVER/a', 'https://SERVER/a'],
    [{ autoRewrite: true }, 'http://other.test/a', 'http://other.test/a'],
    [{ autoRewrite: true }, '/a/../b', '/a/../b'],
    [{ autoRewrite: true }, 'http://[', 'http://['],
    [{ autoRewrite: true }, 'http://', 'http://'],
    [{ hostRewrite: 'x.test' }, '//[/', '//[/'],
    [{ autoRewrite: true }, '', ''],
  ];
  for (const [options, from, to] of cases) {
    const { origin, front } = await proxied(t, options, (request) =>
      request.reply(response(302, '', { Location: from.replace('SERVER', `127.0.0.1:${request.socket.localPort}`) })),
    );
    const answer = await front.send();
    assert.equal(answer.status, 302);
    assert.equal(
      answer.field('location') ?? '',
      to.replace('SERVER', `127.0.0.1:${origin.port}`),
      JSON.stringify(options),
    );
  }
});

test('the pool’s own changeOrigin leaves autoRewrite the client’s Host', async (t) => {
  const { origin, front } = await proxied(
    t,
    { autoRewrite: true },
    (request) => request.reply(response(302, '', { Location: `http://127.0.0.1:${request.socket.localPort}/` })),
    { changeOrigin: true },
  );
  assert.equal((await front.send()).field('location'), 'http://front.test/');
  assert.equal((await origin.request(1)).field('host'), `127.0.0.1:${origin.port}`);
});

// Fields of requests

test('headers are set on each request, auth takes the place of the client’s', async (t) => {
  const { origin, front } = await proxied(t, {
    headers: { 'X-Env': 'prod', 'x-list': ['a', 'b'], host: 'inner.test' },
    auth: 'user:pass',
  });
  await front.send({ fields: [['x-env', 'test'], ['Authorization', 'Bearer x']] }); // biome-ignore format: pairs
  const request = await origin.request(1);
  assert.deepEqual(request.values('x-env'), ['prod']);
  assert.deepEqual(request.values('x-list'), ['a', 'b']);
  assert.deepEqual(request.values('host'), ['inner.test']);
  assert.deepEqual(request.values('authorization'), [`Basic ${btoa('user:pass')}`]);
});

test('changeOrigin sends the server’s name, and false keeps the client’s against the pool’s', async (t) => {
  const changed = await proxied(t, { changeOrigin: true });
  await changed.front.send();
  assert.equal((await changed.origin.request(1)).field('host'), `127.0.0.1:${changed.origin.port}`);
  const kept = await proxied(t, { changeOrigin: false }, undefined, { changeOrigin: true });
  await kept.front.send();
  assert.equal((await kept.origin.request(1)).field('host'), 'front.test');
});

test('xfwd adds to what the client says, over HTTP/2 too', async (t) => {
  for (const adapter of ['node:http', 'node:http2']) {
    const { origin, front } = await proxyStage(t, adapter).both(undefined, { httpProxy: { xfwd: true } });
    await front.send({ fields: [['x-forwarded-for', '192.0.2.1']] });
    const request = await origin.request(1);
    assert.deepEqual(
      ['for', 'port', 'proto', 'host'].map((name) => request.field(`x-forwarded-${name}`)),
      ['192.0.2.1,127.0.0.1', '80', 'http', 'front.test'],
      adapter,
    );
  }
});

// Fields of responses

test('fields of responses are in lower case, or as the server wrote them', async (t) => {
  for (const preserveHeaderKeyCase of [false, true]) {
    const { front } = await proxied(t, { preserveHeaderKeyCase }, answersOk('ok', { 'X-MiXed': '1' }));
    const { fields } = await front.send();
    const names = fields.map(([name]) => name).filter((name) => /^x-/i.test(name));
    assert.deepEqual(names, [preserveHeaderKeyCase ? 'X-MiXed' : 'x-mixed']);
  }
});

// Connections

test('localAddress is where connections come from', async (t) => {
  const { origin, front } = await proxied(t, { localAddress: '127.0.0.7' });
  assert.equal((await front.send()).status, 200);
  assert.equal((await origin.connection(1)).socket.remoteAddress, '127.0.0.7');
});

test('secure false trusts any certificate, ca trusts one for servers without their own', async (t) => {
  const stage = proxyStage(t);
  const [known, strange] = [await certificateFor('127.0.0.1'), await certificateFor('other.test')];
  const trials: [HttpProxyOptions, object, number][] = [
    [{}, {}, 503],
    [{ secure: false }, {}, 200],
    [{ secure: true }, { verify: 'none' }, 200],
    [{ ca: known.cert }, {}, 200],
    [{ ca: strange.cert }, {}, 503],
    [{ ca: strange.cert }, { ca: known.cert }, 200],
  ];
  const origin = await stage.origin(undefined, { tls: known });
  for (const [httpProxy, server, status] of trials) {
    const front = await stage.open({ httpProxy, servers: [{ address: origin.url, ...server }], retries: 0 });
    assert.equal((await front.send({ host: '127.0.0.1' })).status, status, JSON.stringify({ httpProxy, server }));
  }
});

test('a kept connection gathers no listeners', async (t) => {
  const counts: number[] = [];
  const { origin, front } = await proxied(t, {
    on: {
      proxyReq: (_proxyReq, _req, _res, _options, socket) => {
        counts.push(socket.eventNames().reduce((sum, event) => sum + socket.listenerCount(event), 0));
      },
    },
  });
  const client = await front.client();
  for (let i = 0; i < 30; i++) assert.equal((await client.send({ method: 'PUT', body: 'abc' })).status, 200);
  assert.equal(origin.connections.length, 1);
  assert.equal(new Set(counts.slice(1)).size, 1, counts.join());
});

// Back-pressure

test('a client that does not read holds its server up', async (t) => {
  const big = Buffer.alloc(64 * 1024 * 1024, 'a');
  const { origin, front } = await proxied(t, {}, ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n`);
    socket.write(big);
  });
  const client = await front.raw();
  const exchange = client.start();
  const { socket } = await origin.request(1);
  await exchange.until(() => exchange.answer.length > 0);
  client.socket.pause();
  let before = -1;
  while (socket.bytesWritten - socket.writableLength !== before) {
    before = socket.bytesWritten - socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 50)); // until nothing moves any more
  }
  assert.ok(socket.writableLength > 32 * 1024 * 1024, `${big.length - socket.writableLength} bytes were taken`);
  client.socket.resume();
  const answer = await exchange.end;
  assert.deepEqual([answer.complete, answer.length], [true, big.length]);
});

test('a server that does not read holds its client up', async (t) => {
  const { origin, front } = await proxied(t, {}, ({ socket }) => void socket.pause());
  const client = await front.raw();
  const exchange = client.start({ method: 'PUT', framing: 'chunked' });
  const request = await origin.request(1);
  request.keepsBody = false;
  const piece = Buffer.alloc(65_536, 'a');
  for (let i = 0; i < 1024; i++) exchange.write(piece);
  exchange.finish();
  let before = -1;
  while (front.pool.stats().servers['s1']?.bin !== before) {
    before = front.pool.stats().servers['s1']?.bin ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 50)); // until nothing moves any more
  }
  assert.ok(before < 32 * 1024 * 1024, `${before} bytes were taken`);
  request.socket.resume();
  assert.equal(await request.ended, true);
  assert.equal(request.length, 1024 * piece.length);
  request.socket.write(ok());
  assert.equal((await exchange.end).status, 200);
});
