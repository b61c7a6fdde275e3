import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { Server } from 'socket.io';
import { io, type ManagerOptions, type Socket } from 'socket.io-client';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  type Example,
  everyExample,
  FRAGMENT_IMPORTS,
  isProgram,
  takesServers,
  withImports,
} from './support/examples.ts';
import { startRedis } from './support/live-redis.ts';
import { ROOT } from './support/source-files.ts';

/**
 * Runs every example of the README and of docs/ as it stands there, against real servers: each fenced block of JavaScript or
 * TypeScript in a process of its own. What a page writes as ports 3001 to 3004 are servers of this test, 6379 is a Redis; 8080 becomes any free port. A block
 * without imports is a fragment, and gets those that the page names at its top.
 */

const PORTS = [3001, 3002, 3003, 3004];
/** As a page writes that of Redis. */
const REDIS_PORT = 6379;
const COOKIE_KEY = 'sixteen bytes or more';
const MODULES: Readonly<Record<string, string>> = {
  evenkeel: '#src/index.ts',
  'evenkeel/fastify': '#src/adapters/fastify.ts',
  'evenkeel/redis': '#src/redis/redis-table.ts',
};

/** Tells this process where an example listens. */
const ANNOUNCE = `data:text/javascript,${encodeURIComponent(`
  import { subscribe } from 'node:diagnostics_channel';
  subscribe('tracing:net.server.listen:asyncEnd', ({ server }) => process.send(server.address().port));
`)}`;

const LIMIT_MS = 30_000;

const examples = everyExample();
const origins = PORTS.map((port) => originOf(port));
let ports: readonly number[] = [];

before(async () => {
  for (const origin of origins) origin.listen(0, '127.0.0.1');
  await Promise.all(origins.map((origin) => once(origin, 'listening')));
  ports = origins.map((origin) => (origin.address() as AddressInfo).port);
});
after(() => {
  for (const origin of origins) {
    origin.close();
    origin.closeAllConnections();
  }
});

describe('each example', { concurrency: 2 }, () => {
  for (const example of examples) {
    if (example.file !== undefined) continue; // told as one story below
    test(`${example.page}, example ${example.number}`, { timeout: LIMIT_MS }, async (t) => {
      const needsRedis = example.code.includes(`:${REDIS_PORT}`);
      const redis = needsRedis ? await startRedis(t) : undefined;
      if (needsRedis && !redis) return;
      const running = run(t, example, redis ? [...ports, redis.port] : ports);
      if (!example.code.includes('listen(')) {
        assert.equal(await running.exit, 0, running.output());
        if (example.prints !== undefined) assert.equal(running.output(), example.prints);
        return;
      }
      const answer = await fetch(`http://127.0.0.1:${await running.port()}/`);
      assert.equal(answer.status, 200, running.output());
      await answer.text();
      if (!example.code.includes("'SIGTERM'")) return;
      running.process.kill('SIGTERM');
      assert.equal(await running.exit, 0, running.output());
    });
  }
});

test('the three examples of the README balance requests and WebSockets, and keep strangers out', {
  timeout: LIMIT_MS,
}, async (t) => {
  const known = { authorization: 'Bearer me' };
  for (const [framework, prefix, live] of [
    ["from 'node:http'", '', '/live'],
    ["from 'express'", '/api', '/live'],
    ["from 'fastify'", '/api', '/api/live'],
  ] as const) {
    const example = examples.find(({ page, code }) => page === 'README.md' && code.includes(framework));
    assert.ok(example, `README.md has no example ${framework}`);
    await t.test(framework, async (step) => {
      const port = await run(step, example, ports).port();
      const answers: string[] = [];
      for (let i = 0; i < 6; i++) {
        const answer = await fetch(`http://127.0.0.1:${port}${prefix}/things?n=${i}`, { headers: known });
        assert.equal(answer.status, 200);
        answers.push(await answer.text());
      }
      assert.deepEqual(
        answers.map((text) => text.replace(/^\d+ /, '')),
        [0, 1, 2, 3, 4, 5].map((i) => `got GET /things?n=${i}\n`),
        'the mount path is taken off',
      );
      assert.ok(new Set(answers.map((text) => text.slice(0, 4))).size > 1, 'more than one server was used');

      const socket = new WebSocket(`ws://127.0.0.1:${port}${live}`, { headers: known });
      await once(socket, 'open');
      socket.send('hello');
      const [echo] = (await once(socket, 'message')) as [RawData];
      assert.equal(String(echo), 'hello');
      socket.terminate();
      if (prefix === '') return;

      assert.equal((await fetch(`http://127.0.0.1:${port}${prefix}/things`)).status, 401);
      const stranger = new WebSocket(`ws://127.0.0.1:${port}${live}`);
      stranger.on('error', () => {}); // 'unexpected-response' is what is asked for
      const [, refusal] = (await once(stranger, 'unexpected-response')) as [unknown, { statusCode: number }];
      assert.equal(refusal.statusCode, 401);
      stranger.terminate();
    });
  }
});

