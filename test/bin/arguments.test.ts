import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCommandLine } from '#src/bin/arguments.ts';
import { parseListenAddress, urlOf } from '#src/bin/listen-address.ts';
import { UsageError } from '#src/bin/usage-error.ts';

function serverOptions(...texts: string[]): unknown {
  const command = parseCommandLine(texts);
  return command.ask === 'run' ? command.servers.map(({ options }) => options) : command;
}

test('servers and options are told apart, in any order', () => {
  const command = parseCommandLine(['--balance=leastconn', 'http://a', '--listen', '0.0.0.0:80', 'b:1;weight=3']);
  assert.deepEqual(command, {
    ask: 'run',
    balance: 'leastconn',
    listen: '0.0.0.0:80',
    servers: [
      { text: 'http://a', options: { address: 'http://a' } },
      { text: 'b:1;weight=3', options: { address: 'b:1', weight: 3 } },
    ],
  });
});

test('the options of a server become numbers, truth values and words', () => {
  const options = { weight: 3, maxconn: 0, backup: true, disabled: false, slowstart: '10s', inter: 1.5, check: 'tcp' };
  assert.deepEqual(serverOptions('a:1;weight=3;maxconn=0;backup;disabled=false;slowstart=10s;inter=1.5;check=tcp'), [
    { address: 'a:1', ...options },
  ]);
});

test("a name stays text, whatever it looks like; a value may hold '='", () => {
  assert.deepEqual(serverOptions('a:1;name=3', 'a:1;name=true', 'a:1;sni=a=b'), [
    { address: 'a:1', name: '3' },
    { address: 'a:1', name: 'true' },
    { address: 'a:1', sni: 'a=b' },
  ]);
});

test('a key that names a part of every object is an option like others', () => {
  const [options] = serverOptions('a:1;__proto__=1;constructor=2') as object[];
  assert.deepEqual(Object.keys(options ?? {}), ['address', '__proto__', 'constructor']);
});

test('help and version win over what else is there', () => {
  assert.deepEqual(parseCommandLine(['http://a', '--help', '--listen', '1']), { ask: 'help' });
  assert.deepEqual(parseCommandLine(['-h']), { ask: 'help' });
  assert.deepEqual(parseCommandLine(['-v']), { ask: 'version' });
});

const REFUSED: readonly [readonly string[], RegExp][] = [
  [['--lisen', '80'], /^unknown option '--lisen'/],
  [['--__proto__', '80'], /^unknown option '--__proto__'/],
  [['--toString'], /^unknown option '--toString'/],
  [['-x'], /^unknown option '-x'/],
  [['--no-listen'], /^unknown option '--no-listen'/],
  [['--listen'], /^--listen needs a value/],
  [['--listen', '--balance', 'random'], /^--listen needs a value/],
  [['--listen='], /^--listen needs a value/],
  [['--grace', '-1'], /^--grace needs a value/],
  [['--help=yes'], /^--help takes no value/],
  [['--listen', '1', '--listen', '2'], /^--listen is given twice/],
  [['a:1;'], /^'a:1;': '' is no key=value/],
  [['a:1;=3'], /^'a:1;=3': '=3' is no key=value/],
  [['a:1;weight=1;weight=2'], /^'a:1;weight=1;weight=2': weight is given twice/],
  [['a:1;address=b:2'], /address is given twice/],
];

for (const [argv, message] of REFUSED) {
  test(`refused: ${argv.join(' ')}`, () => {
    assert.throws(
      () => parseCommandLine(argv),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

const LISTEN: readonly [unknown, string | undefined][] = [
  ['8080', 'http://127.0.0.1:8080'],
  [8080, 'http://127.0.0.1:8080'],
  ['0', 'http://127.0.0.1:0'],
  ['0.0.0.0:8080', 'http://0.0.0.0:8080'],
  ['localhost:80', 'http://localhost:80'],
  ['[::]:8080', 'http://[::]:8080'],
  ['[::1]:65535', 'http://[::1]:65535'],
  [':8080', undefined],
  ['::1:80', undefined],
  ['a:b:80', undefined],
  ['65536', undefined],
  ['123456', undefined],
  ['host', undefined],
  ['host:', undefined],
  ['-1', undefined],
  ['80 ', undefined],
  ['http://a:80', undefined],
  ['', undefined],
  [-1, undefined],
  [1.5, undefined],
  [null, undefined],
  [{}, undefined],
];

for (const [value, url] of LISTEN) {
  test(`listen ${JSON.stringify(value)} is ${url ?? 'refused'}`, () => {
    const address = parseListenAddress(value);
    assert.equal(address && urlOf(address), url);
  });
}
