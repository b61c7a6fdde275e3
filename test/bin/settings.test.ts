import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseCommandLine } from '#src/bin/arguments.ts';
import { readSettings, type Settings } from '#src/bin/settings.ts';
import { UsageError } from '#src/bin/usage-error.ts';
import { ConfigError, Pool } from '#src/index.ts';

function settingsOf(...argv: string[]): Settings {
  const command = parseCommandLine(argv);
  assert.ok(command.ask === 'run');
  return readSettings(command);
}

function file(t: TestContext, content: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'pool.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function withoutFolder(text: string): string {
  return text.replaceAll(/\S*\/(?=pool\.json)/g, '');
}

/** What the user is told, without the folder of the file. */
function complaint(...argv: string[]): string {
  try {
    const settings = settingsOf(...argv);
    try {
      void new Pool(settings.pool).close();
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return withoutFolder(settings.explain(error));
    }
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    return withoutFolder(error.message);
  }
  assert.fail('nothing was wrong');
}

test('without options: port 8080 of this machine, ten seconds of grace, the defaults of a pool', () => {
  const { listen, graceMs, pool } = settingsOf('http://a:1');
  assert.deepEqual(listen, { host: '127.0.0.1', port: 8080 });
  assert.equal(graceMs, 10_000);
  assert.deepEqual(pool, { servers: [{ address: 'http://a:1' }] });
});

test('options of the command line become options of the pool', () => {
  const { pool, graceMs } = settingsOf(
    ...['a:1', '--balance', 'random(3)', '--check', '/healthz', '--inter', '250', '--grace', '1m'],
  );
  assert.equal(graceMs, 60_000);
  assert.deepEqual(pool, {
    servers: [{ address: 'a:1' }],
    balance: 'random(3)',
    defaultServer: { check: { type: 'http', uri: '/healthz' }, inter: 250 },
  });
});

test('the command line comes before the file; its servers come after those of the file', (t) => {
  const path = file(t, {
    listen: '0.0.0.0:80',
    grace: 'infinite',
    balance: 'random',
    servers: ['b:2'],
    defaultServer: { inter: '5s', rise: 1, check: 'tcp' },
    timeout: { tunnel: 'infinite' },
  });
  const settings = settingsOf('a:1;weight=2', '--config', path, '--inter', '1s', '--listen', '9090');
  assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 9090 });
  assert.equal(settings.graceMs, Number.POSITIVE_INFINITY);
  assert.deepEqual(settings.pool, {
    balance: 'random',
    servers: ['b:2', { address: 'a:1', weight: 2 }],
    defaultServer: { inter: '1s', rise: 1, check: 'tcp' },
    timeout: { tunnel: 'infinite' },
  });
  assert.deepEqual(settingsOf('--config', path).listen, { host: '0.0.0.0', port: 80 });
});

test('--check may name a check of the file', (t) => {
  const path = file(t, { healthchecks: { deep: { type: 'http', uri: '/deep' } }, servers: ['b:2'] });
  assert.deepEqual(settingsOf('--config', path, '--check', 'deep').pool.defaultServer, { check: 'deep' });
});

test('a file may begin with a byte order mark', (t) => {
  assert.deepEqual(settingsOf('--config', file(t, '\uFEFF{"servers":["b:2"]}')).pool, { servers: ['b:2'] });
});

const REFUSED: readonly [readonly string[], RegExp][] = [
  [[], /^no server is given/],
  [['a:1', '--listen', ':80'], /^--listen: ":80" is not allowed; allowed: PORT/],
  [['a:1', '--grace', 'long'], /^--grace: "long" is not allowed; allowed: a duration/],
  [['a:1', '--check', 'deep'], /^--check: "deep" is not allowed; allowed: a path/],
  [['a:1', '--check', '/ x'], /^--check: "\/ x" is not allowed/],
  [['a:1', '--inter', '0'], /^--inter: 0 is not allowed/],
  [['a:1', '--balance', 'best'], /^--balance: "best" is not allowed; allowed: 'roundrobin'/],
  [['a:1', '--balance', 'uri depth'], /^--balance: "uri depth" is not allowed/],
  [['a'], /^'a': address: "a" is not allowed/],
  [['http://a/path'], /^'http:\/\/a\/path': address: /],
  [['a:1;weight=257'], /^'a:1;weight=257': weight: 257 is not allowed/],
  [['a:1;wait=1'], /^'a:1;wait=1': wait: is not an option/],
  [['a:1;name=x', 'b:1;name=x'], /the name "x" is given to two servers/],
  [['a:1;weight=x', 'b:1;maxconn=-1', '--balance', 'best'], /^3 faults: \(1\) --balance.* \(2\) 'a:1.* \(3\) 'b:1/],
];

for (const [argv, message] of REFUSED)
  test(`refused: ${argv.join(' ')}`, () => assert.match(complaint(...argv), message));

const REFUSED_FILES: readonly [unknown, RegExp][] = [
  ['', /^pool\.json: is no JSON/],
  ['{"servers": [\n"a', /^pool\.json: is no JSON: [^\n]*$/],
  [[], /^pool\.json: is no JSON object/],
  ['null', /^pool\.json: is no JSON object/],
  [{}, /^no server is given/],
  [{ servers: [] }, /^no server is given/],
  [{ servers: 'a:1' }, /^pool\.json: servers: "a:1" is not allowed/],
  [{ servers: ['a:1'], listen: true }, /^pool\.json: listen: true is not allowed/],
  [{ servers: ['a:1'], grace: -1 }, /^pool\.json: grace: -1 is not allowed/],
  [{ servers: ['a:1'], retries: 'many' }, /^pool\.json: retries: "many" is not allowed/],
  [{ servers: [{ address: 'a:1', weight: -1 }] }, /^pool\.json: servers\[0\]\.weight: -1 is not allowed/],
  [{ servers: ['a:1'], defaultServer: 7 }, /^pool\.json: defaultServer: 7 is not an object/],
  ['{"servers": ["a:1"], "__proto__": {"x": 1}}', /^pool\.json: __proto__: is not an option/],
];

for (const [content, message] of REFUSED_FILES) {
  test(`refused: a file with ${JSON.stringify(content)}`, (t) => {
    assert.match(complaint('--config', file(t, content)), message);
  });
}

test('faults are told where they were written, in the file or on the command line', (t) => {
  const path = file(t, { servers: [{ address: 'b:2', weight: -1 }], defaultServer: 7 });
  assert.match(
    complaint('--config', path, '--inter', '1s'),
    /^2 faults: \(1\) pool\.json: defaultServer: 7 is not an object \(2\) pool\.json: servers\[0\]\.weight: /,
  );
  const other = file(t, { servers: [{ address: 'b:2', weight: -1 }] });
  assert.match(
    complaint('a:1;weight=-2', '--config', other),
    /\(1\) pool\.json: servers\[0\]\.weight.* \(2\) 'a:1;weight=-2': weight/,
  );
});

test('a file that is not there, or is a folder', () => {
  assert.match(complaint('--config', '/no/such/pool.json'), /cannot be read: ENOENT/);
  assert.match(complaint('--config', tmpdir()), /cannot be read: EISDIR/);
});
