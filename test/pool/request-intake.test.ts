import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { BodyMemory } from '#src/forward/body-memory.ts';
import { EvenkeelError } from '#src/index.ts';
import { type Intake, isIdempotent, takeIn } from '#src/pool/request-intake.ts';

let arrived: (request: IncomingMessage) => void = () => {};
const server = createServer({ requireHostHeader: false }, (request) => arrived(request));
// Node's server refuses most of what is wrong; what it lets through must be caught by us.
before(() => once(server.listen(0, '127.0.0.1'), 'listening'));
after(() => {
  server.closeAllConnections();
  server.close();
});

/** The request as Node's server gives it. */
async function arrival(text: string): Promise<IncomingMessage> {
  const { port } = server.address() as net.AddressInfo;
  const came = new Promise<IncomingMessage>((resolve, reject) => {
    arrived = resolve;
    server.once('clientError', reject);
  });
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  const request = await came;
  server.removeAllListeners('clientError');
  return request;
}

/** `status message` of what takes in refuses with, or what it takes. */
async function take(
  text: string,
  { target, parsed }: { target?: string; parsed?: object } = {},
): Promise<Intake | string> {
  const request = Object.assign(await arrival(text), parsed);
  if (parsed) {
    request.resume();
    await once(request, 'end');
  }
  try {
    return takeIn(request, target ?? request.url ?? '/', 65_536, new BodyMemory(65_536));
  } catch (error) {
    assert.ok(error instanceof EvenkeelError);
    return `${error.status} ${error.code}: ${error.message.replace('the request cannot be carried: ', '')}`;
  }
}

async function targetOf(target: string, host = 'front.test'): Promise<string> {
  const taken = await take(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { target });
  return typeof taken === 'string' ? taken : taken.target;
}

