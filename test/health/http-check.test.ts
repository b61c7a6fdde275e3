import assert from 'node:assert/strict';
import type net from 'node:net';
import { type TestContext, test } from 'node:test';
import type tls from 'node:tls';
import fc from 'fast-check';
import type { CheckResult } from '#src/health/health-check.ts';
import { type HttpCheckOptions, parseHttpchk } from '#src/health/http-check.ts';
import type { ExpectOption } from '#src/health/http-expect.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, certificate, checkOf, freePort, type Listener, listen, probe, start, targetOf } from './probing.ts';

const BLANK = '\r\n\r\n';

/** A server that answers the first request it has read whole (without a body) with these bytes. */
function answering(t: TestContext, answer: string | Buffer, then: 'close' | 'stay' = 'close'): Promise<Listener> {
  return listen(t, (socket) => onRequest(socket, () => (then === 'close' ? socket.end(answer) : socket.write(answer))));
}

function onRequest(socket: net.Socket, act: (request: string) => void): void {
  let request = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const before = request.includes(BLANK);
    request += text;
    if (!before && request.includes(BLANK)) act(request);
  });
}

function httpCheck(options: Omit<HttpCheckOptions, 'type'> = {}): ReturnType<typeof checkOf> {
  return checkOf({ type: 'http', ...options });
}

async function verdictOn(
  t: TestContext,
  answer: string,
  expect?: ExpectOption | readonly ExpectOption[],
): Promise<CheckResult> {
  return probe(httpCheck(expect === undefined ? {} : { expect }), await answering(t, answer));
}

/** What a server reads, until the request ends. `expected`: how many bytes of a body. */
async function requestOf(t: TestContext, check: ReturnType<typeof checkOf>, expected = 0): Promise<[string, string]> {
  let request = '';
  const listener = await listen(t, (socket) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      request += text;
      if (request.length >= request.indexOf(BLANK) + 4 + expected) socket.end(`HTTP/1.1 204 No Content${BLANK}`);
    });
  });
  assert.equal((await probe(check, listener)).code, 'L7OK');
  return [request, listener.address.authority];
}

test('by default it asks GET / of HTTP/1.1 with the Host of the server', async (t) => {
  const [request, authority] = await requestOf(t, httpCheck());
  assert.equal(request, `GET / HTTP/1.1\r\nHost: ${authority}\r\nConnection: close${BLANK}`);
});

test('method, uri, version, headers and body go out as they are', async (t) => {
  const check = httpCheck({
    method: 'POST',
    uri: '/check?deep=1',
    version: 'HTTP/1.0',
    headers: { host: 'app.example', 'X-Probe': ['one', 'zwö'], Connection: 'keep-alive' },
    body: 'pïng',
  });
  const [request] = await requestOf(t, check, 5);
  assert.equal(
    request,
    `POST /check?deep=1 HTTP/1.0\r\nhost: app.example\r\nX-Probe: one\r\nX-Probe: zwö\r\nConnection: keep-alive\r\nContent-Length: 5${BLANK}p\u00c3\u00afng`,
  );
});

test('a method that usually has a body says so when it has none', async (t) => {
  const [request] = await requestOf(t, httpCheck({ method: 'PUT' }));
  assert.match(request, /\r\nContent-Length: 0\r\n/);
});

// HAProxy `option httpchk`: a phrase is taken literally, and has no Host of its own.
for (const [phrase, line] of [
  ['/health', 'OPTIONS /health HTTP/1.0\r\n'],
  ['GET /health', 'GET /health HTTP/1.0\r\n'],
  ['OPTIONS /x HTTP/1.1', 'OPTIONS /x HTTP/1.1\r\n'],
  ['HEAD / HTTP/1.1 app.example', 'HEAD / HTTP/1.1\r\nHost: app.example\r\n'],
] as const) {
  test(`httpchk '${phrase}' is taken literally`, async (t) => {
    const [request] = await requestOf(t, parseHttpchk(phrase) ?? assert.fail());
    assert.equal(request, `${line}Connection: close${BLANK}`);
  });
}

test('what is no phrase of httpchk is refused', () => {
  for (const phrase of [
    '',
    'health',
    'GET',
    'GET health',
    'CONNECT /',
    'GET / HTTP/2',
    'GET / HTTP/1.1 a b',
    'G@T /',
    '/a\r\nb',
  ]) {
    assert.equal(parseHttpchk(phrase), undefined, phrase);
  }
});

