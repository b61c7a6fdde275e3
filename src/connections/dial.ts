import net from 'node:net';
import tls from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { Environment } from '../core/environment.ts';
import type { Address } from '../servers/address.ts';
import { Names } from './names.ts';

/** How to speak TLS to a server; the server options `ca`, `cert`, `key`, `verify`, `verifyhost`, `sni`, `alpn`, read. */
export interface TlsSettings {
  readonly ca: string | Buffer | readonly (string | Buffer)[] | undefined;
  readonly cert: string | Buffer | undefined;
  readonly key: string | Buffer | undefined;
  readonly verify: boolean;
  /** Name the certificate must hold; `undefined`: the SNI, or the address when there is none. */
  readonly verifyhost: string | undefined;
  /** Fixed SNI; `undefined`: the address's host name, or for an IP address the request's Host. */
  readonly sni: string | undefined;
  readonly alpn: readonly string[];
}

/** Where to connect, and how. `tls` is `undefined` for a plain connection. */
export interface DialTarget {
  readonly address: Address;
  readonly tls: TlsSettings | undefined;
}

/** Node's `onread`: reads go to a buffer of ours and the callback, past the stream machinery. */
export interface OnRead {
  /** Asked before the first read and after each one; `undefined` keeps the last buffer. */
  readonly buffer: () => Uint8Array | undefined;
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean;
}

/** The event after which a connection can be written to and is, where asked for, verified. */
export function readyEvent(target: DialTarget): 'connect' | 'secureConnect' {
  return target.tls ? 'secureConnect' : 'connect';
}

/** The SNI for a connection that carries a request with this `Host`; `undefined` for none. */
export function serverName(target: DialTarget, requestHost: string | undefined): string | undefined {
  if (!target.tls) return undefined;
  if (target.tls.sni !== undefined) return target.tls.sni;
  if (net.isIP(target.address.host) === 0) return target.address.host;
  const host = requestHost?.replace(/:\d*$/, '').toLowerCase();
  // An IP address is no SNI (RFC 6066 §3), and what is no host name cannot be one.
  return host !== undefined && /^[a-z0-9_]([a-z0-9_.-]{0,252})$/.test(host) && net.isIP(host) === 0 ? host : undefined;
}

const MAX_TLS_SESSIONS = 1_000;

/** Opens connections to servers. One a pool: it holds the pool's cache of looked-up names and of TLS sessions. */
export class Dialer {
  readonly #names: Names;
  readonly #sessions = new LRUCache<string, Buffer>({ max: MAX_TLS_SESSIONS });

  constructor(environment: Environment) {
    this.#names = new Names(environment);
  }

  /**
   * Starts a connection. The socket has an `error` listener from birth, so it can never throw on its own; `close`
   * always comes in the end. Wait for `readyEvent(target)`.
   * @param localAddress address of ours to connect from
   */
  dial(target: DialTarget, sni: string | undefined, onread?: OnRead, localAddress?: string): net.Socket {
    const { address } = target;
    let giveUp: (() => void) | undefined;
    const options: net.TcpNetConnectOpts | net.IpcNetConnectOpts = address.socketPath
      ? { path: address.socketPath }
      : {
          host: address.host,
          port: address.port,
          noDelay: true,
          // Called for names only.
          lookup: (name, options, callback) => {
            giveUp = this.#names.lookup(name, options, callback);
          },
        };
    if (localAddress !== undefined && !address.socketPath)
      (options as net.TcpNetConnectOpts).localAddress = localAddress;
    if (onread) options.onread = onread as unknown as net.OnReadOpts;
    const socket = target.tls
      ? this.#tls(target.address, target.tls, sni, options as tls.ConnectionOptions)
      : net.connect(options);
    socket.on('error', ignore);
    if (giveUp) socket.once('close', giveUp);
    return socket;
  }

  /**
   * Speaks TLS over a connection to `address` that is made, and over which something plain was said first. Wait for
   * `secureConnect`; the rest is as for `dial`. Reads come as events only.
   */
  secure(socket: net.Socket, address: Address, settings: TlsSettings, sni: string | undefined): tls.TLSSocket {
    const secured = this.#tls(address, settings, sni, { socket });
    secured.on('error', ignore);
    return secured;
  }

  #tls(
    address: Address,
    settings: TlsSettings,
    sni: string | undefined,
    options: tls.ConnectionOptions,
  ): tls.TLSSocket {
    const sessionKey = `${address.url} ${sni ?? ''}`;
    const nameToVerify = settings.verifyhost ?? sni ?? address.host;
    const session = this.#sessions.get(sessionKey);
    const socket = tls.connect({
      ...options,
      servername: sni ?? '',
      ALPNProtocols: [...settings.alpn],
      rejectUnauthorized: settings.verify,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(nameToVerify, certificate),
      ...(settings.ca !== undefined && { ca: settings.ca as string | Buffer | (string | Buffer)[] }),
      ...(settings.cert !== undefined && { cert: settings.cert }),
      ...(settings.key !== undefined && { key: settings.key }),
      ...(session && { session }),
    });
    socket.on('session', (fresh) => this.#sessions.set(sessionKey, fresh));
    return socket;
  }
}

function ignore(): void {}
