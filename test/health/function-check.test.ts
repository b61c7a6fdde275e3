import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CheckFunction, functionCheck } from '#src/health/function-check.ts';
import { Pool } from '#src/index.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { addressOf, start, targetOf } from './probing.ts';

const target = targetOf(addressOf('127.0.0.1:1'));

function run(check: CheckFunction, clock: VirtualClock = new VirtualClock()): ReturnType<typeof start> {
  return start(functionCheck(check), target, { environment: clock, connectMs: 2000, answerMs: 500 });
}

const ALLOWED =
  "allowed: true, false, nothing, or { result: 'passed' | 'failed' | 'neutral' | 'conditional', code?, status?, description? }";

const cases: readonly (readonly [what: string, check: CheckFunction, code: string, description: string])[] = [
  ['resolves to nothing', async () => {}, 'PROCOK', ''],
  ['resolves to true', async () => true, 'PROCOK', ''],
  ['gives true at once', () => true, 'PROCOK', ''],
  ['resolves to false', async () => false, 'PROCERR', ''],
  ['rejects', () => Promise.reject(new Error('lag of\n12 s')), 'PROCERR', 'lag of 12 s'],
  ['rejects with no error', () => Promise.reject('down'), 'PROCERR', '"down"'],
  [
    'rejects with an error whose message is none',
    () => Promise.reject(Object.assign(new Error(), { message: 42 })),
    'PROCERR',
    '42',
  ],
  [
    'rejects with an error that cannot be read',
    () =>
      Promise.reject(
        Object.defineProperty(new Error(), 'message', {
          get() {
            throw new Error('not for you');
          },
        }),
      ),
    'PROCERR',
    '{}',
  ],
  [
    'throws at once',
    () => {
      throw new Error('no such table');
    },
    'PROCERR',
    'no such table',
  ],
  ['gives a bare result', async () => ({ result: 'neutral' }), 'CHECKED', ''],
  ['gives a conditional result', async () => ({ result: 'conditional', description: 'drains' }), 'L7OKC', 'drains'],
  [
    'gives a result of its own',
    async () => ({ result: 'failed', code: 'L7STS', status: 503, description: 'busy' }),
    'L7STS',
    'busy',
  ],
  [
    'gives a result of no kind',
    async () => ({ result: 'fine' }) as never,
    'PROCERR',
    `{"result":"fine"} is no check result; ${ALLOWED}`,
  ],
  ['gives something else', async () => 'fine' as never, 'PROCERR', `"fine" is no check result; ${ALLOWED}`],
  ['gives a code that is none', async () => ({ result: 'passed', code: 'toString' as never }), 'PROCOK', ''],
];
for (const [what, check, code, description] of cases) {
  test(`a function that ${what}: ${code}`, async () => {
    const clock = new VirtualClock();
    const { result } = run(check, clock);
    const verdict = await result;
    assert.deepEqual([verdict.code, verdict.description], [code, description]);
    assert.equal(clock.pending, 0);
  });
}

test('it is told of its server', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  run((server) => {
    resolve(`${server.name} at ${server.address.url}`);
  });
  assert.equal(await promise, 's1 at http://127.0.0.1:1');
});

test('its time is timeout.check, or else the interval; then its signal is aborted, and what it says is not heard', async () => {
  for (const [answerMs, limitMs] of [
    [500, 500],
    [undefined, 2000],
  ] as const) {
    const clock = new VirtualClock();
    let signal: AbortSignal | undefined;
    const late = Promise.withResolvers<boolean>();
    const check = functionCheck((_server, options) => {
      signal = options.signal;
      return late.promise;
    });
    const { result, calls } = start(check, target, {
      environment: clock,
      connectMs: 2000,
      ...(answerMs && { answerMs }),
    });
    await clock.advanceAsync(limitMs - 1);
    assert.deepEqual([calls(), signal?.aborted], [0, false]);
    clock.advance(1);
    const { code, description } = await result;
    assert.deepEqual([code, description], ['PROCTOUT', `no answer within ${limitMs} ms`]);
    assert.equal(signal?.reason.name, 'TimeoutError');
    late.resolve(true);
    await clock.settle();
    assert.equal(calls(), 1);
  }
});

test('a cancelled one is silent, and its signal is aborted', async () => {
  const clock = new VirtualClock();
  let signal: AbortSignal | undefined;
  const { cancel, calls } = run(async (_server, options) => {
    signal = options.signal;
    options.signal.throwIfAborted();
    await new Promise((_resolve, reject) => options.signal.addEventListener('abort', () => reject(new Error('left'))));
  }, clock);
  await clock.settle();
  cancel();
  await clock.advanceAsync(10_000);
  assert.deepEqual([calls(), signal?.aborted, clock.pending], [0, true, 0]);
});

test('whoever hears that a check is given up may give another command, which holds', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const check = (_server: unknown, { signal }: { readonly signal: AbortSignal }): Promise<boolean> | boolean => {
    if (++asked > 1) return true;
    return new Promise(() => signal.addEventListener('abort', () => pool.server('a').setState('ready')));
  };
  const pool = new Pool({ servers: [{ name: 'a', address: '127.0.0.1:1', check }] }, clock);
  const told: string[] = [];
  pool.on('server:state', ({ from, to }) => told.push(`${from} > ${to}`));
  await clock.advanceAsync(10);
  pool.server('a').setState('maint');
  await clock.advanceAsync(10);
  assert.deepEqual([told, pool.server('a').state, asked], [['ready > maint', 'maint > ready'], 'UP', 2]);
  await pool.close();
  assert.equal(clock.pending, 0);
});

test('reasons say that it was a function, whatever it says of the code', async () => {
  const clock = new VirtualClock();
  let asked = 0;
  const check: CheckFunction = () => {
    asked++;
    if (asked === 2) throw new Error('lag');
    return asked === 3 ? { result: 'failed', code: 'L7STS', status: 503, description: 'busy' } : true;
  };
  const pool = new Pool(
    { servers: [{ name: 'a', address: '127.0.0.1:1', check }], defaultServer: { rise: 1, fall: 1 } },
    clock,
  );
  const told: string[] = [];
  pool.on('server:check', ({ description }) => told.push(description));
  for (const event of ['server:up', 'server:down'] as const)
    pool.on(event, ({ reason }) => told.push(`${event}: ${reason}`));
  await clock.advanceAsync(10_000);
  await pool.close();
  assert.deepEqual(told.slice(0, 6), [
    'Check function passed (PROCOK)',
    'server:down: Check function error: lag (PROCERR) after 1 failed check',
    'lag',
    'busy',
    'server:up: Check function passed (PROCOK) after 1 passed check',
    'Check function passed (PROCOK)',
  ]);
});
