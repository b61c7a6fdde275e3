import { xxh32 } from '../hashing/functions.ts';
import type { ServerView } from '../servers/server.ts';
import { nodeBase } from './hash-key.ts';
import { buildMaglev, MAX_MAGLEV_SERVERS, type MaglevEntry, maglevSize } from './maglev-table.ts';
import type { DeclaredServer, PoolView } from './scheduler.ts';
import type { BuildTable } from './turn-table.ts';

/**
 * Makes the tables of `hashType: 'maglev'`. A server's places follow from its `hashKey` or, without one, from its address: the
 * order in which servers are listed does not matter. The size depends on how many are declared, so that those that are down
 * move nobody else's keys.
 */
export function maglevBuilder(pool: PoolView): BuildTable {
  const hashes = new WeakMap<ServerView, NamedHashes>();
  const hashesOf = (server: ServerView): NamedHashes => {
    let known = hashes.get(server);
    if (!known) {
      const name = server.hashKey === undefined ? server.address.url : String(nodeBase(server));
      hashes.set(server, (known = hashed(name)));
    }
    return known;
  };
  return (servers, memory) => {
    // Equal names are told apart: with one order of places for all, a table would take a thousand times as long.
    const twins = new Map<string, number>();
    const entries = servers.map((server, index) => {
      const own = hashesOf(server);
      const nth = (twins.get(own.name) ?? 0) + 1;
      twins.set(own.name, nth);
      return { ...(nth === 1 ? own : hashed(`${own.name} ${nth}`)), weight: server.effectiveWeight, index };
    });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    return buildMaglev(entries, servers.length === 0 ? 0 : maglevSize(pool.servers.length), memory);
  };
}

type NamedHashes = { readonly name: string } & Pick<MaglevEntry, 'offsetHash' | 'skipHash'>;

function hashed(name: string): NamedHashes {
  const bytes = Buffer.from(name, 'latin1');
  return { name, offsetHash: xxh32(bytes, 0) >>> 0, skipHash: xxh32(bytes, 1) >>> 0 };
}

/** Why these servers are too many for the largest table. */
export function tooManyForMaglev(declared: readonly DeclaredServer[]): string | undefined {
  if (declared.length <= MAX_MAGLEV_SERVERS) return undefined;
  return `hashType 'maglev' holds at most ${MAX_MAGLEV_SERVERS} servers; 'map-based' has no limit`;
}
