import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import { type HealthchecksOption, type HttpchkOption, readCheckCatalogue } from '#src/health/index.ts';
import { type CheckSettings, type HealthOptions, readCheckSettings } from '#src/health/settings.ts';
import { tcpCheck } from '#src/health/tcp-check.ts';

interface PoolOptions {
  readonly healthchecks?: HealthchecksOption;
  readonly httpchk?: HttpchkOption;
  readonly externalCheck?: boolean;
}

function read(server: HealthOptions, pool: PoolOptions = {}): CheckSettings {
  return readAny(server, pool);
}

function readAny(server: unknown, pool: unknown = {}): CheckSettings {
  const poolReader = new OptionReader(pool, '');
  const catalogue = readCheckCatalogue(poolReader);
  poolReader.rejectUnknown();
  const reader = new OptionReader(server, 'servers[0]', poolReader.faults);
  const settings = readCheckSettings(reader, catalogue, true);
  reader.rejectUnknown();
  reader.throwFaults();
  return settings;
}

/** The faults of these options, as `path: message`. */
function faultsOf(server: unknown, pool: unknown = {}): string[] {
  try {
    readAny(server, pool);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

test('defaults are those of HAProxy, and no check', () => {
  const { check, checkTarget, ...rest } = read({});
  assert.equal(check, undefined);
  assert.ok(Object.values(checkTarget).every((value) => value === undefined || value === false));
  assert.deepEqual(rest, {
    ...{ interMs: 2000, fastinterMs: 2000, downinterMs: 2000, rise: 2, fall: 3, initState: 'none' },
    ...{ observe: 'none', errorLimit: 10, onError: 'fail-check', agent: undefined },
  });
});

test('an agent has a pace of its own beside a check, and that of the check in its place', () => {
  const beside = read({ check: true, agentCheck: true, agentPort: 9999, inter: '7s' });
  assert.deepEqual([beside.check, beside.agent?.interMs], [tcpCheck, 2000]);
  const instead = read({ check: { type: 'agent', port: 9999 }, inter: '7s', agentInter: '1s' });
  assert.deepEqual([instead.check, instead.agent?.interMs], [undefined, 7000]);
  const named = read({ check: 'own' }, { healthchecks: { own: { type: 'agent', port: 9999 } } });
  assert.deepEqual([named.check, named.agent?.interMs], [undefined, 2000]);
  assert.equal(read({ agentPort: 9999 }).agent, undefined);
});

test('fastinter and downinter follow inter', () => {
  const { interMs, fastinterMs, downinterMs } = read({ inter: '5s', downinter: 700 });
  assert.deepEqual([interMs, fastinterMs, downinterMs], [5000, 5000, 700]);
});

test('check: true is a tcp check, or what httpchk says; false is none; a type says what it is', () => {
  assert.equal(read({ check: true }).check, tcpCheck);
  assert.equal(read({ check: { type: 'tcp' } }).check, tcpCheck);
  assert.equal(read({ check: 'tcp' }).check, tcpCheck);
  assert.equal(read({ check: false }).check, undefined);
  assert.notEqual(read({ check: 'http' }).check, undefined);
  assert.notEqual(read({ check: async () => {} }).check, undefined);
  const httpchk = read({ check: true }, { httpchk: 'GET /health' }).check;
  assert.ok(httpchk !== undefined && httpchk !== tcpCheck);
  assert.equal(read({ check: { type: 'tcp' } }, { httpchk: 'GET /health' }).check, tcpCheck);
  assert.equal(read({}, { httpchk: 'GET /health' }).check, undefined);
});

test('httpchk takes true, a phrase or options', () => {
  for (const httpchk of [true, '/health', 'GET /health HTTP/1.1 host', { uri: '/health' }, { type: 'http' }] as const) {
    assert.notEqual(read({ check: true }, { httpchk }).check, tcpCheck);
  }
});

test('a name is one of healthchecks', () => {
  const healthchecks = { db: { type: 'tcp' }, app: { type: 'http', uri: '/ok' }, own: async () => true } as const;
  assert.equal(read({ check: 'db' }, { healthchecks }).check, tcpCheck);
  const app = read({ check: 'app' }, { healthchecks }).check;
  assert.ok(app !== undefined && app !== tcpCheck);
  assert.notEqual(read({ check: 'own' }, { healthchecks }).check, undefined);
});

test('checks that speak a protocol are named, or described', () => {
  for (const check of ['redis', 'mysql', 'smtp', 'ldap', 'ssl-hello', 'spop', 'grpc'] as const) {
    assert.notEqual(read({ check }).check, undefined);
    assert.notEqual(read({ check: { type: check } }).check, undefined);
  }
  const db = { type: 'mysql', user: 'haproxy', client: 'pre-41' } as const;
  assert.notEqual(read({ check: 'db' }, { healthchecks: { db } }).check, undefined);
  assert.notEqual(read({ check: { type: 'pgsql', user: 'haproxy' } }).check, undefined);
});

test('a program is run only where the pool lets checks do so', () => {
  const external = { type: 'external', command: '/bin/true' } as const;
  assert.notEqual(read({ check: external }, { externalCheck: true }).check, undefined);
  const pool = { healthchecks: { own: external }, externalCheck: true };
  assert.notEqual(read({ check: 'own' }, pool).check, undefined);
});

const CHECK_ALLOWED = "true, false, { type: 'tcp' }, { type: 'http', ... }, a function";
const TYPES =
  "'tcp', 'http', 'agent', 'redis', 'mysql', 'pgsql', 'smtp', 'ldap', 'ssl-hello', 'spop', 'grpc', 'external'";
const EXPECT_ALLOWED =
  "'status 200-299', 'rstatus ^2', 'hdr name x-role value master', 'string OK' or 'rstring ^OK', after '! ' what must not be; { status | rstatus | hdr | fhdr | string | rstring, not?, okStatus?, errorStatus?, toutStatus?, onSuccess?, onError? }; or an array of these";
const BYTES_ALLOWED =
  "'string +PONG', 'rstring ^220 ', 'binary 2b4f4b' or 'rbinary ^2B4F', after '! ' what must not come; or { string | rstring | binary | rbinary, not?, minRecv?, okStatus?, errorStatus?, toutStatus?, onSuccess?, onError? }";
const FIELDS_ALLOWED =
  "'name x-role value master', 'name -m beg x- value -m reg ^[0-9]+$', or { name, value? } of texts, RegExps, { str }, { beg }, { end }, { sub } or { reg }";
const HTTP_STEPS_ALLOWED =
  'an array of steps, each with one of connect, send, expect, setVar, unsetVar (and a comment), or with a comment alone';
const TCP_STEPS_ALLOWED =
  'an array of steps, each with one of connect, send, sendBinary, expect, setVar, unsetVar (and a comment), or with a comment alone';
const STATUSES = "statuses from 100 to 999: 200, '200-299', '200,204,300-399'";

const wrong: readonly (readonly [server: unknown, pool: unknown, ...faults: string[]])[] = [
  [{ check: 1 }, {}, `servers[0].check: 1 is not allowed; allowed: ${CHECK_ALLOWED}`],
  [{ check: ['tcp'] }, {}, `servers[0].check: ["tcp"] is not allowed; allowed: ${CHECK_ALLOWED}`],
  [{ check: null }, {}, `servers[0].check: null is not allowed; allowed: ${CHECK_ALLOWED}`],
  [
    { check: 'nope' },
    { healthchecks: { db: { type: 'tcp' } } },
    `servers[0].check: "nope" is not allowed; allowed: ${CHECK_ALLOWED}, or one of the names ${TYPES}, 'db'`,
  ],
  [{ check: { type: 'redis', user: 'x' } }, {}, 'servers[0].check.user: is not an option'],
  [{ check: 'pgsql' }, {}, 'servers[0].check.user: is missing; allowed: the name of a user: 1 to 255 characters'],
  [{ check: { type: 'agent' } }, {}, 'servers[0].check.port: is missing; allowed: an integer from 1 to 65535'],
  [
    { check: { type: 'agent', port: 0, addr: 'a b', send: '' } },
    {},
    'servers[0].check.addr: "a b" is not allowed; allowed: a host name or an IP address: \'127.0.0.1\'',
    'servers[0].check.port: 0 is not allowed; allowed: an integer from 1 to 65535',
    'servers[0].check.send: "" is not allowed; allowed: a text of 1 to 16384 characters',
  ],
  [
    { agentCheck: true },
    {},
    "servers[0].agentPort: is missing beside 'agentCheck'; allowed: an integer from 1 to 65535",
  ],
  [
    { agentCheck: true, agentPort: 1, check: { type: 'agent', port: 2 } },
    {},
    "servers[0].agentCheck: is there twice: 'check' asks an agent already",
  ],
  [
    { observe: 'layer5', errorLimit: 0, onError: 'panic' },
    {},
    `servers[0].observe: "layer5" is not allowed; allowed: 'none', 'layer4', 'layer7'`,
    'servers[0].errorLimit: 0 is not allowed; allowed: an integer of at least 1',
    `servers[0].onError: "panic" is not allowed; allowed: 'fastinter', 'fail-check', 'sudden-death', 'mark-down'`,
  ],
  [
    { check: { type: 'pgsql', user: 'a\0b' } },
    {},
    'servers[0].check.user: "a\\u0000b" is not allowed; allowed: the name of a user: 1 to 255 characters',
  ],
  [{ check: { type: 'mysql', client: 'post-80' } }, {}, 'servers[0].check.client: needs `user`'],
  [
    { check: { type: 'mysql', user: '', client: 'post-57' } },
    {},
    'servers[0].check.user: "" is not allowed; allowed: the name of a user: 1 to 255 characters',
    `servers[0].check.client: "post-57" is not allowed; allowed: 'pre-41', 'post-41', 'post-80'`,
    'servers[0].check.client: needs `user`',
  ],
  [
    { check: { type: 'smtp', hello: 'LHLO', domain: 'a b' } },
    {},
    `servers[0].check.hello: "LHLO" is not allowed; allowed: 'HELO', 'EHLO'`,
    'servers[0].check.domain: "a b" is not allowed; allowed: the name of a host: 1 to 255 letters, digits and .-_:[]',
  ],
  [
    { check: { type: 'grpc', service: 1 } },
    {},
    'servers[0].check.service: 1 is not allowed; allowed: the name of a service: up to 255 characters',
  ],
  [
    { check: { type: 'external' } },
    { externalCheck: true },
    "servers[0].check.command: is missing; allowed: the absolute path of a program: '/usr/local/bin/check'",
  ],
  [
    { check: { type: 'external', command: 'check', path: 1 } },
    { externalCheck: true },
    `servers[0].check.command: "check" is not allowed; allowed: the absolute path of a program: '/usr/local/bin/check'`,
    "servers[0].check.path: 1 is not allowed; allowed: folders: '/usr/bin:/bin'",
  ],
  [
    { check: { type: 'external', command: '/bin/true' } },
    {},
    "servers[0].check.type: runs a program, which needs the pool's option `externalCheck: true`",
  ],
  [
    { check: 'own' },
    { healthchecks: { own: { type: 'external', command: '/bin/true' } }, externalCheck: 'yes' },
    'externalCheck: "yes" is not allowed; allowed: true or false',
    "healthchecks.own.type: runs a program, which needs the pool's option `externalCheck: true`",
  ],
  [{ check: { type: 'constructor' } }, {}, `servers[0].check.type: "constructor" is not allowed; allowed: ${TYPES}`],
  [{ check: {} }, {}, `servers[0].check.type: is missing; allowed: ${TYPES}`],
  [
    { check: { steps: [] } },
    {},
    'servers[0].check.steps: [] is not allowed; allowed: an array of steps, each with one of connect, send, sendBinary, expect, setVar, unsetVar (and a comment), or with a comment alone',
  ],
  [
    { check: { steps: [{ connect: 80 }, { send: '' }, { sendBinary: 'abc' }, { expect: 'text OK' }] } },
    {},
    'servers[0].check.steps[0].connect: 80 is not allowed; allowed: true, or { default?, port?, addr?, ssl?, sni?, alpn?, sendProxy?, linger? }',
    'servers[0].check.steps[1].send: "" is not allowed; allowed: a text of 1 to 16384 bytes, or a function that gives it',
    'servers[0].check.steps[2].sendBinary: "abc" is not allowed; allowed: pairs of hexadecimal digits for 1 to 16384 bytes',
    `servers[0].check.steps[3].expect: "text OK" is not allowed; allowed: ${BYTES_ALLOWED}`,
  ],
  [
    {
      check: {
        steps: [
          { setVar: {} },
          { setVar: { 'a b': 1 } },
          { setVar: { a: null } },
          { unsetVar: [] },
          { sendBinary: () => 'ff' },
          { expect: { binary: () => 'ff' } },
          { expect: { string: 'a', statusCode: () => 1, onSuccess: 1, onError: '' } },
          { setVar: { a: 1 }, unsetVar: 'a' },
          { expect: { 'binary-lf': 'x' } },
        ],
      },
    },
    {},
    ...['{}', '{"a b":1}', '{"a":null}'].map(
      (value, index) =>
        `servers[0].check.steps[${index}].setVar: ${value} is not allowed; allowed: an object of 1 to 100 names of letters, digits, _ and ., and values: strings, numbers, true, false or functions`,
    ),
    'servers[0].check.steps[3].unsetVar: [] is not allowed; allowed: a name, or an array of names of letters, digits, _ and .',
    'servers[0].check.steps[4].sendBinary: a function is not allowed; allowed: pairs of hexadecimal digits for 1 to 16384 bytes',
    'servers[0].check.steps[5].expect.binary: a function is not allowed; allowed: pairs of hexadecimal digits',
    'servers[0].check.steps[6].expect.statusCode: not supported (HAProxy: status-code)',
    'servers[0].check.steps[6].expect.onSuccess: 1 is not allowed; allowed: a text, or a function that gives it',
    'servers[0].check.steps[6].expect.onError: "" is not allowed; allowed: a text, or a function that gives it',
    `servers[0].check.steps[7]: {"setVar":{"a":1},"unsetVar":"a"} is not allowed; allowed: ${TCP_STEPS_ALLOWED}`,
    "servers[0].check.steps[8].expect.binary-lf: not supported (HAProxy: tcp-check expect binary-lf); give 'string' a function",
    `servers[0].check.steps[8].expect: {"binary-lf":"x"} is not allowed; allowed: ${BYTES_ALLOWED}`,
  ],
  [
    {
      check: {
        type: 'http',
        steps: [
          { send: { uri: 7, body: [], headers: { a: [() => 'x', 1] } } },
          { setVar: { a: 1 } },
          { expect: 'status 200' },
          { setVar: { b: 1 } },
        ],
      },
    },
    {},
    'servers[0].check.steps[0].send.headers.a: 1 is not allowed; allowed: latin1 text without control characters, or a function that gives it',
    `servers[0].check.steps[0].send.uri: 7 is not allowed; allowed: a target: '/health', or a function that gives it`,
    'servers[0].check.steps[0].send.body: [] is not allowed; allowed: a string, or a function that gives it',
    ...[1, 3].map(
      (index) =>
        `servers[0].check.steps[${index}]: must stand before a step with \`send\` or \`connect\`: the answer before it is whole then`,
    ),
  ],
  [
    {
      check: {
        type: 'tcp',
        steps: [
          { connect: { port: 0, addr: 'a:1', sni: 'x', viaSocks4: 'y', proto: 'h2' } },
          { expect: { rstring: '(', minRecv: 16_385, okStatus: 'L7RSP', why: 1 } },
          { expect: { string: 'a', binary: 'ff' } },
          { expect: 'rbinary [' },
        ],
      },
    },
    {},
    'servers[0].check.steps[0].connect.viaSocks4: not supported (HAProxy: via-socks4)',
    'servers[0].check.steps[0].connect.proto: not supported (HAProxy: proto)',
    `servers[0].check.steps[0].connect.addr: "a:1" is not allowed; allowed: a host name or IP address without port, or 'unix:/path'`,
    'servers[0].check.steps[0].connect.port: 0 is not allowed; allowed: an integer from 1 to 65535',
    'servers[0].check.steps[0].connect.sni: needs ssl',
    'servers[0].check.steps[1].expect.rstring: "(" is no regular expression: Unterminated group',
    'servers[0].check.steps[1].expect.minRecv: 16385 is not allowed; allowed: an integer from -1 to 16384',
    `servers[0].check.steps[1].expect.okStatus: "L7RSP" is not allowed; allowed: 'L7OK', 'L7OKC', 'L6OK', 'L4OK'`,
    'servers[0].check.steps[1].expect.why: is not an option',
    `servers[0].check.steps[2].expect: {"string":"a","binary":"ff"} has 'string' and 'binary': for several expectations give several steps`,
    'servers[0].check.steps[3].expect.rbinary: "[" is no regular expression: Unterminated character class',
  ],
  [{ check: { type: 'tcp', zeal: '/' } }, {}, 'servers[0].check.zeal: is not an option'],
  [
    { check: { type: 'http', method: 'CONNECT', uri: 'health', version: 'HTTP/2' } },
    {},
    'servers[0].check.method: "CONNECT" is not allowed; allowed: an HTTP method other than CONNECT',
    `servers[0].check.uri: "health" is not allowed; allowed: a target: '/health', or a function that gives it`,
    `servers[0].check.version: "HTTP/2" is not allowed; allowed: 'HTTP/1.0', 'HTTP/1.1'`,
  ],
  [
    {
      check: { type: 'http', uri: '/a b', body: 1, headers: { 'a b': 'x', 'Content-Length': '3', x: 'a\r\nb', y: 1 } },
    },
    {},
    'servers[0].check.headers.a b: "a b" is not allowed; allowed: a name of letters, digits and !#$%&\'*+-.^_`|~',
    'servers[0].check.headers.Content-Length: "3" is not allowed; allowed: nothing: it follows from `body`',
    'servers[0].check.headers.x: "a\\r\\nb" is not allowed; allowed: latin1 text without control characters, or a function that gives it',
    'servers[0].check.headers.y: 1 is not allowed; allowed: latin1 text without control characters, or a function that gives it',
    `servers[0].check.uri: "/a b" is not allowed; allowed: a target: '/health', or a function that gives it`,
    'servers[0].check.body: 1 is not allowed; allowed: a string, or a function that gives it',
  ],
  [
    { check: { type: 'http', headers: [] } },
    {},
    'servers[0].check.headers: [] is not allowed; allowed: an object of field names and values (text, a function that gives it, or an array of these)',
  ],
  [
    { check: { type: 'http', expect: 'all well' } },
    {},
    `servers[0].check.expect: "all well" is not allowed; allowed: ${EXPECT_ALLOWED}`,
  ],
  [
    { check: { type: 'http', expect: [] } },
    {},
    `servers[0].check.expect: [] is not allowed; allowed: ${EXPECT_ALLOWED}`,
  ],
  [
    { check: { type: 'http', expect: [7] } },
    {},
    `servers[0].check.expect[0]: 7 is not allowed; allowed: ${EXPECT_ALLOWED}`,
  ],
  [
    { check: { type: 'http', expect: ['status 200', 'string-lf %b', 'status 99', 'status 300-200', { string: '' }] } },
    {},
    "servers[0].check.expect[1]: not supported (HAProxy: http-check expect string-lf); give 'string' a function",
    `servers[0].check.expect[2]: "99" is not allowed; allowed: ${STATUSES}`,
    `servers[0].check.expect[3]: "300-200" is not allowed; allowed: ${STATUSES}`,
    'servers[0].check.expect[4].string: "" is not allowed; allowed: a text of 1 to 16384 bytes, or a function that gives it',
  ],
  [
    { check: { type: 'http', expect: { hdr: 'name x', also: 1 } } },
    {},
    'servers[0].check.expect.also: is not an option',
  ],
  [
    {
      check: {
        type: 'http',
        expect: [
          'rstatus (',
          'hdr x-role',
          { hdr: { value: 'a' } },
          { fhdr: { name: { begin: 'x' } } },
          { rstring: '' },
          { string: 'a', minRecv: -2 },
        ],
      },
    },
    {},
    'servers[0].check.expect[0]: "(" is no regular expression: Unterminated group',
    `servers[0].check.expect[1]: "x-role" is not allowed; allowed: ${FIELDS_ALLOWED}`,
    `servers[0].check.expect[2].hdr.name: undefined is not allowed; allowed: ${FIELDS_ALLOWED}`,
    `servers[0].check.expect[3].fhdr.name: {"begin":"x"} is not allowed; allowed: ${FIELDS_ALLOWED}`,
    'servers[0].check.expect[4].rstring: "" is not allowed; allowed: a regular expression, as text or a RegExp',
    'servers[0].check.expect[5].minRecv: -2 is not allowed; allowed: an integer from -1 to 16384',
  ],
  [
    {
      check: {
        type: 'http',
        steps: [
          { expect: 'status 200' },
          { send: { uri: 'x', why: 1 } },
          { send: { method: 'HEAD' }, comment: 1 },
          { expect: 'string a' },
          { send: {}, expect: 'status 200' },
          7,
        ],
      },
    },
    {},
    `servers[0].check.steps[1].send.uri: "x" is not allowed; allowed: a target: '/health', or a function that gives it`,
    'servers[0].check.steps[1].send.why: is not an option',
    'servers[0].check.steps[2].comment: 1 is not allowed; allowed: a string that is not empty',
    `servers[0].check.steps[4]: {"send":{},"expect":"status 200"} is not allowed; allowed: ${HTTP_STEPS_ALLOWED}`,
    'servers[0].check.steps[5]: 7 is not an object',
    'servers[0].check.steps[0]: needs a step with `send` before it, over its connection',
    "servers[0].check.steps[3].expect: an answer to HEAD has no body to look for a string in; allowed with it: 'status 200-299'",
  ],
  [
    { check: { type: 'http', method: 'HEAD', expect: 'string OK' } },
    {},
    "servers[0].check.expect: an answer to HEAD has no body to look for a string in; allowed with it: 'status 200-299'",
  ],
  [
    {
      ...{ addr: 'a b', port: 0, checkSsl: 1, checkSni: 'a:1', checkAlpn: [], checkProto: 'h3', checkSendProxy: 'v3' },
      checkReusePool: 1,
    },
    {},
    `servers[0].checkProto: "h3" is not allowed; allowed: 'h1', 'h2'`,
    `servers[0].checkSendProxy: "v3" is not allowed; allowed: true, false, 'v1', 'v2'`,
    `servers[0].addr: "a b" is not allowed; allowed: a host name or IP address without port, or 'unix:/path'`,
    'servers[0].port: 0 is not allowed; allowed: an integer from 1 to 65535',
    'servers[0].checkSsl: 1 is not allowed; allowed: true or false',
    'servers[0].checkSni: "a:1" is not allowed; allowed: a host name',
    `servers[0].checkAlpn: [] is not allowed; allowed: an array of protocols: ['h2', 'http/1.1']`,
    'servers[0].checkReusePool: 1 is not allowed; allowed: true or false',
  ],
  [
    { inter: 0, rise: 0, fall: 1.5, initState: 'upwards' },
    {},
    "servers[0].inter: 0 is not allowed; allowed: a duration (250, '250ms', '2s', '1m', '1h', '1d') of at least 1 ms, at most 2147483647 ms",
    'servers[0].rise: 0 is not allowed; allowed: an integer from 1 to 65535',
    'servers[0].fall: 1.5 is not allowed; allowed: an integer from 1 to 65535',
    `servers[0].initState: "upwards" is not allowed; allowed: 'none', 'up', 'fully-up', 'down', 'fully-down'`,
  ],
  [
    { inter: 'infinite' },
    {},
    `servers[0].inter: "infinite" is not allowed; allowed: a duration (250, '250ms', '2s', '1m', '1h', '1d') of at least 1 ms, at most 2147483647 ms`,
  ],
  [
    {},
    { httpchk: 'health' },
    `httpchk: "health" is not allowed; allowed: '/uri', 'METHOD /uri', 'METHOD /uri HTTP/1.1' or 'METHOD /uri HTTP/1.1 host'`,
  ],
  [
    {},
    { httpchk: { uri: '/', steps: [] } },
    "httpchk.uri: cannot stand beside 'steps': it goes into one, { send: { uri: … } }",
    'httpchk.steps: [] is not allowed; allowed: an array of steps, each with one of connect, send, expect, setVar, unsetVar (and a comment), or with a comment alone',
  ],
  [
    {},
    { httpchk: { type: 'tcp' } },
    `httpchk: {"type":"tcp"} is not allowed; allowed: true, a phrase such as 'GET /health', or the options of a check of type 'http'`,
  ],
  [
    {},
    { healthchecks: { http: { type: 'http' }, db: { type: 'agent' }, cache: true } },
    'healthchecks.http: "http" is not allowed; allowed: a name that is not the type of a check',
    'healthchecks.db.port: is missing; allowed: an integer from 1 to 65535',
    "healthchecks.cache: true is not allowed; allowed: { type: 'tcp' }, { type: 'http', ... } or a function",
  ],
];
for (const [server, pool, ...faults] of wrong) {
  test(`${JSON.stringify(server)} with ${JSON.stringify(pool)} is refused`, () => {
    assert.deepEqual(faultsOf(server, pool), faults);
  });
}