test('getting-started.md tells what happens when a server is lost and comes back', { timeout: LIMIT_MS }, async (t) => {
  const [server, front] = ['server.mjs', 'front.mjs'].map((file) => examples.find((example) => example.file === file));
  assert.ok(server && front);
  const first = await run(t, server, [], ['0']).port();
  const second = run(t, server, [], ['0']);
  const secondPort = await second.port();
  const frontRunning = run(t, front, [first, secondPort]);
  const url = `http://127.0.0.1:${await frontRunning.port()}/hello`;
  const get = async (): Promise<void> => {
    const answer = await fetch(url);
    assert.equal(answer.status, 200, frontRunning.output());
    assert.match(await answer.text(), /^\d+ got GET \/hello\n$/);
  };
  await get();
  await get();

  second.process.kill('SIGKILL');
  await second.exit;
  for (let i = 0; i < 10; i++) await get();
  await frontRunning.prints(
    /s2 is down: Layer4 connection problem: connection refused \(L4CON\) after \d failed checks?\n/,
  );
  await get();
  await run(t, server, [], [String(secondPort)]).port();
  await frontRunning.prints(/s2 is up: Layer7 check passed: status 200 \(L7OK\) after 2 passed checks\n/);
  await get();
});

test('each page says what its examples without imports begin with', () => {
  for (const page of new Set(examples.map((example) => example.page))) {
    const fragments = examples.filter((example) => example.page === page && !isProgram(example.code));
    if (fragments.length === 0) continue;
    const prose = readFileSync(join(ROOT, page), 'utf8').split('```')[0] ?? '';
    for (const line of FRAGMENT_IMPORTS.trim().split(';\n'))
      assert.ok(prose.includes(line.replace(/;$/, '')), `${page}, before its first example: ${line}`);
    if (fragments.some(({ code }) => takesServers(code))) assert.match(prose, /their `servers`\s+are/, page);
  }
});

test('the recipe for Socket.IO keeps each client on one server through polls and upgrade', {
  timeout: LIMIT_MS,
}, async (t) => {
  const servers = await Promise.all(
    ['a', 'b'].map(async (name) => {
      const server = createServer().listen(0, '127.0.0.1');
      const sockets = new Server(server, { serveClient: false });
      sockets.on('connection', (socket) => socket.on('who', (answer: (name: string) => void) => answer(name)));
      t.after(() => sockets.close());
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    }),
  );
  const recipe = examples.find(
    ({ page, code }) => page === 'docs/persistence.md' && code.includes('polls and upgrades'),
  );
  assert.ok(recipe);
  const [, byCookie = ''] = /( {2}cookie: .*\n)/.exec(recipe.code) ?? [];
  const prose = readFileSync(join(ROOT, recipe.page), 'utf8');
  const [, byName = ''] = /^ {2}`(stickTable: .*url_param.*)`/m.exec(prose) ?? [];
  assert.ok(byCookie && byName);
  const withoutCookie = recipe.code.replace(byCookie, `  ${byName},\n`).replaceAll(/, cookie: '.'/g, '');
  const ways: [string, () => Partial<ManagerOptions>][] = [
    [recipe.code, () => ({ withCredentials: true })],
    [withoutCookie, () => ({ query: { client: crypto.randomUUID() } })],
  ];
  for (const [code, optionsOf] of ways) {
    const port = await run(t, { ...recipe, code }, servers).port();
    const clients: Socket[] = Array.from({ length: 4 }, () =>
      io(`http://127.0.0.1:${port}`, { forceNew: true, ...optionsOf() }),
    );
    for (const client of clients) t.after(() => client.disconnect());
    const homes = await Promise.all(clients.map(homeOf));
    assert.deepEqual(homes.sort(), ['a', 'a', 'b', 'b']);
  }
  const lost = await fetch(`http://127.0.0.1:${servers[0]}/socket.io/?EIO=4&transport=polling&sid=of-another`);
  assert.equal(lost.status, 400);
  assert.match(await lost.text(), /Session ID unknown/);
});

