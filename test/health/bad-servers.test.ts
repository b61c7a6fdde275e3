/** Every kind of check against servers that behave as no server should: bounded in bytes and time, and told in words. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import type { CheckTarget } from '#src/health/check-target.ts';
import type { CheckResult } from '#src/health/health-check.ts';
import type { CheckDefinition } from '#src/health/index.ts';
import { addressOf, certificate, checkOf, type Listener, listen, start, targetOf } from './probing.ts';
import { hex } from './protocol-turns.ts';

/** @param port of the agent */
const KINDS: Readonly<Record<string, (port: number) => CheckDefinition>> = {
  steps: () => ({ steps: [{ send: 'PING\r\n' }, { expect: 'string +PONG' }] }),
  functions: () => ({ steps: [{ send: () => 'PING\r\n' }, { expect: { string: () => '+PONG' } }] }),
  http: () => ({ type: 'http', expect: 'string well' }),
  h2: () => ({ type: 'http' }),
  redis: () => ({ type: 'redis' }),
  mysql: () => ({ type: 'mysql' }),
  pgsql: () => ({ type: 'pgsql', user: 'u' }),
  smtp: () => ({ type: 'smtp' }),
  ldap: () => ({ type: 'ldap' }),
  'ssl-hello': () => ({ type: 'ssl-hello' }),
  spop: () => ({ type: 'spop' }),
  grpc: () => ({ type: 'grpc' }),
  agent: (port) => ({ type: 'agent', port }),
};

/** For servers that never end what they do. */
const LIMIT_MS = 300;

/** For those that do, on a machine of any pace. */
const PATIENCE_MS = 60_000;

async function ask(
  kind: string,
  { address }: Listener,
  limitMs: number,
  tls?: CheckTarget['tls'],
): Promise<CheckResult> {
  const check = checkOf(KINDS[kind]?.(address.port) as CheckDefinition);
  const proto = kind === 'h2' ? ('h2' as const) : undefined;
  const limits = { connectMs: limitMs, answerMs: limitMs };
  const { result, calls } = start(check, { address, tls, proto }, limits);
  const verdict = await result;
  assert.equal(calls(), 1);
  return verdict;
}

