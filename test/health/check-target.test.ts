import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { proxyHeaderV1 } from '#src/connections/proxy-protocol.ts';
import { type CheckTarget, checkTarget } from '#src/health/check-target.ts';
import type { CheckResult, HealthCheck } from '#src/health/health-check.ts';
import type { CheckOption } from '#src/health/index.ts';
import type { ServerOptions } from '#src/pool/options.ts';
import { resolvePoolOptions } from '#src/pool/resolve-options.ts';
import { certificate, listen, start } from './probing.ts';

const BLANK = '\r\n\r\n';

/** A server's check, and where it goes, as its options say. */
function checked(options: ServerOptions): [HealthCheck, CheckTarget] {
  const [server] = resolvePoolOptions({ servers: [options] }).servers;
  assert.ok(server?.check);
  return [server.check, checkTarget({ address: server.address, tls: server.tls }, server.checkTls, server.checkTarget)];
}

function resultOf(options: ServerOptions): Promise<CheckResult> {
  return start(...checked(options)).result;
}

const addresses: readonly (readonly [ServerOptions, url: string, tls: boolean])[] = [
  [{ address: 'http://a:1' }, 'http://a:1', false],
  [{ address: 'https://a:1' }, 'https://a:1', true],
  [{ address: 'http://a:1', port: 2 }, 'http://a:2', false],
  [{ address: 'http://a:1', addr: '10.0.0.9' }, 'http://10.0.0.9:1', false],
  [{ address: 'http://a:1', addr: '::1', port: 2 }, 'http://[::1]:2', false],
  [{ address: 'http://a:1', addr: 'unix:/run/x.sock' }, 'unix:/run/x.sock', false],
  [{ address: 'unix:/run/x.sock', port: 2 }, 'unix:/run/x.sock', false],
  // HAProxy: with addr or port, nothing of the server's transport is inherited.
  [{ address: 'https://a:1', port: 2 }, 'http://a:2', false],
  [{ address: 'https://a:1', port: 2, checkSsl: true }, 'https://a:2', true],
  [{ address: 'https://a:1', addr: 'b', checkSsl: true }, 'https://b:1', true],
  [{ address: 'https://a:1', checkSsl: false }, 'http://a:1', false],
  [{ address: 'http://a:1', checkSsl: true }, 'https://a:1', true],
  [{ address: 'unix:/run/x.sock', checkSsl: true }, 'unix:/run/x.sock', true],
];
for (const [options, url, overTls] of addresses) {
  test(`the checks of ${JSON.stringify(options)} go to ${url} ${overTls ? 'over TLS' : 'plainly'}`, () => {
    const [, target] = checked({ ...options, check: true });
    assert.deepEqual([target.address.url, target.tls !== undefined], [url, overTls]);
  });
}

test('checkSni and checkAlpn are for checks, over the server’s TLS options', () => {
  const options = {
    address: 'https://a:1',
    check: true,
    sni: 'one',
    verifyhost: 'v',
    checkSni: 'two',
    checkAlpn: ['x'],
  };
  const [, { tls: settings }] = checked(options);
  assert.deepEqual([settings?.sni, settings?.alpn, settings?.verifyhost], ['two', ['x'], 'v']);
  const [server] = resolvePoolOptions({ servers: [options] }).servers;
  assert.deepEqual([server?.tls?.sni, server?.tls?.alpn], ['one', ['http/1.1']]);
});

test('TLS options stand beside a plain address where its check speaks TLS', async (t) => {
  const { key, cert } = await certificate();
  const listener = await listen(t, () => {}, { tlsOptions: { key, cert } });
  const address = `127.0.0.1:${listener.address.port}`;
  assert.equal((await resultOf({ address, check: true, checkSsl: true, ca: cert })).code, 'L6OK');
  assert.equal((await resultOf({ address, check: true, checkSsl: true })).code, 'L6RSP');
  const steps = [{ connect: { ssl: true } }] as const;
  assert.equal((await resultOf({ address, check: { steps }, ca: cert })).code, 'L6OK');
  assert.throws(() => checked({ address, check: true, ca: cert }), /needs an https: address/);
});

