import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ConfigError, Pool, type PoolOptions, type RequestEvent } from '#src/index.ts';
import { answersOk, Origin, type Script } from '../support/origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { nowhere } from './picks.ts';

/** A pool in front of one server, and a client of it. All is closed when the test is over. */
async function stage(
  t: TestContext,
  script: Script,
  options: PoolOptions = {},
): Promise<{ pool: Pool; origin: Origin; client: RawClient }> {
  const origin = await Origin.start(script);
  const pool = new Pool({ servers: [{ address: origin.url, name: 'a' }], ...options });
  const front = createServer(pool.middleware());
  await once(front.listen(0, '127.0.0.1'), 'listening');
  const client = await RawClient.open((front.address() as AddressInfo).port);
  t.after(async () => {
    client.leave();
    front.close();
    await pool.close();
    await origin.stop();
  });
  return { pool, origin, client };
}

function nextRequest(pool: Pool): Promise<RequestEvent> {
  return new Promise((resolve) => pool.once('request', resolve));
}

test('request: told once, at the end, with all that is known', async (t) => {
  const { pool, client } = await stage(t, answersOk('hello'));
  const told: RequestEvent[] = [];
  pool.on('request', (event) => told.push(event));
  const end = nextRequest(pool);
  await client.send({ method: 'POST', path: '/x?y', body: 'abc' });
  const { queueMs, connectMs, responseMs, totalMs, ...event } = await end;
  assert.deepEqual(event, {
    method: 'POST',
    url: '/x?y',
    server: 'a',
    status: 200,
    flags: '--',
    cookieFlags: '--',
    timeout: undefined,
    error: undefined,
    retries: 0,
    hedges: 0,
    redispatched: false,
    bytesIn: 3,
    bytesOut: 5,
  });
  assert.equal(queueMs, 0);
  assert.ok(
    connectMs > 0 && responseMs > 0 && totalMs >= connectMs + responseMs,
    JSON.stringify({ connectMs, responseMs, totalMs }),
  );
  const kept = nextRequest(pool);
  await client.send();
  assert.equal((await kept).connectMs, 0, 'over a kept connection');
  assert.equal(told.length, 2);
});

test('request: a failure says how and where', async (t) => {
  const { pool, origin, client } = await stage(t, (request) => request.socket.destroy(), { servers: [] });
  const first = nextRequest(pool);
  await client.send();
  assert.deepEqual([(await first).status, (await first).flags, (await first).server], [503, 'SC', undefined]);

  pool.addServer({ address: origin.url, name: 'a' });
  pool.addServer({ address: origin.url, name: 'b' });
  const second = nextRequest(pool);
  await client.send();
  const { status, flags, retries, redispatched } = await second;
  assert.deepEqual(
    { status, flags, retries, redispatched },
    { status: 502, flags: 'SH', retries: 3, redispatched: true },
  );
});

test('request: what nobody hears is not even made', async (t) => {
  const { pool, client } = await stage(t, answersOk());
  const emit = t.mock.method(pool, 'emit');
  await client.send();
  assert.deepEqual(
    emit.mock.calls.map(({ arguments: [event] }) => event),
    [],
  );
  const heard = nextRequest(pool);
  await client.send();
  await heard;
  await client.send();
  assert.deepEqual(
    emit.mock.calls.map(({ arguments: [event] }) => event),
    ['request'],
    'once was enough',
  );
});

test('a listener that throws or rejects is warned of once, and hurts nobody', async (t) => {
  const warnings: string[] = [];
  const emitWarning = t.mock.method(
    process,
    'emitWarning',
    (text: string) => void warnings.push(text.split('\n')[0] ?? ''),
  );
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const heard: string[] = [];
  pool.on('server:weight', () => {
    throw new Error('broken');
  });
  pool.on('server:weight', async () => Promise.reject(new Error('rejected')));
  pool.on('server:weight', ({ to }) => heard.push(`weight ${to}`));
  pool.on('server:state', () => {
    throw 'a string';
  });
  for (const weight of [2, 3, 4]) pool.server('a').setWeight(weight);
  pool.server('a').setState('drain');
  await new Promise(setImmediate);
  assert.deepEqual(heard, ['weight 2', 'weight 3', 'weight 4']);
  assert.deepEqual(warnings.sort(), [
    "a listener of 'server:state' threw: a string",
    "a listener of 'server:weight' threw: Error: broken",
    "a listener of 'server:weight' threw: Error: rejected",
  ]);
  assert.equal(emitWarning.mock.calls[0]?.arguments[1], 'EvenkeelWarning');
});

test('a function of the user that fails where nobody listens to it is warned of once; who listens hears each, unwarned', (t) => {
  const warnings: string[] = [];
  t.mock.method(process, 'emitWarning', (text: string, name: string) => {
    warnings.push(`${name}: ${text.split('\n')[0]}`);
  });
  const broken = (): never => {
    throw new RangeError('broken');
  };
  const options = { name: 'api', useServer: broken, clientAddress: broken, balance: 'source' } as const;
  const pool = new Pool({ ...options, servers: nowhere('a', 'b') }, new VirtualClock());
  const ask = (): unknown => pool.tryAcquire({ remoteAddress: '10.0.0.1' })?.release();
  for (let i = 0; i < 3; i++) ask();
  const told = "of the pool 'api' failed, is left out, and nobody listens to 'sample:error': RangeError: broken";
  assert.deepEqual(
    warnings.sort(),
    ['clientAddress', 'useServer'].map((sample) => `EvenkeelWarning: ${sample} ${told}`),
  );
  const heard: string[] = [];
  pool.on('sample:error', ({ sample }) => heard.push(sample));
  for (let i = 0; i < 3; i++) ask();
  assert.equal(warnings.length, 2);
  assert.deepEqual(heard, ['clientAddress', 'clientAddress', 'clientAddress']);
});

