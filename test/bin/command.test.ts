import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/source-files.ts';
import { CommandProcess, origin } from './command-process.ts';

test('it balances by weight between the servers of its arguments, and says where it listens', async (t) => {
  const a = await origin(t, (_request, response) => response.end('a'));
  const b = await origin(t, (_request, response) => response.end('b'));
  const command = new CommandProcess(t, [
    a.url,
    `${b.url};weight=3;name=big`,
    '--listen',
    '0',
    '--balance',
    'roundrobin',
  ]);
  const url = await command.url();
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.match(command.stdout, /^\d{4}-\d\d-\d\dT[\d:.]+Z listening on \S+, balancing 2 servers by roundrobin: /);
  assert.ok(command.stdout.includes(`s1 ${a.url}, big ${b.url} weight 3; none is checked`), command.stdout);
  let answers = '';
  for (let i = 0; i < 8; i++) answers += await (await fetch(url)).text();
  assert.equal(answers.replaceAll('b', ''), 'aa');
});

test('it takes a file, whose words for no limit are understood', async (t) => {
  const a = await origin(t, (_request, response) => response.end('a'));
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pool.json');
  const options = { name: 'x', servers: [a.url], balance: { algorithm: 'random' }, timeout: { server: 'infinite' } };
  writeFileSync(file, JSON.stringify({ listen: '127.0.0.1:0', grace: 'infinite', ...options }));
  const command = new CommandProcess(t, ['--config', file]);
  assert.equal(await (await fetch(await command.url())).text(), 'a');
  assert.match(command.stdout, /balancing 1 server by random: s1 /);
});

test('it says when a server goes down, when none is left, and when one comes back', async (t) => {
  let healthy = true;
  const a = await origin(t, (_request, response) => {
    response.statusCode = healthy ? 200 : 500;
    response.end();
  });
  const command = new CommandProcess(t, [`${a.url};name=a`, '--listen=0', '--check=/healthz', '--inter=250ms']);
  const url = await command.url();
  healthy = false;
  const [down] = await command.says(/^\S+Z a DOWN: .*\n/m);
  assert.match(down, /Layer7 wrong status: .*500.*\(L7STS\).*; no server is left, requests get 503\n/);
  const refused = await fetch(url);
  assert.equal(refused.status, 503);
  await refused.text();
  healthy = true;
  const [up] = await command.says(/^\S+Z a UP: .*\n/m);
  assert.match(up, /\(L7OK\)/);
});

test('upgrades work', async (t) => {
  const { server, url: backend } = await origin(t, (_request, response) => response.end());
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const command = new CommandProcess(t, [backend, '--listen', '0']);
  const client = request(await command.url(), { headers: { connection: 'upgrade', upgrade: 'echo' } }).end();
  const [, socket] = await once(client, 'upgrade');
  socket.write('hello');
  assert.equal(String((await once(socket, 'data'))[0]), 'hello');
  socket.destroy();
});

test('it goes on when nobody reads what it says', async (t) => {
  const a = await origin(t, (_request, response) => response.end('a'));
  const command = new CommandProcess(t, [
    `${a.url};name=a`,
    'http://127.0.0.1:1;name=b',
    '--listen=0',
    '--check=tcp',
    '--inter=20ms',
  ]);
  const url = await command.url();
  command.child.stdout.destroy();
  for (let i = 0; i < 20; i++) {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    get(url, { agent: false }, (response) => resolve(response.resume().statusCode)).once('error', reject);
    assert.equal(await promise, 200);
  }
  command.child.kill('SIGTERM');
  assert.equal((await command.ended).code, 0);
});

const BAD: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /no server is given/],
  [['--wrong'], /unknown option '--wrong'/],
  [['a:1;weight=x'], /weight: "x" is not allowed/],
  [['a:1', '--balance', 'best', '--listen', '0'], /--balance: "best" is not allowed/],
  [['--config', '/no/such/pool.json'], /cannot be read/],
];

for (const [args, message] of BAD) {
  test(`one line and exit code 2 for: ${args.join(' ') || 'nothing'}`, async (t) => {
    const { code, stdout, stderr } = await new CommandProcess(t, args).ended;
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^evenkeel: [^\n]+\n$/);
    assert.match(stderr, message);
  });
}

test('one line and exit code 1 when the port is in use', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const ended = await new CommandProcess(t, ['127.0.0.1:1', '--check=tcp', '--listen', String(port)]).ended;
  assert.equal(ended.code, 1);
  assert.equal(ended.stdout, '');
  assert.equal(ended.stderr, `evenkeel: cannot listen on http://127.0.0.1:${port}: the port is in use\n`);
});

test('--help and --version answer and end', async (t) => {
  const help = await new CommandProcess(t, ['--help']).ended;
  assert.equal(help.code, 0);
  for (const option of ['listen', 'balance', 'check', 'inter', 'grace', 'config', 'help', 'version'])
    assert.match(help.stdout, new RegExp(`^ .*--${option}\\b`, 'm'));
  for (const line of help.stdout.split('\n')) assert.ok(line.length <= 120, line);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const { code, stdout } = await new CommandProcess(t, ['--version']).ended;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: `${version}\n` });
});
