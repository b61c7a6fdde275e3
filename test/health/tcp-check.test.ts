import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Dialer } from '#src/connections/dial.ts';
import { tcpCheck } from '#src/health/tcp-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, certificate, freePort, listen, probe, start, targetOf } from './probing.ts';

test('a server that accepts passes with L4OK and gets a reset', async (t) => {
  const ended = Promise.withResolvers<string | undefined>();
  const listener = await listen(t, (socket) => {
    socket.on('error', (error: NodeJS.ErrnoException) => ended.resolve(error.code));
    socket.on('end', () => ended.resolve('end'));
    socket.resume();
  });
  assert.deepEqual(await probe(tcpCheck, listener), { result: 'passed', code: 'L4OK', description: '' });
  assert.equal(await ended.promise, 'ECONNRESET', 'no TIME_WAIT stays behind');
});

test('a server that accepts and closes at once passes: it listens', async (t) => {
  const listener = await listen(t, (socket) => socket.destroy());
  assert.equal((await probe(tcpCheck, listener)).code, 'L4OK');
});

test('a server that floods at once passes and is cut', async (t) => {
  const listener = await listen(t, (socket) => {
    const more = (): unknown => socket.writable && socket.write(Buffer.alloc(65_536), more);
    more();
  });
  assert.equal((await probe(tcpCheck, listener)).code, 'L4OK');
});

test('a port where nothing listens fails with L4CON', async () => {
  const port = await freePort();
  const { result } = start(tcpCheck, targetOf(addressOf(`127.0.0.1:${port}`)));
  assert.deepEqual(await result, { result: 'failed', code: 'L4CON', description: 'connection refused' });
});

test('a name with several addresses that all refuse fails with L4CON', async () => {
  const { result } = start(tcpCheck, targetOf(addressOf(`localhost:${await freePort()}`)));
  assert.deepEqual(await result, { result: 'failed', code: 'L4CON', description: 'connection refused' });
});

test('a unix socket passes, and one that is not there fails with L4CON', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  t.after(() => rm(folder, { recursive: true }));
  const listener = await listen(t, () => {}, { path: join(folder, 'server.sock') });
  assert.equal((await probe(tcpCheck, listener)).code, 'L4OK');
  const { result } = start(tcpCheck, targetOf(addressOf(`unix:${folder}/none.sock`)));
  assert.deepEqual(await result, { result: 'failed', code: 'L4CON', description: 'no such socket' });
});

/** Dials a socket that never connects, as to a host that drops every packet. */
class DeadDialer extends Dialer {
  readonly sockets: net.Socket[] = [];

  override dial(): net.Socket {
    const socket = new net.Socket();
    this.sockets.push(socket);
    return socket;
  }
}

test('a host that answers nothing fails with L4TOUT when the time to connect is up', async () => {
  const clock = new VirtualClock();
  const dialer = new DeadDialer(clock);
  const target = targetOf(addressOf('127.0.0.1:1'));
  const { result, calls } = start(tcpCheck, target, { environment: clock, dialer, connectMs: 700, answerMs: 90_000 });
  clock.advance(699);
  assert.equal(calls(), 0);
  clock.advance(1);
  assert.deepEqual(await result, { result: 'failed', code: 'L4TOUT', description: 'no connection within 700 ms' });
  assert.equal(dialer.sockets[0]?.destroyed, true);
  assert.equal(clock.pending, 0);
});

test('a name that cannot be looked up fails with L4CON, in words', async () => {
  for (const [code, description] of [
    ['ENOTFOUND', "the name 'db.invalid' is unknown: no address was found for it"],
    ['EAI_AGAIN', "the name 'db.invalid' could not be looked up: no name server answers"],
  ] as const) {
    const dialer = new DeadDialer(new VirtualClock());
    const { result } = start(tcpCheck, targetOf(addressOf('db.invalid:1')), { dialer });
    dialer.sockets[0]?.destroy(Object.assign(new Error(`getaddrinfo ${code} db.invalid`), { code }));
    assert.deepEqual(await result, { result: 'failed', code: 'L4CON', description });
  }
});

test('a probe cancelled while it connects is silent and leaves nothing', async () => {
  const clock = new VirtualClock();
  const dialer = new DeadDialer(clock);
  const { cancel, calls } = start(tcpCheck, targetOf(addressOf('127.0.0.1:1')), { environment: clock, dialer });
  cancel();
  cancel();
  await clock.advanceAsync(100_000);
  assert.deepEqual([calls(), clock.pending, dialer.sockets[0]?.destroyed], [0, 0, true]);
});

test('over TLS: L6OK when the certificate is trusted, L6RSP when it is not', async (t) => {
  const { key, cert } = await certificate();
  const listener = await listen(t, () => {}, { tlsOptions: { key, cert } });
  const trusting = targetOf(listener.address, { ca: cert });
  assert.deepEqual(await probe(tcpCheck, listener, trusting), { result: 'passed', code: 'L6OK', description: '' });
  assert.equal((await probe(tcpCheck, listener, targetOf(listener.address, { verify: false }))).code, 'L6OK');
  const refused = await probe(tcpCheck, listener);
  assert.equal(refused.code, 'L6RSP');
  assert.match(refused.description, /self-signed certificate/);
});

test('TLS to a server that does not speak it fails with L6RSP', async (t) => {
  const listener = await listen(t, (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  );
  const result = await probe(tcpCheck, listener, targetOf(listener.address, {}));
  const description = 'the server does not speak TLS (wrong version number)';
  assert.deepEqual(result, { result: 'failed', code: 'L6RSP', description });
});

test('TLS to a server that closes during the handshake fails with L6RSP', async (t) => {
  const listener = await listen(t, (socket) => socket.once('data', () => socket.end()));
  assert.equal((await probe(tcpCheck, listener, targetOf(listener.address, {}))).code, 'L6RSP');
});

test('a TLS handshake that nobody answers fails with L6TOUT', async (t) => {
  const clock = new VirtualClock();
  const hello = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => socket.once('data', () => hello.resolve()));
  const target = targetOf(listener.address, {});
  const { result } = start(tcpCheck, target, { environment: clock, connectMs: 700, answerMs: 90_000 });
  await hello.promise;
  clock.advance(700);
  assert.deepEqual(await result, { result: 'failed', code: 'L6TOUT', description: 'no TLS handshake within 700 ms' });
  await listener.closed();
});

test('TLS settings that cannot be used fail the check and do not throw', async () => {
  const target = targetOf(addressOf(`127.0.0.1:${await freePort()}`), { cert: 'no certificate', key: 'no key' });
  const { result } = start(tcpCheck, target);
  assert.equal((await result).code, 'SOCKERR');
});