/** A server that speaks the PROXY protocol: gives the header it got, and answers what comes behind it over TLS or plainly. */
async function behindProxy(
  t: TestContext,
  context?: { key: string; cert: string },
): Promise<[number, Promise<string>]> {
  const header = Promise.withResolvers<string>();
  const answer = (socket: net.Socket): unknown =>
    socket.on('error', () => {}).once('data', () => socket.end(`HTTP/1.1 200 OK${BLANK}`));
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      const v2 = data[0] === 0x0d;
      const end = v2 ? 16 : data.indexOf('\r\n') + 2;
      header.resolve(data.subarray(0, end).toString(v2 ? 'hex' : 'latin1'));
      socket.pause();
      if (data.length > end) socket.unshift(data.subarray(end));
      if (context) answer(new tls.TLSSocket(socket, { ...context, isServer: true }));
      else {
        answer(socket);
        socket.resume();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return [(server.address() as net.AddressInfo).port, header.promise];
}

for (const [version, form] of [
  ['v1', /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 (\d+) (\d+)\r\n$/],
  ['v2', /^0d0a0d0a000d0a515549540a20000000$/],
] as const) {
  test(`checkSendProxy '${version}' sends a header first, plainly`, async (t) => {
    const [port, header] = await behindProxy(t);
    const result = await resultOf({ address: `127.0.0.1:${port}`, check: { type: 'http' }, checkSendProxy: version });
    assert.equal(result.code, 'L7OK');
    const [, , theirs] = form.exec(await header) ?? assert.fail(await header);
    assert.ok(theirs === undefined || Number(theirs) === port);
  });

  test(`checkSendProxy '${version}' sends a header before TLS begins`, async (t) => {
    const context = await certificate();
    const [port, header] = await behindProxy(t, context);
    const options = { address: `https://127.0.0.1:${port}`, check: { type: 'http' }, ca: context.cert } as const;
    assert.equal((await resultOf({ ...options, checkSendProxy: version })).code, 'L7OK');
    assert.match(await header, form);
    const { code, description } = await resultOf({
      ...options,
      ca: (await certificate()).cert,
      checkSendProxy: version,
    });
    assert.equal(code, 'L6RSP', description);
  });
}

for (const check of ['redis', 'smtp', 'ldap', 'ssl-hello', 'spop', 'mysql', 'grpc'] as const)
  test(`a PROXY header goes before a check '${check}', too`, async (t) => {
    const [port, header] = await behindProxy(t);
    const { cancel } = start(...checked({ address: `127.0.0.1:${port}`, check, checkSendProxy: true }));
    t.after(cancel);
    assert.match(await header, /^PROXY TCP4 /);
  });

test('a PROXY header goes before TLS in a check by gRPC', async (t) => {
  const context = await certificate();
  const [port, header] = await behindProxy(t, context);
  const { code } = await resultOf({
    address: `https://127.0.0.1:${port}`,
    check: 'grpc',
    ca: context.cert,
    checkSendProxy: true,
  });
  assert.match(await header, /^PROXY TCP4 /);
  assert.equal(code, 'L7RSP', 'it takes no h2');
});

test('a PROXY header may go before steps, and fails like any connection', async (t) => {
  const [port, header] = await behindProxy(t);
  const steps = [{ connect: { sendProxy: true } }, { send: 'x' }, { expect: 'string HTTP' }] as const;
  assert.equal((await resultOf({ address: `127.0.0.1:${port}`, check: { steps } })).code, 'L7OK');
  assert.match(await header, /^PROXY TCP4 /);
  const closing = await listen(t, (socket) => socket.destroy());
  const { code } = await resultOf({
    address: `https://127.0.0.1:${closing.address.port}`,
    check: true,
    checkSendProxy: true,
  });
  assert.equal(code, 'L6RSP');
});

test('the header of version 1 tells addresses of one family, and else that they are unknown', () => {
  const v4 = { address: '127.0.0.1', port: 1 };
  const v6 = { address: 'fe80::1%eth0', port: 2 };
  assert.equal(proxyHeaderV1(v4, v4), 'PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n');
  assert.equal(proxyHeaderV1(v6, v6), 'PROXY TCP6 fe80::1 fe80::1 2 2\r\n');
  assert.equal(proxyHeaderV1(v4, v6), 'PROXY UNKNOWN\r\n');
  assert.equal(proxyHeaderV1({ address: undefined, port: undefined }, v4), 'PROXY UNKNOWN\r\n');
});

type Handler = (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void;

/** A server of HTTP/2 (over TLS where a certificate is given); gives its port and what it was asked. */
async function http2Site(
  t: TestContext,
  context: tls.TlsOptions | undefined,
  handler: Handler = (stream) => {
    stream.respond({ ':status': 200, 'x-role': 'master' });
    stream.end('all is well');
  },
): Promise<[number, http2.IncomingHttpHeaders[]]> {
  const asked: http2.IncomingHttpHeaders[] = [];
  const server = context ? http2.createSecureServer({ ...context, allowHTTP1: false }) : http2.createServer();
  const open = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    session.on('error', () => {});
    open.add(session);
  });
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.on('error', () => {});
    asked.push(headers);
    handler(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const session of open) session.destroy();
    server.close();
  });
  return [(server.address() as net.AddressInfo).port, asked];
}