test('targets: origin form goes as it is, absolute form must name the host of Host', async () => {
  for (const target of ['/', '/a/../b', '//x', '/a?b=c&d=%00', '/{|}\\^`"<>', '/?http://other/'])
    assert.equal(await targetOf(target), target, 'to the byte');
  assert.equal(await targetOf('http://front.test/a?b'), '/a?b');
  assert.equal(await targetOf('http://FRONT.test:80'), '/');
  assert.equal(await targetOf('http://front.test?a'), '/?a');
  assert.equal(await targetOf('https://front.test:443/a', 'front.test'), '/a');
  assert.equal(await targetOf('https://front.test/a', 'front.test:443'), '/a');
  for (const [target, reason] of [
    ['http://other.test/', 'target and Host name different hosts'],
    ['http://front.test:81/', 'target and Host name different hosts'],
    ['http://user@front.test/', 'target and Host name different hosts'],
    ['ftp://front.test/', 'an illegal target'],
    ['front.test:80', 'an illegal target'],
    ['a', 'an illegal target'],
    ['*', 'an illegal target'],
    ['', 'an illegal target'],
    ['/a#b', 'an illegal target'],
    ['/a b', 'an illegal target'],
    ['/a\tb', 'an illegal target'],
    ['/ü', 'an illegal target'],
    ['/a\r\nHost: x', 'an illegal target'],
  ] as const)
    assert.equal(await targetOf(target), `400 EK_ABORTED: ${reason}`, target);
  const options = await take('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal(typeof options === 'string' ? options : options.target, '*');
});

test('what Node lets through and a server might read otherwise is refused', async () => {
  const cases: [text: string, refusal: string][] = [
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', '400 EK_ABORTED: two Host fields'],
    ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', '400 EK_ABORTED: an illegal Host'],
    ['GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', '400 EK_ABORTED: an illegal Host'],
    ['GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'taken'],
    ['GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', '400 EK_ABORTED: an illegal Host'],
    ['GET / HTTP/1.1\r\nHost: a?b\r\n\r\n', '400 EK_ABORTED: an illegal Host'],
    ['GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', 'taken'],
    ['GET / HTTP/1.1\r\nHost:\r\n\r\n', 'taken'],
    ['GET / HTTP/1.0\r\n\r\n', 'taken'],
    [
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
      '501 EK_ABORTED: a transfer coding other than chunked',
    ],
    ['POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', '400 EK_ABORTED: ambiguous framing'],
  ];
  for (const [text, refusal] of cases) {
    const taken = await take(text);
    assert.equal(typeof taken === 'string' ? taken : 'taken', refusal, text);
  }
});

test('a method, coding or Host that a middleware has put in place is looked at like any other', async () => {
  for (const [parsed, refusal] of [
    [{ method: 'GET / HTTP/1.1\r\nX: 1\r\n\r\nGET' }, '400 EK_ABORTED: an illegal method'],
    [{ method: 'G T' }, '400 EK_ABORTED: an illegal method'],
    [{ method: 'GE\nT' }, '400 EK_ABORTED: an illegal method'],
    [{ method: '' }, '400 EK_ABORTED: an illegal method'],
    [{ method: 'CONNECT' }, '501 EK_ABORTED: CONNECT is not supported'],
    [{ method: 'PURGE' }, 'taken'],
    [
      { headers: { host: 'a', 'transfer-encoding': ['gzip', 'chunked'] } },
      '501 EK_ABORTED: a transfer coding other than chunked',
    ],
    [{ headers: { host: ['a', 'b'] } }, '400 EK_ABORTED: an illegal Host'],
  ] as const) {
    const taken = await take('GET / HTTP/1.1\r\nHost: a\r\n\r\n', { parsed });
    assert.equal(typeof taken === 'string' ? taken : 'taken', refusal, JSON.stringify(parsed));
  }
});

test('a body is framed as announced: none, a length, chunks, or announced and empty', async () => {
  for (const [fields, framing] of [
    ['', 'none'],
    ['Content-Length: 0\r\n', 0],
    ['Content-Length: 5\r\n', 5],
    ['Transfer-Encoding: Chunked\r\n', 'chunked'],
  ] as const) {
    const taken = await take(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
    assert.equal(typeof taken === 'string' ? taken : taken.body.framing, framing, fields);
  }
});

test('a body that a framework has read is sent from what it left', async () => {
  const sent = 'a long body that is 30 bytes ..';
  const consumed = '500 EK_BODY_CONSUMED';
  const cases: [what: string, type: string, parsed: object, body: string][] = [
    ['rawBody', 'text/plain', { rawBody: Buffer.from('raw'), body: 'x' }, 'raw'],
    ['a Buffer', 'application/octet-stream', { body: Buffer.from('\xff', 'latin1') }, '\xff'],
    ['bytes', 'application/octet-stream', { body: new Uint8Array(Buffer.from('xyz')).subarray(1) }, 'yz'],
    ['a string', 'text/plain', { body: 'ü' }, Buffer.from('ü').toString('latin1')],
    ['a string in latin1', 'text/plain; charset="ISO-8859-1"', { body: 'ü' }, 'ü'],
    [
      'JSON',
      'application/json; charset=utf-8',
      { body: { a: [1, 'ü'] } },
      Buffer.from('{"a":[1,"ü"]}').toString('latin1'),
    ],
    ['another JSON', 'Application/Problem+JSON', { body: {} }, '{}'],
    [
      'a form',
      'application/x-www-form-urlencoded',
      { body: { a: 'b c', d: ['1', '2'], e: { f: '&' }, g: [{ h: 1 }] } },
      'a=b%20c&d=1&d=2&e%5Bf%5D=%26&g%5B0%5D%5Bh%5D=1',
    ],
    ['an object of an unknown type', 'multipart/form-data; boundary=x', { body: { a: 1 } }, consumed],
    ['nothing', 'application/json', {}, consumed],
    ['null', 'application/json', { body: null }, consumed],
  ];
  for (const [what, type, parsed, body] of cases) {
    const taken = await take(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`,
      { parsed },
    );
    if (typeof taken === 'string') {
      assert.equal(taken.split(':')[0], body, what);
      assert.match(taken, /mount the pool before the body parser/);
      continue;
    }
    let text = '';
    taken.body.start({
      onRequestBody: (chunk) => {
        text += chunk.toString('latin1');
        return true;
      },
      onRequestEnd: () => {},
      onRequestBroken: () => assert.fail('a body held whole cannot break'),
    });
    assert.deepEqual([text, taken.body.framing, taken.body.replayable], [body, body.length, true], what);
  }
});

test('a body that was inflated is no longer in the coding it came in', async () => {
  const take1 = async (length: number, body: string): Promise<unknown> => {
    const text = `POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`;
    const taken = await take(text, { parsed: { rawBody: Buffer.from(body) } });
    return typeof taken === 'string' ? taken : taken.headers['content-encoding'];
  };
  assert.equal(await take1(5, 'inflated'), undefined);
  assert.equal(await take1(5, 'exact'), 'gzip');
});

test('methods that may be sent twice: RFC 9110 §9.2.2', () => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']) assert.ok(isIdempotent(method));
  for (const method of ['POST', 'PATCH', 'LOCK', 'get', 'toString', '']) assert.ok(!isIdempotent(method));
});
