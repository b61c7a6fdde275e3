import type { TlsSettings } from '../connections/dial.ts';
import { OptionReader } from '../core/options.ts';
import { type CheckTarget, readAlpn, readElsewhere, readSni, redirected } from './check-target.ts';

/** A connection of its own kind within a check: plain TCP to the server unless said otherwise. HAProxy: `tcp-check connect`. */
export interface ConnectOptions {
  /** What is not said here is as the server's options say for its check. HAProxy: `default`. Default: `false`. */
  readonly default?: boolean;
  /** Default: the server's. */
  readonly port?: number;
  /** A host, or `unix:/path`. Default: the server's. */
  readonly addr?: string;
  /** Over TLS, by the server's options for it. Default: `false`. */
  readonly ssl?: boolean;
  /** The name asked for in the TLS handshake. Default: as for the server. */
  readonly sni?: string;
  /** Protocols offered in the TLS handshake. Default: none. */
  readonly alpn?: readonly string[];
  /** A PROXY header (version 1) goes first. Default: `false`. */
  readonly sendProxy?: boolean;
  /** Closes in the orderly way, not by a reset that leaves no TIME_WAIT behind. Default: `false`. */
  readonly linger?: boolean;
}

/** How a step connects. */
export interface Connect {
  readonly linger: boolean;
  /** It may speak TLS to a server that others speak plainly to. */
  readonly usesTls: boolean;
  targetOf(target: CheckTarget): CheckTarget;
  /** As HAProxy names it: `connect port 80`. */
  readonly words: string;
}

/** As the server's options say. */
export const CONNECT_AS_SERVER: Connect = {
  linger: false,
  usesTls: false,
  targetOf: (target) => target,
  words: 'connect',
};

const TRUST_THE_SYSTEM: TlsSettings = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  verify: true,
  verifyhost: undefined,
  sni: undefined,
  alpn: [],
};

const ALLOWED = 'true, or { default?, port?, addr?, ssl?, sni?, alpn?, sendProxy?, linger? }';

export function readConnect(read: OptionReader, key: string): Connect {
  const value = read.any(key);
  if (value === true) return CONNECT_AS_SERVER;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    read.fault(key, value, ALLOWED);
    return CONNECT_AS_SERVER;
  }
  const options = new OptionReader(value, read.pathOf(key), read.faults);
  options.notSupported({ viaSocks4: 'not supported (HAProxy: via-socks4)', proto: 'not supported (HAProxy: proto)' });
  const asServer = options.boolean('default', { default: false });
  const place = readElsewhere(options);
  const ssl = options.boolean('ssl', { default: false });
  const sni = readSni(options, 'sni');
  const alpn = readAlpn(options, 'alpn');
  const sendProxy = options.boolean('sendProxy', { default: false });
  const linger = options.boolean('linger', { default: false });
  options.rejectUnknown();
  if (!ssl && !asServer && (sni ?? alpn) !== undefined) options.reject(sni === undefined ? 'alpn' : 'sni', 'needs ssl');
  const where = place.port === undefined ? 'connect' : `connect port ${place.port}`;
  return {
    linger,
    usesTls: ssl,
    words: ssl ? `${where} ssl` : where,
    targetOf(target) {
      const tls = ssl ? (target.stepTls ?? TRUST_THE_SYSTEM) : asServer ? target.tls : undefined;
      const header = sendProxy ? 'v1' : asServer ? target.sendProxy : undefined;
      return redirected(
        target,
        place,
        tls && { ...tls, sni: sni ?? tls.sni, alpn: alpn ?? (ssl ? [] : tls.alpn) },
        header,
      );
    },
  };
}