test('with h2 chosen in the handshake, the same request goes over HTTP/2', async (t) => {
  const { key, cert } = await certificate();
  const [port, asked] = await http2Site(t, { key, cert });
  const check = {
    type: 'http',
    method: 'POST',
    uri: '/healthz?deep=1',
    headers: { Host: 'app.example', 'X-Probe': ['a', 'b'], Connection: 'keep-alive' },
    body: 'ping',
    expect: ['status 200', 'hdr name x-role value master', 'string well'],
  } as const;
  const options = { address: `https://127.0.0.1:${port}`, ca: cert, verifyhost: '127.0.0.1' };
  const result = await resultOf({ ...options, check, checkAlpn: ['h2', 'http/1.1'] });
  assert.deepEqual(result, { result: 'passed', code: 'L7OK', status: 200, description: 'status 200' });
  const { ':method': method, ':path': path, ':authority': authority, 'x-probe': probes, connection } = asked[0] ?? {};
  assert.deepEqual(
    [method, path, authority, probes, connection],
    ['POST', '/healthz?deep=1', 'app.example', 'a, b', undefined],
  );
});

test('with HTTP/1 chosen in the handshake, the request goes over HTTP/1', async (t) => {
  const { key, cert } = await certificate();
  const listener = await listen(t, (socket) => socket.once('data', () => socket.end(`HTTP/1.1 204 None${BLANK}`)), {
    tlsOptions: { key, cert, ALPNProtocols: ['http/1.1'] },
  });
  const options = { address: listener.address.url, ca: cert, check: { type: 'http' } } as const;
  assert.equal((await resultOf({ ...options, checkAlpn: ['h2', 'http/1.1'] })).status, 204);
  await listener.closed();
  assert.equal((await resultOf({ ...options, checkAlpn: ['h2'] })).code, 'L6RSP', 'no protocol in common');
  await listener.closed();
});

test('checkProto h2 speaks HTTP/2 without TLS, several requests over one connection', async (t) => {
  const [port, asked] = await http2Site(t, undefined);
  const steps = [
    { send: { uri: '/a' } },
    { expect: 'string well' },
    { send: { uri: '/b' } },
    { expect: 'status 200' },
  ] as const;
  const address = `127.0.0.1:${port}`;
  assert.equal((await resultOf({ address, check: { type: 'http', steps }, checkProto: 'h2' })).code, 'L7OK');
  assert.deepEqual(
    asked.map((headers) => headers[':path']),
    ['/a', '/b'],
  );
  const connecting = await resultOf({ address, check: { type: 'http', steps: [{ connect: true }] }, checkProto: 'h2' });
  assert.equal(connecting.code, 'L4OK');
});

test('over HTTP/2 a field may have any name but those that belong to HTTP/1', async (t) => {
  const [port, asked] = await http2Site(t, undefined);
  const headers = { Constructor: 'a', Upgrade: 'b', 'HTTP2-Settings': 'c', TE: 'd' };
  const address = `127.0.0.1:${port}`;
  const { code, description } = await resultOf({ address, check: { type: 'http', headers }, checkProto: 'h2' });
  assert.equal(code, 'L7OK', description);
  const { constructor: own, upgrade, te } = asked[0] as Record<string, unknown>;
  assert.deepEqual([own, upgrade, asked[0]?.['http2-settings'], te], ['a', undefined, undefined, undefined]);
});

