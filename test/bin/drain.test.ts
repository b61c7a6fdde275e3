import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandProcess, origin } from './command-process.ts';

/** A command before a server that answers when the test says so, with one request in flight. */
async function busy(t: TestContext, ...args: string[]) {
  const arrived = Promise.withResolvers<ServerResponse>();
  const { url } = await origin(t, (_request, response) => arrived.resolve(response));
  const command = new CommandProcess(t, [url, '--listen', '0', ...args]);
  const front = await command.url();
  const answer = new Promise<IncomingMessage>((resolve, reject) => get(front, resolve).once('error', reject));
  return { command, front, answer, response: await arrived.promise };
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  return text;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: a slow request ends as it should, nothing new gets in, exit code 0`, async (t) => {
    const { command, front, answer, response } = await busy(t);
    const { hostname, port } = new URL(front);
    response.write('the first half, ');
    const message = await answer;
    command.child.kill(signal);
    await command.says(/draining: 1 in flight, for at most 10 s/);
    const late = connect(Number(port), hostname);
    await assert.rejects(once(late, 'connect'), { code: 'ECONNREFUSED' });
    response.end('the second half');
    assert.equal(await textOf(message), 'the first half, the second half');
    const { code, stdout, stderr } = await command.ended;
    assert.equal(code, 0);
    assert.match(stdout, /Z drained\n$/);
    assert.equal(stderr, '');
  });
}

test('SIGTERM: requests that wait for a slot are served as it comes free, and the last of them with 503 at the end', async (t) => {
  const arrived: ServerResponse[] = [];
  const { server, url } = await origin(t, (_request, response) => arrived.push(response));
  const directory = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'pool.json');
  await writeFile(file, JSON.stringify({ servers: [{ address: url, maxconn: 1 }], poolMaxQueue: 2 }));
  const command = new CommandProcess(t, ['--config', file, '--listen', '0', '--grace', '500ms']);
  const front = await command.url();
  const ask = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => get(front, { agent: false }, resolve).once('error', reject));
  const answers = [ask()];
  await once(server, 'request');
  const three = [ask(), ask(), ask()];
  assert.equal((await Promise.race(three)).statusCode, 503, 'one finds the queue full: two are in it');
  answers.push(...three);
  command.child.kill('SIGTERM');
  await command.says(/draining: 3 in flight/);
  const second = once(server, 'request');
  arrived[0]?.end('a');
  assert.equal((await (answers[0] as Promise<IncomingMessage>)).statusCode, 200);
  await second;
  arrived[1]?.end('b');
  const statuses = (await Promise.all(answers)).map(({ statusCode }) => statusCode);
  assert.deepEqual(statuses.sort(), [200, 200, 503, 503]);
  assert.equal((await command.ended).code, 0);
});

test('a request without an answer is cut when the grace time is over; exit code 0', async (t) => {
  const { command, answer } = await busy(t, '--grace', '50ms');
  command.child.kill('SIGTERM');
  const message = await answer;
  assert.equal(message.statusCode, 503);
  await textOf(message);
  const { code, stdout } = await command.ended;
  assert.equal(code, 0);
  assert.match(
    stdout,
    /draining: 1 in flight, for at most 0\.05 s\n.*Z drained; what was still in flight was cut: 1\n$/,
  );
});

test('a tunnel is cut when the grace time is over; exit code 0', async (t) => {
  const { server, url } = await origin(t, (_request, response) => response.end());
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.on('error', () => {}).pipe(socket);
  });
  const command = new CommandProcess(t, [url, '--listen', '0', '--grace', '50ms']);
  const client = get(await command.url(), { headers: { connection: 'upgrade', upgrade: 'echo' } });
  const [, socket] = await once(client, 'upgrade');
  const cut = once(socket.on('error', () => {}).resume(), 'close');
  command.child.kill('SIGTERM');
  await cut;
  const { code, stdout } = await command.ended;
  assert.equal(code, 0);
  assert.match(stdout, /drained; what was still in flight was cut: 1\n$/);
});

test('a second signal ends it at once; one that comes with the first is the same one', async (t) => {
  const { command, answer } = await busy(t, '--grace', 'infinite');
  const lost = assert.rejects(answer);
  command.child.kill('SIGTERM');
  command.child.kill('SIGTERM');
  await command.says(/draining: 1 in flight\n/);
  await sleep(400); // longer than a signal and its echo are apart
  assert.equal(command.child.exitCode, null);
  command.child.kill('SIGINT');
  const { code, stdout } = await command.ended;
  assert.equal(code, 130);
  assert.doesNotMatch(stdout, /drained/);
  await lost;
});

test('idle and silent connections do not hold it', async (t) => {
  const { url } = await origin(t, (_request, response) => response.end('a'));
  const command = new CommandProcess(t, [url, '--listen', '0', '--grace', 'infinite']);
  const front = await command.url();
  const { hostname, port } = new URL(front);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const kept = await new Promise<IncomingMessage>((resolve, reject) =>
    get(front, { agent }, resolve).on('error', reject),
  );
  await textOf(kept);
  const silent = connect(Number(port), hostname);
  await once(silent, 'connect');
  silent.resume();
  const hungUp = once(silent, 'close');
  command.child.kill('SIGTERM');
  assert.equal((await command.ended).code, 0);
  await hungUp;
});

test('clients that come again and again over kept connections get no error for an answer', async (t) => {
  const { url } = await origin(t, (_request, response) => setTimeout(() => response.end('a'), 5));
  const command = new CommandProcess(t, [url, '--listen', '0']);
  const front = await command.url();
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  t.after(() => agent.destroy());
  const statuses: (number | undefined)[] = [];
  const faults: unknown[] = [];
  const client = async (): Promise<void> => {
    while (faults.length < 8) {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      get(front, { agent }, resolve).once('error', reject);
      try {
        const message = await promise;
        await textOf(message);
        statuses.push(message.statusCode);
        if (statuses.length === 100) command.child.kill('SIGTERM');
      } catch (error) {
        faults.push((error as NodeJS.ErrnoException).code);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
  assert.equal((await command.ended).code, 0);
  assert.ok(statuses.length >= 100);
  assert.deepEqual(
    statuses.filter((status) => status !== 200),
    [],
  );
  // A connection may be closed just as the client begins to write: it knows then that nothing has happened yet.
  for (const code of faults) assert.match(String(code), /^(?:ECONNREFUSED|ECONNRESET|EPIPE)$/);
});