for (const [status, passes] of [
  [199 + 1, true],
  [204, true],
  [302, true],
  [399, true],
  [400, false],
  [404, false],
  [503, false],
] as const) {
  test(`an answer of ${status} ${passes ? 'passes' : 'fails'}`, async (t) => {
    const result = await verdictOn(t, `HTTP/1.1 ${status} Whatever\r\nContent-Length: 0${BLANK}`);
    assert.deepEqual(
      result,
      passes
        ? { result: 'passed', code: 'L7OK', status, description: `status ${status}` }
        : { result: 'failed', code: 'L7STS', status, description: `status ${status}, expected status 200-399` },
    );
  });
}

const cases: readonly (readonly [
  ExpectOption | readonly ExpectOption[],
  answer: string,
  code: string,
  description: string,
])[] = [
  ['status 200-299', '302 Found', 'L7STS', 'status 302, expected status 200-299'],
  ['status 200,204,300-399', '302 Found', 'L7OK', 'status 302'],
  ['status 503', '503 Busy', 'L7OK', 'status 503'],
  ['! status 500-599', '404 Lost', 'L7OK', 'status 404'],
  ['! status 500-599', '500 Oops', 'L7STS', 'status 500, expected ! status 500-599'],
  [{ status: 200 }, '201 Made', 'L7STS', 'status 201, expected status 200'],
  [{ status: '200-201', not: true }, '201 Made', 'L7STS', 'status 201, expected ! status 200-201'],
  ['string OK', '500 Oops\r\n\r\nit is OK', 'L7OK', 'status 500'],
  ['string OK', '200 Fine\r\n\r\nit is not', 'L7RSP', 'the body does not hold "OK"'],
  ['string OK', '200 OK\r\nContent-Length: 0', 'L7RSP', 'the answer has no body'],
  ['! string ERROR', '200 Fine\r\n\r\nan ERROR', 'L7RSP', 'the body holds "ERROR"'],
  ['! string ERROR', '200 Fine\r\n\r\nall well', 'L7OK', 'status 200'],
  [{ string: 'ok\r\n ö', not: false }, '200 Fine\r\n\r\nok\r\n ö!', 'L7OK', 'status 200'],
  ['rstatus ^2', '204 None', 'L7OK', 'status 204'],
  ['! rstatus ^[45]', '404 Lost', 'L7STS', 'status 404, expected ! rstatus ^[45]'],
  [{ rstatus: /^(2|3)/g }, '302 Found', 'L7OK', 'status 302'],
  ['hdr name x-role', '200 Fine\r\nX-Role: slave', 'L7OK', 'status 200'],
  [
    'hdr name x-role value master',
    '200 Fine\r\nX-Role: slave',
    'L7STS',
    'status 200, expected hdr name x-role value master',
  ],
  ['! hdr name x-role value master', '200 Fine\r\nX-Role: slave', 'L7OK', 'status 200'],
  ['hdr name X-ROLE value b', '200 Fine\r\nx-role: a, b , c', 'L7OK', 'status 200'],
  [
    'hdr name x-role value a, b',
    '200 Fine\r\nx-role: a, b',
    'L7STS',
    'status 200, expected hdr name x-role value a, b',
  ],
  ['fhdr name x-role value a, b', '200 Fine\r\nx-role: a, b', 'L7OK', 'status 200'],
  ['hdr name x value "a,b"', '200 Fine\r\nx: c, "a,b"', 'L7OK', 'status 200'],
  ['hdr name x value B', '200 Fine\r\nx: b', 'L7STS', 'status 200, expected hdr name x value B'],
  ['hdr name x value two', '200 Fine\r\nx: one\r\nx: two', 'L7OK', 'status 200'],
  ['hdr name -m beg x- value -m end er', '200 Fine\r\nX-Role: master', 'L7OK', 'status 200'],
  ['hdr name -m end ole value -m sub ast', '200 Fine\r\nX-Role: master', 'L7OK', 'status 200'],
  ['hdr name -m reg ^x-(a|role)$ value -m reg ^m', '200 Fine\r\nX-Role: master', 'L7OK', 'status 200'],
  [{ hdr: { name: /^X-R/, value: /^M/i } }, '200 Fine\r\nX-Role: master', 'L7OK', 'status 200'],
  [
    { fhdr: { name: { sub: 'ROL' }, value: { beg: 'mas' } }, not: true },
    '200 Fine\r\nX-Role: master',
    'L7STS',
    'status 200, expected ! fhdr name -m sub ROL value -m beg mas',
  ],
  ['rstring ^it (is|was) OK$', '200 Fine\r\n\r\nit was OK', 'L7OK', 'status 200'],
  ['rstring ^OK', '200 Fine\r\n\r\nit was OK', 'L7RSP', 'the body does not hold what matches /^OK/'],
  ['! rstring (?:err|fail)', '200 Fine\r\n\r\na failure', 'L7RSP', 'the body holds what matches /(?:err|fail)/'],
  ['rstring .', '200 OK\r\nContent-Length: 0', 'L7RSP', 'the answer has no body'],
  [{ rstring: /ön$/u, okStatus: 'L6OK' }, '200 Fine\r\n\r\nschön', 'L6OK', 'status 200'],
  [{ status: 404, okStatus: 'L7OKC' }, '404 Lost', 'L7OKC', 'status 404'],
  [{ status: 200, errorStatus: 'L7OKC' }, '404 Lost', 'L7OKC', 'status 404, expected status 200'],
  [{ string: 'up', errorStatus: 'L4CON' }, '200 Fine\r\n\r\ndown', 'L4CON', 'the body does not hold "up"'],
  [['status 200', 'string OK'], '500 Oops\r\n\r\nOK', 'L7STS', 'status 500, expected status 200'],
  [['string OK', 'status 200'], '200 Fine\r\n\r\nno', 'L7RSP', 'the body does not hold "OK"'],
  [['string OK', '! status 404', '! string ERROR'], '200 Fine\r\n\r\nOK', 'L7OK', 'status 200'],
];
for (const [expect, answer, code, description] of cases) {
  test(`${JSON.stringify(expect)} of an answer ${JSON.stringify(answer)}: ${code}`, async (t) => {
    const whole = `HTTP/1.1 ${answer}${answer.includes(BLANK) ? '' : BLANK}`;
    const result = await verdictOn(t, whole, expect);
    assert.deepEqual([result.code, result.description], [code, description]);
  });
}

