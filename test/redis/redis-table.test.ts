/** Tables that share a real Redis: what one process chooses and counts the others know, whatever becomes of Redis. */
import assert from 'node:assert/strict';
import { createClientPool, createCluster } from 'redis';
import type { StickEntry } from '#src/index.ts';
import { RedisTable } from '#src/redis/redis-table.ts';
import { withRedis } from '../support/live-redis.ts';
import { until } from '../support/until.ts';

const COUNTED = { store: ['conn_cnt', 'conn_cur', 'http_req_cnt', 'http_req_rate(10s)', 'gpc(2)', 'gpt(1)'] } as const;

/** Waits until Redis has that of an entry. */
async function untilEntry(
  table: RedisTable,
  key: string,
  holds: (entry: StickEntry | undefined) => boolean,
): Promise<StickEntry | undefined> {
  for (const end = Date.now() + 20_000; ; ) {
    const entry = await table.get(key);
    if (holds(entry)) return entry;
    assert.ok(Date.now() < end, `Redis has ${JSON.stringify(entry)}`);
  }
}

withRedis('what one stores the other finds, and news of changes reach who knows of the key', async (redis) => {
  const [one, two] = [await redis.table(), await redis.table()];
  assert.equal(await one.lookup('k'), undefined);
  one.store('k', 'a');
  assert.equal(await one.lookup('k'), 'a');
  await until(() => one.unsent === 0);
  assert.equal(one.lookup('k'), 'a', 'at once, without Redis');
  assert.equal(await two.lookup('k'), 'a');
  assert.equal(two.lookup('k'), 'a', 'it need not ask again');
  two.store('k', 'b', 'a');
  await until(() => one.recall('k') === 'b', 'the news');
  assert.equal((await one.get('k'))?.server, 'b');
});

withRedis('of choices made at the same moment the first counts, for all', async (redis) => {
  const tables = await Promise.all(Array.from({ length: 4 }, () => redis.table()));
  for (let key = 0; key < 50; key++) {
    await Promise.all(tables.map((table) => table.lookup(`k${key}`)));
    for (const [index, table] of tables.entries()) table.store(`k${key}`, `s${index}`);
  }
  await until(() => tables.every(({ unsent }) => unsent === 0));
  for (let key = 0; key < 50; key++) {
    const { server } = (await tables[0]?.get(`k${key}`)) ?? {};
    assert.ok(server !== undefined);
    for (const table of tables) await until(() => table.recall(`k${key}`) === server, `one server for k${key}`);
  }
});

withRedis(
  'what is stored without having been looked up takes the place of any server, the last one counts',
  async (redis) => {
    const [one, two] = [await redis.table(), await redis.table()];
    one.store('k', 'a');
    await until(() => one.unsent === 0);
    two.store('k', 'b', null);
    await until(() => one.recall('k') === 'b', 'the news');
    one.store('k', 'c', null);
    one.store('k', 'd', null);
    await until(() => two.recall('k') === 'd', 'the news');
    assert.equal((await two.get('k'))?.server, 'd');
  },
);

withRedis('claims made at the same moment are given the same server, which is the first', async (redis) => {
  const tables = await Promise.all(Array.from({ length: 4 }, () => redis.table()));
  const known = async (key: string): Promise<unknown[]> => Promise.all(tables.map((table) => table.lookup(key)));
  for (let key = 0; key < 50; key++) {
    const claims = await Promise.all(tables.map((table, index) => table.claim(`k${key}`, `s${index}`)));
    assert.equal(new Set(claims).size, 1, String(claims));
    assert.deepEqual(await known(`k${key}`), claims);
  }
  const [one, two] = tables as [RedisTable, RedisTable];
  assert.equal(one.claim('k0', one.recall('k0') ?? '', 'x'), undefined, 'it is so already');
  const failed = one.recall('k1');
  assert.deepEqual(await Promise.all([one.claim('k1', 'x', failed), one.claim('k1', 'y', failed)]), ['x', 'x']);
  assert.equal(await two.claim('k1', 'z', failed), 'x');
  await redis.end();
  await until(() => !one.connected);
  assert.equal(one.claim('k1', 'z', 'x'), undefined, 'who is alone waits for nobody');
});

