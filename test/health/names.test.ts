import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Dialer } from '#src/connections/dial.ts';
import { systemEnvironment } from '#src/core/environment.ts';
import { Pool, type ServerCheckEvent } from '#src/index.ts';
import { nextCheck } from '../support/next-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, checkOf, listen, start, targetOf } from './probing.ts';

type Answer = (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void;

/** Keeps the process, as lookups of the system do: checks do not. */
function holdProcess(t: TestContext): void {
  const timer = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(timer));
}

/** Lookups that are under way until the test answers them. */
function heldLookups(t: TestContext): { asked: string[]; answers: Answer[] } {
  holdProcess(t);
  const held = { asked: [] as string[], answers: [] as Answer[] };
  t.mock.method(dns, 'lookup', (name: string, _options: unknown, callback: Answer) => {
    held.asked.push(name);
    held.answers.push(callback);
  });
  return held;
}

function firstCheck(pool: Pool): Promise<ServerCheckEvent> {
  return new Promise((resolve) => pool.once('server:check', resolve));
}

test('a server whose name nobody knows is down in words, and what is asked of it gets 503', async (t) => {
  // RFC 2606: `.invalid` never resolves. A machine without name servers says so in other words, and not at once.
  const pool = new Pool({
    servers: [{ address: 'http://nosuchhost.invalid:80', check: true, initState: 'fully-up', inter: '30s' }],
    retries: 0,
  });
  const first = firstCheck(pool);
  const front = http.createServer(pool.middleware()).listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(async () => {
    front.close();
    front.closeAllConnections();
    await pool.close();
  });
  const failures: (string | undefined)[] = [];
  pool.on('request', ({ error }) => failures.push((error as { code?: string } | undefined)?.code));
  const response = await fetch(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`);
  await response.text();
  assert.equal(response.status, 503);
  assert.deepEqual(failures, ['EK_CONNECT']);
  const { code, description, result } = await first;
  assert.deepEqual([result, code], ['failed', 'L4CON']);
  assert.match(
    description,
    /^the name 'nosuchhost\.invalid' (is unknown: no address was found for it|could not be looked up: no name server answers)$/,
  );
});

test('a lookup that never answers costs each check its time, once for all that wait, and leaves nothing', async (t) => {
  const held = heldLookups(t);
  const dialer = new Dialer(systemEnvironment);
  const target = targetOf(addressOf('http://slow.example:80'));
  const check = checkOf({ type: 'tcp' });
  for (let round = 0; round < 3; round++) {
    const results = await Promise.all(
      Array.from({ length: 50 }, () => start(check, target, { dialer, connectMs: 20 }).result),
    );
    for (const { code, description } of results) {
      assert.equal(code, 'L4TOUT');
      assert.equal(description, "no answer to the lookup of the name 'slow.example' within 20 ms");
    }
  }
  assert.deepEqual(held.asked, ['slow.example']);
});

test('who gave up is not called when the answer comes, and others are', async (t) => {
  const { port } = (await listen(t, () => {})).address;
  const held = heldLookups(t);
  const dialer = new Dialer(systemEnvironment);
  const target = targetOf(addressOf(`http://late.example:${port}`));
  const check = checkOf({ type: 'tcp' });
  const gone = start(check, target, { dialer });
  const stays = start(check, target, { dialer });
  gone.cancel();
  // A socket tells of its end a turn later.
  await new Promise(setImmediate);
  held.answers[0]?.(null, [{ address: '127.0.0.1', family: 4 }]);
  assert.equal((await stays.result).code, 'L4OK');
  assert.equal(gone.calls(), 0);
  assert.equal((await start(check, target, { dialer }).result).code, 'L4OK', 'it is remembered');
  assert.deepEqual(held.asked, ['late.example']);
});

test('a failure is told to all who wait, and is not remembered: a name that resolves later brings its server up', async (t) => {
  const { port } = (await listen(t, () => {})).address;
  holdProcess(t);
  let known = false;
  let asked = 0;
  t.mock.method(dns, 'lookup', (name: string, _options: unknown, callback: Answer) => {
    asked++;
    const fault = Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', hostname: name });
    setImmediate(() =>
      known ? callback(null, [{ address: '127.0.0.1', family: 4 }]) : callback(fault, [] as dns.LookupAddress[]),
    );
  });
  const clock = new VirtualClock();
  const servers = [{ name: 'a', address: `http://new.example:${port}`, check: true, inter: 10, rise: 2 }];
  const pool = new Pool({ servers }, clock);
  t.after(() => pool.close());
  const { description, code } = await nextCheck(pool, clock, 1);
  assert.deepEqual([code, description], ['L4CON', "the name 'new.example' is unknown: no address was found for it"]);
  assert.equal(pool.server('a').state, 'DOWN');
  known = true;
  for (let passed = 0; passed < 2; passed++) await nextCheck(pool, clock, 10);
  assert.equal(pool.server('a').state, 'UP');
  const before = asked;
  for (let passed = 0; passed < 2; passed++) await nextCheck(pool, clock, 10);
  assert.equal(asked, before, 'what is known is not asked again');
});

test('4,095 servers by one name that fails ask for it together', async (t) => {
  const held = heldLookups(t);
  const dialer = new Dialer(systemEnvironment);
  const check = checkOf({ type: 'tcp' });
  const probes = Array.from({ length: 4095 }, (_, index) =>
    start(check, targetOf(addressOf(`http://gone.example:${1000 + index}`)), { dialer }),
  );
  assert.deepEqual(held.asked, ['gone.example']);
  held.answers[0]?.(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
  const results = await Promise.all(probes.map(({ result }) => result));
  assert.ok(results.every(({ code }) => code === 'L4CON'));
  assert.ok(probes.every(({ calls }) => calls() === 1));
});

/** Node with a name server that swallows all that it is asked; `undefined` where the system does not let us. */
function withoutNames(t: TestContext, script: string): string[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-names-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, 'nameserver 127.0.0.1\noptions timeout:30 attempts:1\n');
  const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
  const node = [process.execPath, ...conditions, '--input-type=module', '-e'];
  const shell = 'mount --bind "$0" /etc/resolv.conf && ip link set lo up && exec "$@"';
  const wrapped = ['-mn', 'sh', '-c', shell, file];
  return spawnSync('unshare', [...wrapped, 'true']).status === 0 ? [...wrapped, ...node, script] : undefined;
}

test('real lookups that are never answered: 300 names, few threads, and every check ends in time', async (t) => {
  const given = withoutNames(
    t,
    `import dgram from 'node:dgram';
    import { Pool } from '#src/index.ts';
    // An exit would wait for the lookups that are under way.
    const hole = dgram.createSocket('udp4').bind(53, '127.0.0.1', () => {
      const servers = Array.from({ length: 300 }, (_, index) => \`http://s\${index}.example:80\`);
      const pool = new Pool({ servers, defaultServer: { check: true, inter: 200 }, timeout: { check: 200, connect: 200 }, spreadChecks: 0 });
      const ended = new Map();
      let worst = 0;
      pool.on('server:check', ({ server, code, description, durationMs }) => {
        worst = Math.max(worst, durationMs);
        ended.set(server, (ended.get(server) ?? 0) + 1);
        if (ended.size < 300 || Math.min(...ended.values()) < 5) return;
        const handles = process.getActiveResourcesInfo().filter((name) => name === 'GetAddrInfoReqWrap').length;
        process.stdout.write(JSON.stringify({ code, description: description.replace(/s\\d+/, 'sN'), worst, handles }), () => process.kill(process.pid, 'SIGKILL'));
      });
    });`,
  );
  if (!given) {
    t.skip('the system lets nobody have name servers of their own');
    return;
  }
  const child = spawn('unshare', given, {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  let text = '';
  for await (const piece of child.stdout.setEncoding('utf8')) text += piece;
  const { code, description, worst, handles } = JSON.parse(text) as {
    code: string;
    description: string;
    worst: number;
    handles: number;
  };
  assert.equal(code, 'L4TOUT');
  assert.equal(description, "no answer to the lookup of the name 'sN.example' within 200 ms");
  assert.ok(worst < 5_000, `${worst} ms: lookups take 30 s`);
  assert.ok(handles <= 300, `${handles} lookups are under way`);
});
