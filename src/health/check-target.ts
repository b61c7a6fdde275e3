import { isIPv6 } from 'node:net';
import type { DialTarget, TlsSettings } from '../connections/dial.ts';
import type { ProxyVersion } from '../connections/proxy-protocol.ts';
import type { OptionReader } from '../core/options.ts';
import { type Address, hostPort, parseAddress } from '../servers/address.ts';
import type { LentConnection } from './lent-probe.ts';

/** Where a probe connects to, and what its connections begin with. */
export interface CheckTarget extends DialTarget {
  /** How to speak TLS where a step asks for it; as the server's own, whose connections may be plain. */
  readonly stepTls?: TlsSettings | undefined;
  /** A PROXY header goes first. */
  readonly sendProxy?: ProxyVersion | undefined;
  /** What a check over HTTP speaks; `undefined`: as the TLS handshake says, or HTTP/1. */
  readonly proto?: CheckProto | undefined;
  /** What `sendState` tells of the server now. */
  readonly state?: () => string;
  /** A kept connection of the server, where checks may use one and there is one. */
  readonly lend?: ((sni: string | undefined) => LentConnection | undefined) | undefined;
}

/** HTTP/1 or HTTP/2, in HAProxy's words. */
export type CheckProto = 'h1' | 'h2';

/** The options of a server that say where its checks go, and how they are spoken. They may stand in `defaultServer`. */
export interface CheckTargetOptions {
  /** Another host for checks, or `unix:/path`; then over plain TCP, unless `checkSsl` is set. Default: the server's. */
  readonly addr?: string;
  /** Another port for checks, 1 to 65,535; then over plain TCP, unless `checkSsl` is set. Default: the server's. */
  readonly port?: number;
  /** Checks speak TLS, by the server's options for it. Default: as the server does. HAProxy: `check-ssl`. */
  readonly checkSsl?: boolean;
  /** The name asked for in the TLS handshake of checks. Default: as for the server. HAProxy: `check-sni`. */
  readonly checkSni?: string;
  /**
   * Protocols offered in the TLS handshake of checks; with `h2` chosen, a check over HTTP speaks HTTP/2. Default: as for the
   * server. HAProxy: `check-alpn`.
   */
  readonly checkAlpn?: readonly string[];
  /**
   * What a check over HTTP speaks, whatever the TLS handshake chose. Without TLS, `'h2'` needs a server that expects it.
   * Default: as `checkAlpn` came out, else HTTP/1. HAProxy: `check-proto`.
   */
  readonly checkProto?: CheckProto;
  /** A PROXY header goes first in checks; `true` is `'v1'`. Default: `false`. HAProxy: `check-send-proxy`. */
  readonly checkSendProxy?: boolean | ProxyVersion;
  /**
   * A check over HTTP by one request goes over an idle connection of the server's, where there is one, and gives it back;
   * not where it goes elsewhere or otherwise than requests do. Default: `false`. HAProxy: `check-reuse-pool`.
   */
  readonly checkReusePool?: boolean;
}

/** `CheckTargetOptions`, read. */
export interface CheckTargetSettings extends Elsewhere {
  readonly ssl: boolean | undefined;
  readonly sni: string | undefined;
  readonly alpn: readonly string[] | undefined;
  readonly proto: CheckProto | undefined;
  readonly sendProxy: ProxyVersion | undefined;
  readonly reusePool: boolean;
}

export function readCheckTarget(read: OptionReader): CheckTargetSettings {
  const proto = read.oneOf('checkProto', ['h1', 'h2'], { default: undefined });
  const sendProxy = read.oneOf('checkSendProxy', [true, false, 'v1', 'v2'], { default: false });
  return {
    ...readElsewhere(read),
    ssl: read.boolean('checkSsl', { default: undefined }),
    sni: readSni(read, 'checkSni'),
    alpn: readAlpn(read, 'checkAlpn') ?? (proto === 'h2' ? ['h2'] : undefined),
    proto,
    sendProxy: sendProxy === true ? 'v1' : sendProxy || undefined,
    reusePool: read.boolean('checkReusePool', { default: false }),
  };
}

/** Whether checks go where requests go, and begin as they do. */
export function goesAsRequests(server: DialTarget, settings: CheckTargetSettings): boolean {
  const { addr, port, ssl, sni, alpn, proto, sendProxy } = settings;
  const same = ssl === undefined || ssl === (server.tls !== undefined);
  return same && (addr ?? port ?? sni ?? alpn ?? sendProxy) === undefined && proto !== 'h2';
}

/**
 * Where the checks of a server go. Another place has nothing of the server's transport but what is said.
 * @param checkTls how checks speak TLS where they do
 */
export function checkTarget(
  server: DialTarget,
  checkTls: TlsSettings | undefined,
  { ssl, sni, alpn, proto, sendProxy, ...place }: CheckTargetSettings,
): CheckTarget {
  const isElsewhere = place.addr !== undefined || place.port !== undefined;
  const overTls = ssl ?? (!isElsewhere && server.tls !== undefined);
  const stepTls = checkTls && { ...checkTls, sni: sni ?? checkTls.sni, alpn: alpn ?? checkTls.alpn };
  const target = { ...server, stepTls, tls: overTls ? stepTls : undefined, sendProxy, proto };
  return overTls === server.address.tls && !isElsewhere ? target : redirected(target, place, target.tls, sendProxy);
}

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
function elsewhere(server: Address, { addr, port }: Elsewhere, tls: boolean): Address {
  if (addr === undefined && server.socketPath !== undefined) return server;
  return placed(addr ?? server.host, port ?? (server.port || (tls ? 443 : 80)), tls) ?? server;
}

/** A target with another place, TLS or none. */
export function redirected(
  target: CheckTarget,
  place: Elsewhere,
  tls: TlsSettings | undefined,
  sendProxy: ProxyVersion | undefined,
): CheckTarget {
  return { ...target, address: elsewhere(target.address, place, tls !== undefined), tls, sendProxy };
}

export function readSni(read: OptionReader, key: string): string | undefined {
  return read.string(key, { default: undefined, allowed: 'a host name', test: /^[A-Za-z0-9_.-]{1,253}$/ });
}

/** Names of protocols, as TLS takes them: 1 to 255 bytes each. */
export function readAlpn(read: OptionReader, key: string): readonly string[] | undefined {
  return read.read(key, undefined, "an array of protocols: ['h2', 'http/1.1']", (value) => {
    const names = Array.isArray(value) ? (value as unknown[]) : [];
    const all = names.filter((name): name is string => typeof name === 'string' && /^[!-~]{1,255}$/.test(name));
    return all.length > 0 && all.length === names.length && all.length <= 16 ? all : undefined;
  });
}

function placed(host: string, port: number, tls: boolean): Address | undefined {
  if (host.startsWith('unix:')) return parseAddress(host);
  if (!isIPv6(host) && /[:[\]]/.test(host)) return undefined;
  return parseAddress(`${tls ? 'https' : 'http'}://${hostPort(host, port)}`);
}
