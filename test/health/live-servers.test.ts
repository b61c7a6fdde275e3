/** Checks against the servers they are for, as Debian has them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CheckResult } from '#src/health/health-check.ts';
import type { CheckDefinition } from '#src/health/index.ts';
import { findInstalled, LiveServer } from '../support/live-server.ts';
import { addressOf, checkOf, start, targetOf } from './probing.ts';

/** Debian's own, which has Debian's modules. */
const PYTHON = '/usr/bin/python3';
const MODULES = '/usr/lib/python3/dist-packages';

/** A test of the server with these programs; where one is missing it is left out, and fails in CI. */
function withServer(
  name: string,
  packages: string,
  programs: readonly string[],
  body: (t: TestContext, ...programs: string[]) => Promise<void>,
): void {
  test(name, async (t) => {
    const found = programs.map(findInstalled).filter((program) => program !== undefined);
    if (found.length < programs.length) {
      const missing = `not installed: ${packages}`;
      assert.equal(process.env['CI'], undefined, `${missing}; .ci/run must do it, by apt-get install`);
      t.skip(missing);
      return;
    }
    await body(t, ...found);
  });
}

function liveServer(t: TestContext): LiveServer {
  const server = new LiveServer();
  t.after(() => server.stop());
  return server;
}

function ask(server: LiveServer, check: CheckDefinition): Promise<CheckResult> {
  return start(checkOf(check), targetOf(addressOf(`127.0.0.1:${server.port}`))).result;
}

