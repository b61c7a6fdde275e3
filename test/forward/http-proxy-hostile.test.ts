import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answersOk } from '../support/origin.ts';
import { proxied, proxyStage } from './http-proxy-stage.ts';

test('bodies of DELETE, OPTIONS and GET arrive as they are framed, and are no second request', async (t) => {
  const { origin, front } = await proxied(t, {});
  const client = await front.client();
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  let count = 0;
  for (const method of ['DELETE', 'OPTIONS', 'GET', 'HEAD', 'POST', 'REPORT']) {
    for (const framing of ['chunked', smuggled.length] as const) {
      const answer = await client.send({ method, body: smuggled, framing });
      assert.equal(answer.status, 200);
      const request = await origin.request(++count);
      assert.deepEqual([request.method, await request.body()], [method, smuggled]);
    }
    await client.send({ method });
    const bare = await origin.request(++count);
    assert.deepEqual([bare.field('content-length'), bare.field('transfer-encoding')], [undefined, undefined], method);
  }
  assert.equal(origin.requests.length, count);
});

test('targets that are no URL, or that a URL would change, are sent as they are', async (t) => {
  const { origin, front } = await proxied(t, { xfwd: true, autoRewrite: true });
  const client = await front.client();
  const targets = [
    '//',
    '//[',
    '/?',
    '/a?',
    '/a??b',
    '/a//b/../c/./',
    '/%',
    '/%zz%00',
    '/a\\b',
    '/[',
    '/:80',
    '/a;b|c{d}"e"^`',
  ];
  for (const [index, path] of targets.entries()) {
    assert.equal((await client.send({ path })).status, 200, path);
    assert.equal((await origin.request(index + 1)).target, path);
  }
});

test('what clients say of their connection stays here', async (t) => {
  const { origin, front } = await proxied(t, {});
  const said: [string, string][][] = [
    [['Connection', 'close']],
    [
      ['Connection', 'keep-alive, X-Hop'],
      ['X-Hop', '1'],
      ['Keep-Alive', 'timeout=1'],
    ],
    [
      ['Proxy-Connection', 'close'],
      ['TE', 'trailers'],
    ],
    [
      ['Connection', 'upgrade'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'AAAA'],
    ],
    [['Trailer', 'X-Sum']],
  ];
  for (const [index, fields] of said.entries()) {
    assert.equal((await front.send({ fields })).status, 200);
    const request = await origin.request(index + 1);
    for (const name of ['connection', 'x-hop', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings'])
      assert.equal(request.field(name), undefined, name);
  }
  assert.equal(origin.connections.length, 1);
});

test('Expect: 100-continue is asked of the server, or of nobody', async (t) => {
  for (const adapter of ['node:http', 'node:http, attached']) {
    const { origin, front } = await proxyStage(t, adapter).both((request) => {
      if (request.field('expect')) request.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      return answersOk()(request);
    });
    const answer = await front.send({ method: 'POST', body: 'abc', fields: [['Expect', '100-continue']] });
    assert.deepEqual([answer.status, answer.interim.length], [200, 1]);
    const request = await origin.request(1);
    assert.equal(request.field('expect'), adapter === 'node:http' ? undefined : '100-continue');
    assert.equal(await request.body(), 'abc');
  }
});

test('a body that Node’s parser would read less of is refused by ours, too', async (t) => {
  // Node's takes no letter beyond ASCII for part of a chunk extension.
  const { front } = await proxied(t, {}, (request) =>
    request.reply('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2;\xe9\r\ncd\r\n0\r\n\r\n'),
  );
  const answer = await front.send();
  assert.deepEqual([answer.status, answer.complete], [502, true]);
  assert.equal((await front.event()).flags, 'PH');
});
