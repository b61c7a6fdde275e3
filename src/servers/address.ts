import { isIPv6 } from 'node:net';

/** Where a server listens. */
export interface Address {
  /** Canonical: `http://host:port`, `https://host:port` or `unix:/path`; two equal addresses have equal urls. */
  readonly url: string;
  readonly tls: boolean;
  /** Host name or IP address, IPv6 without brackets; `localhost` for a unix socket. */
  readonly host: string;
  /** TCP port; 0 for a unix socket. */
  readonly port: number;
  /** Path of the unix socket. */
  readonly socketPath: string | undefined;
  /** What `Host` says when it is the server's own: without the scheme's default port. */
  readonly authority: string;
}

export const ADDRESS_FORMS =
  "'http://host:port', 'https://host:port', 'host:port' or 'unix:/path', without path, query or user info";

/** Reads an address; `undefined` when it is none of `ADDRESS_FORMS`. A trailing `/` is ignored. */
export function parseAddress(text: unknown): Address | undefined {
  if (typeof text !== 'string') return undefined;
  if (text.startsWith('unix:')) return unixAddress(text.slice(5));
  const withScheme = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  // `new URL` drops tabs and newlines, reads `\` as `/` and turns an empty port into the default: none of it was meant.
  const shape = /^https?:\/\/(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(?::(\d{1,5}))?\/?$/i.exec(withScheme);
  if (!shape) return undefined;
  if (shape[2] === undefined && withScheme !== text) return undefined; // a bare `host` names no port
  let url: URL;
  try {
    url = new URL(withScheme);
  } catch {
    return undefined;
  }
  const tls = url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  if (port === 0) return undefined;
  const bracketed = url.hostname;
  const host = bracketed.startsWith('[') ? bracketed.slice(1, -1) : bracketed;
  return Object.freeze({
    url: `${url.protocol}//${bracketed}:${port}`,
    tls,
    host,
    port,
    socketPath: undefined,
    authority: url.host,
  });
}

function unixAddress(path: string): Address | undefined {
  if (!path.startsWith('/') || path.includes('\0') || path.length > 107) return undefined; // sun_path holds 108 bytes with its NUL
  return Object.freeze({
    url: `unix:${path}`,
    tls: false,
    host: 'localhost',
    port: 0,
    socketPath: path,
    authority: 'localhost',
  });
}

/** `host:port` with an IPv6 host in brackets. */
export function hostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}
