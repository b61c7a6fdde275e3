import { isIPv4, isIPv6 } from 'node:net';
import { ipv4Number, ipv6Bytes } from '../core/ip-address.ts';
import { avalanche, xxh32 } from '../hashing/functions.ts';
import type { ServerView } from '../servers/server.ts';

/**
 * The number that a server's nodes on the ring are made from, by its `hashKey`. What a server does not have (an IP address, a
 * guid) is replaced by its id.
 * @see HAProxy `hash-key`; lb_chash.c:chash_compute_server_key
 */
export function nodeBase({ id, hashKey, guid, address }: ServerView): number {
  switch (hashKey) {
    case 'id32':
      return avalanche(bytesSwapped(id));
    case 'guid':
      return guid === undefined ? byId(id) : xxh32(Buffer.from(guid, 'utf8'));
    case 'addr':
    case 'addr-port': {
      const base = hashKey === 'addr' ? 0 : avalanche(address.port);
      // As HAProxy reads the four bytes in memory, on a little-endian machine.
      if (isIPv4(address.host)) return avalanche((base + bytesSwapped(ipv4Number(address.host))) | 0);
      return isIPv6(address.host) ? xxh32(ipv6Bytes(address.host), base) : byId(id);
    }
    default:
      return byId(id);
  }
}

/** HAProxy: SRV_EWGHT_RANGE, so that the nodes of two servers do not overlap before they are spread. */
function byId(id: number): number {
  return (id * 4096) | 0;
}

function bytesSwapped(value: number): number {
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}
