import { isIPv4, isIPv6 } from 'node:net';

/** Versions of the PROXY protocol. */
export type ProxyVersion = 'v1' | 'v2';

/** One end of a connection. */
export interface Endpoint {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

const UNKNOWN = 'PROXY UNKNOWN\r\n';

/** Signature, version 2 with the command LOCAL, no family, no addresses. */
const V2_LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

/**
 * The header of a connection that we make on our own behalf, as a check does. Version 2 has a command for that; version 1
 * tells the ends of the connection itself.
 * @see PROXY protocol, 2.1 and 2.2
 */
export function localProxyHeader(version: ProxyVersion, ours: Endpoint, theirs: Endpoint): Buffer {
  return version === 'v2' ? V2_LOCAL : Buffer.from(proxyHeaderV1(ours, theirs), 'latin1');
}

/** One line; `UNKNOWN` where an end is no IP address, as on a unix socket, or the families differ. */
export function proxyHeaderV1(source: Endpoint, destination: Endpoint): string {
  const ends = [source, destination].map(({ address = '', port }) => ({ address: address.replace(/%.*$/, ''), port }));
  const family = ends.every(({ address }) => isIPv4(address))
    ? 'TCP4'
    : ends.every(({ address }) => isIPv6(address))
      ? 'TCP6'
      : undefined;
  const [from, to] = ends;
  if (family === undefined || from?.port === undefined || to?.port === undefined) return UNKNOWN;
  return `PROXY ${family} ${from.address} ${to.address} ${from.port} ${to.port}\r\n`;
}
