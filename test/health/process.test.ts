import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listen } from './probing.ts';

/** A process with nothing to do but its checks, once its standard input has ended. */
const PROGRAM = `
  import { Monitor } from '#src/health/monitor.ts';
  import { readCheckSettings } from '#src/health/settings.ts';
  import { Dialer } from '#src/connections/dial.ts';
  import { systemEnvironment } from '#src/core/environment.ts';
  import { OptionReader } from '#src/core/options.ts';
  import { parseAddress } from '#src/servers/address.ts';
  import { Server } from '#src/servers/server.ts';

  const address = parseAddress(process.argv[1]);
  const events = { onStateChange() {}, onCheck() {}, onWeightChange() {}, onDecided() {} };
  const monitor = new Monitor({ name: 'pool', spreadChecks: 0, maxSpreadChecksMs: Infinity }, systemEnvironment, new Dialer(systemEnvironment), events);
  const settings = readCheckSettings(new OptionReader({ check: 'http', inter: '1h' }, ''), { named: new Map() }, true);
  const target = { address, tls: process.argv[2] === 'tls' ? { verify: false, alpn: ['http/1.1'] } : undefined };
  const server = new Server(1, 's1', address, { weight: 1, maxconn: 0, backup: false, slowstartMs: 0 });
  monitor.start([[server, { ...settings, timeoutConnectMs: 5000, target }]]);
  process.stdin.resume();
`;

/** Makes the name stand for two addresses, of which the second is the server's. */
const TWO_ADDRESSES = `
  import dns from 'node:dns';
  const addresses = [{ address: '127.0.0.2', family: 4 }, { address: '127.0.0.1', family: 4 }];
  dns.lookup = (_name, _options, callback) => process.nextTick(callback, null, addresses);
`;

for (const transport of ['plain', 'tls', 'unix', 'by name'] as const) {
  test(`a check under way does not keep the process alive (${transport})`, { timeout: 60_000 }, async (t) => {
    const asked = Promise.withResolvers<void>();
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
    t.after(() => rm(folder, { recursive: true }));
    const path = transport === 'unix' ? { path: join(folder, 'server.sock') } : {};
    const { address } = await listen(t, (socket) => socket.once('data', () => asked.resolve()), path);
    const url = transport === 'by name' ? `http://server.test:${address.port}` : address.url;
    const program = transport === 'by name' ? TWO_ADDRESSES + PROGRAM : PROGRAM;
    const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
    const child = spawn(process.execPath, [...conditions, '--input-type=module', '-e', program, url, transport], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    t.after(() => child.kill());
    await asked.promise;
    child.stdin.end();
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
}
