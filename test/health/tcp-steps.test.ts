import assert from 'node:assert/strict';
import type net from 'node:net';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { TcpStep } from '#src/health/tcp-steps.ts';
import { until } from '../support/until.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { certificate, checkOf, freePort, type Listener, listen, probe, start, targetOf } from './probing.ts';

function scripted(...steps: TcpStep[]): ReturnType<typeof checkOf> {
  return checkOf({ type: 'tcp', steps });
}

/** A server that says `banner`, and answers each line that it knows; `'close'` ends the connection. */
function lines(
  t: TestContext,
  answers: Readonly<Record<string, string>>,
  { banner = '', heard = [] as string[] } = {},
): Promise<Listener> {
  return listen(t, (socket) => {
    if (banner) socket.write(banner, 'latin1');
    socket.setEncoding('latin1').on('data', (text: string) => {
      heard.push(text);
      const answer = answers[text.trim()];
      if (answer === 'close') socket.end();
      else if (answer !== undefined) socket.write(answer, 'latin1');
    });
  });
}

async function outcome(steps: TcpStep[], listener: Listener): Promise<[string, string, string]> {
  const { result, code, description } = await probe(scripted(...steps), listener);
  return [result, code, description];
}

test('it sends and expects, step by step', async (t) => {
  const heard: string[] = [];
  const listener = await lines(
    t,
    { PING: '+PONG\r\n', 'INFO replication': 'role:master\r\n', QUIT: '+OK\r\n' },
    { heard },
  );
  const result = await probe(
    scripted(
      { connect: true },
      { send: 'PING\r\n' },
      { expect: 'string +PONG' },
      { send: 'INFO replication\r\n' },
      { expect: { string: 'role:master' } },
      { send: 'QUIT\r\n' },
      { expect: 'rstring ^\\+OK' },
    ),
    listener,
  );
  assert.deepEqual(result, { result: 'passed', code: 'L7OK', description: '' });
  assert.deepEqual(heard, ['PING\r\n', 'INFO replication\r\n', 'QUIT\r\n']);
});

test('a check of steps needs no type', async (t) => {
  const listener = await lines(t, {}, { banner: '220 hello\r\n' });
  assert.equal((await probe(checkOf({ steps: [{ expect: 'rstring ^220 ' }] }), listener)).code, 'L7OK');
});

// HAProxy: the last rule decides the code.
for (const [what, steps, code] of [
  ['a connection alone', [{ connect: true }], 'L4OK'],
  ['comments alone are nothing', [{ comment: 'listens?' }, { connect: true }], 'L4OK'],
  ['something sent', [{ send: 'PING\r\n' }], 'L7OK'],
  ['something expected', [{ send: 'PING\r\n' }, { expect: 'string +PONG' }], 'L7OK'],
  ['okStatus of the last', [{ send: 'PING\r\n' }, { expect: { string: 'P', okStatus: 'L6OK' } }], 'L6OK'],
] as const) {
  test(`it ends with what its last step gives: ${what}`, async (t) => {
    const listener = await lines(t, { PING: '+PONG\r\n' });
    assert.deepEqual(await outcome([...steps], listener), ['passed', code, '']);
  });
}

test('okStatus L7OKC is a conditional pass, errorStatus L7OKC likewise', async (t) => {
  const listener = await lines(t, {}, { banner: 'slave\n' });
  const ok = await probe(scripted({ expect: { string: 'slave', okStatus: 'L7OKC' } }), listener);
  assert.deepEqual([ok.result, ok.code], ['conditional', 'L7OKC']);
  const error = await probe(scripted({ expect: { string: 'master', minRecv: 1, errorStatus: 'L7OKC' } }), listener);
  assert.deepEqual([error.result, error.code], ['conditional', 'L7OKC']);
});

test('bytes in hex go out and are found', async (t) => {
  const heard: string[] = [];
  const listener = await listen(t, (socket) =>
    socket.on('data', (data) => {
      heard.push(data.toString('hex'));
      socket.write(Buffer.from('00ff10', 'hex'));
    }),
  );
  const passing = scripted({ sendBinary: 'DE AD be ef' }, { expect: 'binary 00FF' }, { expect: 'rbinary ^00FF(10)?$' });
  assert.equal((await probe(passing, listener)).code, 'L7OK');
  assert.deepEqual(heard, ['deadbeef']);
  const failing = scripted({ sendBinary: '00' }, { expect: { binary: '0badcafe', minRecv: 3 } });
  // The pattern is longer than the answer: only the end of the connection, or of the time, decides.
  const clock = new VirtualClock();
  const { result } = start(failing, targetOf(listener.address), { environment: clock, connectMs: 500 });
  await until(() => !(heard.length < 2));
  clock.advance(500);
  assert.equal((await result).code, 'L7TOUT');
});