/** The server of a client that has polled, and is on a WebSocket now. */
async function homeOf(client: Socket): Promise<string> {
  const upgraded = new Promise<void>((resolve, reject) => {
    client.once('connect', () => {
      const { engine } = client.io;
      // It may be on a WebSocket before the namespace has answered.
      if (engine.transport.name === 'websocket') resolve();
      else engine.once('upgrade', () => resolve());
    });
    client.once('connect_error', reject);
  });
  await upgraded;
  return client.emitWithAck('who');
}

/** The example as a program: its imports lead to this package, its ports to servers that are there. */
function programOf({ code }: Example, servers: readonly number[]): string {
  let program = withImports(code);
  for (const [name, source] of Object.entries(MODULES))
    program = program.replaceAll(`from '${name}'`, `from '${source}'`);
  for (const [index, port] of [...PORTS, REDIS_PORT].entries())
    program = program.replaceAll(new RegExp(`\\b${port}\\b`, 'g'), String(servers[index] ?? 9));
  return program.replaceAll(/\b8080\b/g, '0');
}

interface Running {
  readonly process: ChildProcess;
  /** Its exit code. */
  readonly exit: Promise<number | null>;
  output(): string;
  /** The next port at which it listens. */
  port(): Promise<number>;
  prints(expected: RegExp): Promise<void>;
}

function run(t: TestContext, example: Example, servers: readonly number[], argv: readonly string[] = []): Running {
  const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
  const child = spawn(
    process.execPath,
    [
      ...conditions,
      '--disable-warning=ExperimentalWarning',
      '--import',
      ANNOUNCE,
      `--input-type=${example.language === 'ts' ? 'module-typescript' : 'module'}`,
      '--eval',
      programOf(example, servers),
      '--',
      'as a file has its name here',
      ...argv,
    ],
    { cwd: ROOT, env: { ...process.env, COOKIE_KEY }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  let output = '';
  const announced: number[] = [];
  let look: (() => void) | undefined;
  const changed = (): void => look?.();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      changed();
    });
  }
  child.on('message', (port: number) => {
    announced.push(port);
    changed();
  });
  const exit = once(child, 'exit').then(([code]: unknown[]) => code as number | null);
  let ended = false;
  void exit.then(() => {
    ended = true;
    changed();
  });
  t.after(() => child.kill('SIGKILL'));
  const until = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (ended) throw new Error(`${example.page}, example ${example.number}, has ended:\n${output}`);
      await new Promise<void>((resolve) => {
        look = resolve;
      });
    }
  };
  return {
    process: child,
    exit,
    output: () => output,
    port: () => until(() => announced.shift()),
    prints: (expected) => until(() => expected.test(output) || undefined).then(() => {}),
  };
}

/** A server that says who it is and what it was asked, answers checks, and echoes over WebSockets. */
function originOf(name: number): ReturnType<typeof createServer> {
  const server = createServer((request, response) => {
    response.end(request.url === '/healthz' ? 'ok\n' : `${name} got ${request.method} ${request.url}\n`);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return server;
}
