import { isIPv4, isIPv6 } from 'node:net';
import { ipv4Number, ipv6Bytes } from '../core/ip-address.ts';
import { xxh64 } from '../hashing/functions.ts';

/**
 * The cookie that a server without one of its own gets from a key and its address: the same at every balancer that has the
 * key. 16 digits of XXH64 over the key, the address's 4 or 16 bytes and the port as 4 bytes.
 * @returns `undefined` for a host that is no IP address
 * @see HAProxy `dynamic-cookie-key`, server.c:srv_set_dyncookie
 */
export function dynamicCookie(key: string, host: string, port: number): string | undefined {
  const address = addressBytes(host);
  if (!address) return undefined;
  const ports = Buffer.alloc(4);
  ports.writeUInt32BE(port);
  return xxh64(Buffer.concat([Buffer.from(key, 'utf8'), address, ports]))
    .toString(16)
    .padStart(16, '0');
}

function addressBytes(host: string): Uint8Array | undefined {
  if (isIPv6(host)) return ipv6Bytes(host);
  if (!isIPv4(host)) return undefined;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(ipv4Number(host) | 0);
  return bytes;
}