const GREETING = '-ERR sorry\r\n';
// What the server says and whether it then closes; the expectation; the verdict. HAProxy tcpcheck.c:tcpcheck_eval_expect.
const table: readonly (readonly [said: string, closes: boolean, expect: TcpStep, verdict: string, words?: string])[] = [
  [GREETING, false, { expect: 'string -ERR' }, 'L7OK'],
  [GREETING, true, { expect: 'string +OK' }, 'L7RSP', 'no match in "-ERR sorry"'],
  [GREETING, false, { expect: 'string +OK' }, 'L7TOUT', 'no complete answer within 500 ms, only "-ERR sorry"'],
  [GREETING, false, { expect: { string: '+OK', minRecv: 0 } }, 'L7RSP', 'no match in "-ERR sorry"'],
  [GREETING, false, { expect: { string: '+OK', minRecv: 12 } }, 'L7RSP'],
  [GREETING, false, { expect: { string: '+OK', minRecv: 13 } }, 'L7TOUT'],
  ['+O', false, { expect: { string: '+OK', minRecv: 0 } }, 'L7TOUT'],
  ['+O', true, { expect: { string: '+OK', minRecv: 0 } }, 'L7RSP'],
  [GREETING, false, { expect: '! string -ERR' }, 'L7RSP', 'unwanted match in "-ERR sorry"'],
  [GREETING, false, { expect: '! string +OK' }, 'L7TOUT'],
  [GREETING, true, { expect: '! string +OK' }, 'L7OK'],
  [GREETING, false, { expect: { string: '+OK', not: true, minRecv: 0 } }, 'L7OK'],
  [GREETING, false, { expect: { string: '+OK', not: true, minRecv: 12 } }, 'L7OK'],
  [GREETING, false, { expect: 'rstring ^-ERR \\w+\\r\\n$' }, 'L7OK'],
  [GREETING, false, { expect: { rstring: /^-err/i } }, 'L7OK'],
  [GREETING, true, { expect: { rstring: /^\+/ } }, 'L7RSP'],
  [GREETING, false, { expect: '! rstring ^-' }, 'L7RSP'],
  [GREETING, false, { expect: 'binary 2d455252' }, 'L7OK'],
  [GREETING, true, { expect: 'binary 2b' }, 'L7RSP'],
  [GREETING, false, { expect: 'rbinary ^2D45' }, 'L7OK'],
  ['\x00\x01', true, { expect: { binary: 'ff' } }, 'L7RSP', 'no match in 0001 (hex)'],
  ['grün', false, { expect: { rstring: /^gr\S+n$/ } }, 'L7OK'],
  ['', true, { expect: '! string x' }, 'L7RSP', 'the connection was closed without a word'],
  ['', true, { expect: { string: 'x', errorStatus: 'L4CON' } }, 'L4CON'],
  [GREETING, true, { expect: { string: '+', errorStatus: 'L7STS' } }, 'L7STS'],
  ['', false, { expect: { string: 'x', toutStatus: 'L4TOUT' } }, 'L4TOUT', 'no complete answer within 500 ms'],
  ['\x00\x1b[', false, { expect: 'string x' }, 'L7TOUT', 'no complete answer within 500 ms, only 001b5b (hex)'],
  [
    'y'.repeat(5000),
    false,
    { expect: 'string x' },
    'L7TOUT',
    `no complete answer within 500 ms, only "${'y'.repeat(40)}"...`,
  ],
];
for (const [said, closes, expect, verdict, words] of table) {
  const what = 'expect' in expect ? JSON.stringify(expect.expect) : '';
  test(`${JSON.stringify(said)}${closes ? ' and the end' : ''}, expecting ${what}: ${verdict}`, async (t) => {
    const listener = await listen(t, (socket) => (closes ? socket.end(said) : socket.write(said)));
    const clock = new VirtualClock();
    const { result } = start(scripted(expect), targetOf(listener.address), { environment: clock, connectMs: 500 });
    if (verdict.endsWith('TOUT')) {
      // As long as it takes for all that is said to have come and been judged.
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      clock.advance(500);
    }
    const { code, description } = await result;
    assert.equal(code, verdict, description);
    if (words) assert.ok(description.startsWith(`${words} at step 1 of tcp-check (expect `), description);
    assert.equal(clock.pending, 0);
    await listener.closed();
  });
}

test('several expectations in a row look at the same answer, from its start, until something is sent', async (t) => {
  const listener = await lines(t, { A: 'one two', B: 'three' });
  const steps: TcpStep[] = [
    { send: 'A\n' },
    { expect: 'string two' },
    { expect: 'string one' },
    { send: 'B\n' },
    { expect: 'string three' },
  ];
  assert.deepEqual(await outcome(steps, listener), ['passed', 'L7OK', '']);
  const forgotten = await outcome([...steps, { expect: { string: 'one', minRecv: 0 } }], listener);
  assert.deepEqual(forgotten, [
    'failed',
    'L7RSP',
    'no match in "three" at step 6 of tcp-check (expect string \'one\')',
  ]);
});