test('listeners are taken off as they were put on', () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const heard: string[] = [];
  const listener = (): unknown => heard.push('on');
  const once = (): unknown => heard.push('once');
  pool.on('server:weight', listener);
  pool.addListener('server:weight', listener);
  pool.once('server:weight', once);
  assert.deepEqual(
    [pool.listenerCount('server:weight'), pool.listeners('server:weight')],
    [3, [listener, listener, once]],
  );
  pool.server('a').setWeight(2);
  pool.server('a').setWeight(3);
  assert.deepEqual(heard, ['on', 'on', 'once', 'on', 'on']);
  pool.removeListener('server:weight', listener);
  pool.once('server:weight', once);
  pool.off('server:weight', once);
  pool.server('a').setWeight(4);
  assert.deepEqual([heard.length, pool.listenerCount('server:weight')], [5, 0]);
});

test('an event that there is not, and a listener that is none, are refused in words', () => {
  const pool = new Pool({}, new VirtualClock()) as unknown as Record<
    string,
    (event: unknown, listener?: unknown) => void
  >;
  const events =
    "'server:up', 'server:down', 'server:state', 'server:weight', 'server:added', 'server:removed', 'server:check', " +
    "'server:ejected', 'server:half-open', 'server:restored', 'request', 'sample:error', 'lease:leaked', 'close'";
  const listener = (): void => {};
  const cases: readonly [event: unknown, listener: unknown, message: string][] = [
    ['servr:down', listener, `event: "servr:down" is no event; did you mean 'server:down'? allowed: ${events}`],
    ['error2', listener, `event: "error2" is no event; allowed: ${events}`],
    ['toString', listener, `event: "toString" is no event; allowed: ${events}`],
    [undefined, listener, `event: undefined is no event; allowed: ${events}`],
    [Symbol('x'), listener, `event: Symbol(x) is no event; allowed: ${events}`],
    ['request', 7, "listener: 7 is no listener of 'request'; allowed: a function"],
    ['request', null, "listener: null is no listener of 'request'; allowed: a function"],
  ];
  for (const method of ['on', 'addListener', 'once', 'off', 'removeListener']) {
    for (const [event, given, message] of cases)
      assert.throws(
        () => pool[method]?.(event, given),
        (error) => error instanceof ConfigError && error.message === `an option is wrong:\n  ${message}`,
        `${method}(${String(event)})`,
      );
    const bare = (): void => pool[method]?.('request');
    if (method === 'off' || method === 'removeListener') bare();
    else assert.throws(bare, /listener: undefined is no listener of 'request'; allowed: a function/);
  }
});

test('node:events can wait for an event', async () => {
  const pool = new Pool({ servers: nowhere('a') }, new VirtualClock());
  const told = once(pool as unknown as NodeJS.EventEmitter, 'server:weight');
  pool.server('a').setWeight(2);
  assert.deepEqual(await told, [{ server: 'a', from: 1, to: 2 }]);
  assert.equal(pool.listenerCount('server:weight'), 0);
});

test('a listener may change the pool that tells it', () => {
  const pool = new Pool({ servers: nowhere('a', 'b') }, new VirtualClock());
  const told: string[] = [];
  pool.on('server:state', ({ server, to }) => {
    told.push(`${server} ${to}`);
    if (server === 'a' && to === 'drain') pool.server('b').setState('drain');
    if (server === 'b') pool.server('a').setState('ready');
  });
  pool.server('a').setState('drain');
  assert.deepEqual(
    [told, pool.server('a').state, pool.explain().candidates],
    [['a drain', 'b drain', 'a ready'], 'no check', ['a']],
  );
});

test('server:check: how a check ended, in what words and after what time, as stats show it', async () => {
  const clock = new VirtualClock();
  const slow = (): Promise<boolean> => new Promise((resolve) => clock.setTimer(() => resolve(true), 7));
  const checks = {
    plain: slow,
    silent: () => new Promise<never>(() => {}),
    wordy: () => ({ result: 'failed', status: 7, description: 'no disk' }),
  };
  const pool = new Pool(
    {
      servers: Object.entries(checks).map(([name, check]) => ({ name, address: '192.0.2.1:80', check })),
      defaultServer: { inter: '1s' },
    } as PoolOptions,
    clock,
  );
  const told: Record<string, unknown> = {};
  pool.on('server:check', ({ server, result, agent, ...rest }) => {
    told[server] ??= rest;
    assert.deepEqual([result, agent], [server === 'plain' ? 'passed' : 'failed', false]);
    assert.deepEqual({ ...pool.stats().servers[server]?.check }, rest);
  });
  await clock.advanceAsync(3000);
  assert.deepEqual(told, {
    plain: { code: 'PROCOK', status: undefined, description: 'Check function passed (PROCOK)', durationMs: 7 },
    silent: { code: 'PROCTOUT', status: undefined, description: 'no answer within 1000 ms', durationMs: 1000 },
    wordy: { code: 'PROCERR', status: 7, description: 'no disk', durationMs: 0 },
  });
  await pool.close();
});
