/** The 32 bits of an IPv4 address, the first byte highest, as a signed number. @param text must be an IPv4 address */
export function ipv4Number(text: string, start: number = 0): number {
  let value = 0;
  let byte = 0;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      value = (value << 8) | byte;
      byte = 0;
    } else byte = byte * 10 + (code - ZERO);
  }
  return (value << 8) | byte;
}

/** The 16 bytes of an IPv6 address. A zone (`%eth0`) is left out. @param text must be an IPv6 address */
export function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  const [address = ''] = text.split('%');
  const [left = '', right] = address.split('::') as [string?, string?];
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const all = [...head, ...new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0), ...tail];
  for (let i = 0; i < 8; i++) {
    const group = all[i] ?? 0;
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  }
  return bytes;
}

/** The IPv4 address that an IPv6 socket names its client by, where it is one; else the text itself. */
export function unmapped(address: string): string {
  if (!address.startsWith(MAPPED)) return address;
  const rest = address.slice(MAPPED.length);
  return rest.includes('.') && !rest.includes(':') ? rest : address;
}

const MAPPED = '::ffff:';
const DOT = 46;
const ZERO = 48;

/** Groups of 16 bits; a dotted end is two of them. */
function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const value = ipv4Number(group);
    return [(value >>> 16) & 0xffff, value & 0xffff];
  });
}
