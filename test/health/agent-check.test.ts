import assert from 'node:assert/strict';
import type net from 'node:net';
import { test } from 'node:test';
import { type AgentTarget, agentCheck } from '#src/health/agent-check.ts';
import { Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, freePort, listen, probe, start, targetOf } from './probing.ts';

/** The server has another port than its agent, and speaks TLS. */
const server = targetOf(addressOf('https://127.0.0.1:1'));

function agentAt(port: number, more: Partial<AgentTarget> = {}): ReturnType<typeof agentCheck> {
  return agentCheck({ host: undefined, port, send: '', ...more });
}

for (const [title, pieces, expected] of [
  ['a line in one piece', ['up 50%\n'], 'passed L7OK: the agent says up 50%'],
  ['a line in three', ['do', 'wn # disk ', 'full\r\n'], 'failed L7STS: the agent says down (disk full)'],
  ['what follows the line is not read', ['up\ndown\n'], 'passed L7OK: the agent says up'],
  [
    'a character in two pieces',
    [Buffer.from('down # f\xc3', 'latin1'), Buffer.from('\xbcr heute\n', 'latin1')],
    'failed L7STS: the agent says down (für heute)',
  ],
  ['an empty line', ['\nup\n'], 'neutral CHECKED: the agent says nothing'],
] as const) {
  test(`${title}`, async (t) => {
    const listener = await listen(t, (socket) => send(socket, pieces));
    const { result, code, description } = await probe(agentAt(listener.address.port), listener, server);
    assert.equal(`${result} ${code}: ${description}`, expected);
  });
}

for (const [title, handler] of [
  ['a line that does not end before the close', (socket: net.Socket) => void socket.end('down')],
  ['nothing at all', (socket: net.Socket) => void socket.end()],
  ['16 KiB and more without an end of line', (socket: net.Socket) => void socket.write('down '.repeat(100_000))],
] as const) {
  test(`${title}: ignored`, async (t) => {
    const listener = await listen(t, handler);
    const { result, code, description, reply } = await probe(agentAt(listener.address.port), listener, server);
    assert.deepEqual(
      [result, code, description, reply],
      ['neutral', 'CHECKED', 'the agent sent no complete line; ignored', undefined],
    );
  });
}

test('the agent gets the text first, at the address that is said', async (t) => {
  const listener = await listen(t, (socket) => {
    socket.once('data', (bytes) => socket.end(bytes.toString() === 'how are you, é?\n' ? 'up\n' : 'down\n'));
  });
  const check = agentAt(listener.address.port, { host: '127.0.0.1', send: 'how are you, é?\n' });
  const { description } = await probe(check, listener, targetOf(addressOf('unix:/run/server.sock')));
  assert.equal(description, 'the agent says up');
});

test('without an address of its own the agent is where checks go, and its words reach the pool', async (t) => {
  const { port } = (await listen(t, (socket) => socket.end('50% maxconn:3 up # well\n'))).address;
  const server = {
    name: 'a',
    address: '192.0.2.1:80',
    addr: '127.0.0.1',
    weight: 10,
    agentCheck: true,
    agentPort: port,
  };
  const pool = new Pool({ servers: [server] });
  await pool.ready({ timeout: '5s' });
  const { weight, maxconn, agent } = pool.stats().servers['a'] ?? assert.fail();
  assert.deepEqual(
    [weight, maxconn, agent?.code, agent?.description],
    [5, 3, 'L7OK', 'the agent says 50% maxconn:3 up (well)'],
  );
  await pool.close();
});

test('an agent where nothing listens is one that cannot be reached', async () => {
  const { result } = start(agentAt(await freePort()), server);
  assert.deepEqual(await result, { result: 'failed', code: 'L4CON', description: 'connection refused' });
});

test('an agent that says nothing, or one letter at a time, has so much time and no more', async (t) => {
  const connected = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => {
    socket.write('u');
    connected.resolve();
  });
  const clock = new VirtualClock();
  const { result } = start(agentAt(listener.address.port), server, { environment: clock, connectMs: 1000 });
  await connected.promise;
  // The letter is on its way, and does not put the end off.
  clock.advance(1000);
  const { code } = await result;
  assert.ok(code === 'L7TOUT' || code === 'L4TOUT', code);
  await listener.closed();
});

function send(socket: net.Socket, pieces: readonly (string | Buffer)[]): void {
  const [first = '', ...rest] = pieces;
  socket.write(first, () => setImmediate(() => rest.length > 0 && send(socket, rest)));
}
