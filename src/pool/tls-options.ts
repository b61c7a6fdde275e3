import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsSettings } from '../connections/dial.ts';
import type { OptionReader } from '../core/options.ts';

/** A certificate or key as PEM. */
export type Pem = string | Buffer;

/** Server options for TLS; they need an `https:` address, or a check that speaks TLS of its own. Verified against the system's roots unless said otherwise. */
export interface TlsOptions {
  /** Certificates to trust in place of the system's roots, as PEM. HAProxy: `ca-file`. */
  readonly ca?: Pem | readonly Pem[];
  /** File of certificates to trust in place of the system's roots. HAProxy: `ca-file`. */
  readonly caFile?: string;
  /** Client certificate, as PEM. */
  readonly cert?: Pem;
  /** Key of the client certificate, as PEM. */
  readonly key?: Pem;
  /** File that holds the client certificate and its key. HAProxy: `crt`. */
  readonly crt?: string;
  /** Server name to ask for. Default: the address's host name; for an IP address the request's `Host`. */
  readonly sni?: string;
  /** Name the certificate must hold. Default: the SNI, or the address when there is none. */
  readonly verifyhost?: string;
  /** `'none'` trusts any certificate. Default: `'required'`. */
  readonly verify?: 'required' | 'none';
  /** Protocols to offer. Only `['http/1.1']` so far, which is the default. */
  readonly alpn?: readonly 'http/1.1'[];
}

const KEYS = ['ca', 'caFile', 'cert', 'key', 'crt', 'sni', 'verifyhost', 'verify', 'alpn'] as const;

/**
 * Reads the TLS options of a server; `undefined` where TLS is spoken neither to it nor by its check.
 * @param own the server's own options, without those of `defaultServer`: only they are wrong on a plain address
 */
export function readTls(read: OptionReader, tls: boolean, own: OptionReader): TlsSettings | undefined {
  const before = read.faults.length;
  const ca = readPems(read, 'ca');
  const caFile = readFile(read, 'caFile');
  const [cert] = readPems(read, 'cert') ?? [];
  const [key] = readPems(read, 'key') ?? [];
  const crt = readFile(read, 'crt');
  const settings: TlsSettings = {
    ca: ca ?? caFile,
    cert: cert ?? crt,
    key: key ?? crt,
    verify: read.oneOf('verify', ['required', 'none'], { default: 'required' }) === 'required',
    verifyhost: read.string('verifyhost', { default: undefined }),
    sni: read.string('sni', { default: undefined, allowed: 'a host name', test: /^[A-Za-z0-9_.-]{1,253}$/ }),
    alpn: read.read('alpn', ['http/1.1'], "['http/1.1']", (value) =>
      Array.isArray(value) && value.length === 1 && value[0] === 'http/1.1' ? ['http/1.1'] : undefined,
    ),
  };
  if (ca && caFile !== undefined) read.reject('caFile', "'ca' and 'caFile' cannot both be given");
  if (cert && crt !== undefined) read.reject('crt', "'cert' and 'crt' cannot both be given");
  if (cert && !key && crt === undefined) read.reject('cert', "'cert' needs 'key'");
  if (key && !cert && crt === undefined) read.reject('key', "'key' needs 'cert'");
  if (!tls) {
    for (const option of KEYS) if (own.has(option)) own.reject(option, 'needs an https: address');
    return undefined;
  }
  if (read.faults.length > before) return settings;
  try {
    createSecureContext({
      ...(settings.ca !== undefined && { ca: settings.ca as Pem | Pem[] }),
      ...(settings.cert !== undefined && { cert: settings.cert }),
      ...(settings.key !== undefined && { key: settings.key }),
    });
  } catch (error) {
    const faulty = crt !== undefined ? 'crt' : cert !== undefined ? 'cert' : caFile !== undefined ? 'caFile' : 'ca';
    read.reject(faulty, `cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
  return settings;
}

function readPems(read: OptionReader, key: 'ca' | 'cert' | 'key'): Pem[] | undefined {
  return read.read(key, undefined, 'PEM as a string or Buffer', (value) => {
    const list = key === 'ca' && Array.isArray(value) ? (value as unknown[]) : [value];
    const pems = list.filter(
      (pem): pem is Pem => Buffer.isBuffer(pem) || (typeof pem === 'string' && pem.includes('-----BEGIN ')),
    );
    return pems.length === list.length && pems.length > 0 ? pems : undefined;
  });
}

function readFile(read: OptionReader, key: 'caFile' | 'crt'): Buffer | undefined {
  const path = read.string(key, { default: undefined, allowed: 'the path of a PEM file' });
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    read.reject(key, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
