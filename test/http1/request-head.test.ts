import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, test } from 'node:test';
import {
  type FieldMap,
  type ForwardingOptions,
  type OutgoingRequest,
  type RequestFraming,
  replacedFields,
  UnsendableField,
  writeRequestHead,
} from '#src/http1/request-head.ts';

const PLAIN = {
  forwardfor: undefined,
  forwarded: undefined,
  forwardedHeaders: { proto: false, host: false },
  changeOrigin: false,
};

/** The lines of a head, without the request line and `host`, which are looked at on their own. */
function write(
  headers: FieldMap,
  request: Partial<OutgoingRequest> = {},
  options: Partial<ForwardingOptions> = {},
  framing: RequestFraming = 'none',
): { start: string; host: string; lines: string[] } {
  const forwarding = { ...PLAIN, ...options };
  const text = writeRequestHead(
    {
      method: 'GET',
      target: '/x?y',
      headers,
      rawHeaders: Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [name, value] : [])),
      clientAddress: '192.0.2.7',
      localAddress: '192.0.2.1',
      secure: false,
      upgrade: undefined,
      expectContinue: false,
      ...request,
    },
    framing,
    'server.test:3001',
    { ...forwarding, replaced: replacedFields(forwarding) },
  );
  assert.ok(text.endsWith('\r\n\r\n'));
  const [start = '', host = '', ...lines] = text.slice(0, -4).split('\r\n');
  return { start, host, lines };
}

test('method and target go as they are; Host is the client’s, or the server’s own', () => {
  assert.equal(
    write({ host: 'front.test' }, { method: 'PATCH', target: '//a/../b?%00' }).start,
    'PATCH //a/../b?%00 HTTP/1.1',
  );
  assert.equal(write({ host: 'front.test' }).host, 'host: front.test');
  assert.equal(write({ ':authority': 'front.test' }).host, 'host: front.test', 'over HTTP/2');
  assert.equal(write({}).host, 'host: server.test:3001');
  assert.equal(write({ host: '' }).host, 'host: server.test:3001');
  assert.equal(write({ host: 'front.test' }, {}, { changeOrigin: true }).host, 'host: server.test:3001');
});

test('framing is ours: whatever the client said of it is dropped', () => {
  const lies = { host: 'a', 'content-length': '7', 'transfer-encoding': 'gzip', trailer: 'x' };
  assert.deepEqual(write(lies).lines, ['trailer: x']);
  assert.deepEqual(write(lies, {}, {}, 3).lines, ['trailer: x', 'content-length: 3']);
  assert.deepEqual(write(lies, {}, {}, 0).lines, ['trailer: x', 'content-length: 0']);
  assert.deepEqual(write(lies, {}, {}, 'chunked').lines, ['trailer: x', 'transfer-encoding: chunked']);
});

test('hop-by-hop fields, and those that Connection names, stay here', () => {
  const headers = {
    ...{ host: 'a', connection: 'X-Hop , close', 'x-hop': '1', 'keep-alive': '5', te: 'trailers', upgrade: 'x' },
    ...{
      'proxy-connection': 'x',
      'proxy-authorization': 'x',
      expect: '100-continue',
      'http2-settings': 'x',
      'x-end': '2',
    },
  };
  assert.deepEqual(write(headers).lines, ['x-end: 2']);
  assert.deepEqual(write({ host: 'a', connection: 'keep-alive', 'x-hop': '1' }).lines, ['x-hop: 1']);
  assert.deepEqual(
    write({ host: 'a', connection: '\xa0x-a, \tX-HOP\t', 'x-a': '1', 'x-hop': '1' }).lines,
    ['x-a: 1'],
    'a no-break space is no white space of HTTP',
  );
  assert.deepEqual(
    write({ 'Content-Length': '1', Connection: 'x', 'X-A': '1' }).lines,
    ['X-A: 1'],
    'as a middleware may write them',
  );
  assert.deepEqual(
    write({ host: 'a', ':path': '/', ':method': 'GET', a: '1' }).lines,
    ['a: 1'],
    'pseudo-fields of HTTP/2',
  );
});

test('an upgrade and an expectation go on when they are asked for', () => {
  assert.deepEqual(
    write({ host: 'a', connection: 'upgrade', upgrade: 'h2c, websocket' }, { upgrade: 'websocket' }).lines,
    ['connection: upgrade', 'upgrade: websocket'],
  );
  assert.deepEqual(write({ host: 'a', expect: '100-continue' }, { expectContinue: true }, {}, 5).lines, [
    'content-length: 5',
    'expect: 100-continue',
  ]);
});

