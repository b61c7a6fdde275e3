/** Checks that speak a protocol, over real sockets, with servers that keep to it and others that do not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { describe, test } from 'node:test';
import { Dialer } from '#src/connections/dial.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { certificate, checkOf, listen, probe, start, targetOf } from './probing.ts';
import { EXCHANGES, latin1, ScriptedServer } from './protocol-turns.ts';

function sayWhole(socket: net.Socket, bytes: Buffer): void {
  socket.write(bytes);
}

/** Each byte in a packet of its own. */
async function sayByteByByte(socket: net.Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Remembers its socket. */
class WatchedDialer extends Dialer {
  socket: net.Socket | undefined;

  override dial(...how: Parameters<Dialer['dial']>): net.Socket {
    this.socket = super.dial(...how);
    return this.socket;
  }
}

for (const { name, check: definition, turns, passes, invalid, silent, endless } of EXCHANGES) {
  describe(name, () => {
    const check = checkOf(definition);

    test('passes, and says what HAProxy says byte for byte', async (t) => {
      const server = new ScriptedServer(turns, sayWhole);
      assert.deepEqual(await probe(check, await server.listen(t)), passes);
      assert.deepEqual(await server.heard, server.expected);
    });

    test('passes with answers that come byte by byte', async (t) => {
      const server = new ScriptedServer(turns, sayByteByByte);
      assert.deepEqual(await probe(check, await server.listen(t)), passes);
      assert.deepEqual(await server.heard, server.expected);
    });

    test('fails when the server closes anywhere before the end of its last answer', async (t) => {
      const last = turns.at(-1)?.says ?? Buffer.alloc(0);
      for (let length = 0; length < last.length; length++) {
        const cut = turns.with(-1, { ...turns.at(-1), says: last.subarray(0, length) });
        let said = 0;
        const server = new ScriptedServer(cut, (socket, bytes) =>
          ++said === turns.length ? socket.end(bytes) : socket.write(bytes),
        );
        const { result, code, description } = await probe(check, await server.listen(t));
        assert.deepEqual([result, code], ['failed', invalid], `${length} bytes: ${description}`);
        assert.match(description, length === 0 ? /^closed before the / : /^closed within the .*: ('|bytes )/);
      }
    });

    test('fails with a time-out of its own when the server is silent', async (t) => {
      const clock = new VirtualClock();
      const dialer = new WatchedDialer(clock);
      const listener = await listen(t, (socket) => socket.resume());
      const target = targetOf(listener.address);
      const { result, calls } = start(check, target, { environment: clock, dialer, connectMs: 700, answerMs: 900 });
      assert.ok(dialer.socket);
      await once(dialer.socket, 'connect');
      clock.advance(899);
      assert.equal(calls(), 0);
      clock.advance(1);
      const description = 'no complete answer within 900 ms';
      assert.deepEqual(await result, { result: 'failed', code: silent, description });
      assert.equal(clock.pending, 0);
      await listener.closed();
    });

    test('tells what came of an answer that did not end in time', async (t) => {
      const bytes = turns[0]?.says.subarray(0, 1);
      const clock = new VirtualClock();
      const dialer = new WatchedDialer(clock);
      const listener = await listen(t, (socket) => void socket.resume().write(bytes ?? assert.fail()));
      const target = targetOf(listener.address);
      const { result } = start(check, target, { environment: clock, dialer, connectMs: 700, answerMs: 900 });
      assert.ok(dialer.socket);
      await once(dialer.socket, 'connect');
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      clock.advance(900);
      assert.match((await result).description, /^no complete answer within 900 ms, only ('|bytes )/);
    });

    test('cuts a server that never ends its answer', async (t) => {
      const listener = await listen(t, (socket) => {
        socket.resume().write(endless[0]);
        const flood = Buffer.concat(Array.from({ length: 32 }, () => endless[1]));
        const more = (): unknown => socket.writable && socket.write(flood, () => setImmediate(more));
        more();
      });
      const { result, code, description } = await probe(check, listener);
      assert.deepEqual([result, code], ['failed', invalid], description);
      assert.ok(description.length <= 200, description);
    });

    for (const [what, words] of [
      ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
      ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
      ['nothing known', '\x00\x01\x02\xff\xfe\xfd'.repeat(9)],
    ] as const)
      test(`fails with ${what}, and shows what it said`, async (t) => {
        const listener = await listen(t, (socket) => socket.resume().write(latin1(words)));
        const { result, description } = await probe(check, listener);
        assert.equal(result, 'failed');
        const beginning = words.startsWith('\0') ? 'bytes 00 01 02 ff fe fd 00' : (words.split('\r\n')[0] ?? '');
        assert.ok(description.includes(beginning), description);
      });

    test('a reset is told as one', async (t) => {
      const listener = await listen(t, (socket) => socket.resetAndDestroy());
      const { result, code } = await probe(check, listener);
      // The reset may come before the connection is seen to be made.
      assert.ok(result === 'failed' && (code === 'SOCKERR' || code === 'L4CON'), code);
    });
  });
}

test('over TLS a protocol is spoken within, and ssl-hello is not', async (t) => {
  const { key, cert } = await certificate();
  const redis = await listen(t, (socket) => socket.once('data', () => socket.write('+PONG\r\n')), {
    tlsOptions: { key, cert },
  });
  assert.equal((await probe(checkOf({ type: 'redis' }), redis, targetOf(redis.address, { ca: cert }))).code, 'L7OK');
  const any = await listen(t, () => {}, { tlsOptions: { key, cert } });
  // Node's server knows no SSLv3, and says so in an alert.
  assert.equal((await probe(checkOf({ type: 'ssl-hello' }), any)).code, 'L6OK');
});

test('a probe that is cancelled in the middle is silent', async (t) => {
  const greeted = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => {
    socket.write('220 mx\r\n');
    socket.on('data', () => greeted.resolve());
  });
  const { cancel, calls } = start(checkOf({ type: 'smtp' }), targetOf(listener.address));
  await greeted.promise;
  cancel();
  await listener.closed();
  assert.equal(calls(), 0);
});
