/** Whatever becomes of Redis, no request fails or hangs: each process goes on with what it knows, and they agree again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { systemEnvironment } from '#src/core/environment.ts';
import { Pool } from '#src/index.ts';
import { RedisTable } from '#src/redis/redis-table.ts';
import { LiveRedis, withRedis } from '../support/live-redis.ts';
import { until } from '../support/until.ts';

/** A process: its table, its pool, and what it was told. */
class Process {
  readonly table: RedisTable;
  readonly pool: Pool<unknown>;
  readonly told: string[] = [];

  constructor(table: RedisTable) {
    this.table = table;
    const servers = ['a', 'b', 'c'].map((name) => ({ name, address: '127.0.0.1:1' }));
    this.pool = new Pool<unknown>({ servers, stickTable: table, stick: ['on req.hdr(x-user)'] });
    table.on('degraded', ({ reason }) => this.told.push(`degraded: ${reason}`));
    table.on('restored', () => this.told.push('restored'));
  }

  /** The server that a user's request gets. */
  async ask(user: string): Promise<string> {
    const lease = await this.pool.acquire({ headers: { 'x-user': user } });
    lease.release();
    return lease.server.name;
  }

  async askAll(users: readonly string[]): Promise<string[]> {
    const servers: string[] = [];
    for (const user of users) servers.push(await this.ask(user));
    return servers;
  }

  get degraded(): boolean {
    return this.told.at(-1)?.startsWith('degraded') ?? false;
  }

  get restored(): boolean {
    return this.told.at(-1) === 'restored' && this.table.unsent === 0;
  }
}

const KNOWN = ['u1', 'u2', 'u3', 'u4'];
const NEW = Array.from({ length: 40 }, (_, index) => `n${index}`);

async function processes(redis: LiveRedis, t: TestContext): Promise<[Process, Process]> {
  const pair: [Process, Process] = [new Process(await redis.table()), new Process(await redis.table())];
  t.after(() => Promise.all(pair.map(({ pool }) => pool.close({ graceMs: 0 }))));
  return pair;
}

/** Both know the same of these. */
async function agree(one: Process, two: Process, users: readonly string[]): Promise<void> {
  for (const user of users) {
    const server = await one.ask(user);
    await until(() => one.table.unsent === 0);
    assert.equal(await two.ask(user), server, user);
    assert.equal(await one.ask(user), server, user);
  }
}

/** Plays one kind of outage: who is known keeps its server, whoever is new gets one, and in the end all agree. */
async function outage(
  redis: LiveRedis,
  t: TestContext,
  { begin, reason, end }: { begin: () => unknown; reason: RegExp; end: () => unknown },
): Promise<void> {
  const [one, two] = await processes(redis, t);
  await agree(one, two, KNOWN);
  const before = await one.askAll(KNOWN);
  await begin();
  const fresh = await one.askAll(NEW);
  const others = await two.askAll(NEW);
  assert.ok(one.degraded && two.degraded, 'they were told');
  assert.match(one.told[0] ?? '', reason);
  assert.deepEqual(await one.askAll(KNOWN), before);
  assert.deepEqual(await two.askAll(KNOWN), before);
  assert.deepEqual(await one.askAll(NEW), fresh, 'each keeps to what it has chosen');
  assert.deepEqual(await two.askAll(NEW), others);
  await end();
  await until(() => one.restored && two.restored, 'both to be back');
  await until(() => one.table.subscribed && two.table.subscribed);
  await agree(one, two, [...KNOWN, ...NEW]);
  assert.deepEqual(await one.askAll(KNOWN), before);
}

async function processId(redis: LiveRedis): Promise<number> {
  const client = await redis.client();
  return Number(/process_id:(\d+)/.exec(String(await client.sendCommand(['INFO', 'server'])))?.[1]);
}

withRedis('hung: one request waits, and no other', async (redis, t) => {
  const id = await processId(redis);
  const goOn = (): boolean => process.kill(id, 'SIGCONT');
  try {
    await outage(redis, t, {
      begin: () => process.kill(id, 'SIGSTOP'),
      reason: /no answer within 50 ms/,
      end: goOn,
    });
  } finally {
    goOn();
  }
});

withRedis('gone, and started again with nothing', async (redis, t) => {
  await outage(redis, t, { begin: () => redis.end(), reason: /./, end: () => redis.start() });
});

withRedis('full', async (redis, t) => {
  const admin = await redis.client();
  await outage(redis, t, {
    begin: () => admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '1']),
    reason: /OOM/,
    end: () => admin.sendCommand(['CONFIG', 'SET', 'maxmemory', '0']),
  });
});

withRedis('read-only', async (redis, t) => {
  const admin = await redis.client();
  await admin.sendCommand(['CONFIG', 'SET', 'replica-serve-stale-data', 'yes']);
  await outage(redis, t, {
    begin: () => admin.sendCommand(['REPLICAOF', '127.0.0.1', '1']),
    reason: /READONLY|replica/i,
    end: () => admin.sendCommand(['REPLICAOF', 'NO', 'ONE']),
  });
});

