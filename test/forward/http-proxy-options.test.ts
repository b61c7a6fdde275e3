import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type HttpProxyOptions, Pool } from '#src/index.ts';

/** The faults that these options have, as `path: message`. */
function faultsOf(httpProxy: object): string[] {
  try {
    new Pool({ engine: 'http-proxy-3', httpProxy: httpProxy as HttpProxyOptions });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults.map(({ path, message }) => `${path}: ${message}`);
  }
}

test('every option is taken', () => {
  const httpProxy: HttpProxyOptions = {
    cookieDomainRewrite: { 'a.test': 'b.test', '*': '' },
    cookiePathRewrite: '/app',
    autoRewrite: true,
    hostRewrite: 'front.test:8080',
    protocolRewrite: 'https',
    followRedirects: true,
    headers: { 'X-Env': 'prod', 'x-list': ['a', 'b'] },
    xfwd: true,
    changeOrigin: true,
    preserveHeaderKeyCase: true,
    secure: false,
    ca: '-----BEGIN CERTIFICATE-----\n',
    localAddress: '::1',
    auth: 'user:password',
    on: { proxyReq: () => {}, error: () => {} },
  };
  assert.deepEqual(faultsOf(httpProxy), []);
  assert.deepEqual(faultsOf({ cookieDomainRewrite: false, cookiePathRewrite: '' }), []);
});

test('what the pool decides is a fault that says so', () => {
  const decided = [
    ...['target', 'forward', 'agent', 'ssl', 'ws', 'xfwdWsProtoAsHttp', 'toProxy', 'prependPath', 'ignorePath'],
    ...['selfHandleResponse', 'buffer', 'method', 'proxyTimeout', 'timeout', 'connectTimeout', 'fetch', 'fetchOptions'],
  ];
  const faults = faultsOf(Object.fromEntries(decided.map((option) => [option, true])));
  assert.deepEqual(
    faults.map((fault) => fault.slice(0, fault.indexOf(':'))),
    decided.map((option) => `httpProxy.${option}`),
  );
  for (const fault of faults)
    assert.match(fault, /: (?:the pool decides this|is (?:not (?:supported|needed)|'timeout))/);
});

test('wrong values are faults, all of them at once', () => {
  const wrong: Record<string, unknown[]> = {
    cookieDomainRewrite: [true, 7, ['a'], { 'a.test': 1 }, 'a;b', 'a\nb'],
    cookiePathRewrite: [true, { '/a': '/b;c' }],
    autoRewrite: ['yes'],
    hostRewrite: ['', 'a/b', 'user@host', 7],
    protocolRewrite: ['ftp', 'https:'],
    followRedirects: [1],
    headers: ['a: b', { 'a b': 'c' }, { a: 'b\r\nc: d' }, { 'Content-Length': '1' }, { connection: 'close' }, { a: 1 }],
    xfwd: ['x'],
    changeOrigin: [0],
    preserveHeaderKeyCase: ['x'],
    secure: ['no'],
    ca: ['no PEM'],
    localAddress: ['localhost', '1.2.3'],
    auth: ['user'],
    on: [() => {}, { proxyReq: true }, { proxyRequest: () => {} }],
    cookieRewrite: ['unknown'],
  };
  for (const [option, values] of Object.entries(wrong)) {
    for (const value of values) {
      const faults = faultsOf({ [option]: value });
      assert.equal(faults.length, 1, `${option}: ${String(value)} gave ${faults.join(', ')}`);
      assert.ok(faults[0]?.startsWith(`httpProxy.${option}`), faults[0]);
    }
  }
  assert.equal(faultsOf({ xfwd: 1, auth: 1, target: 'x' }).length, 3);
});

test('the options need the engine', () => {
  assert.throws(() => new Pool({ httpProxy: { xfwd: true } }), /httpProxy: needs engine: 'http-proxy-3'/);
});

test('an environment in which http-proxy-3 would go past the pool is refused', () => {
  process.env['FORCE_FETCH_PATH'] = 'true';
  try {
    assert.throws(() => new Pool({ engine: 'http-proxy-3' }), ConfigError);
    new Pool();
  } finally {
    delete process.env['FORCE_FETCH_PATH'];
  }
});