test('chunks and interim responses are read through', async (t) => {
  const answer = `HTTP/1.1 103 Early Hints\r\nlink: x${BLANK}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${BLANK}4\r\nit i\r\n4\r\ns OK\r\n0${BLANK}`;
  assert.equal((await verdictOn(t, answer, 'string is OK')).code, 'L7OK');
});

test('a string that has come decides, though the answer stays unfinished and open', async (t) => {
  const listener = await answering(t, `HTTP/1.1 200 OK\r\nContent-Length: 1000${BLANK}it is OK`, 'stay');
  assert.equal((await probe(httpCheck({ expect: 'string OK' }), listener)).code, 'L7OK');
});

test('a head decides by itself when no string is expected', async (t) => {
  const listener = await answering(t, `HTTP/1.1 200 OK\r\nContent-Length: 1000${BLANK}`, 'stay');
  assert.equal((await probe(httpCheck(), listener)).code, 'L7OK');
});

test('an answer to HEAD has no body to wait for', async (t) => {
  const listener = await answering(t, `HTTP/1.1 200 OK\r\nContent-Length: 1000${BLANK}`, 'stay');
  assert.equal((await probe(httpCheck({ method: 'HEAD' }), listener)).code, 'L7OK');
});

test('an answer that comes byte by byte is read as any other', async (t) => {
  const answer = Buffer.from(
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${BLANK}5\r\nit is\r\n3\r\n OK\r\n0${BLANK}`,
  );
  const listener = await listen(t, (socket) => {
    socket.setNoDelay(true);
    onRequest(socket, () => {
      let at = 0;
      const next = (): void => {
        if (at < answer.length && socket.writable) socket.write(answer.subarray(at, ++at), () => setImmediate(next));
        else socket.end();
      };
      next();
    });
  });
  assert.equal((await probe(httpCheck({ expect: 'string is OK' }), listener)).code, 'L7OK');
});

for (const [what, answer, description] of [
  ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'the answer is not HTTP/1.1'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-', 'the connection was closed before the response was complete'],
  ['an illegal field', `HTTP/1.1 200 OK\r\nbad name: x${BLANK}`, 'an illegal field name'],
  ['nothing', '', 'the connection was closed before a response'],
] as const) {
  test(`a server that says ${what} and closes fails with L7RSP`, async (t) => {
    assert.deepEqual(await verdictOn(t, answer), { result: 'failed', code: 'L7RSP', status: undefined, description });
  });
}

test('a body that is cut fails when it matters', async (t) => {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: 1000${BLANK}it is`;
  assert.deepEqual(await verdictOn(t, answer, 'string OK'), {
    ...{ result: 'failed', code: 'L7RSP', status: 200 },
    description: 'the connection was closed before the response was complete',
  });
});

test('a server that accepts and closes without reading fails', async (t) => {
  const listener = await listen(t, (socket) => socket.destroy());
  const { result, code } = await probe(httpCheck(), listener);
  // Whether the end or the reset for our request is seen first is up to the kernel.
  assert.ok(result === 'failed' && (code === 'L7RSP' || code === 'SOCKERR'), code);
});

test('a server that resets fails with SOCKERR', async (t) => {
  const listener = await listen(t, (socket) => onRequest(socket, () => socket.resetAndDestroy()));
  assert.deepEqual(await probe(httpCheck(), listener), {
    result: 'failed',
    code: 'SOCKERR',
    description: 'connection reset',
  });
});

test('a port where nothing listens fails with L4CON', async () => {
  const { result } = start(httpCheck(), targetOf(addressOf(`127.0.0.1:${await freePort()}`)));
  assert.equal((await result).code, 'L4CON');
});

/** Writes as fast as the peer takes it, for ever. */
function flood(socket: net.Socket, bytes: Buffer): void {
  socket.setNoDelay(true);
  const more = (): unknown => socket.writable && socket.write(bytes, more);
  more();
}

test('an endless head is cut at 16 KiB and fails with L7RSP', async (t) => {
  const line = Buffer.from(`x: ${'y'.repeat(1000)}\r\n`);
  const listener = await listen(t, (socket) =>
    onRequest(socket, () => {
      socket.write('HTTP/1.1 200 OK\r\n');
      flood(socket, line);
    }),
  );
  const { code, description } = await probe(httpCheck(), listener);
  assert.deepEqual([code, description], ['L7RSP', 'a head of more than 16384 bytes']);
});

test('an endless body is cut at 16 KiB: what must be in it has to come by then', async (t) => {
  const listener = await listen(t, (socket) =>
    onRequest(socket, () => {
      socket.write(`HTTP/1.1 200 OK${BLANK}`);
      flood(socket, Buffer.alloc(65_536, 'x'));
    }),
  );
  assert.equal((await probe(httpCheck({ expect: 'string OK' }), listener)).description, 'the body does not hold "OK"');
  assert.equal((await probe(httpCheck({ expect: '! string OK' }), listener)).code, 'L7OK');
  assert.equal((await probe(httpCheck(), listener)).code, 'L7OK');
});

test('interim responses without end fail with L7RSP', async (t) => {
  const listener = await listen(t, (socket) =>
    onRequest(socket, () => flood(socket, Buffer.from(`HTTP/1.1 102 Wait${BLANK}`))),
  );
  assert.equal((await probe(httpCheck(), listener)).description, 'more than 100 interim responses');
});

for (const [what, said] of [
  ['says nothing', ''],
  ['stops in the head', 'HTTP/1.1 200 OK\r\n'],
  ['stops in the body', `HTTP/1.1 200 OK\r\nContent-Length: 3${BLANK}O`],
] as const) {
  test(`a server that ${what} fails with L7TOUT, timeout.check after the connection`, async (t) => {
    const clock = new VirtualClock();
    const asked = Promise.withResolvers<void>();
    const listener = await listen(t, (socket) =>
      onRequest(socket, () => void socket.write(said, () => asked.resolve())),
    );
    const limits = { environment: clock, connectMs: 10_000, answerMs: 300 };
    const { result, calls } = start(httpCheck({ expect: 'string OK' }), targetOf(listener.address), limits);
    await asked.promise;
    clock.advance(299);
    assert.equal(calls(), 0);
    clock.advance(1);
    const { code, description } = await result;
    assert.deepEqual([code, description], ['L7TOUT', 'no complete answer within 300 ms']);
    assert.equal(clock.pending, 0);
    await listener.closed();
  });
}

test('without timeout.check the interval bounds connection and answer together', async (t) => {
  const clock = new VirtualClock();
  const asked = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => onRequest(socket, () => asked.resolve()));
  const { result, calls } = start(httpCheck(), targetOf(listener.address), { environment: clock, connectMs: 2000 });
  clock.advance(1999);
  await asked.promise;
  assert.equal(calls(), 0);
  clock.advance(1);
  assert.equal((await result).code, 'L7TOUT');
});