test('what held is looked at again when more has come', async (t) => {
  const listener = await listen(t, (socket) => {
    socket.setNoDelay(true);
    socket.write('ready ', () => setImmediate(() => socket.write('ERROR ')));
  });
  const steps: TcpStep[] = [{ expect: { string: 'ERROR', not: true, minRecv: 0 } }, { expect: 'string never' }];
  const { code, description } = await probe(scripted(...steps), listener);
  assert.deepEqual(
    [code, description],
    ['L7RSP', 'unwanted match in "ready ERROR" at step 1 of tcp-check (expect ! string \'ERROR\')'],
  );
});

test('several ports: each connection closes the one before', async (t) => {
  const first = await lines(t, { PING: 'PONG' });
  const second = await listen(t, (socket) => socket.end('220 ready\r\n'));
  const steps: TcpStep[] = [
    { connect: true },
    { send: 'PING' },
    { expect: 'string PONG' },
    { connect: { port: second.address.port } },
    { expect: 'string 220' },
    { connect: { addr: '127.0.0.1', port: first.address.port, linger: true } },
  ];
  const { result, code } = await probe(scripted(...steps), first);
  assert.deepEqual([result, code], ['passed', 'L4OK']);
  await second.closed();
  await first.closed();
});

test('a failure says at which step it came, and what it was for', async (t) => {
  const listener = await lines(t, {});
  const port = await freePort();
  const refused = await outcome([{ connect: true }, { connect: { port }, comment: 'admin port' }], listener);
  assert.deepEqual(refused, [
    'failed',
    'L4CON',
    `connection refused at step 2 of tcp-check (connect port ${port}); comment: admin port`,
  ]);
  const { address } = targetOf(listener.address);
  const { result } = start(scripted({ comment: 'mail' }, { send: 'x' }), {
    address: { ...address, port },
    tls: undefined,
  });
  assert.equal((await result).description, 'connection refused at initial connection step of tcp-check');
  const closing = await listen(t, (socket) => socket.end('no'));
  const commented = await outcome([{ comment: 'mail' }, { expect: 'string yes' }], closing);
  assert.equal(commented[2], 'no match in "no" at step 2 of tcp-check (expect string \'yes\'); comment: mail');
});

test('a RegExp with g or y keeps no state from one check to the next', async (t) => {
  const listener = await listen(t, (socket) => socket.write('ok ok'));
  const check = scripted(
    { expect: { rstring: /ok/g } },
    { expect: { rstring: /ok/y } },
    { expect: { rbinary: /6F/gy } },
  );
  for (let round = 0; round < 4; round++) assert.equal((await probe(check, listener)).code, 'L7OK');
});

test('a step speaks TLS to a port of its own, and says so when the port does not', async (t) => {
  const { key, cert } = await certificate();
  const plain = await listen(t, (socket) => socket.once('data', () => socket.end('what?\r\n\r\n')));
  const secure = await listen(t, (socket) => socket.end('secret'), {
    tlsOptions: { key, cert, ALPNProtocols: ['a', 'b'] },
  });
  const over = (port: number): ReturnType<typeof checkOf> =>
    scripted({ connect: { port, ssl: true, sni: 'db.example', alpn: ['b'] } }, { expect: 'string secret' });
  const stepTls = { ...targetOf(secure.address, { ca: cert, verifyhost: '127.0.0.1' }).tls };
  const target = { ...targetOf(plain.address), stepTls: stepTls as never };
  const passed = start(over(secure.address.port), target);
  assert.equal((await passed.result).code, 'L7OK');
  const distrusted = await start(over(secure.address.port), targetOf(plain.address)).result;
  assert.equal(distrusted.code, 'L6RSP');
  assert.match(distrusted.description, /self-signed certificate.* at step 1 of tcp-check \(connect port \d+ ssl\)/);
  const wrong = await start(over(plain.address.port), target).result;
  assert.deepEqual([wrong.code, wrong.description.includes('does not speak TLS')], ['L6RSP', true], wrong.description);
});

test('plain steps to a port that speaks TLS fail', async (t) => {
  const listener = await listen(t, () => {}, { tlsOptions: await certificate() });
  const steps: TcpStep[] = [{ connect: {} }, { send: 'PING\r\n' }, { expect: 'string +PONG' }];
  const result = await probe(scripted(...steps), listener);
  assert.ok(result.result === 'failed' && ['L7RSP', 'SOCKERR'].includes(result.code), result.code);
});

