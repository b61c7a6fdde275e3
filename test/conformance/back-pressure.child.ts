import { Pool, type PoolOptions } from '#src/index.ts';
import { ADAPTERS, portOf } from '../support/fronts.ts';

/** What `back-pressure.test.ts` asks of this process. */
export type Order = 'rest' | 'report';

/** What it is told. */
export interface Report {
  /** Where each adapter listens, by its name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Most that the process has grown since it was told to rest, in bytes. */
  readonly grown: number;
  /** What it holds on to more than at rest, garbage aside, in bytes. */
  readonly held: number;
}

/** A pool on every adapter, in a process of their own, so that its memory can be looked at. Arguments: engine, address of the server. */
const [, , engine, address = ''] = process.argv;

const ports: Record<string, number> = {};
for (const adapter of ADAPTERS) {
  const pool = new Pool({ servers: [address], engine: engine as NonNullable<PoolOptions['engine']> });
  ports[adapter.name] = portOf(await adapter.listen(pool, {}));
}

let atRest = 0;
let heldAtRest = 0;
let most = 0;
setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, 5);

process.on('message', (order: Order) => {
  const held = holds();
  if (order === 'rest') {
    most = atRest = process.memoryUsage.rss();
    heldAtRest = held;
  }
  const report: Report = { ports, grown: most - atRest, held: held - heldAtRest };
  process.send?.(report);
});

/** Bytes that are in use: of JavaScript, and of buffers, which `external` includes. */
function holds(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
process.on('disconnect', () => process.exit());
process.send?.({ ports, grown: 0, held: 0 } satisfies Report);