test('a server that never reads does not hold the probe beyond its time', async (t) => {
  const clock = new VirtualClock();
  const connected = Promise.withResolvers<net.Socket>();
  const listener = await listen(t, (socket) => connected.resolve(socket.pause()));
  const check = httpCheck({ method: 'POST', body: 'x'.repeat(8 * 1_048_576) });
  const { result } = start(check, targetOf(listener.address), { environment: clock, connectMs: 2000 });
  const socket = await connected.promise;
  clock.advance(2000);
  assert.match((await result).code, /^L[47]TOUT$/); // by whether we heard of the connection before the server did
  socket.resume(); // it sees the end only now
  await listener.closed();
});

test('a probe cancelled at any point is silent and closes its connection', async (t) => {
  const asked = Promise.withResolvers<void>();
  const listener = await listen(t, (socket) => onRequest(socket, () => asked.resolve()));
  const early = start(httpCheck(), targetOf(listener.address));
  early.cancel();
  const late = start(httpCheck(), targetOf(listener.address));
  await asked.promise;
  late.cancel();
  late.cancel();
  await listener.closed();
  assert.deepEqual([early.calls(), late.calls()], [0, 0]);
});

test('over TLS it asks the same, and names the server of its Host field', async (t) => {
  const { key, cert } = await certificate();
  const names: (string | false | null)[] = [];
  const listener = await listen(
    t,
    (socket) => {
      names.push((socket as tls.TLSSocket).servername);
      onRequest(socket, () => socket.end(`HTTP/1.1 200 OK${BLANK}it is OK`));
    },
    { tlsOptions: { key, cert } },
  );
  const target = targetOf(listener.address, { ca: cert, verifyhost: '127.0.0.1' });
  const check = httpCheck({ headers: { Host: 'app.example:8443' }, expect: 'string OK' });
  assert.equal((await probe(check, listener, target)).code, 'L7OK');
  assert.equal((await probe(httpCheck(), listener)).code, 'L6RSP', 'nobody vouches for the certificate');
  assert.deepEqual(names, ['app.example']);
});

