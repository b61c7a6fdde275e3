import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { CheckDefinition } from '#src/health/index.ts';
import { Pool, type StepContext } from '#src/index.ts';
import { nextCheck } from '../support/next-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, checkOf, type Listener, listen, probe, start, targetOf } from './probing.ts';

/** A server that answers each piece it gets as `answer` says. */
function echo(t: TestContext, answer: (heard: string) => string | undefined): Promise<Listener> {
  return listen(t, (socket) => {
    socket.setEncoding('latin1').on('data', (text: string) => {
      const said = answer(text);
      if (said !== undefined) socket.write(said, 'latin1');
    });
  });
}

test('over TCP, functions give what is sent and expected, from the server and from variables', async (t) => {
  const heard: string[] = [];
  const listener = await echo(t, (text) => {
    heard.push(text);
    return text.startsWith('HELLO') ? 'token=abc;\r\n' : `ok ${text}`;
  });
  const result = await probe(
    checkOf({
      steps: [
        { setVar: { client: 'us', count: 7, at: ({ server }) => server.address.port } },
        { send: ({ server, vars }) => `HELLO ${server.name} ${vars['client']} ${vars['count']} ${vars['at']}\r\n` },
        { expect: 'rstring token=\\w+;' },
        { setVar: { token: ({ answer }) => /token=(\w+)/.exec(String(answer?.body))?.[1] } },
        { send: ({ vars }) => Buffer.from(`AUTH ${vars['token']}`) },
        { expect: { string: ({ vars }) => `ok AUTH ${vars['token']}` } },
        { unsetVar: ['client', 'count'] },
        { send: ({ vars }) => Object.keys(vars).join() },
        { expect: { string: () => Buffer.from('at,token'), onSuccess: ({ answer }) => `it said\n${answer?.body}` } },
      ],
    }),
    listener,
  );
  assert.deepEqual(result, { result: 'passed', code: 'L7OK', description: 'it said ok at,token' });
  assert.deepEqual(heard, [`HELLO s1 us 7 ${listener.address.port}\r\n`, 'AUTH abc', 'at,token']);
});

test('variables live for one run of a check, over all its connections', async (t) => {
  const listener = await echo(t, (text) => text);
  const seen: unknown[] = [];
  const check = checkOf({
    steps: [
      { send: ({ vars }) => `${seen.push({ ...vars })}` },
      { expect: 'rstring .' },
      { setVar: { x: ({ answer }) => String(answer?.body) } },
      { connect: true },
      { send: ({ vars, answer }) => `x${vars['x']}${answer?.body}` },
      { expect: { string: ({ vars }) => `x${vars['x']}${vars['x']}` } },
    ],
  });
  for (let index = 0; index < 2; index++)
    assert.equal((await start(check, targetOf(listener.address)).result).code, 'L7OK');
  assert.deepEqual(seen, [{}, {}]);
});

test('a variable made of an answer is made anew when more of it comes', async (t) => {
  const listener = await listen(t, (socket) => {
    socket.setNoDelay().write('key=ab');
    setTimeout(() => socket.write('cd end'), 20);
  });
  const check = checkOf({
    steps: [
      { expect: 'string key=' },
      { setVar: { key: ({ answer }) => /key=(\w*)/.exec(String(answer?.body))?.[1] } },
      { expect: { string: ({ vars }) => `${vars['key']} end` } },
    ],
  });
  assert.deepEqual(await probe(check, listener), { result: 'passed', code: 'L7OK', description: '' });
});

test('what is sent before a last setVar arrives whole', async (t) => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const listener = await listen(t, (socket) => {
    let bytes = 0;
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    socket.on('close', () => resolve(bytes));
  });
  const steps = [...Array.from({ length: 20 }, () => ({ send: () => Buffer.alloc(16_384) })), { setVar: { x: 1 } }];
  assert.equal((await probe(checkOf({ steps }), listener)).code, 'L7OK');
  assert.equal(await promise, 20 * 16_384);
});

/** Asks for a token, and shows it. Answers over HTTP/1 and HTTP/2. */
async function site(t: TestContext, version: 1 | 2): Promise<[port: number, heard: string[]]> {
  const heard: string[] = [];
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    request.resume();
    heard.push(`${request.method} ${request.url} ${request.headers['authorization'] ?? '-'}`);
    response.setHeader('x-asked', request.url ?? '');
    response.end(request.url === '/login/s1' ? 'token abc' : 'all is well');
  };
  const server = version === 1 ? http.createServer(answer) : http2.createServer(answer as never);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return [(server.address() as AddressInfo).port, heard];
}

