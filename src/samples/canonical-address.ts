import { isIPv4, isIPv6 } from 'node:net';
import { ipv6Bytes } from '../core/ip-address.ts';

/** An address in canonical text (RFC 5952), without zone; `undefined` when `text` is none. `::ffff:1.2.3.4` is `1.2.3.4`. */
export function parseAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  return isIPv6(text) ? formatAddress(Buffer.from(ipv6Bytes(text))) : undefined;
}

/**
 * The IPv4 address that a text begins with, up to the first character that is neither digit nor dot. Numbers may have leading
 * zeros. @see HAProxy tools.c:buf2ip
 */
export function leadingIpv4(text: string): { readonly address: string; readonly length: number } | undefined {
  const [lead = ''] = /^[\d.]*/.exec(text) ?? [];
  const octets = lead.split('.');
  if (octets.length !== 4 || !octets.every((octet) => octet !== '' && Number(octet) <= 255)) return undefined;
  return { address: octets.map(Number).join('.'), length: lead.length };
}

/** The 4 or 16 bytes of a canonical address. */
export function addressBytes(address: string): Buffer {
  return isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : Buffer.from(ipv6Bytes(address));
}

/** The canonical address of 4 or 16 bytes. */
export function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.subarray(0, 12).equals(IPV4_MAPPED)) return bytes.subarray(12).join('.');
  const text = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(2 * group).toString(16)).join(':');
  let longest = { at: 0, length: 0 };
  for (const { 0: zeros, index } of text.matchAll(/\b0(?::0)+\b/g))
    if (zeros.length > longest.length) longest = { at: index, length: zeros.length };
  if (longest.length === 0) return text;
  return `${text.slice(0, longest.at).replace(/:$/, '')}::${text.slice(longest.at + longest.length).replace(/^:/, '')}`;
}

/**
 * The address with only those bits that are set in the mask.
 * @param mask as long as the address: 4 or 16 bytes
 */
export function maskAddress(address: string, mask: Buffer): string {
  return formatAddress(Buffer.from(addressBytes(address).map((byte, i) => byte & (mask[i] ?? 0))));
}

const IPV4_MAPPED = Buffer.from('00000000000000000000ffff', 'hex');