withRedis('counters go on where Redis is gone, and by all when it is back', async (redis) => {
  const options = { name: 'counted', store: ['http_req_cnt'] } as const;
  const [one, two] = [await redis.table(options), await redis.table(options)];
  /** Counts a request. @returns what its rules see */
  const counted = (table: RedisTable): number | undefined => {
    const tracking = table.track('k');
    tracking?.request();
    const count = tracking?.tracked.http_req_cnt;
    tracking?.release();
    return count;
  };
  const untilAllHave = async (count: number): Promise<void> => {
    for (const end = Date.now() + 20_000; (await one.get('k'))?.http_req_cnt !== count; )
      assert.ok(Date.now() < end, `Redis counts ${count}`);
  };
  counted(one);
  await untilAllHave(1);
  counted(two);
  await untilAllHave(2);
  await redis.end();
  await until(() => !one.connected && !two.connected);
  const before = counted(one) ?? 0;
  assert.deepEqual([counted(one), counted(one)], [before + 1, before + 2]);
  await redis.start();
  await until(() => one.connected && two.connected);
  counted(two);
  await untilAllHave(1); // it has lost all, and begins anew
});

withRedis('operators are told at once that it is gone', async (redis) => {
  const table = await redis.table();
  await redis.end();
  await until(() => !table.connected);
  const asked = [
    () => table.get('k'),
    () => table.set('k', { server: 'a' }),
    () => table.delete('k'),
    () => table.clear(),
  ];
  for (const ask of asked) await assert.rejects(ask, /Redis is not connected/);
});

withRedis('a process that was busy for long has missed nothing', async (redis, t) => {
  const [one, two] = await processes(redis, t);
  const server = await one.ask('u');
  await until(() => one.table.unsent === 0);
  const other = two.ask('u');
  for (const end = performance.now() + 120; performance.now() < end; ); // longer than either limit
  assert.equal(await other, server);
  assert.deepEqual(two.told, []);
});

/** A name that leads to another server from one moment to the next. */
async function turntable(t: TestContext): Promise<{ port: number; turnTo: (port: number) => void }> {
  let target = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => to.destroy())
        .on('close', () => to.destroy())
        .pipe(to);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const turnTo = (port: number): void => {
    target = port;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return { port: (server.address() as { port: number }).port, turnTo };
}

withRedis('failing over to a replica: what was chosen is still known', async (redis, t) => {
  const replica = new LiveRedis(redis.program);
  t.after(() => replica.stop());
  await replica.start('--replicaof', `127.0.0.1 ${redis.port}`);
  const front = await turntable(t);
  front.turnTo(redis.port);
  const viaFront = `redis://127.0.0.1:${front.port}`;
  const pair = [new Process(await redis.table({}, viaFront)), new Process(await redis.table({}, viaFront))] as const;
  t.after(() => Promise.all(pair.map(({ pool }) => pool.close({ graceMs: 0 }))));
  const [one, two] = pair;
  await agree(one, two, KNOWN);
  const before = await one.askAll(KNOWN);
  const spare = await replica.client();
  const copied = async (): Promise<boolean> => Number(await spare.sendCommand(['DBSIZE'])) >= KNOWN.length;
  for (const end = Date.now() + 20_000; !(await copied()); ) assert.ok(Date.now() < end, 'the replica has all');
  await redis.end();
  front.turnTo(replica.port);
  await one.askAll(NEW);
  await two.askAll(NEW);
  await spare.sendCommand(['REPLICAOF', 'NO', 'ONE']);
  await until(() => one.table.connected && two.table.connected && one.table.subscribed && two.table.subscribed);
  await until(() => one.table.unsent + two.table.unsent === 0);
  await agree(one, two, [...KNOWN, ...NEW]);
  assert.deepEqual(await two.askAll(KNOWN), before);
});

withRedis('a rate falls here as in Redis, however long nothing is counted', async (redis, t) => {
  let ahead = 0;
  const environment = { ...systemEnvironment, now: () => performance.now() + ahead };
  const store = ['http_req_rate(10s)'] as const;
  const client = await redis.client();
  const table = new RedisTable({ client, name: 't', type: 'string', size: '1k', expire: '10m', store }, environment);
  t.after(() => table.close());
  const cell = {
    'http_req_rate(10000)': 99,
    'http_req_rate(10000):past': 0,
    'http_req_rate(10000):from': Date.now() - 8_000,
  };
  await client.sendCommand(['HSET', 'evenkeel:t:k', ...Object.entries(cell).flat().map(String)]);
  const tracking = table.track('k');
  tracking?.request();
  await until(() => tracking?.tracked.http_req_rate === 100);
  ahead += 9_000;
  const rate = tracking?.tracked.http_req_rate ?? 0;
  assert.ok(rate >= 10 && rate <= 30, `7 of 10 seconds into the next period it is ${rate}`);
  ahead += 4_000;
  assert.equal(tracking?.tracked.http_req_rate, 0);
});

withRedis('an entry that Redis has lost alone is told to it again by who uses it', async (redis, t) => {
  let ahead = 0;
  const environment = { ...systemEnvironment, now: () => performance.now() + ahead };
  const table = new RedisTable(
    { client: await redis.client(), name: 't', type: 'string', size: '1k', expire: '10m' },
    environment,
  );
  t.after(() => table.close());
  await until(() => table.subscribed);
  table.store('k', 'a');
  await until(() => table.unsent === 0);
  const admin = await redis.client();
  await admin.sendCommand(['DEL', 'evenkeel:t:k']); // as it does where time or memory is over
  ahead += 590_000;
  assert.equal(table.lookup('k'), 'a');
  const other = await redis.table();
  await untilServer(other, 'k', 'a');
  assert.equal(table.lookup('k'), 'a');
});

/** Waits until Redis has that server for a key. */
async function untilServer(table: RedisTable, key: string, server: string): Promise<void> {
  for (const end = Date.now() + 20_000; (await table.get(key))?.server !== server; )
    assert.ok(Date.now() < end, `Redis has ${server} for ${key}`);
}