test('what is sent last arrives whole, though nothing is waited for', async (t) => {
  const said = 'x'.repeat(16_384);
  const got = Promise.withResolvers<string>();
  const listener = await listen(t, (socket) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    socket.on('close', () => got.resolve(text));
  });
  assert.equal((await probe(scripted({ send: said }), listener)).code, 'L7OK');
  assert.equal((await got.promise).length, said.length);
});

/** Writes as fast as the peer takes it, for ever; gives what it got rid of. */
function flood(socket: net.Socket, bytes: Buffer): () => number {
  let written = 0;
  const more = (): void => {
    if (socket.writable)
      socket.write(bytes, () => {
        written += bytes.length;
        more();
      });
  };
  more();
  return () => written;
}

test('a server that floods is cut at 16 KiB: what must be there has to come by then', async (t) => {
  const counts: (() => number)[] = [];
  const listener = await listen(t, (socket) => counts.push(flood(socket, Buffer.alloc(65_536, 'x'))));
  const missing = await probe(scripted({ expect: 'string OK' }), listener);
  assert.deepEqual([missing.code, missing.description.slice(0, 20)], ['L7RSP', 'no match in "xxxxxxx']);
  assert.equal((await probe(scripted({ expect: '! string OK' }), listener)).code, 'L7OK');
  assert.equal((await probe(scripted({ expect: { string: 'x', minRecv: 16_384 } }), listener)).code, 'L7OK');
  // What the kernel takes on both sides of a loopback connection, and no more.
  for (const written of counts) assert.ok(written() < 50 * 1_048_576, `${written()} bytes of an endless answer`);
});

test('a server that answers byte by byte, or closes at any byte, gives one result', async (t) => {
  const answer = 'HELLO world\r\n';
  let upTo = 0;
  const listener = await listen(t, (socket) => {
    socket.setNoDelay(true);
    let at = 0;
    const next = (): void => {
      if (at < upTo && socket.writable) socket.write(answer[at++] as string, () => setImmediate(next));
      else socket.end();
    };
    next();
  });
  for (upTo = 0; upTo <= answer.length; upTo++) {
    const { code } = await probe(scripted({ expect: 'string HELLO' }, { expect: 'rstring world\\r\\n$' }), listener);
    assert.equal(code, upTo === answer.length ? 'L7OK' : 'L7RSP', `${upTo} bytes`);
  }
});

test('a server that never ends costs one interval, over all connections of a check', async (t) => {
  const clock = new VirtualClock();
  const asked = Promise.withResolvers<void>();
  const quick = await listen(t, (socket) => socket.write('hi'));
  const slow = await listen(t, () => asked.resolve());
  const steps: TcpStep[] = [{ expect: 'string hi' }, { connect: { port: slow.address.port } }, { expect: 'string hi' }];
  const { result, calls } = start(scripted(...steps), targetOf(quick.address), { environment: clock, connectMs: 2000 });
  clock.advance(600);
  await asked.promise;
  clock.advance(1399);
  assert.equal(calls(), 0);
  clock.advance(1);
  const { code, description } = await result;
  assert.ok(code === 'L7TOUT' || code === 'L4TOUT', code); // by whether we heard of the connection before the server did
  assert.match(description, /at step [23] of tcp-check/);
  assert.equal(clock.pending, 0);
  await slow.closed();
});

test('a check cancelled on any of its connections is silent and leaves nothing', async (t) => {
  const clock = new VirtualClock();
  const asked = Promise.withResolvers<void>();
  const quick = await listen(t, (socket) => socket.write('hi'));
  const slow = await listen(t, () => asked.resolve());
  const steps: TcpStep[] = [{ expect: 'string hi' }, { connect: { port: slow.address.port } }, { expect: 'string hi' }];
  const { cancel, calls } = start(scripted(...steps), targetOf(quick.address), { environment: clock });
  await asked.promise;
  cancel();
  await slow.closed();
  await quick.closed();
  assert.deepEqual([calls(), clock.pending], [0, 0]);
});

test('whatever a server sends, in whatever pieces, the verdict is that of the whole', async (t) => {
  let pieces: readonly string[] = [];
  const listener = await listen(t, (socket) => {
    socket.setNoDelay(true);
    void (async () => {
      for (const piece of pieces) if (socket.writable) await new Promise((sent) => socket.write(piece, 'latin1', sent));
      socket.end();
    })();
  });
  const check = scripted({ expect: 'string ab' }, { expect: '! string ba' }, { expect: 'rstring b$' });
  const passes = (answer: string): boolean => answer.includes('ab') && !answer.includes('ba') && /b$/.test(answer);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'ab', 'c', 'b\n'), { maxLength: 6 }), async (answer) => {
      pieces = answer;
      const { result } = await probe(check, listener);
      assert.equal(result === 'passed', passes(answer.join('')), answer.join(''));
    }),
    { numRuns: 150 },
  );
});