withRedis('who chooses anew takes the place of the server that it knew, and of no other', async (redis) => {
  const [one, two] = [await redis.table(), await redis.table()];
  one.store('k', 'a');
  await until(() => one.unsent === 0);
  assert.equal(await two.lookup('k'), 'a');
  one.store('k', 'b', 'a');
  two.store('k', 'c', 'a');
  await until(() => one.unsent + two.unsent === 0);
  const { server } = (await one.get('k')) ?? {};
  await until(() => one.recall('k') === server && two.recall('k') === server);
});

withRedis('one question for all who ask meanwhile', async (redis) => {
  const [one, two] = [await redis.table(), await redis.table()];
  one.store('k', 'a');
  await until(() => one.unsent === 0);
  const admin = await redis.client();
  await admin.sendCommand(['CONFIG', 'RESETSTAT']);
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => two.lookup('k'))), Array(20).fill('a'));
  const calls = /cmdstat_hmget:calls=(\d+)/.exec(String(await admin.sendCommand(['INFO', 'commandstats'])))?.[1];
  assert.equal(calls, '1');
});

withRedis('keys of any bytes and of every type come back as they were', async (redis) => {
  const texts = ['', 'a b', '%20', 'ü€\u{1f600}', '\0\r\n', 'x'.repeat(500), '*?[a]', 'evenkeel:t:x'];
  const text = await redis.table({ name: 'texts', len: 64 });
  for (const [index, key] of texts.entries()) text.store(key, `s${index}`);
  const binary = await redis.table({ name: 'bytes', type: 'binary', len: 4 });
  binary.store(new Uint8Array([0, 255, 13, 10]), 'a');
  const address = await redis.table({ name: 'addresses', type: 'ipv6' });
  address.store('2001:db8::1', 'a');
  const integer = await redis.table({ name: 'numbers', type: 'integer' });
  integer.store(4_294_967_295, 'a');
  await until(() => [text, binary, address, integer].every(({ unsent }) => unsent === 0));
  for (const [index, key] of texts.entries())
    assert.equal((await text.get(key))?.server, `s${index}`, JSON.stringify(key));
  const keys = async (table: RedisTable): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const { key } of table.entries()) found.push(key);
    return found;
  };
  assert.equal((await keys(text)).length, texts.length);
  assert.deepEqual(await keys(binary), [new Uint8Array([0, 255, 13, 10])]);
  assert.deepEqual(await keys(address), ['2001:db8::1']);
  assert.deepEqual(await keys(integer), [4_294_967_295]);
});

withRedis('counters and rates are those of all', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  const first = one.track('k');
  const second = two.track('k');
  for (const tracking of [first, second]) tracking?.request();
  second?.tracked.increment('gpc[1]', 3);
  first?.tracked.mark('gpt[0]', 7);
  await untilEntry(one, 'k', (entry) => entry?.http_req_cnt === 2);
  first?.request();
  await until(() => first?.tracked.http_req_cnt === 3 && first.tracked.gpc[1] === 3);
  assert.equal(first?.tracked.http_req_rate, 3);
  const { tracked } = first ?? assert.fail();
  assert.throws(() => (tracked as unknown as Record<string, unknown>)['httpReqRate'], /did you mean 'http_req_rate'/);
  for (const tracking of [first, second]) tracking?.release();
  const entry = await untilEntry(one, 'k', (found) => found?.http_req_cnt === 3);
  const { key, conn_cnt, http_req_cnt, http_req_rate, gpc, gpt } = entry ?? {};
  assert.deepEqual(
    { key, conn_cnt, http_req_cnt, http_req_rate, gpc, gpt },
    { key: 'k', conn_cnt: 2, http_req_cnt: 3, http_req_rate: 3, gpc: [0, 3], gpt: [7] },
  );
});

