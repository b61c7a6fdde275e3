import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostPort, parseAddress } from '#src/servers/address.ts';

test('addresses are read into one canonical form', () => {
  const cases: [text: string, url: string, host: string, port: number, authority: string][] = [
    ['http://127.0.0.1:3001', 'http://127.0.0.1:3001', '127.0.0.1', 3001, '127.0.0.1:3001'],
    ['http://127.0.0.1:3001/', 'http://127.0.0.1:3001', '127.0.0.1', 3001, '127.0.0.1:3001'],
    ['127.0.0.1:3001', 'http://127.0.0.1:3001', '127.0.0.1', 3001, '127.0.0.1:3001'],
    ['Example.COM:80', 'http://example.com:80', 'example.com', 80, 'example.com'],
    ['HTTP://example.com', 'http://example.com:80', 'example.com', 80, 'example.com'],
    ['https://example.com', 'https://example.com:443', 'example.com', 443, 'example.com'],
    ['https://example.com:8443', 'https://example.com:8443', 'example.com', 8443, 'example.com:8443'],
    ['http://[::1]:3001', 'http://[::1]:3001', '::1', 3001, '[::1]:3001'],
    ['[0:0::1]:3001', 'http://[::1]:3001', '::1', 3001, '[::1]:3001'],
    ['localhost:65535', 'http://localhost:65535', 'localhost', 65535, 'localhost:65535'],
  ];
  for (const [text, url, host, port, authority] of cases) {
    const address = parseAddress(text);
    const tls = url.startsWith('https:');
    assert.deepEqual({ ...address }, { url, tls, host, port, socketPath: undefined, authority }, text);
    assert.ok(Object.isFrozen(address));
    assert.equal(parseAddress(address?.url)?.url, url, 'its canonical form is read as the same');
  }
  assert.deepEqual(
    { ...parseAddress('unix:/run/app.sock') },
    {
      url: 'unix:/run/app.sock',
      tls: false,
      host: 'localhost',
      port: 0,
      socketPath: '/run/app.sock',
      authority: 'localhost',
    },
  );
});

test('what is no address is none', () => {
  const wrong: unknown[] = [
    ...[
      '',
      'example.com',
      ':80',
      'http://',
      'http://:80',
      'http://example.com:',
      'http://example.com:0',
      'a:65536',
      'a:1e3',
    ],
    ...[
      'http://example.com/path',
      'http://example.com?q',
      'http://example.com#f',
      'http://user@example.com',
      'a:b@c:80',
    ],
    ...[
      'ftp://example.com',
      'http:/example.com:80',
      'http:\\\\example.com:80',
      '//example.com:80',
      'http://a b:80',
      'http://a\t:80',
    ],
    ...[
      'http://a:80\n',
      ' http://a:80',
      '::1:80',
      'http://[::1',
      'http://[zz]:80',
      'http://256.1.1.1:80',
      'http://a:80//',
    ],
    ...['unix:', 'unix:relative', 'unix:/a\0b', `unix:/${'x'.repeat(107)}`],
    ...[undefined, null, 80, {}, new URL('http://a:80')],
  ];
  for (const text of wrong) assert.equal(parseAddress(text), undefined, String(text));
});

test('an IPv6 host stands in brackets before a port', () => {
  assert.equal(hostPort('::1', 80), '[::1]:80');
  assert.equal(hostPort('127.0.0.1', 80), '127.0.0.1:80');
  assert.equal(hostPort('example.com', 80), 'example.com:80');
});