const LOGIN: CheckDefinition = {
  type: 'http',
  steps: [
    { send: { method: 'POST', uri: ({ server }) => `/login/${server.name}`, body: () => 'secret' } },
    { expect: { hdr: { name: 'x-asked', value: ({ server }) => `/login/${server.name}` } } },
    { setVar: { token: ({ answer }) => String(answer?.body).split(' ')[1] } },
    { send: { uri: '/deep', headers: { authorization: [({ vars }) => `Bearer ${vars['token']}`] } } },
    { expect: { string: ({ answer }) => (answer?.headers['x-asked'] === '/deep' ? 'is well' : '?') } },
    { expect: { status: 200, onSuccess: ({ answer }) => `${answer?.status}: ${answer?.body}` } },
  ],
};

for (const version of [1, 2] as const) {
  test(`over HTTP/${version}, what one answer says goes into the next request`, async (t) => {
    const [port, heard] = await site(t, version);
    const target = { ...targetOf(addressOf(`127.0.0.1:${port}`)), proto: version === 2 ? ('h2' as const) : undefined };
    assert.deepEqual(await start(checkOf(LOGIN), target).result, {
      result: 'passed',
      code: 'L7OK',
      status: 200,
      description: '200: all is well',
    });
    assert.deepEqual(heard, ['POST /login/s1 -', 'GET /deep Bearer abc']);
  });
}

for (const [what, steps, description] of [
  ['onError as a text', [{ expect: { string: 'no', minRecv: 0, onError: 'it is\r\n ill' } }], 'it is ill'],
  [
    'onError as a function, and the comment of its step',
    [
      {
        expect: { string: 'no', minRecv: 0, onError: ({ answer }: StepContext) => `said ${answer?.body}` },
        comment: 'first',
      },
    ],
    'said hello (comment: first)',
  ],
  [
    'onError that throws: the usual words',
    [{ expect: { string: 'no', minRecv: 0, onError: () => assert.fail() } }],
    `no match in "hello" at step 1 of tcp-check (expect string 'no')`,
  ],
] as const) {
  test(`the description of a failure: ${what}`, async (t) => {
    const listener = await listen(t, (socket) => socket.write('hello'));
    const result = await probe(checkOf({ steps } as CheckDefinition), listener);
    assert.deepEqual(result, { result: 'failed', code: 'L7RSP', description });
  });
}

