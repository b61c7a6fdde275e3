import type { Pool } from '#src/index.ts';

/** Names of the servers of the next `count` choices; each lease is released at once. `-`: there was none. */
export function picks(pool: Pool, count: number, avoid: readonly string[] = []): string {
  return Array.from({ length: count }, () => {
    const lease = pool.tryAcquire({}, { avoid });
    lease?.release();
    return lease?.server.name ?? '-';
  }).join(' ');
}

/** Addresses at which nothing listens, for pools that are only asked for a choice. */
export function nowhere(...names: readonly string[]): { name: string; address: string }[] {
  return names.map((name) => ({ name, address: '127.0.0.1:1' }));
}