withRedis('gpc0 and gpt0 are names of the first of their arrays', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  const tracking = one.track('k');
  tracking?.tracked.increment('gpc0', 3);
  tracking?.tracked.mark('gpt0', 7);
  const { gpc, gpt } = (await untilEntry(two, 'k', (entry) => entry?.gpc?.[0] === 3)) ?? {};
  assert.deepEqual([gpc, gpt], [[3, 0], [7]]);
  assert.deepEqual((await two.set('k', { gpc1: 4 }))?.gpc, [3, 4]);
});

withRedis('counters begin anew after 32 bits, for all', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  const tracking = one.track('k');
  for (let i = 0; i < 3; i++) tracking?.tracked.increment('gpc[1]', 2 ** 32 - 1);
  await untilEntry(one, 'k', (entry) => entry?.gpc?.[1] === 2 ** 32 - 3);
  const other = two.track('k');
  await until(() => other?.tracked.gpc[1] === 2 ** 32 - 3);
});

withRedis('conn_cur and use are of each process: one that ends leaves none behind', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  const [mine] = [one.track('k'), two.track('k'), two.track('k')];
  await untilEntry(one, 'k', (entry) => entry?.conn_cnt === 3);
  const currentOf = async (table: RedisTable): Promise<unknown> => {
    const { conn_cur, use } = (await table.get('k')) ?? {};
    return { conn_cur, use };
  };
  assert.deepEqual(await currentOf(one), { conn_cur: 1, use: 1 });
  assert.deepEqual(await currentOf(two), { conn_cur: 2, use: 2 });
  two.close();
  mine?.request();
  await untilEntry(one, 'k', (entry) => entry?.http_req_cnt === 1);
  assert.equal(mine?.tracked.conn_cur, 1);
  mine?.release();
  assert.deepEqual(await currentOf(one), { conn_cur: 0, use: 0 });
});

withRedis('operators: set, delete, clear by a filter; what they change all others hear', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  for (const [index, key] of ['a', 'b', 'c'].entries()) await one.set(key, { server: 's', http_req_cnt: index });
  assert.equal(await two.lookup('b'), 's');
  await one.set('b', { server: 'z' });
  await until(() => two.recall('b') === 'z');
  assert.equal(await one.delete('b'), true);
  await until(() => two.recall('b') === undefined);
  assert.equal(await one.delete('b'), false);
  assert.equal(await one.clear({ data: 'http_req_cnt', op: 'gt', value: 1 }), 1);
  await assert.rejects(
    one.clear(() => {
      throw new Error('no filter');
    }),
    /no filter/,
  );
  assert.equal(await two.clear(), 1);
  await assert.rejects(one.set('x', { http_err_cnt: 1 }), /http_err_cnt: is not stored by this table/);
  assert.equal(await one.get('x'), undefined);
});

withRedis('set changes all or nothing: not what is wrong, nor without Redis', async (redis) => {
  const table = await redis.table(COUNTED);
  assert.deepEqual((await table.set('empty', {}))?.gpc, [0, 0]);
  await assert.rejects(table.set('k', null as never), /data: null is not an object/);
  await assert.rejects(
    table.set(Number.NaN, { http_err_cnt: 1 }),
    /key: NaN is not allowed.+http_err_cnt: is not stored/s,
  );
  const tracking = table.track('k');
  await redis.end();
  await until(() => !table.connected);
  await assert.rejects(table.set('k', { gpc0: 9 }), /not connected/);
  assert.equal(tracking?.tracked.gpc[0], 0);
});