test('over HTTP, onError speaks of the answer, and what was expected by a function is shown without it', async (t) => {
  const listener = await listen(t, (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 503 Full\r\nContent-Length: 4\r\n\r\nfull')),
  );
  const ask = async (expect: object): Promise<string> =>
    (await probe(checkOf({ type: 'http', expect } as CheckDefinition), listener)).description;
  assert.equal(await ask({ status: 200, onError: ({ answer }: StepContext) => `is ${answer?.status}` }), 'is 503');
  assert.equal(await ask({ string: () => 'well' }), 'the body does not hold "well"');
  assert.equal(
    await ask({ hdr: { name: () => 'x-role', value: { beg: () => 'a' } } }),
    'status 503, expected hdr name x-role value -m beg a',
  );
});

const BOOM = (): never => {
  throw new Error('boom\n'.repeat(100));
};
const LONG = (): string => 'x'.repeat(16_385);
const FAULTY: readonly (readonly [check: CheckDefinition, sample: string, words: RegExp])[] = [
  [
    { steps: [{ send: BOOM }] },
    'steps[0].send',
    /^the function 'send' failed: boom boom .*\.\.\. at step 1 of tcp-check \(send\)$/,
  ],
  [
    { steps: [{ send: () => '' }] },
    'steps[0].send',
    /failed: it gave ""; allowed: a text, or bytes, of 1 to 16384 bytes/,
  ],
  [{ steps: [{ send: LONG }] }, 'steps[0].send', /failed: it gave "x+\.\.\.; allowed: a text, or bytes, of 1 to 16384/],
  [{ steps: [{ send: async () => 'x' } as never] }, 'steps[0].send', /failed: the function returned a promise/],
  [{ steps: [{ send: async () => BOOM() } as never] }, 'steps[0].send', /failed: the function returned a promise/],
  [
    { steps: [{ send: 'x' }, { expect: { string: BOOM } }] },
    'steps[1].expect.string',
    /at step 2 of tcp-check \(expect/,
  ],
  [{ steps: [{ setVar: { x: BOOM } }] }, 'steps[0].setVar.x', /^the function 'setVar.x' failed: .* at step 1/],
  [
    { type: 'http', uri: () => 'no target' },
    'uri',
    /^the function 'uri' failed: it gave "no target"; allowed: a target/,
  ],
  [{ type: 'http', uri: () => '/a HTTP/1.1\r\nX: y' }, 'uri', /allowed: a target/],
  [{ type: 'http', headers: { X: () => 'a\r\nY: z' } }, 'headers.X', /^the function 'headers.X' failed: it gave/],
  [{ type: 'http', body: LONG }, 'body', /of 0 to 16384 bytes$/],
  [{ type: 'http', expect: { string: () => 7 as never } }, 'expect.string', /failed: it gave 7/],
  [{ type: 'http', expect: { hdr: { name: 'x', value: BOOM } } }, 'expect.hdr.value', /^the function 'value' failed/],
  [{ type: 'http', steps: [{ setVar: { x: BOOM } }, { send: {} }] }, 'steps[0].setVar.x', /at step 1 of http-check/],
  [
    { type: 'http', steps: [{ send: {} }, { expect: 'status 200' }, { send: { uri: BOOM } }] },
    'steps[2].send.uri',
    /at step 3 of http-check \(send GET a target by a function\)$/,
  ],
];

for (const [check, sample, words] of FAULTY) {
  test(`a function that fails is told, and fails the check: ${sample}, ${words}`, async (t) => {
    const listener = await echo(t, () => 'HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok');
    const told: string[] = [];
    const { result, calls } = start(checkOf(check), targetOf(listener.address), { report: (name) => told.push(name) });
    const { code, description } = await result;
    await listener.closed();
    assert.equal(code, 'PROCERR');
    assert.match(description, words);
    assert.ok(description.length < 400);
    assert.deepEqual([calls(), told], [1, [`server.check.${sample}`]]);
  });
}

test('whatever a function throws, and however large what it gives, the check ends in words', async (t) => {
  const listener = await echo(t, () => undefined);
  const nasty = { toString: () => BOOM(), toJSON: () => BOOM() };
  for (const thrown of [undefined, null, 'text', Symbol('s'), nasty, Object.create(null)]) {
    const check = checkOf({
      steps: [
        {
          send: () => {
            throw thrown;
          },
        },
      ],
    });
    const { code, description } = await start(check, targetOf(listener.address)).result;
    assert.equal(code, 'PROCERR');
    assert.match(description, /^the function 'send' failed: /);
  }
});

test('a pool tells of a function that fails once, takes the server down, and lives on', async (t) => {
  const [port] = await site(t, 1);
  const clock = new VirtualClock();
  const pool = new Pool(
    { servers: [{ address: `127.0.0.1:${port}`, check: { type: 'http', uri: BOOM }, inter: 5 }] },
    clock,
  );
  t.after(() => pool.close());
  const told: string[] = [];
  pool.on('sample:error', ({ sample }) => told.push(sample));
  for (const ms of [1, 5, 5]) {
    const { code, description } = await nextCheck(pool, clock, ms);
    assert.equal(`${code} ${description.slice(0, 31)}`, "PROCERR the function 'uri' failed: boom");
  }
  assert.deepEqual(told, ['servers[0].check.uri']);
  assert.equal(pool.servers[0]?.state, 'DOWN');
});

test('a check by functions goes over a kept connection, where checks may', async (t) => {
  const [port, heard] = await site(t, 1);
  const front = http.createServer();
  let fails = false;
  const clock = new VirtualClock();
  const check: CheckDefinition = {
    type: 'http',
    uri: ({ server }) => (fails ? BOOM() : `/kept/${server.name}`),
    expect: { string: () => 'well', onSuccess: ({ answer }) => `${answer?.body}` },
  };
  const servers = [{ name: 's1', address: `127.0.0.1:${port}`, check, checkReusePool: true, inter: 20 }];
  const pool = new Pool({ servers }, clock);
  front.on('request', pool.middleware()).listen(0, '127.0.0.1');
  await once(front, 'listening');
  t.after(async () => {
    front.close();
    front.closeAllConnections();
    await pool.close();
  });
  await nextCheck(pool, clock, 1);
  const response = await fetch(`http://127.0.0.1:${(front.address() as AddressInfo).port}/x`);
  assert.equal(await response.text(), 'all is well');
  const next = async (): Promise<string> => {
    const { code, description } = await nextCheck(pool, clock, 20);
    return `${code} ${description}`;
  };
  const made = pool.stats().servers['s1']?.connect;
  assert.equal(await next(), 'L7OK all is well');
  fails = true;
  assert.match(await next(), /^PROCERR the function 'uri' failed: boom/);
  assert.equal(pool.stats().servers['s1']?.connect, made);
  assert.ok(heard.filter((line) => line.startsWith('GET /kept/s1')).length === 2);
});
