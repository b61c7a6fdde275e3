import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { Deadlines } from '#src/core/deadlines.ts';
import type { Outcome } from '#src/core/outcome.ts';
import type { Endpoint, HttpExchange } from '#src/forward/forwarder.ts';
import { Tunnel, writeSwitchingHead } from '#src/forward/upgrade.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A socket of which the test decides when anything is taken. */
class Pipe extends Duplex {
  readonly written: string[] = [];
  takes = true;

  constructor() {
    super({ allowHalfOpen: true, writableHighWaterMark: 8 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk.toString('latin1'));
    if (this.takes) done();
  }
}

function tunnel() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const [client, server] = [new Pipe(), new Pipe()];
  const outcomes: Outcome[] = [];
  let destroyed = 0;
  const timeouts = { tunnelMs: 60_000, serverFinMs: 5_000, clientFinMs: 7_000 };
  const exchange = { timeouts, bytesIn: 0, bytesOut: 0, upgradeHead: undefined } as unknown as HttpExchange;
  const endpoint = { server: { counters: { bin: 0, bout: 0 } } } as unknown as Endpoint;
  const end = {
    socket: server,
    destroy: () => {
      destroyed++;
      server.destroy();
    },
  };
  const sink = { onOutcome: (outcome: Outcome) => outcomes.push(outcome) };
  const opened = new Tunnel(exchange, client, end, { environment: clock, deadlines }, endpoint, sink);
  return { clock, deadlines, client, server, outcomes, opened, destroys: () => destroyed };
}

test('a client that takes nothing holds a server that is gone for clientFin, and no longer', async () => {
  const { clock, deadlines, client, server, outcomes, opened, destroys } = tunnel();
  client.takes = false;
  opened.start('101', undefined);
  server.push('last');
  await clock.settle();
  server.destroy();
  await clock.settle();
  clock.advance(6_900);
  assert.deepEqual([outcomes.length, client.destroyed], [0, false]);
  clock.advance(300);
  assert.deepEqual(outcomes, [{ kind: 'cut', status: 101, flags: 'cD', timeout: 'client-fin' }]);
  assert.deepEqual([client.destroyed, destroys(), deadlines.size], [true, 1, 0]);
  opened.abort();
  assert.equal(destroys(), 1);
});

test('a server that takes nothing holds a client that has said all and is gone for as long at most', async () => {
  const { clock, deadlines, client, server, outcomes, opened } = tunnel();
  opened.start('101', undefined);
  server.takes = false;
  client.push('last');
  client.push(null);
  server.push(null);
  await clock.settle();
  client.destroy();
  await clock.settle();
  assert.deepEqual([outcomes.length, server.destroyed], [0, false]);
  clock.advance(7_300);
  assert.equal(outcomes.length, 1);
  assert.deepEqual([server.destroyed, deadlines.size], [true, 0]);
});

test('a side that is gone before the tunnel stands ends it at once', async () => {
  for (const side of ['client', 'server'] as const) {
    const parts = tunnel();
    parts[side].destroy();
    await parts.clock.settle();
    parts.opened.start('101', undefined);
    await parts.clock.settle();
    assert.equal(parts.outcomes.length, 1);
    assert.deepEqual([parts.client.destroyed, parts.server.destroyed, parts.deadlines.size], [true, true, 0]);
  }
});

test('the 101 has what a framework has set, where the server says nothing of it', () => {
  const head = {
    status: 101,
    reason: '',
    headers: ['Sec-WebSocket-Accept', 'x', 'X-A', 'server', 'Set-Cookie', 'a=1'],
  };
  const earlier = {
    'x-a': 'framework',
    'x-b': 'b',
    'set-cookie': ['b=2', 'c=3'],
    'content-type': 'x',
    connection: 'y',
  };
  assert.deepEqual(writeSwitchingHead(head, 'websocket', earlier).split('\r\n'), [
    'HTTP/1.1 101 Switching Protocols',
    'connection: Upgrade',
    'upgrade: websocket',
    'Sec-WebSocket-Accept: x',
    'X-A: server',
    'Set-Cookie: a=1',
    'x-b: b',
    'set-cookie: b=2',
    'set-cookie: c=3',
    '',
    '',
  ]);
});