withRedis(
  'while a deployment changes what is stored, each process has its own rates, and all have one server and counter',
  async (redis) => {
    const before = await redis.table({ store: ['gpc0', 'http_req_rate(10s)'] });
    const after = await redis.table({ store: ['http_req_rate(1m)', 'gpc0', 'gpc1'] });
    before.store('k', 'a');
    const [old, fresh] = [before.track('k'), after.track('k')];
    for (let i = 0; i < 5; i++) old?.request();
    fresh?.request();
    old?.tracked.increment('gpc0', 2);
    fresh?.tracked.increment('gpc0', 3);
    await untilEntry(after, 'k', (entry) => entry?.gpc0 === 5 && entry.http_req_rate === 1);
    await untilEntry(before, 'k', (entry) => entry?.gpc0 === 5 && entry.http_req_rate === 5);
    await before.set('k', { http_req_rate: 7 });
    assert.deepEqual([(await before.get('k'))?.http_req_rate, (await after.get('k'))?.http_req_rate], [7, 1]);
    assert.deepEqual([await before.lookup('k'), await after.lookup('k')], ['a', 'a']);
  },
);

withRedis('a filter compares any number, and is refused as by every table', async (redis) => {
  const table = await redis.table(COUNTED);
  for (const key of ['a', 'b']) await table.set(key, { gpc: [1, key === 'a' ? 5 : 6] });
  for (const [filter, said] of [
    [{ data: 'gpc0', op: 'constructor', value: 1 }, /filter\.op: "constructor" is not allowed/],
    [{ data: 'http_err_cnt', op: 'eq', value: 0 }, /filter\.data: "http_err_cnt" is not stored by this table/],
    [{ data: 'gpc0', op: 'eq', value: Number.NaN }, /filter\.value: NaN is not allowed/],
    [{}, /filter\.data/],
    [undefined, /filter: undefined is no filter/],
    [async () => true, /the function returned a promise/],
  ] as const)
    await assert.rejects(table.clear(filter as never), said);
  assert.throws(() => table.filter(undefined as never), /filter: undefined is no filter/);
  const found: unknown[] = [];
  for await (const { key } of table.filter({ data: 'gpc[1]', op: 'eq', value: 5 })) found.push(key);
  for await (const { key } of table.filter(({ gpc }) => gpc?.[1] === 6)) found.push(key);
  for await (const { key } of table) if (key === 'a') found.push(key);
  assert.deepEqual(found, ['a', 'b', 'a']);
  assert.equal(await table.clear({ data: 'gpc[1]', op: 'ge', value: 6 }), 1);
  assert.equal(await table.clear({ data: 'gpc0', op: 'eq', value: 1 }), 1);
});

withRedis('a table that was closed is one of this process alone', async (redis) => {
  const [one, two] = [await redis.table(COUNTED), await redis.table(COUNTED)];
  one.close();
  one.close();
  one.store('k', 'a');
  assert.equal(one.lookup('k'), 'a');
  const tracking = one.track('k');
  tracking?.request();
  assert.equal(tracking?.tracked.http_req_cnt, 1);
  assert.equal(await two.get('k'), undefined);
});

withRedis('a wrong option is named', async (redis) => {
  const client = await redis.client();
  const make = (options: object) => () =>
    new RedisTable({ client, name: 't', type: 'ip', size: 10, ...options } as never);
  assert.throws(
    make({ client: {} }),
    /client: \{\} is not allowed; allowed: a client of createClient of the package 'redis'/,
  );
  const cluster = createCluster({ rootNodes: [{ url: redis.url }] });
  for (const other of [cluster, createClientPool(), client.legacy()])
    assert.throws(make({ client: other }), /not one of a cluster or of sentinels/);
  assert.throws(make({ name: 'a b' }), /name: "a b" is not allowed; allowed: 1 to 64 letters/);
  assert.throws(make({ timeout: 0 }), /timeout: 0 is not allowed/);
  assert.throws(make({ type: 'text' }), /type: "text" is not allowed/);
  assert.throws(make({ colour: 1 }), /colour: is not an option/);
});
