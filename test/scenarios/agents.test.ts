import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import { Pool, type PoolOptions, type ServerCheckEvent } from '#src/index.ts';
import { nextCheck } from '../support/next-check.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** An agent that says one line to whoever connects. */
class Agent {
  line = 'up';
  readonly #server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${this.line}\n`);
  });

  async listen(t: TestContext): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => this.#server.close());
    return (this.#server.address() as net.AddressInfo).port;
  }
}

const INTER_MS = 1000;

async function setUp(
  t: TestContext,
  options: PoolOptions = {},
  server: object = {},
): Promise<{ agent: Agent; pool: Pool<unknown>; ask: () => Promise<ServerCheckEvent> }> {
  const agent = new Agent();
  const port = await agent.listen(t);
  const a = {
    name: 'a',
    address: '127.0.0.1:1',
    weight: 100,
    agentCheck: true,
    agentPort: port,
    agentInter: INTER_MS,
    ...server,
  };
  const servers = [a, { name: 'b', address: '127.0.0.1:1', weight: 100 }];
  const clock = new VirtualClock();
  const pool = new Pool<unknown>({ ...options, servers } as PoolOptions<unknown>, clock);
  t.after(() => pool.close());
  await nextCheck(pool, clock, 1);
  return { agent, pool, ask: () => nextCheck(pool, clock, INTER_MS) };
}

test('an agent sets weight, limit and state of its server, and it can be read off the pool', async (t) => {
  const { agent, pool, ask } = await setUp(t, { fullconn: 10 }, { maxconn: 20, minconn: 5 });
  const told: string[] = [];
  pool.on('server:weight', ({ server, from, to }) => told.push(`${server} weight ${from} to ${to}`));
  pool.on('server:state', ({ server, to, reason }) => told.push(`${server} ${to}: ${reason}`));
  pool.on('server:down', ({ server, state, reason }) => told.push(`${server} ${state}: ${reason}`));
  pool.on('server:up', ({ server, state }) => told.push(`${server} ${state}`));

  agent.line = 'drain 30% maxconn:8';
  const check = await ask();
  assert.deepEqual([check.agent, check.code, check.result], [true, 'CHECKED', 'neutral']);
  assert.equal(check.description, 'the agent says drain 30% maxconn:8');
  assert.equal(pool.stats().servers['a']?.agent?.description, check.description);
  const { state, weight, maxconn } = pool.stats().servers['a'] ?? assert.fail();
  assert.deepEqual([state, weight, maxconn], ['DRAIN (agent)', 30, 8]);

  agent.line = 'ready fail # no disk';
  await ask();
  assert.equal(pool.server('a').state, 'DOWN (agent)');
  assert.equal(pool.stats().servers['a']?.agent?.description, 'the agent says ready fail (no disk)');
  assert.deepEqual(pool.explain().candidates, ['b']);

  agent.line = 'up';
  await ask();
  assert.deepEqual(told, [
    'a drain: its agent says drain',
    'a weight 100 to 30',
    'a ready: its agent says ready',
    'a DOWN (agent): Layer7 wrong status: the agent says ready fail (no disk) (L7STS) after 1 failed agent check',
    'a no check',
  ]);
});

test('a static algorithm takes no other weight from an agent than 0 and 100 percent', async (t) => {
  const { agent, pool, ask } = await setUp(t, { balance: 'static-rr' });
  agent.line = '30%';
  const { description } = await ask();
  assert.match(
    description,
    /^the agent says 30% \(the weight 30 is refused; allowed: 0, '0%', 100 and '100%': 'static-rr' is static/,
  );
  assert.equal(pool.server('a').weight, 100);
  agent.line = '0%';
  await ask();
  assert.equal(pool.server('a').weight, 0);
});

test("check: { type: 'agent' } asks at the pace of inter", async (t) => {
  const clock = new VirtualClock();
  const agent = new Agent();
  const port = await agent.listen(t);
  agent.line = 'down';
  const server = { address: '127.0.0.1:1', check: { type: 'agent', port }, inter: 700 } as const;
  const pool = new Pool<unknown>({ servers: [server] }, clock);
  t.after(() => pool.close());
  await nextCheck(pool, clock, 1);
  assert.equal(pool.server('s1').state, 'DOWN (agent)');
  agent.line = 'up';
  clock.advance(699);
  await nextCheck(pool, clock, 1);
  assert.equal(pool.server('s1').state, 'no check');
});

test('a limit that an agent raises is for those who wait', async (t) => {
  const { agent, pool, ask } = await setUp(t, {}, { maxconn: 1 });
  pool.server('b').setState('maint');
  const first = await pool.acquire();
  const second = pool.acquire({}, { timeout: '20s' });
  agent.line = 'maxconn:2';
  await ask();
  const lease = await second;
  assert.equal(pool.server('a').active, 2);
  lease.release();
  first.release();
});

test('an agent that says maint may have its server removed, or the pool closed, by who hears of it', async (t) => {
  for (const act of ['remove', 'close'] as const) {
    const { agent, pool, ask } = await setUp(t);
    const heard = once(pool as never, 'server:state').then(() => undefined);
    pool.once('server:state', () => void (act === 'close' ? pool.close() : pool.removeServer('a')));
    agent.line = 'maint down weight:3';
    void ask();
    await heard;
    assert.equal(act === 'close' || !pool.hasServer('a'), true);
  }
});
