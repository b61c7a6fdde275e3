/**
 * What every contender that runs in Node.js shares: its port and servers come as arguments
 * (`node proxies/NAME.ts PORT http://127.0.0.1:P1 …`), and it answers its parent over the IPC channel.
 */

/** What a contender tells its parent: it listens, or what it has used since it was started. */
export type Report = { kind: 'listening' } | { kind: 'usage'; cpuMicros: number; rssBytes: number };
export type Order = 'usage' | 'stop';

export const host: string = '127.0.0.1';
export const port: number = Number(process.argv[2]);
/** The servers behind the proxy, parsed once: no contender pays for it at each request. */
export const servers: readonly URL[] = process.argv.slice(3).map((url) => new URL(url));

/** A choice in turn, for contenders that have no balancing of their own. */
export function inTurn<T>(items: readonly [T, ...T[]] | readonly T[]): () => T {
  let turn = 0;
  return () => {
    const item = items[turn];
    turn = (turn + 1) % items.length;
    if (item === undefined) throw new Error('no servers were given');
    return item;
  };
}

/** To be called when the contender listens. From then on the parent may ask for its usage, or end it. */
export function listening(): void {
  process.on('message', (order: Order) => {
    if (order === 'stop') process.exit(0);
    const { user, system } = process.cpuUsage();
    report({ kind: 'usage', cpuMicros: user + system, rssBytes: process.memoryUsage.rss() });
  });
  process.on('disconnect', () => process.exit(0));
  report({ kind: 'listening' });
}

function report(message: Report): void {
  process.send?.(message);
}
