import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
  const monitor = new Monitor(systemEnvironment, new Dialer(systemEnvironment), events);
  const settings = readCheckSettings(new OptionReader({ check: 'http', inter: '1h' }, ''), { named: new Map() });
  const target = { address, tls: process.argv[2] === 'tls' ? { verify: false, alpn: ['http/1.1'] } : undefined };
  const server = new Server(1, 's1', address, { weight: 1, maxconn: 0, backup: false, slowstartMs: 0 });
  monitor.start([[server, { ...settings, timeoutConnectMs: 5000, target }]]);
  process.stdin.resume();
`;

for (const transport of ['plain', 'tls', 'by name'] as const) {
  test(`a check under way does not keep the process alive (${transport})`, { timeout: 60_000 }, async (t) => {
    const asked = Promise.withResolvers<void>();
    const listener = await listen(t, (socket) => socket.once('data', () => asked.resolve()));
    const url = transport === 'by name' ? `http://localhost:${listener.address.port}` : listener.address.url;
    const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
    const child = spawn(process.execPath, [...conditions, '--input-type=module', '-e', PROGRAM, url, transport], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    await asked.promise;
    child.stdin.end();
    const [code] = await once(child, 'exit');
    assert.equal(code, 0);
  });
}
