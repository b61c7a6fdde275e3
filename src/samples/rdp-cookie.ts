/** Of the TPKT and X.224 headers, which come first. */
const HEADER_LENGTH = 11;

/** Of headers and cookie. A client that sends more of one is no RDP client. */
const MAX_LENGTH = 1024;

/**
 * The value of the cookie with which an RDP client begins: after 11 bytes of headers, which are not looked at,
 * `Cookie: NAME=value` and CR LF. The name is compared without regard to case.
 * @param payload what the client sent first
 * @returns one character a byte; `undefined` when there is no such cookie, or none that is whole within 1024 bytes, or it is
 * empty or holds a control character
 * @see HAProxy `rdp-cookie(<name>)`, payload.c:fetch_rdp_cookie_name
 */
export function parseRdpCookie(payload: Uint8Array, name: string): string | undefined {
  const text = Buffer.from(payload.subarray(HEADER_LENGTH, MAX_LENGTH)).toString('latin1');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a value
  const [, found, value] = /^Cookie: *([^=\s]+)=([^\0-\x1f\x7f]+)\r\n/i.exec(text) ?? [];
  return found?.toLowerCase() === name.toLowerCase() ? value : undefined;
}