/** Not passed, and said so that an operator can read it. */
function assertTold({ result, description }: CheckResult, what: string): void {
  assert.ok(result === 'failed' || result === 'neutral', `${what}: ${result}`);
  assert.match(description, /[a-z]{3,}/i, what);
  assert.doesNotMatch(description, /undefined|\[object|\n| {2}at |node:internal/, what);
  assert.ok(description.length < 300, what);
}

function flood(socket: net.Socket, first: Buffer, piece: Buffer, totalBytes: number): void {
  socket.resume().write(first);
  const more = (): void => {
    if (socket.writable && socket.bytesWritten < totalBytes) socket.write(piece, () => setImmediate(more));
  };
  more();
}

const FLOODS: Readonly<Record<string, readonly [first: string, piece: string]>> = {
  'one letter': ['', 'x'],
  'an endless line of digits': ['', '2'],
  zeros: ['', '\0'],
  'a response of 100 MB': ['HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n', 'y'],
  'fields without end': ['HTTP/1.1 200 OK\r\n', 'x: y\r\n'],
  'interim responses': ['', 'HTTP/1.1 100 Continue\r\n\r\n'],
  'settings of HTTP/2': ['', '\0\0\0\x04\0\0\0\0\0'],
  'interim responses of HTTP/2': ['\0\0\0\x04\0\0\0\0\0', '\0\0\x05\x01\x04\0\0\0\x01\x08\x03103'],
  'words of an agent': ['', 'down up 5% '],
};
const MB = 1_000_000;

for (const [what, [first, piece]] of Object.entries(FLOODS)) {
  test(`100 MB of ${what}: every check takes a little of it, and has done in time`, async (t) => {
    const sockets: net.Socket[] = [];
    const bytes = Buffer.from(piece.repeat(Math.ceil(65_536 / piece.length)), 'latin1');
    const listener = await listen(t, (socket) => {
      sockets.push(socket);
      flood(socket, Buffer.from(first, 'latin1'), bytes, 100 * MB);
    });
    for (const kind of Object.keys(KINDS)) {
      const begun = performance.now();
      assertTold(await ask(kind, listener, LIMIT_MS), kind);
      await listener.closed();
      assert.ok(performance.now() - begun < 10_000, kind);
    }
    // What the kernel keeps on loopback is some MB.
    for (const [index, socket] of sockets.entries())
      assert.ok(socket.bytesWritten < 50 * MB, `${Object.keys(KINDS)[index]}: ${socket.bytesWritten} bytes`);
  });
}

const BEHAVIOURS: Readonly<Record<string, (socket: net.Socket) => void>> = {
  'says a letter now and then, for ever': (socket) => {
    const timer = setInterval(() => socket.write('x'), 20);
    socket.resume().on('close', () => clearInterval(timer));
  },
  'says nothing': (socket) => void socket.resume(),
  'does not even read': (socket) => void socket.pause(),
  'says what nobody can read': (socket) => void socket.resume().write(Buffer.from('00ff01fe0d80', 'hex')),
  'closes at once': (socket) => void socket.resume().end(),
  'closes after a letter': (socket) => void socket.resume().end('x'),
  'resets at once': (socket) => void socket.resetAndDestroy(),
  'speaks TLS, and answers with an alert': (socket) =>
    void socket.once('data', () => socket.end(Buffer.from('15030100020246', 'hex'))),
};

for (const [what, handler] of Object.entries(BEHAVIOURS)) {
  test(`a server that ${what}: every check ends in words`, async (t) => {
    const listener = await listen(t, handler);
    // An alert is an answer to a hello of TLS.
    const kinds = Object.keys(KINDS).filter((kind) => kind !== 'ssl-hello' || !what.includes('alert'));
    await Promise.all(kinds.map(async (kind) => assertTold(await ask(kind, listener, LIMIT_MS), kind)));
  });
}

test('plain checks of a port that speaks TLS fail, and so do checks over TLS of a plain port', async (t) => {
  const secure = await listen(t, (socket) => void socket.resume(), { tlsOptions: await certificate() });
  for (const kind of Object.keys(KINDS)) {
    if (kind === 'ssl-hello') continue;
    const verdict = await ask(kind, secure, LIMIT_MS);
    assertTold(verdict, kind);
    assert.ok(['L7RSP', 'L7TOUT', 'SOCKERR', 'CHECKED'].includes(verdict.code), `${kind}: ${verdict.code}`);
  }
  const http = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';
  const plain = await listen(t, (socket) => socket.once('data', () => socket.end(http)));
  const { tls } = targetOf(addressOf('https://127.0.0.1:1'));
  for (const kind of Object.keys(KINDS)) {
    // These speak no TLS, whatever the server does.
    if (kind === 'ssl-hello' || kind === 'agent') continue;
    const { code, description } = await ask(kind, plain, PATIENCE_MS, tls);
    assert.equal(code, 'L6RSP', kind);
    assert.match(description, /^the server does not speak TLS/, kind);
  }
});

/** Relays to `port`, and closes once so many bytes of its answer have gone by. */
async function cutAfter(t: TestContext, port: number, bytes: () => number): Promise<Listener> {
  return listen(t, (socket) => {
    const upstream = net.connect(port, '127.0.0.1');
    upstream.on('error', () => {});
    let left = bytes();
    socket.pipe(upstream);
    socket.on('close', () => upstream.destroy());
    upstream.on('data', (piece: Buffer) => {
      const part = piece.subarray(0, left);
      left -= part.length;
      if (left === 0) socket.end(part);
      else socket.write(part);
    });
  });
}

for (const [kind, answer] of [
  ['h2', Buffer.from('well')],
  ['grpc', hex('00 00000002 08 01')],
] as const) {
  test(`an answer over HTTP/2 that is cut at any byte (${kind}): it passes, or fails in words`, async (t) => {
    const server = http2.createServer();
    server.on('session', (session) => session.on('error', () => {}));
    server.on('stream', (stream) => {
      stream.on('error', () => {});
      const content = kind === 'grpc' ? 'application/grpc' : 'text/plain';
      stream.respond({ ':status': 200, 'content-type': content }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(answer);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    let bytes = 1;
    const listener = await cutAfter(t, (server.address() as net.AddressInfo).port, () => bytes);
    const passed: boolean[] = [];
    for (; bytes <= 200; bytes++) {
      const verdict = await ask(kind, listener, PATIENCE_MS);
      if (verdict.result !== 'passed') assertTold(verdict, `cut after ${bytes}`);
      passed.push(verdict.result === 'passed');
    }
    assert.deepEqual([passed[0], passed.at(-1)], [false, true]);
    assert.deepEqual(
      passed,
      passed.toSorted((one, other) => Number(one) - Number(other)),
      'from some byte on',
    );
  });
}

test('the line of an agent that is cut at any byte counts only when it is whole', async (t) => {
  const line = 'down 50% # disk full\r\n';
  for (let end = 0; end <= line.length; end++) {
    const listener = await listen(t, (socket) => void socket.end(line.slice(0, end)));
    const { code, description } = await ask('agent', listener, PATIENCE_MS);
    // CR ends a line as LF does.
    if (end >= line.length - 1) assert.deepEqual([code, description], ['L7STS', 'the agent says down 50% (disk full)']);
    else assert.deepEqual([code, description], ['CHECKED', 'the agent sent no complete line; ignored']);
  }
});

for (const [said, code, words] of [
  ['GET / HTTP/1.1\n', 'CHECKED', /unknown|GET/i],
  ['up sideways 500%% weight:-1 maxconn:x\n', 'L7OK', /sideways/],
  [`${'z'.repeat(10_000)}\n`, 'CHECKED', /zzz/],
  ['\x00\xff\x07\n', 'CHECKED', /./],
  ['weight:99999999999999999999%\n', 'CHECKED', /^/],
  [`${'down up '.repeat(1_500)}\n`, 'L7OK', /up/],
] as const) {
  test(`an agent that says ${JSON.stringify(said).slice(0, 40)}`, async (t) => {
    const listener = await listen(t, (socket) => void socket.end(said, 'latin1'));
    const verdict = await ask('agent', listener, PATIENCE_MS);
    assert.equal(verdict.code, code, verdict.description);
    assert.match(verdict.description, words);
    assert.ok(verdict.description.length < 300);
    assert.doesNotMatch(verdict.description, /\p{Cc}/u);
  });
}
