import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_FIELDS, MAX_HEAD_BYTES } from '#src/http1/response-head.ts';
import { MAX_INTERIM, ResponseParser } from '#src/http1/response-parser.ts';
import { readResponse } from './read-response.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

interface Good {
  readonly text: string;
  readonly method?: string;
  readonly status: number;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly trailers?: readonly string[];
  readonly interim?: readonly number[];
  readonly keepAlive: boolean;
  /** Bytes behind the response. */
  readonly excess?: number;
}

const GOOD: Readonly<Record<string, Good>> = {
  'a length': {
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    status: 200,
    headers: ['Content-Length', '5'],
    body: 'hello',
    keepAlive: true,
  },
  'a length of 0': {
    text: 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    status: 200,
    headers: ['content-length', '0'],
    keepAlive: true,
  },
  'equal lengths, in a list and in a field of its own': {
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok',
    status: 200,
    headers: ['Content-Length', '2'],
    body: 'ok',
    keepAlive: true,
  },
  'bytes behind a length': {
    text: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP',
    status: 200,
    headers: ['content-length', '2'],
    body: 'ok',
    keepAlive: true,
    excess: 4,
  },
  'all 256 bytes in a body': {
    text: `HTTP/1.1 200 OK\r\ncontent-length: 256\r\n\r\n${String.fromCharCode(...Array(256).keys())}`,
    status: 200,
    headers: ['content-length', '256'],
    body: String.fromCharCode(...Array(256).keys()),
    keepAlive: true,
  },
  chunks: {
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a;x=y\r\n0123456789\r\n0\r\n\r\n',
    status: 200,
    body: 'abc0123456789',
    keepAlive: true,
  },
  'chunks that hold CR, LF and what looks like chunks': {
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\nb\r\n\r\n0\r\n\r\n3\r\na\r\n00\r\n\r\nxx',
    status: 200,
    body: '\r\n0\r\n\r\n3\r\na',
    keepAlive: true,
    excess: 2,
  },
  'extensions of chunks': {
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;a;b=c;d="e;\\"\x80"\r\na\r\n0;z\r\n\r\n',
    status: 200,
    body: 'a',
    keepAlive: true,
  },
  'options of a connection in capitals, and no-break spaces that are no white space': {
    text: 'HTTP/1.1 200 OK\r\nConnection: \xa0x-a, X-Hop ,CLOSE\r\nX-Hop: 1\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n',
    status: 200,
    headers: ['X-A', '1', 'Content-Length', '0'],
    keepAlive: false,
  },
  'trailers, but none that route or set cookies': {
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 9\r\nHost: x\r\nSet-Cookie: a=b\r\n\r\n',
    status: 200,
    body: 'a',
    trailers: ['X-Sum', '9'],
    keepAlive: true,
  },
  'the end of the connection': {
    text: 'HTTP/1.1 200 OK\r\n\r\nuntil the end',
    status: 200,
    body: 'until the end',
    keepAlive: false,
  },
  'HTTP/1.0': {
    text: 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx',
    status: 200,
    headers: ['content-length', '1'],
    body: 'x',
    keepAlive: false,
  },
  'HTTP/1.0 kept alive': {
    text: 'HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx',
    status: 200,
    headers: ['content-length', '1'],
    body: 'x',
    keepAlive: true,
  },
  'connection: close, among others': {
    text: 'HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop , Close\r\nX-End: 2\r\ncontent-length: 0\r\n\r\n',
    status: 200,
    headers: ['X-End', '2', 'content-length', '0'],
    keepAlive: false,
  },
  'hop-by-hop fields': {
    text: 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTE: x\r\nUpgrade: h2c\r\nTrailer: X\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
    status: 200,
    headers: ['Content-Length', '0'],
    keepAlive: true,
  },
  'a connection option that names the framing does not unframe': {
    text: 'HTTP/1.1 200 OK\r\nConnection: content-length\r\ncontent-length: 1\r\n\r\nx',
    status: 200,
    headers: ['content-length', '1'],
    body: 'x',
    keepAlive: true,
  },
  'no reason, with and without its space': {
    text: 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n',
    status: 200,
    headers: ['content-length', '0'],
    keepAlive: true,
  },
  'white space around a value, none within': {
    text: 'HTTP/1.1 200 OK\r\na: \t x \t y \t\r\nb:\r\nc: \x80\xff\r\ncontent-length:0\r\n\r\n',
    status: 200,
    headers: ['a', 'x \t y', 'b', '', 'c', '\x80\xff', 'content-length', '0'],
    keepAlive: true,
  },
  'repeated fields stay apart': {
    text: 'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n',
    status: 200,
    headers: ['Set-Cookie', 'a', 'set-cookie', 'b', 'content-length', '0'],
    keepAlive: true,
  },
  'interim responses': {
    text: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n',
    status: 200,
    interim: [100, 103],
    headers: ['content-length', '0'],
    keepAlive: true,
  },
  HEAD: {
    text: 'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n',
    method: 'HEAD',
    status: 200,
    headers: ['content-length', '99'],
    keepAlive: true,
  },
  'HEAD of chunks': {
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
    method: 'HEAD',
    status: 200,
    keepAlive: true,
  },
  '204 with a length it must not have': {
    text: 'HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n',
    status: 204,
    keepAlive: true,
  },
  '304 with the length of what was not sent': {
    text: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n',
    status: 304,
    headers: ['content-length', '3'],
    keepAlive: true,
  },
  'a status of its own': {
    text: 'HTTP/1.1 999 \xfcber\r\ncontent-length: 0\r\n\r\n',
    status: 999,
    headers: ['content-length', '0'],
    keepAlive: true,
  },
};

