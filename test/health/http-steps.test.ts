import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { HttpStep } from '#src/health/http-check.ts';
import type { ExpectOption } from '#src/health/http-expect.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { certificate, checkOf, freePort, type Listener, listen, probe, start, targetOf } from './probing.ts';

const BLANK = '\r\n\r\n';
const OK = `HTTP/1.1 200 OK\r\nContent-Length: 2${BLANK}OK`;

function scripted(...steps: HttpStep[]): ReturnType<typeof checkOf> {
  return checkOf({ type: 'http', steps });
}

/** A server that answers each request (without a body) as its target says, and stays connected. */
async function site(
  t: TestContext,
  answers: Readonly<Record<string, string>>,
  options: Parameters<typeof listen>[2] = {},
): Promise<[Listener, string[]]> {
  const heard: string[] = [];
  const listener = await listen(
    t,
    (socket) => {
      let text = '';
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
        for (let end = text.indexOf(BLANK); end !== -1; end = text.indexOf(BLANK)) {
          const request = text.slice(0, end);
          text = text.slice(end + 4);
          heard.push(request);
          const answer = answers[request.split(' ')[1] ?? ''];
          if (answer !== undefined) socket.write(answer, 'latin1');
        }
      });
    },
    options,
  );
  return [listener, heard];
}

async function outcome(listener: Listener, ...steps: HttpStep[]): Promise<[string, string, string]> {
  const { result, code, description } = await probe(scripted(...steps), listener);
  return [result, code, description];
}

test('several requests go over one connection, the last of which says that it is the last', async (t) => {
  const [listener, heard] = await site(t, { '/a': OK, '/b': `HTTP/1.1 204 None${BLANK}`, '/c': OK });
  const result = await outcome(
    listener,
    { send: { uri: '/a', headers: { 'X-Probe': '1' } } },
    { expect: 'string OK' },
    { send: { uri: '/b', method: 'OPTIONS', version: 'HTTP/1.0' } },
    { expect: 'status 204' },
    { send: { uri: '/c', headers: { Host: 'app.example' } } },
    { expect: 'status 200' },
    { expect: 'hdr name content-length value 2' },
  );
  assert.deepEqual(result, ['passed', 'L7OK', 'status 200']);
  const host = listener.address.authority;
  assert.deepEqual(heard, [
    `GET /a HTTP/1.1\r\nHost: ${host}\r\nX-Probe: 1`,
    `OPTIONS /b HTTP/1.0\r\nHost: ${host}`,
    'GET /c HTTP/1.1\r\nHost: app.example\r\nConnection: close',
  ]);
});

test('several connections, to several ports', async (t) => {
  const [first] = await site(t, { '/a': OK });
  const [second, heard] = await site(t, { '/b': OK });
  const steps: HttpStep[] = [
    { connect: true },
    { send: { uri: '/a' } },
    { connect: { port: second.address.port } },
    { send: { uri: '/b' } },
    { expect: { status: 200, okStatus: 'L7OKC' } },
  ];
  assert.deepEqual(await outcome(first, ...steps), ['conditional', 'L7OKC', 'status 200']);
  assert.equal(heard.length, 1);
  assert.deepEqual(await outcome(first, { send: { uri: '/a' } }, { connect: true }), ['passed', 'L4OK', '']);
});

test('a request without an expectation wants a status from 200 to 399', async (t) => {
  const [listener] = await site(t, { '/a': `HTTP/1.1 503 No\r\nContent-Length: 0${BLANK}`, '/b': OK });
  assert.deepEqual(await outcome(listener, { send: { uri: '/a' } }, { send: { uri: '/b' } }), [
    'failed',
    'L7STS',
    'status 503, expected status 200-399 at step 1 of http-check (expect status 200-399)',
  ]);
});

test('a failure says at which step it came, and what it was for', async (t) => {
  const [listener] = await site(t, { '/a': OK, '/silent': '' });
  const said = async (...steps: HttpStep[]): Promise<string> => (await outcome(listener, ...steps))[2];
  assert.equal(
    await said({ send: { uri: '/a' } }, { expect: 'status 200' }, { comment: 'role' }, { expect: '! string OK' }),
    'the body holds "OK" at step 4 of http-check (expect ! string \'OK\'); comment: role',
  );
  const port = await freePort();
  assert.equal(
    await said({ send: { uri: '/a' } }, { connect: { port } }, { send: {} }),
    `connection refused at step 2 of http-check (connect port ${port})`,
  );
  const clock = new VirtualClock();
  const check = scripted(
    { send: { uri: '/silent' }, comment: 'slow' },
    { expect: { status: 200, toutStatus: 'L4TOUT' } },
  );
  const { result } = start(check, targetOf(listener.address), { environment: clock, connectMs: 500 });
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  clock.advance(500);
  const { code, description } = await result;
  assert.deepEqual(
    [code, description],
    ['L4TOUT', 'no complete answer within 500 ms at step 1 of http-check (send GET /silent); comment: slow'],
  );
});

