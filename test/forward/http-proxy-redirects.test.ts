import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PoolOptions } from '#src/index.ts';
import type { OpenFront } from '../conformance/stage.ts';
import { type Origin, ok, response } from '../support/origin.ts';
import { proxyStage } from './http-proxy-stage.ts';

interface Play {
  readonly server: Origin;
  /** Not among the pool's servers. */
  readonly elsewhere: Origin;
  readonly front: OpenFront;
}

/** A server that sends `/from` elsewhere by `status` and `location`, where `SERVER` and `ELSEWHERE` stand for authorities. */
async function play(t: TestContext, status: number, location: string, options: PoolOptions<never> = {}): Promise<Play> {
  const stage = proxyStage(t);
  const elsewhere = await stage.origin((request) => request.reply(ok('elsewhere')));
  const server = await stage.origin((request) => {
    const there = location
      .replace('SERVER', `127.0.0.1:${request.socket.localPort}`)
      .replace('ELSEWHERE', `127.0.0.1:${elsewhere.port}`);
    return request.reply(request.target === '/from' ? response(status, 'moved', { Location: there }) : ok('server'));
  });
  const front = await stage.open({ servers: [server.url], httpProxy: { followRedirects: true }, ...options });
  return { server, elsewhere, front };
}

test('a redirect is followed: to the server, by what the client calls it, relative, or elsewhere', async (t) => {
  for (const location of [
    '/to?a=b',
    'to?a=b',
    'http://SERVER/to?a=b',
    'http://front.test/to?a=b',
    'https://front.test:444/to?a=b',
  ]) {
    const { server, elsewhere, front } = await play(t, 302, location);
    const client = await front.client();
    const answer = await client.send({ path: '/from' });
    assert.deepEqual([answer.status, answer.body], [200, 'server'], location);
    assert.deepEqual(
      server.requests.map(({ target }) => target),
      ['/from', '/to?a=b'],
      location,
    );
    assert.equal(elsewhere.requests.length, 0);
    assert.equal((await client.send({ path: '/other' })).body, 'server');
  }
  const { server, elsewhere, front } = await play(t, 307, 'http://ELSEWHERE/to');
  assert.equal((await front.send({ path: '/from' })).body, 'elsewhere');
  assert.deepEqual([server.requests.length, elsewhere.requests.length], [1, 1]);
  const request = await elsewhere.request(1);
  assert.equal(request.field('host'), `127.0.0.1:${elsewhere.port}`);
});

test('without the option a redirect is the client’s', async (t) => {
  const { front } = await play(t, 302, '/to', { httpProxy: {} });
  const answer = await front.send({ path: '/from' });
  assert.deepEqual([answer.status, answer.field('location'), answer.body], [302, '/to', 'moved']);
});

test('a client’s Host never chooses where a redirect leads', async (t) => {
  for (const host of ['ELSEWHERE', '127.0.0.1:1', 'LOCALHOST:1', '2130706433:1', '[::1]:1', 'front.test:80', '']) {
    const { server, elsewhere, front } = await play(t, 302, '/to');
    const answer = await front.send({ path: '/from', host: host.replace('ELSEWHERE', `127.0.0.1:${elsewhere.port}`) });
    assert.deepEqual([answer.status, answer.body, server.requests.length], [200, 'server', 2], host);
    assert.equal(elsewhere.requests.length, 0, host);
  }
});

test('credentials do not go elsewhere', async (t) => {
  const { elsewhere, front } = await play(t, 302, 'http://ELSEWHERE/to');
  const fields = ['authorization', 'cookie', 'x-other'].map((name): [string, string] => [name, 'secret']);
  await front.send({ path: '/from', fields });
  const request = await elsewhere.request(1);
  assert.deepEqual(
    fields.map(([name]) => request.field(name)),
    [undefined, undefined, 'secret'],
  );
});

test('a small body is sent again, or dropped with its method; a big one gets the redirect itself', async (t) => {
  const again = await play(t, 308, '/to');
  assert.equal((await again.front.send({ path: '/from', method: 'POST', body: 'abc' })).body, 'server');
  assert.equal(await (await again.server.request(2)).body(), 'abc');
  const dropped = await play(t, 303, '/to');
  assert.equal((await dropped.front.send({ path: '/from', method: 'POST', body: 'abc' })).body, 'server');
  assert.deepEqual(
    [(await dropped.server.request(2)).method, await (await dropped.server.request(2)).body()],
    ['GET', ''],
  );
  for (const spec of [{ body: 'a'.repeat(65_537) }, { body: 'abc', framing: 'chunked' as const }]) {
    const big = await play(t, 307, '/to');
    const answer = await big.front.send({ path: '/from', method: 'PUT', ...spec });
    assert.deepEqual([answer.status, answer.body, big.server.requests.length], [307, 'moved', 1]);
  }
});

test('a redirect that leads nowhere is a 502, and not tried again', async (t) => {
  for (const location of ['/from', 'http://127.0.0.1:1/', 'ftp://ELSEWHERE/', 'http://[/', 'https://ELSEWHERE/']) {
    const { server, front } = await play(t, 302, location, { timeout: { connect: 200 } });
    const answer = await front.send({ path: '/from' });
    assert.equal(answer.status, 502, location);
    assert.equal((await front.event()).retries, 0);
    assert.ok(server.requests.length <= 22);
  }
});

test('what a redirect leads to may fail like a server', async (t) => {
  const stage = proxyStage(t);
  const endings: Record<string, [string, number, boolean]> = {
    '/silent': ['', 504, true],
    '/junk': ['junk\r\n\r\n', 502, true],
    '/cut': ['HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 200, false],
  };
  const elsewhere = await stage.origin(({ socket, target }) => {
    socket.write(endings[target]?.[0] ?? '');
    if (target === '/cut') socket.end();
  });
  const server = await stage.origin((request) =>
    request.reply(response(302, '', { Location: `${elsewhere.url}${request.target}` })),
  );
  const front = await stage.open({
    servers: [server.url],
    httpProxy: { followRedirects: true },
    timeout: { server: 100 },
    retries: 0,
  });
  for (const [path, [, status, complete]] of Object.entries(endings)) {
    const answer = await front.send({ path });
    assert.deepEqual([answer.status, answer.complete], [status, complete], path);
  }
});

test('what a redirect has led to is passed on, though its status is in retryOn', async (t) => {
  const { server, elsewhere, front } = await play(t, 302, 'http://ELSEWHERE/to', { retryOn: [503] });
  elsewhere.script = (request) => request.reply(response(503, 'busy'));
  const answer = await front.send({ path: '/from' });
  assert.deepEqual([answer.status, answer.body], [503, 'busy']);
  assert.deepEqual([server.requests.length, elsewhere.requests.length], [1, 1]);
});