test('good responses, and the same however they are cut to pieces', () => {
  for (const [
    name,
    { text, method, status, headers = [], body = '', trailers = [], interim = [], keepAlive, excess = 0 },
  ] of Object.entries(GOOD)) {
    const bytes = latin1(text);
    const expected = {
      status,
      headers,
      body,
      trailers,
      interim,
      keepAlive,
      end: 'complete',
      used: bytes.length - excess,
    };
    const check = (pieces: readonly Buffer[], how: string): void => {
      const { head, ...read } = readResponse(pieces, method);
      assert.deepEqual(
        { ...read, status: head?.status, headers: head?.headers, keepAlive: head?.keepAlive },
        expected,
        `${name}, ${how}`,
      );
    };
    check([bytes], 'in one piece');
    for (let at = 1; at < bytes.length; at++) check([bytes.subarray(0, at), bytes.subarray(at)], `cut at ${at}`);
    check(
      Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
      'byte by byte',
    );
  }
});

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;

const BAD: readonly (readonly [text: string, reason: RegExp])[] = [
  // the status line
  ['HTTP/2 200 OK\r\n\r\n', /not HTTP\/1\.1/],
  ['HTTP/1.2 200 OK\r\n\r\n', /neither 1\.0 nor 1\.1/],
  ['HTTP/1.11 200 OK\r\n\r\n', /neither 1\.0 nor 1\.1/],
  ['http/1.1 200 OK\r\n\r\n', /not HTTP\/1\.1/],
  [' HTTP/1.1 200 OK\r\n\r\n', /not HTTP\/1\.1/],
  ['\r\nHTTP/1.1 200 OK\r\n\r\n', /not HTTP\/1\.1/],
  ['ICY 200 OK\r\n\r\n', /not HTTP\/1\.1/],
  ['HTTP/1.1  200 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 20 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 2000 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 099 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 2x0 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 :00 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 2:0 OK\r\n\r\n', /status code/],
  ['HTTP/1.1 20: OK\r\n\r\n', /status code/],
  ['HTTP/1.1 200 O\0K\r\n\r\n', /status line/],
  ['HTTP/1.1 200 OK\rX\r\n\r\n', /status line/],
  // fields
  [`${OK}a: b\n\r\n`, /without CR/],
  [`${OK}a: b\rc: d\r\n\r\n`, /field value/],
  [`${OK}a: \0\r\n\r\n`, /field value/],
  [`${OK}a: \x7f\r\n\r\n`, /field value/],
  [`${OK}a : b\r\n\r\n`, /field name/],
  [`${OK}: b\r\n\r\n`, /empty field name/],
  [`${OK}no colon\r\n\r\n`, /field name/],
  [`${OK}a: b\r\n folded\r\n\r\n`, /field name/],
  [`${OK} a: b\r\n\r\n`, /field name/],
  [`${OK}\xe4: b\r\n\r\n`, /field name/],
  [`${OK}${'a: b\r\n'.repeat(MAX_FIELDS + 1)}\r\n`, /more than 101 fields/],
  [`${OK}a: ${'x'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`, /head of more than 16384 bytes/],
  // framing
  [`${OK}content-length: 1\r\ncontent-length: 2\r\n\r\nxx`, /differ/],
  [`${OK}content-length: 1, 2\r\n\r\nxx`, /differ/],
  [`${OK}content-length: 1,\r\n\r\nx`, /empty/],
  [`${OK}content-length:\r\n\r\n`, /empty/],
  [`${OK}content-length: +1\r\n\r\nx`, /no number/],
  [`${OK}content-length: -1\r\n\r\n`, /no number/],
  [`${OK}content-length: 1 1\r\n\r\nx`, /no number/],
  [`${OK}content-length: 0x1\r\n\r\nx`, /no number/],
  [`${OK}content-length: 99999999999999999999\r\n\r\n`, /too large/],
  [`${OK}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, /both/],
  [`${OK}transfer-encoding: gzip, chunked\r\n\r\n`, /other than chunked/],
  [`${OK}transfer-encoding: identity\r\n\r\n`, /other than chunked/],
  [`${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, /two Transfer-Encoding/],
  [`${OK}transfer-encoding:\r\n\r\n`, /other than chunked/],
  [`${OK}transfer-encoding: chunked\t\r\n\r\n0\r\n\r\n`, /tab/],
  [`${OK}transfer-encoding: \xa0chunked\r\n\r\n0\r\n\r\n`, /other than chunked/],
  [`${OK}content-length: 1,\xa01\r\n\r\nx`, /no number/],
  ['HTTP/1.0 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', /interim response of HTTP\/1.0/],
  ['HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', /HTTP\/1\.0/],
  // chunks
  [`${CHUNKED}g\r\n`, /chunk size/],
  [`${CHUNKED}\r\n`, /chunk size/],
  [`${CHUNKED} 1\r\na\r\n0\r\n\r\n`, /chunk size/],
  [`${CHUNKED}1 \r\na\r\n0\r\n\r\n`, /chunk size/],
  [`${CHUNKED}0x1\r\na\r\n0\r\n\r\n`, /chunk size/],
  [`${CHUNKED}+1\r\na\r\n0\r\n\r\n`, /chunk size/],
  [`${CHUNKED}1\na\r\n0\r\n\r\n`, /chunk (size|extension)/],
  [`${CHUNKED}1\r\nab\r\n0\r\n\r\n`, /where its size says/],
  [`${CHUNKED}1\r\na\n0\r\n\r\n`, /where its size says/],
  [`${CHUNKED}0\r\nContent-Length: 7\r\n\r\n`, /Content-Length in the trailers/],
  [`${CHUNKED}0\r\ntransfer-encoding: chunked\r\n\r\n`, /transfer-encoding in the trailers/],
  ...['', 'a ', ' a', 'a=', '=a', 'a= b', 'a="', 'a="b', 'a="\x01"', 'a="\\', 'a"', '"a"', 'a(', ';a', 'a="b"c'].map(
    (extension): [string, RegExp] => [`${CHUNKED}1;${extension}\r\na\r\n0\r\n\r\n`, /extension/],
  ),
  [`${CHUNKED}1;a="\r\n"\r\na\r\n0\r\n\r\n`, /extension/],
  [`${CHUNKED}1;a="\n"\r\na\r\n0\r\n\r\n`, /extension/],
  [`${CHUNKED}1;a\0\r\na\r\n0\r\n\r\n`, /extension/],
  [`${CHUNKED}1;a\rb\r\na\r\n0\r\n\r\n`, /extension/],
  [`${CHUNKED}80000000\r\n`, /chunk that is too large/],
  [`${CHUNKED}1;${'x'.repeat(4_096)}\r\n`, /too long/],
  [`${CHUNKED}0\r\na b: c\r\n\r\n`, /field name/],
  [`${CHUNKED}0\r\na: b\n\r\n`, /without CR/],
  [`${CHUNKED}0\r\na: ${'x'.repeat(MAX_HEAD_BYTES)}\r\n\r\n`, /trailers of more than/],
  // not whole
  ['', /closed before a response$/],
  ['HTTP/1.1 200', /closed before the response was complete/],
  [`${OK}a: b\r\n`, /complete/],
  [`${OK}content-length: 2\r\n\r\nx`, /complete/],
  [`${CHUNKED}2\r\nx`, /complete/],
  [`${CHUNKED}0\r\n`, /complete/],
  [`${'HTTP/1.1 103 x\r\n\r\n'.repeat(MAX_INTERIM + 1)}${OK}\r\n`, /more than 100 interim/],
];

test('bad responses are bad, however they are cut to pieces, and never once they were complete', () => {
  for (const [text, reason] of BAD) {
    const bytes = latin1(text);
    const name = JSON.stringify(text.slice(0, 80));
    assert.match(readResponse(bytes.length === 0 ? [] : [bytes]).end, reason, name);
    const cuts = Math.min(bytes.length, 100);
    for (let at = 1; at < cuts; at++) {
      const { end, body } = readResponse([bytes.subarray(0, at), bytes.subarray(at)]);
      assert.ok(end !== 'complete' && end !== 'open', `${name} cut at ${at}: ${end}`);
      assert.ok(body === '' || text.includes(body), 'and nothing is passed on that was not there');
    }
  }
});

test('what can become no response is refused at once, since its server may keep the connection open', () => {
  for (const [bytes, isHopeless] of [
    ['H', false],
    ['HTTP/1', false],
    ['HTTP/2', true],
    ['x', true],
    [`${OK}a: b\n`, true],
    [`${CHUNKED}x`, true],
    [`${OK}a: ${'x'.repeat(MAX_HEAD_BYTES)}`, true],
    [`${CHUNKED}1;${'x'.repeat(4_096)}`, true],
  ] as const)
    assert.equal(
      readResponse([latin1(bytes)], 'GET', false).end !== 'open',
      isHopeless,
      JSON.stringify(bytes.slice(0, 40)),
    );
});

test('limits hold to the byte: the largest head and the most fields are taken', () => {
  const rest = OK.length + 'a: '.length + '\r\n\r\n'.length;
  const largest = latin1(`${OK}a: ${'x'.repeat(MAX_HEAD_BYTES - rest)}\r\n\r\n`);
  assert.equal(largest.length, MAX_HEAD_BYTES);
  for (const at of [1, 20, MAX_HEAD_BYTES - 1])
    assert.equal(readResponse([largest.subarray(0, at), largest.subarray(at)]).end, 'complete');
  assert.equal(
    readResponse([latin1(`${OK}${'a: b\r\n'.repeat(MAX_FIELDS)}\r\n`)]).head?.headers.length,
    2 * MAX_FIELDS,
  );
  assert.equal(readResponse([latin1(`${'HTTP/1.1 103 x\r\n\r\n'.repeat(MAX_INTERIM)}${OK}\r\n`)]).end, 'complete');
});

test('one parser reads response after response: nothing of one is left to the next', () => {
  const told: string[] = [];
  const parser = new ResponseParser({
    onInterim: () => {},
    onWhole: ({ status }, body) => told.push(`${status} ${body}`),
    onHead: ({ status }) => told.push(`${status}`),
    onBody: () => {},
    onEnd: () => told.push('end'),
    onBad: (reason) => told.push(reason),
  });
  const read = (text: string): void => {
    parser.reset('GET');
    assert.deepEqual([parser.received, parser.done, parser.remaining], [false, false, 0]);
    parser.execute(latin1(text), text.length);
    assert.equal(parser.received, true);
  };
  const interims = 'HTTP/1.1 103 x\r\n\r\n'.repeat(MAX_INTERIM);
  read(`${interims}${OK}content-length: 1\r\n\r\na`);
  read(`${interims}${OK}content-length: 1\r\n\r\nb`);
  read(`${OK}content-length: 9\r\n\r\nabc`);
  assert.equal(parser.remaining, 6);
  read(`${CHUNKED}x`);
  read(`${OK}a: b`); // and the rest never comes
  read(`${OK}content-length: 1\r\n\r\nc`);
  assert.deepEqual(told, ['200 a', '200 b', '200', 'an illegal chunk size', '200 c']);
});

test('a reason is taken to the letter, or is none', () => {
  for (const [line, reason] of [
    ['HTTP/1.1 200 OK', 'OK'],
    ['HTTP/1.1 200  so-so \t\xfc ', ' so-so \t\xfc '],
    ['HTTP/1.1 200 ', ''],
    ['HTTP/1.1 200', ''],
  ] as const)
    assert.equal(readResponse([latin1(`${line}\r\ncontent-length: 0\r\n\r\n`)]).head?.reason, reason);
});

test('what concerns the connection is told: Keep-Alive, Upgrade, NTLM and Negotiate', () => {
  const headOf = (fields: string): ReturnType<typeof readResponse>['head'] =>
    readResponse([latin1(`${OK}${fields}content-length: 0\r\n\r\n`)]).head;
  for (const [value, ms] of [
    ['timeout=5', 5_000],
    ['max=100, timeout = 7', 7_000],
    ['TIMEOUT=0', 0],
    ['notimeout=5', undefined],
    ['timeout=x', undefined],
  ] as const)
    assert.equal(headOf(`keep-alive: ${value}\r\n`)?.keepAliveTimeoutMs, ms, value);
  assert.equal(headOf('connection: upgrade\r\nupgrade: websocket\r\n')?.upgrade, 'websocket');
  assert.equal(headOf('upgrade: websocket\r\n')?.upgrade, undefined, 'Connection must name it');
  assert.equal(headOf('CONNECTION: Keep-Alive, UPGRADE\r\nUpgrade: WebSocket\r\n')?.upgrade, 'WebSocket');
  assert.equal(headOf('connection: upgrade\r\nupgrade: \r\n')?.upgrade, undefined, 'and it must name a protocol');
  assert.equal(headOf('connection: \xa0upgrade\r\nupgrade: x\r\n')?.upgrade, undefined, 'no white space of HTTP');
  assert.deepEqual(headOf('Expect: 100-continue\r\n')?.headers, ['content-length', '0'], 'means nothing here');
  for (const [field, authenticates] of [
    ['www-authenticate: NTLM', true],
    ['WWW-Authenticate: negotiate abc', true],
    ['proxy-authenticate: Nego', true],
    ['www-authenticate: Basic realm="NTLM"', false],
  ] as const)
    assert.equal(headOf(`${field}\r\n`)?.authenticatesConnection, authenticates, field);
});