/** Asks until the server is well: some accept connections before they can do anything with them. */
async function untilPassed(server: LiveServer, check: CheckDefinition): Promise<CheckResult> {
  const until = Date.now() + 60_000;
  for (;;) {
    const result = await ask(server, check);
    if (result.result === 'passed' || Date.now() > until) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const OK = { result: 'passed', code: 'L7OK', status: undefined };

withServer('redis', 'redis-server', ['redis-server'], async (t, redis = '') => {
  const open = liveServer(t);
  await open.start(redis, (port) => ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']);
  assert.deepEqual(await untilPassed(open, { type: 'redis' }), { ...OK, description: 'Redis server is ok' });
  const closed = liveServer(t);
  await closed.start(redis, (port) => ['--port', port, '--bind', '127.0.0.1', '--save', '', '--requirepass', 'x']);
  const { code, description } = await ask(closed, { type: 'redis' });
  assert.deepEqual([code, description], ['L7STS', '-NOAUTH Authentication required.']);
});

withServer('postgresql', 'postgresql', ['initdb', 'postgres'], async (t, initdb = '', postgres = '') => {
  const server = liveServer(t);
  server.run(initdb, '-D', 'data', '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C', '-E', 'UTF8');
  server.write(
    'data/pg_hba.conf',
    ['trust postgres', 'reject banned', 'md5 digest', 'scram-sha-256 all']
      .map((line) => line.split(' '))
      .map(([method, user]) => `host all ${user} 127.0.0.1/32 ${method}\n`)
      .join(''),
  );
  await server.start(postgres, (port) => ['-D', 'data', '-p', port, '-h', '127.0.0.1', '-k', '', '-F']);
  for (const user of ['postgres', 'digest', 'haproxy'])
    assert.deepEqual(await untilPassed(server, { type: 'pgsql', user }), {
      ...OK,
      description: 'PostgreSQL server is ok',
    });
  const { code, description } = await ask(server, { type: 'pgsql', user: 'banned' });
  assert.equal(code, 'L7RSP');
  assert.match(description, /^FATAL: pg_hba\.conf rejects connection for host "127\.0\.0\.1", user "banned"/);
});

withServer(
  'mariadb',
  'mariadb-server-core mariadb-client-core',
  ['mariadb-install-db', 'mariadbd'],
  async (t, install = '', mariadbd = '') => {
    const server = liveServer(t);
    const data = `--datadir=${server.file('data')}`;
    server.run(install, '--no-defaults', data, '--auth-root-authentication-method=normal', '--skip-test-db');
    const init = server.write('init.sql', "CREATE USER 'haproxy'@'127.0.0.1';\n");
    await server.start(mariadbd, (port) => [
      ...['--no-defaults', data, `--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve'],
      ...[`--socket=${server.file('s')}`, `--pid-file=${server.file('pid')}`, `--init-file=${init}`],
    ]);
    const { code, description: version } = await untilPassed(server, { type: 'mysql' });
    assert.equal(code, 'L7OK');
    assert.match(version, /^(?:5\.5\.5-)?\d+\.\d+\.\d+-MariaDB/);
    for (const client of ['pre-41', 'post-41', 'post-80'] as const)
      assert.deepEqual(await ask(server, { type: 'mysql', user: 'haproxy', client }), { ...OK, description: version });
    const refused = await ask(server, { type: 'mysql', user: 'somebody' });
    assert.deepEqual([refused.code, refused.status], ['L7STS', 1045]);
    assert.match(refused.description, /^error 1045: Access denied for user 'somebody'@'127\.0\.0\.1'/);
  },
);

withServer('openldap', 'slapd', ['slapd'], async (t, slapd = '') => {
  const open = liveServer(t);
  const conf = open.write('slapd.conf', `pidfile ${open.file('pid')}\n`);
  await open.start(slapd, (port) => ['-f', conf, '-h', `ldap://127.0.0.1:${port}/`, '-d', '0']);
  assert.deepEqual(await untilPassed(open, { type: 'ldap' }), { ...OK, description: 'Success' });
  const closed = liveServer(t);
  const strict = closed.write('slapd.conf', `pidfile ${closed.file('pid')}\ndisallow bind_anon\n`);
  await closed.start(slapd, (port) => ['-f', strict, '-h', `ldap://127.0.0.1:${port}/`, '-d', '0']);
  const { code, status, description } = await ask(closed, { type: 'ldap' });
  assert.deepEqual([code, status, description], ['L7STS', 48, 'result 48: anonymous bind disallowed']);
});

withServer('aiosmtpd', 'python3-aiosmtpd', [PYTHON, `${MODULES}/aiosmtpd/__init__.py`], async (t) => {
  const server = liveServer(t);
  await server.start(PYTHON, (port) => [
    '-m',
    'aiosmtpd',
    '-n',
    '-l',
    `127.0.0.1:${port}`,
    '-c',
    'aiosmtpd.handlers.Sink',
  ]);
  for (const check of [{ type: 'smtp' }, { type: 'smtp', hello: 'EHLO', domain: 'lb.example' }] as const)
    assert.deepEqual(await untilPassed(server, check), { ...OK, status: 221, description: 'Bye' });
});

const GRPC_SERVER = `
import sys, grpc
from concurrent import futures
def check(request, context):
    if request == b'': return bytes([8, 1])
    if request == b'\\x0a\\x04idle': return bytes([8, 2])
    context.abort(grpc.StatusCode.NOT_FOUND, 'unknown service')
handlers = {'Check': grpc.unary_unary_rpc_method_handler(check)}
server = grpc.server(futures.ThreadPoolExecutor(2))
if len(sys.argv) == 2:
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler('grpc.health.v1.Health', handlers)])
server.add_insecure_port('127.0.0.1:' + sys.argv[1])
server.start()
server.wait_for_termination()
`;

withServer('grpc', 'python3-grpcio', [PYTHON, `${MODULES}/grpc/__init__.py`], async (t) => {
  const server = liveServer(t);
  const script = server.write('health.py', GRPC_SERVER);
  await server.start(PYTHON, (port) => [script, port]);
  assert.deepEqual(await untilPassed(server, { type: 'grpc' }), { ...OK, description: 'SERVING' });
  const idle = await ask(server, { type: 'grpc', service: 'idle' });
  assert.deepEqual([idle.code, idle.description], ['L7STS', 'NOT_SERVING']);
  const unknown = await ask(server, { type: 'grpc', service: 'x' });
  assert.deepEqual([unknown.status, unknown.description], [5, 'grpc-status 5 NOT_FOUND: unknown service']);
  const without = liveServer(t);
  const same = without.write('health.py', GRPC_SERVER);
  await without.start(PYTHON, (port) => [same, port, 'none']);
  const { code, status, description } = await ask(without, { type: 'grpc' });
  assert.deepEqual([code, status], ['L7STS', 12], description);
});
