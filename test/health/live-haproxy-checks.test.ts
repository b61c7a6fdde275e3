/** What our checks say is what the HAProxy that is installed says, byte for byte. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { withHaproxy } from '../support/haproxy-process.ts';
import { LiveServer } from '../support/live-server.ts';
import { EXCHANGES, latin1, ScriptedServer, type ServerTurn } from './protocol-turns.ts';

/** The exchanges that HAProxy 2.6 can have, by their names. */
const OPTIONS: Readonly<Record<string, string>> = {
  redis: 'redis-check',
  smtp: 'smtpchk',
  'smtp with EHLO': 'smtpchk EHLO lb.example',
  pgsql: 'pgsql-check user haproxy',
  mysql: 'mysql-check',
  'mysql with a user': 'mysql-check user haproxy',
  'mysql before 4.1': 'mysql-check user haproxy pre-41',
  ldap: 'ldap-check',
  'ssl-hello': 'ssl-hello-chk',
  spop: 'spop-check',
};

/** Before it are the heads of record and hello; HAProxy says the time there. */
const TIME_IN_HELLO = 11;

async function compare(t: TestContext, haproxy: string): Promise<void> {
  const servers = new Map<string, ScriptedServer>();
  const backends: string[] = [];
  for (const [name, option] of Object.entries(OPTIONS)) {
    const turns = turnsOf(name);
    const server = new ScriptedServer(turns, (socket, bytes) => socket.write(bytes));
    const { port } = (await server.listen(t)).address;
    servers.set(name, server);
    backends.push(`backend b${port}`, `  option ${option}`, `  server s 127.0.0.1:${port} check inter 1s`);
  }
  const live = new LiveServer();
  t.after(() => live.stop());
  await live.start(haproxy, (port) => {
    const defaults = ['defaults', '  mode tcp', '  timeout connect 9s', '  timeout client 9s', '  timeout server 9s'];
    const frontend = ['frontend f', `  bind 127.0.0.1:${port}`];
    return ['-db', '-f', live.write('cfg', [...defaults, ...frontend, ...backends, ''].join('\n'))];
  });
  for (const [name, server] of servers) {
    const heard = await server.heard;
    if (name === 'ssl-hello') heard[0]?.fill(0, TIME_IN_HELLO, TIME_IN_HELLO + 4);
    assert.deepEqual(heard, server.expected, name);
  }
}

/** A greeting of one line, as HAProxy demands. */
function turnsOf(name: string): readonly ServerTurn[] {
  const turns = EXCHANGES.find((exchange) => exchange.name === name)?.turns ?? [];
  return name === 'smtp with EHLO' ? turns.with(0, { says: latin1('220 ESMTP\r\n') }) : turns;
}

withHaproxy('the same bytes as the HAProxy that is installed', (haproxy, t) => compare(t, haproxy));