test('without TLS, a server that speaks it fails', async (t) => {
  const listener = await listen(t, () => {}, { tlsOptions: await certificate() });
  const { result, code } = await probe(httpCheck(), listener, { address: listener.address, tls: undefined });
  assert.ok(result === 'failed' && (code === 'L7RSP' || code === 'SOCKERR'), code);
});

test('an answer that is cut at any byte passes from where it decides, and fails before', async (t) => {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: 8${BLANK}it is OK`;
  let upTo = 0;
  const listener = await listen(t, (socket) => onRequest(socket, () => socket.end(answer.slice(0, upTo))));
  for (upTo = 0; upTo <= answer.length; upTo++) {
    const byHead = await probe(httpCheck(), listener);
    assert.equal(byHead.code, upTo >= answer.length - 8 ? 'L7OK' : 'L7RSP', `${upTo} bytes: ${byHead.description}`);
    const byBody = await probe(httpCheck({ expect: 'string OK' }), listener);
    assert.equal(byBody.code, upTo === answer.length ? 'L7OK' : 'L7RSP', `${upTo} bytes: ${byBody.description}`);
  }
});

test('whatever a server sends, in whatever pieces, there is one result and nothing left', async (t) => {
  let answer: readonly string[] = [];
  const listener = await listen(t, (socket) => {
    socket.setNoDelay(true);
    onRequest(socket, async () => {
      for (const piece of answer) {
        if (socket.writable) await new Promise((resolve) => socket.write(piece, 'latin1', resolve));
      }
      socket.end();
    });
  });
  const piece = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 100 Go on\r\n\r\n',
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
    ),
    fc.constantFrom('\r\n', '5\r\nit OK\r\n', '0\r\n\r\n', 'OK', '\0', '\r', 'ffffffffff\r\n'),
    fc.string({ unit: 'binary-ascii' }),
  );
  const check = httpCheck({ expect: ['status 200', 'string OK'] });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      answer = pieces;
      const { result, code } = await probe(check, listener);
      assert.ok(result === 'passed' ? code === 'L7OK' : ['L7RSP', 'L7STS', 'SOCKERR'].includes(code), code);
    }),
    { numRuns: 200 },
  );
});

test('a thousand probes leave no listener, timer or socket behind', async (t) => {
  const listener = await answering(t, `HTTP/1.1 200 OK\r\nContent-Length: 2${BLANK}OK`);
  const clock = new VirtualClock();
  const check = httpCheck({ expect: 'string OK' });
  for (let round = 0; round < 50; round++) {
    const probes = Array.from({ length: 20 }, () => start(check, targetOf(listener.address), { environment: clock }));
    for (const { result } of probes) assert.equal((await result).code, 'L7OK');
    for (const _ of probes) await listener.closed();
  }
  assert.equal(clock.pending, 0);
});