test('repeated fields keep their lines while nobody changed them', () => {
  const rawHeaders = [
    'Host',
    'a',
    'X-A',
    '1',
    'Cookie',
    'c=1',
    'x-a',
    '2',
    'Cookie',
    'c=2',
    'Accept',
    'x',
    'Authorization',
    'first',
    'authorization',
    'second',
  ];
  const headers = { host: 'a', 'x-a': '1, 2', cookie: 'c=1; c=2', accept: 'x', authorization: 'first' };
  assert.deepEqual(write(headers, { rawHeaders }).lines, [
    'x-a: 1',
    'x-a: 2',
    'cookie: c=1',
    'cookie: c=2',
    'accept: x',
    'authorization: first',
  ]);
  assert.deepEqual(write({ ...headers, 'x-a': '1, 2, 3', cookie: undefined }, { rawHeaders }).lines, [
    'x-a: 1, 2, 3',
    'accept: x',
    'authorization: first',
  ]);
  assert.deepEqual(write({ host: 'a', 'x-a': ['1', '2'] }).lines, ['x-a: 1', 'x-a: 2'], 'an array is its own lines');
});

test('what cannot stand in a head is refused and never sent', () => {
  const wrong: FieldMap[] = [
    ...['a\r\nb: c', 'a\nb', 'a\rb', 'a\0', '\x7f', '\u0100'].map((value) => ({ host: 'a', x: value })),
    ...['', 'a b', 'a:', 'a\r\n', 'ä', 'a\u0100'].map((name) => ({ host: 'a', [name]: 'x' })),
    { host: 'a\r\nx: y' },
    { host: 'a', x: ['fine', 'not\nfine'] },
  ];
  for (const headers of wrong) assert.throws(() => write(headers), UnsendableField, JSON.stringify(headers));
  assert.deepEqual(write({ host: 'a', x: 'tab\t \x80\xff' }).lines, ['x: tab\t \x80\xff']);
});

describe('forwarding fields', () => {
  const forwardfor = { header: 'x-forwarded-for', ifNone: false, except: undefined };

  test('forwardfor adds a line behind the client’s own, unless told not to', () => {
    const earlier = { host: 'a', 'x-forwarded-for': '203.0.113.9' };
    const except = new BlockList();
    except.addSubnet('192.0.2.0', 24, 'ipv4');
    assert.deepEqual(write(earlier, {}, { forwardfor }).lines, [
      'x-forwarded-for: 203.0.113.9',
      'x-forwarded-for: 192.0.2.7',
    ]);
    assert.deepEqual(write(earlier, {}, { forwardfor: { ...forwardfor, ifNone: true } }).lines, [
      'x-forwarded-for: 203.0.113.9',
    ]);
    assert.deepEqual(write({}, {}, { forwardfor: { ...forwardfor, ifNone: true } }).lines, [
      'x-forwarded-for: 192.0.2.7',
    ]);
    assert.deepEqual(write({}, {}, { forwardfor: { ...forwardfor, header: 'x-client' } }).lines, [
      'x-client: 192.0.2.7',
    ]);
    assert.deepEqual(write({}, {}, { forwardfor: { ...forwardfor, except } }).lines, []);
    assert.deepEqual(write({}, { clientAddress: '2001:db8::1' }, { forwardfor: { ...forwardfor, except } }).lines, [
      'x-forwarded-for: 2001:db8::1',
    ]);
    assert.deepEqual(write({}, { clientAddress: undefined }, { forwardfor }).lines, []);
  });

  test('proto and host take the place of what the client says', () => {
    const headers = { host: 'front.test', 'x-forwarded-proto': 'lie', 'x-forwarded-host': 'lie' };
    const both = { forwardedHeaders: { proto: true, host: true } };
    assert.deepEqual(write(headers, { secure: true }, both).lines, [
      'x-forwarded-proto: https',
      'x-forwarded-host: front.test',
    ]);
    assert.deepEqual(write({}, {}, both).lines, ['x-forwarded-proto: http'], 'without a Host there is none to tell');
    assert.deepEqual(write(headers, {}, { forwardedHeaders: { proto: true, host: false } }).lines, [
      'x-forwarded-host: lie',
      'x-forwarded-proto: http',
    ]);
  });

  test('Forwarded: our element behind the client’s, IPv6 in brackets and quotes (RFC 7239)', () => {
    const all = { forwarded: { proto: true, host: true, by: true, for: true } };
    assert.deepEqual(write({ host: 'front.test' }, {}, all).lines, [
      'forwarded: proto=http;host="front.test";by=192.0.2.1;for=192.0.2.7',
    ]);
    assert.deepEqual(
      write({ forwarded: 'for=x' }, { secure: true, clientAddress: '2001:db8::1', localAddress: undefined }, all).lines,
      ['forwarded: for=x, proto=https;by=unknown;for="[2001:db8::1]"'],
    );
    assert.deepEqual(
      write({ host: 'a"\\b' }, {}, { forwarded: { proto: false, host: true, by: false, for: false } }).lines,
      ['forwarded: host="a\\"\\\\b"'],
    );
  });
});