const http2Faults: readonly (readonly [what: string, Handler, code: string, words: RegExp])[] = [
  ['a wrong status', (stream) => stream.respond({ ':status': 503 }), 'L7STS', /^status 503, expected status 200-399$/],
  ['a stream reset before its head', (stream) => stream.close(2), 'L7RSP', /HTTP\/2: |closed/],
  ['a session that is cut', (stream) => stream.session?.destroy(), 'L7RSP', /HTTP\/2: |closed|reset/],
  [
    'a body without end',
    (stream) => {
      stream.respond({ ':status': 200 });
      const more = (): unknown => stream.writable && stream.write(Buffer.alloc(65_536, 'x'), more);
      more();
    },
    'L7RSP',
    /^the body does not hold "OK"$/,
  ],
];
for (const [what, handler, code, words] of http2Faults) {
  test(`over HTTP/2, ${what} fails with ${code}`, async (t) => {
    const [port] = await http2Site(t, undefined, handler);
    const expect = code === 'L7STS' ? 'status 200-399' : 'string OK';
    const result = await resultOf({ address: `127.0.0.1:${port}`, check: { type: 'http', expect }, checkProto: 'h2' });
    assert.equal(result.code, code, result.description);
    assert.match(result.description, words);
  });
}

/** A frame of HTTP/2; RFC 9113, 4.1. */
function frame(type: number, flags: number, stream: number, payload: string): Buffer {
  const head = Buffer.alloc(9);
  const body = Buffer.from(payload, 'hex');
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

const cutInHttp2: readonly (readonly [what: string, cut: (socket: net.Socket) => void])[] = [
  ['the end of its connection', (socket) => socket.end()],
  ['a reset of its connection', (socket) => socket.resetAndDestroy()],
  ['CANCEL', (socket) => socket.write(frame(3, 0, 1, '00000008'))],
  ['INTERNAL_ERROR', (socket) => socket.write(frame(3, 0, 1, '00000002'))],
  ['GOAWAY', (socket) => socket.end(frame(7, 0, 0, '0000000000000000'))],
];
for (const [what, cut] of cutInHttp2)
  test(`over HTTP/2, an answer that is cut by ${what}, all that is expected having come, is none`, async (t) => {
    const listener = await listen(t, (socket) =>
      socket.once('data', () => {
        // SETTINGS, the status 200, and a part of a body.
        socket.write(Buffer.concat([frame(4, 0, 0, ''), frame(1, 4, 1, '88'), frame(0, 0, 1, '68616c66')]));
        setTimeout(() => cut(socket), 20);
      }),
    );
    const address = `127.0.0.1:${listener.address.port}`;
    const next = { send: { uri: '/b' } } as const;
    const checks: CheckOption[] = [
      { type: 'http', steps: [{ send: { uri: '/a' } }, next] },
      { type: 'http', steps: [{ send: { uri: '/a' } }, { expect: 'string half' }, next] },
      { type: 'http', expect: '! string whole' },
    ];
    for (const check of checks) {
      const { result, code, description } = await resultOf({ address, check, checkProto: 'h2' });
      assert.deepEqual([result, ['L7RSP', 'SOCKERR'].includes(code)], ['failed', true], `${code} ${description}`);
      assert.match(description, /^(?:HTTP\/2: |the connection was closed|connection reset)/);
      await listener.closed();
    }
  });

test('a server of HTTP/1 that is asked in HTTP/2 fails, and in words', async (t) => {
  const listener = await listen(t, (socket) =>
    socket.once('data', () => socket.end(`HTTP/1.1 400 Bad Request${BLANK}`)),
  );
  const { address } = listener;
  const result = await resultOf({ address: `127.0.0.1:${address.port}`, check: { type: 'http' }, checkProto: 'h2' });
  assert.ok(result.result === 'failed' && ['L7RSP', 'SOCKERR'].includes(result.code), result.code);
  assert.match(result.description, /HTTP\/2|closed/);
  await listener.closed();
});
