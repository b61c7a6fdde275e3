import { isIPv6 } from 'node:net';
import type { DialTarget, TlsSettings } from '../connections/dial.ts';
import type { OptionReader } from '../core/options.ts';
import { type Address, hostPort, parseAddress } from '../servers/address.ts';

/** Where a probe connects to, and what its connections begin with. */
export interface CheckTarget extends DialTarget {
  /** How to speak TLS where a step asks for it; as the server's own, whose connections may be plain. */
  readonly stepTls?: TlsSettings | undefined;
  /** A PROXY header goes first. */
  readonly sendProxy?: ProxyVersion | undefined;
}

/** Versions of the PROXY protocol. */
export type ProxyVersion = 'v1' | 'v2';

/** Places where a check may go other than to its server. */
export interface Elsewhere {
  /** A host or `unix:/path`. */
  readonly addr: string | undefined;
  readonly port: number | undefined;
}

export function readElsewhere(read: OptionReader): Elsewhere {
  const allowed = "a host name or IP address without port, or 'unix:/path'";
  const addr = read.read('addr', undefined, allowed, (value) =>
    typeof value === 'string' && placed(value, 80, false) ? value : undefined,
  );
  return { addr, port: read.integer('port', { default: undefined, min: 1, max: 65_535 }) };
}

/** A server's address with another host or port. The port of a server at a unix socket means nothing. */
export function elsewhere(server: Address, { addr, port }: Elsewhere, tls: boolean): Address {
  if (addr === undefined && server.socketPath !== undefined) return server;
  return placed(addr ?? server.host, port ?? (server.port || (tls ? 443 : 80)), tls) ?? server;
}

function placed(host: string, port: number, tls: boolean): Address | undefined {
  if (host.startsWith('unix:')) return parseAddress(host);
  if (!isIPv6(host) && /[:[\]]/.test(host)) return undefined;
  return parseAddress(`${tls ? 'https' : 'http'}://${hostPort(host, port)}`);
}
