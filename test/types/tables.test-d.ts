import { Pool, StickTable, type Table } from '#src/index.ts';
import type { RedisTable } from '#src/redis/redis-table.ts';

/** Tests of the public types of tables: `npm run typecheck` is their run. */

const table = new StickTable({ type: 'ip', size: '1k', store: 'gpc0' });
declare const shared: RedisTable;
declare const noFilter: undefined;

table.clear();
table.clear(({ gpc0 }) => gpc0 === 1);
// @ts-expect-error undefined is not all of them
table.clear(noFilter);
// @ts-expect-error nor in Redis
shared.clear(noFilter);

const both: readonly Table[] = [table, shared];
for (const one of both) void one.clear({ data: 'gpc0', op: 'gt', value: 3 });

const pool = new Pool({ stickTable: table, tables: { shared, phrase: 'type string len 64 size 1m expire 8h' } });
pool.table().size.toFixed();
for await (const { server } of pool.table<RedisTable>('shared')) void server?.at(0);
// @ts-expect-error Redis is not counted
void pool.table<RedisTable>('shared').size;
