import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http2 from 'node:http2';
import type net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { judge } from '#src/health/grpc-check.ts';
import type { CheckResult } from '#src/health/health-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, certificate, checkOf, listen, probe, start, targetOf } from './probing.ts';
import { hex } from './protocol-turns.ts';

const GRPC = { 'content-type': 'application/grpc' };
const SERVING = hex('00 00000002 08 01');

type Answer = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, cut: () => void) => void;

/** A server over HTTP/2 of this process. */
async function grpcServer(t: TestContext, answer: Answer, tlsOptions?: http2.SecureServerOptions): Promise<string> {
  const server = tlsOptions ? http2.createSecureServer(tlsOptions) : http2.createServer();
  const sockets = new Set<net.Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  server.on('connection', (socket: net.Socket) => sockets.add(socket));
  server.on('session', (session) => session.on('error', () => {}));
  server.on('sessionError', () => {});
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    answer(stream, headers, cut);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    cut();
    server.close();
  });
  return `${tlsOptions ? 'https' : 'http'}://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

/** Answers with this body, and a status in the trailers. */
function withTrailers(body: Buffer, trailers: http2.OutgoingHttpHeaders): Answer {
  return (stream) => {
    stream.respond({ ':status': 200, ...GRPC }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(body);
  };
}

async function verdictOn(t: TestContext, answer: Answer, service = ''): Promise<CheckResult> {
  const address = addressOf(await grpcServer(t, answer));
  const { result, calls } = start(checkOf({ type: 'grpc', service }), targetOf(address));
  const verdict = await result;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls(), 1);
  return verdict;
}

test('asks grpc.health.v1.Health/Check about the service, and passes when it is SERVING', async (t) => {
  let asked: http2.IncomingHttpHeaders = {};
  const body: Buffer[] = [];
  const verdict = await verdictOn(
    t,
    (stream, headers) => {
      asked = headers;
      stream.on('data', (piece: Buffer) => body.push(piece));
      stream.on('end', () => withTrailers(SERVING, { 'grpc-status': '0' })(stream, headers, () => {}));
    },
    'a.B',
  );
  assert.deepEqual(verdict, { result: 'passed', code: 'L7OK', status: undefined, description: 'SERVING' });
  const { ':method': method, ':path': path, ':scheme': scheme, 'content-type': type, te } = asked;
  assert.deepEqual(
    [method, path, scheme, type, te],
    ['POST', '/grpc.health.v1.Health/Check', 'http', 'application/grpc', 'trailers'],
  );
  assert.match(asked[':authority'] ?? '', /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(Buffer.concat(body), hex('00 00000005 0a 03 612e42'));
});

const ok = { httpStatus: 200, contentType: 'application/grpc+proto', message: undefined };
const none = Buffer.alloc(0);

for (const [what, answer, expected] of [
  ['serving', { ...ok, status: '0', body: SERVING }, 'L7OK: SERVING'],
  ['not serving', { ...ok, status: '0', body: hex('00 00000002 08 02') }, 'L7STS: NOT_SERVING'],
  ['unknown', { ...ok, status: '0', body: hex('00 00000000') }, 'L7STS: UNKNOWN'],
  ['a status to come', { ...ok, status: '0', body: hex('00 00000002 08 09') }, 'L7STS: status 9'],
  ['no message', { ...ok, status: '0', body: none }, 'L7RSP: not a HealthCheckResponse: bytes '],
  ['no status', { ...ok, status: undefined, body: SERVING }, 'L7RSP: the answer has no grpc-status'],
  ['junk as status', { ...ok, status: 'ok', body: SERVING }, 'L7RSP: the answer has no grpc-status'],
  ['no such service', { ...ok, status: '5', body: none }, 'L7STS 5: grpc-status 5 NOT_FOUND'],
  [
    'no health service',
    { ...ok, status: '12', message: 'unknown\nmethod', body: none },
    'L7STS 12: grpc-status 12 UNIMPLEMENTED: unknown method',
  ],
  ['a status without a name', { ...ok, status: '99', body: none }, 'L7STS 99: grpc-status 99'],
  ['an HTTP status', { ...ok, httpStatus: 503, status: undefined, body: none }, 'L7STS 503: HTTP status 503'],
  [
    'a web page',
    { ...ok, contentType: 'text/html', status: undefined, body: none },
    'L7RSP: not the answer of a gRPC server: content-type text/html',
  ],
] as const)
  test(`${what}: ${expected}`, () => {
    const { code, status, description } = judge(answer);
    assert.equal(`${code}${status === undefined ? '' : ` ${status}`}: ${description}`, expected);
  });

test('a status in the head of an answer without a body counts', async (t) => {
  const { code, status } = await verdictOn(t, (stream) =>
    stream.respond({ ':status': 200, ...GRPC, 'grpc-status': '12' }, { endStream: true }),
  );
  assert.deepEqual([code, status], ['L7STS', 12]);
});

test('an answer that comes byte by byte passes', async (t) => {
  const { code } = await verdictOn(t, async (stream) => {
    stream.respond({ ':status': 200, ...GRPC }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    for (const byte of SERVING) {
      stream.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
  });
  assert.equal(code, 'L7OK');
});

test('a stream that is reset, before or within the answer, fails', async (t) => {
  const before = await verdictOn(t, (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM));
  assert.deepEqual(
    [before.code, before.description],
    ['L7RSP', 'closed before the answer: Stream closed with error code NGHTTP2_REFUSED_STREAM'],
  );
  const within = await verdictOn(t, (stream) => {
    stream.respond({ ':status': 200, ...GRPC });
    stream.write(SERVING, () => stream.destroy(new Error('broken')));
  });
  assert.deepEqual(
    [within.code, within.description],
    ['L7RSP', 'closed within the answer: Stream closed with error code NGHTTP2_INTERNAL_ERROR'],
  );
});

test('a session that ends, or a connection that is cut, fails', async (t) => {
  const goodbye = await verdictOn(t, (stream) => stream.session?.destroy());
  assert.equal(goodbye.result, 'failed');
  const cut = await verdictOn(t, (_stream, _headers, cut) => cut());
  assert.equal(cut.result, 'failed');
});

test('a body without end is cut after 16 KiB', async (t) => {
  const { code, description } = await verdictOn(t, (stream) => {
    stream.respond({ ':status': 200, ...GRPC });
    const more = (): unknown => !stream.destroyed && stream.write(Buffer.alloc(4096), () => setImmediate(more));
    more();
  });
  assert.deepEqual([code, description], ['L7RSP', '16384 bytes without the end of the answer']);
});

for (const [what, words] of [
  ['an HTTP/1.1 server', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
  ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
  ['junk', '\0\x01\x02\xff'.repeat(64)],
] as const)
  test(`${what} is no HTTP/2`, async (t) => {
    const listener = await listen(t, (socket) => socket.resume().write(Buffer.from(words, 'latin1')));
    const { code, description } = await probe(checkOf({ type: 'grpc' }), listener);
    assert.equal(code, 'L7RSP');
    assert.match(description, /^not the answer of an HTTP\/2 server: /);
  });

test('frames that flood are cut in time', async (t) => {
  const ping = hex('000008 06 00 00000000 0000000000000000');
  const listener = await listen(t, (socket) => {
    socket.resume().write(hex('000000 04 00 00000000'));
    const flood = Buffer.concat(Array.from({ length: 1000 }, () => ping));
    const more = (): unknown => socket.writable && socket.write(flood, () => setImmediate(more));
    more();
  });
  const { result, calls } = start(checkOf({ type: 'grpc' }), targetOf(listener.address), { connectMs: 300 });
  assert.equal((await result).result, 'failed');
  await listener.closed();
  assert.equal(calls(), 1);
});

test('a server that closes at once fails', async (t) => {
  const listener = await listen(t, (socket) => socket.resume().end());
  assert.equal((await probe(checkOf({ type: 'grpc' }), listener)).result, 'failed');
});

test('a server that is silent fails with L7TOUT, and its connection is closed', async (t) => {
  const clock = new VirtualClock();
  const asked = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => socket.on('data', () => asked.resolve()));
  const { result } = start(checkOf({ type: 'grpc' }), targetOf(listener.address), {
    environment: clock,
    connectMs: 700,
    answerMs: 900,
  });
  await asked.promise;
  clock.advance(900);
  const description = 'no complete answer within 900 ms';
  assert.deepEqual(await result, { result: 'failed', code: 'L7TOUT', description });
  assert.equal(clock.pending, 0);
  await listener.closed();
});

test('a probe that is cancelled is silent and closes its connection', async (t) => {
  const asked = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => socket.on('data', () => asked.resolve()));
  const { cancel, calls } = start(checkOf({ type: 'grpc' }), targetOf(listener.address));
  await asked.promise;
  cancel();
  await listener.closed();
  assert.equal(calls(), 0);
});

test('over TLS it offers h2, and fails where the server does not take it', async (t) => {
  const { key, cert } = await certificate();
  const url = await grpcServer(t, withTrailers(SERVING, { 'grpc-status': '0' }), { key, cert });
  const { result } = start(checkOf({ type: 'grpc' }), targetOf(addressOf(url), { ca: cert }));
  assert.equal((await result).code, 'L7OK');
  const listener = await listen(t, (socket) => socket.resume(), { tlsOptions: { key, cert } });
  const other = await probe(checkOf({ type: 'grpc' }), listener, targetOf(listener.address, { ca: cert }));
  assert.deepEqual([other.code, other.description], ['L7RSP', 'the server does not speak HTTP/2: it took no ALPN h2']);
});

test('over a unix socket it passes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  t.after(() => rm(folder, { recursive: true }));
  const server = http2.createServer();
  server.on('stream', (stream, headers) => withTrailers(SERVING, { 'grpc-status': '0' })(stream, headers, () => {}));
  server.listen(join(folder, 'grpc.sock'));
  await once(server, 'listening');
  t.after(() => server.close());
  const { result } = start(checkOf({ type: 'grpc' }), targetOf(addressOf(`unix:${folder}/grpc.sock`)));
  assert.equal((await result).code, 'L7OK');
});
