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
