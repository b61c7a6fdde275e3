import type { ClientRequest as NodeRequest } from 'node:http';
import type { ConnectionPool } from '../connections/connection-pool.ts';
import type { DialTarget } from '../connections/dial.ts';
import { hostPort, parseAddress } from '../servers/address.ts';
import type { Endpoint } from './forwarder.ts';
import type { HttpProxyConnection } from './http-proxy-connection.ts';
import type { HttpProxySettings } from './http-proxy-options.ts';

/** Where a request of Node's client is to go: its options, as an agent is given them. */
export interface Destination {
  readonly protocol?: string | null;
  readonly host: string;
  readonly port: number | string;
}

/**
 * What Node's client and http-proxy-3 take for an agent: it hands each request over, to be given a socket by whoever takes
 * it. So connections are chosen, made and kept by the pool's own rules.
 */
export class HandOver {
  readonly protocol: string;
  readonly defaultPort: number;
  /** Without these a request would close its connection. */
  readonly keepAlive = true;
  readonly maxSockets: number = Number.POSITIVE_INFINITY;
  readonly addRequest: (request: NodeRequest, destination: Destination) => void;

  constructor(protocol: string, take: (request: NodeRequest, destination: Destination) => void) {
    this.protocol = protocol;
    this.defaultPort = protocol === 'https:' ? 443 : 80;
    this.addRequest = take;
  }
}

/** The server of an attempt, as this engine sees it. */
export interface Route {
  /** With TLS as the options `secure` and `ca` have it. */
  readonly target: DialTarget;
  readonly url: URL;
  readonly connections: ConnectionPool<HttpProxyConnection>;
}

export function routeTo({ target, connections }: Endpoint, { secure, ca }: HttpProxySettings): Route {
  const { address, tls } = target;
  return {
    target: { address, tls: tls && { ...tls, verify: secure && tls.verify, ca: tls.ca ?? ca } },
    url: new URL(`${address.tls ? 'https' : 'http'}://${address.authority}`),
    // A pool has one engine, so all connections of its servers are this engine's.
    connections: connections as unknown as ConnectionPool<HttpProxyConnection>,
  };
}

/**
 * Where a redirect leads. What names the server, or whatever the client called it, is the server: a redirect is resolved
 * against the client's `Host`, which must not choose where we connect to.
 */
export function redirectTarget(
  { protocol, host, port }: Destination,
  route: Route,
  clientHost: string | undefined,
  { secure, ca }: HttpProxySettings,
): DialTarget | undefined {
  const url = URL.parse(`${protocol === 'https:' ? 'https' : 'http'}://${hostPort(host, Number(port))}`);
  if (!url) return undefined;
  if (url.host === route.url.host || url.hostname === URL.parse(`http://${clientHost}`)?.hostname) return route.target;
  const address = parseAddress(url.origin);
  if (!address) return undefined;
  const trust = { verify: secure, ca, cert: undefined, key: undefined, verifyhost: undefined, sni: undefined };
  return { address, tls: address.tls ? { ...trust, alpn: ['http/1.1'] } : undefined };
}
