/** What others get wrong around a table in Redis: listeners that throw, keys and values that somebody else wrote. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { withRedis } from '../support/live-redis.ts';
import { until } from '../support/until.ts';

withRedis('listeners that throw hurt neither the table nor who uses it', async (redis) => {
  const table = await redis.table();
  for (const event of ['degraded', 'restored'] as const)
    table.on(event, () => {
      throw new Error(`no use for ${event}`);
    });
  const warnings: string[] = [];
  const warned = (warning: Error): unknown => warnings.push(warning.message);
  process.on('warning', warned);
  try {
    await redis.end();
    await until(() => !table.connected);
    table.store('k', 'a');
    assert.equal(await table.lookup('k'), 'a');
    await redis.start();
    await until(() => table.connected && table.unsent === 0, 'the choice to be sent');
    if (warnings.length < 2) await once(process, 'warning');
    for (const event of ['degraded', 'restored'])
      assert.ok(
        warnings.some((text) => text.includes(`'${event}' threw: Error: no use for ${event}`)),
        event,
      );
  } finally {
    process.off('warning', warned);
  }
});

withRedis('keys that somebody else has made are no entries, and disturb no others', async (redis) => {
  const table = await redis.table({ store: ['gpc0'] });
  const numbers = await redis.table({ name: 'numbers', type: 'integer' });
  await table.set('mine', { server: 'a' });
  await numbers.set(7, { server: 'a' });
  const admin = await redis.client();
  for (const name of ['t:%', 't:a b', 't:%c3', 'numbers:x', 'numbers:007'])
    await admin.sendCommand(['HSET', `evenkeel:${name}`, 'server', 'b']);
  const keys: unknown[] = [];
  for (const each of [table, numbers]) for await (const { key } of each.entries()) keys.push(key);
  assert.deepEqual(keys, ['mine', 7]);
});

withRedis(
  'an entry that somebody else has overwritten is none, and its table is not given up for it',
  async (redis) => {
    const table = await redis.table({ store: ['gpc0'] });
    const told: string[] = [];
    table.on('degraded', ({ reason }) => told.push(reason));
    const admin = await redis.client();
    await admin.sendCommand(['SET', 'evenkeel:t:text', '1']);
    await admin.sendCommand(['HSET', 'evenkeel:t:word', 'gpc0', 'one']);
    assert.equal(await table.lookup('text'), undefined);
    assert.equal(await table.claim('text', 'a'), 'a');
    table.track('word')?.tracked.increment('gpc0');
    table.store('k', 'b');
    await until(() => table.unsent === 1, 'all that can be sent');
    assert.equal((await table.get('k'))?.server, 'b');
    assert.deepEqual([table.connected, told], [true, []]);
  },
);

withRedis(
  "a clock of Redis' that is set back: what is changed then counts, and rates stay what they were",
  async (redis) => {
    const [one, two] = [
      await redis.table({ store: ['gpc0_rate(10s)'] }),
      await redis.table({ store: ['gpc0_rate(10s)'] }),
    ];
    const admin = await redis.client();
    const inAnHour = Date.now() + 3_600_000;
    await admin.sendCommand(['HSET', 'evenkeel:t:k', 'server', 'a', 'version', String(inAnHour * 1000)]);
    assert.deepEqual([await one.lookup('k'), await two.lookup('k')], ['a', 'a']);
    one.store('k', 'b', 'a');
    await until(() => two.recall('k') === 'b', 'news of a change');
    await one.set('k', { server: 'c' });
    await until(() => two.recall('k') === 'c', 'news of an order');
    await one.delete('k');
    await until(() => two.recall('k') === undefined, 'news of a removal');

    const cell = { 'gpc0_rate(10000)': 3, 'gpc0_rate(10000):past': 10, 'gpc0_rate(10000):from': inAnHour };
    await admin.sendCommand(['HSET', 'evenkeel:t:k', ...Object.entries(cell).flat().map(String)]);
    assert.equal((await one.get('k'))?.gpc0_rate, 13);
  },
);