for (const [what, answer, words] of [
  [
    'that closes',
    `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2${BLANK}OK`,
    'the server closes the connection after its answer; connect anew for the next request',
  ],
  [
    'too long to read through',
    `HTTP/1.1 200 OK\r\nContent-Length: 99999999${BLANK}${'x'.repeat(20_000)}`,
    'a body of more than 16384 bytes; connect anew for the next request',
  ],
  ['with more behind it', `${OK}${OK}`, 'bytes behind the answer'],
] as const) {
  test(`after an answer ${what}, no further request goes over its connection`, async (t) => {
    const [listener, heard] = await site(t, { '/a': answer, '/b': OK });
    const [result, code, description] = await outcome(listener, { send: { uri: '/a' } }, { send: { uri: '/b' } });
    assert.deepEqual([result, code, description.startsWith(words)], ['failed', 'L7RSP', true], description);
    assert.equal(heard.length, 1);
    const anew: HttpStep[] = [{ send: { uri: '/a' } }, { connect: true }, { send: { uri: '/b' } }];
    assert.equal((await outcome(listener, ...anew))[1], 'L7OK');
  });
}

for (const [what, rest, words] of [
  ['is malformed', '2\r\nOK\r\nwhat?\r\n', /^an illegal chunk size at step 1 /],
  ['is cut', '2\r\nOK\r\n', /^the (?:connection|response|body|answer).* at step 1 /],
] as const) {
  test(`an answer that ${what} behind all that is expected of it fails at once, and no further request is asked`, async (t) => {
    const heard: string[] = [];
    const listener = await listen(t, (socket) => {
      socket.setEncoding('latin1').on('data', (request: string) => {
        heard.push(request);
        socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${BLANK}`);
        setTimeout(() => socket.end(rest), 20);
      });
    });
    const [result, code, description] = await outcome(listener, { send: { uri: '/a' } }, { send: { uri: '/b' } });
    assert.deepEqual([result, code], ['failed', 'L7RSP'], description);
    assert.match(description, words);
    assert.equal(heard.length, 1);
  });
}

test('steps over TLS of their own name the Host they ask for', async (t) => {
  const { key, cert } = await certificate();
  const [plain] = await site(t, {});
  const [secure] = await site(t, { '/': OK }, { tlsOptions: { key, cert } });
  const check = scripted(
    { connect: { port: secure.address.port, ssl: true } },
    { send: { headers: { Host: 'app.example' } } },
  );
  const stepTls = targetOf(secure.address, { ca: cert, verifyhost: '127.0.0.1' }).tls;
  const { result } = start(check, { ...targetOf(plain.address), stepTls });
  assert.equal((await result).code, 'L7OK');
});

test('a RegExp with g or y keeps no state from one check to the next', async (t) => {
  const [listener] = await site(t, { '/': `HTTP/1.1 200 OK\r\nx-role: master\r\nContent-Length: 5${BLANK}OK OK` });
  const expects: ExpectOption[] = [
    { rstatus: /2/g },
    { rstring: /OK/y },
    { hdr: { name: /x/g, value: /mas/gy } },
    { fhdr: { name: 'x-role', value: { reg: /ter/g } } },
  ];
  const check = checkOf({ type: 'http', expect: expects });
  for (let round = 0; round < 4; round++) assert.equal((await probe(check, listener)).code, 'L7OK');
});

test('minRecv decides on the beginning of a body that goes on', async (t) => {
  const [listener] = await site(t, { '/': `HTTP/1.1 200 OK\r\nContent-Length: 1000${BLANK}starting` });
  const expecting = (expect: ExpectOption): ReturnType<typeof checkOf> => checkOf({ type: 'http', expect });
  assert.equal((await probe(expecting({ string: 'error', not: true, minRecv: 8 }), listener)).code, 'L7OK');
  const { code, description } = await probe(expecting({ string: 'running', minRecv: 8 }), listener);
  assert.deepEqual([code, description], ['L7RSP', 'the body does not hold "running"']);
});

test('an answer of 100 MB costs 16 KiB and no more time than its beginning', async (t) => {
  let written = 0;
  const listener = await listen(t, (socket) =>
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 104857600${BLANK}`);
      const piece = Buffer.alloc(65_536, 'x');
      const more = (): void => {
        if (socket.writable && written < 104_857_600)
          socket.write(piece, () => {
            written += piece.length;
            more();
          });
      };
      more();
    }),
  );
  const { code } = await probe(checkOf({ type: 'http', expect: 'rstring never' }), listener);
  assert.equal(code, 'L7RSP');
  assert.ok(written < 50_000_000, `${written} bytes were read or buffered`);
});
