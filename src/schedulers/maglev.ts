import { avalanche, xxh32 } from '../hashing/functions.ts';
import type { ServerView } from '../servers/server.ts';
import { nodeBase } from './hash-key.ts';
import { buildMaglev, MAX_MAGLEV_SERVERS, type MaglevEntry, maglevSize } from './maglev-table.ts';
import type { DeclaredServer, PoolView } from './scheduler.ts';
import type { BuildTable } from './turn-table.ts';

interface NamedEntry extends MaglevEntry {
  readonly url: string;
  readonly index: number;
}

/**
 * Makes the tables of `hashType: 'maglev'`. A server's places follow from its `hashKey` or, without one, from its address: the
 * order in which servers are listed does not matter. The size depends on how many are declared, so that those that are down
 * move nobody else's keys.
 */
export function maglevBuilder(pool: PoolView): BuildTable {
  return (servers) => {
    const entries = servers.map(entryOf).sort(compare);
    const table = buildMaglev(entries, servers.length === 0 ? 0 : maglevSize(pool.servers.length));
    for (let place = 0; place < table.length; place++)
      table[place] = (entries[table[place] as number] as NamedEntry).index;
    return table;
  };
}

function entryOf(server: ServerView, index: number): NamedEntry {
  const { url } = server.address;
  const name = Buffer.from(url, 'latin1');
  const base = server.hashKey === undefined ? xxh32(name, 0) : nodeBase(server);
  const skip = server.hashKey === undefined ? xxh32(name, 1) : avalanche(~base);
  return { offsetHash: avalanche(base) >>> 0, skipHash: skip >>> 0, weight: server.effectiveWeight, url, index };
}

function compare(a: NamedEntry, b: NamedEntry): number {
  if (a.offsetHash !== b.offsetHash) return a.offsetHash - b.offsetHash;
  return a.url < b.url ? -1 : a.url > b.url ? 1 : a.index - b.index;
}

/** Why these servers are too many for the largest table. */
export function tooManyForMaglev(declared: readonly DeclaredServer[]): string | undefined {
  if (declared.length <= MAX_MAGLEV_SERVERS) return undefined;
  return `hashType 'maglev' holds at most ${MAX_MAGLEV_SERVERS} servers; 'map-based' has no limit`;
}
