import { dialogueCheck, excerpt, failed, LONGEST_ANSWER, passed, type Turn } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that an LDAP server accepts an anonymous bind. HAProxy: `option ldap-check`. */
export interface LdapCheckOptions {
  readonly type: 'ldap';
}

/** LDAPMessage 1: bindRequest of version 3, no name, simple authentication without a password. */
const bind: Turn = {
  send: Buffer.from('300c020101600702010304008000', 'hex'),
  awaits: 'the answer to the bind',
  read: readBindResponse,
};

export const ldapCheck: HealthCheck = dialogueCheck(() => [bind], { reset: true });

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIND_RESPONSE = 0x61;
const ENUMERATED = 0x0a;
const OCTET_STRING = 0x04;

/** RFC 4511 §4.2.2. */
export function readBindResponse(reply: Buffer): CheckResult | undefined {
  try {
    const message = new BerReader(reply).open(SEQUENCE);
    if (message.integer(INTEGER) !== 1) throw new NotLdap();
    const response = message.open(BIND_RESPONSE);
    const code = response.integer(ENUMERATED);
    response.text();
    const words = oneLine(response.text());
    return code === 0
      ? passed('Success')
      : failed('L7STS', `result ${code}: ${words || 'see RFC 4511, appendix A'}`, code);
  } catch (error) {
    if (error instanceof Incomplete) return undefined;
    if (error instanceof NotLdap) return failed('L7RSP', `not the answer of an LDAPv3 server: ${excerpt(reply)}`);
    throw error;
  }
}

class Incomplete extends Error {}
class NotLdap extends Error {}

/** Reads elements of tag, length and value, one behind the other. */
class BerReader {
  readonly #bytes: Buffer;
  /** The bytes of an element end with it; those of the message itself may yet come. */
  readonly #whole: boolean;
  #at = 0;

  constructor(bytes: Buffer, whole = false) {
    this.#bytes = bytes;
    this.#whole = whole;
  }

  /** The elements within the next one. */
  open(tag: number): BerReader {
    return new BerReader(this.#value(tag), true);
  }

  integer(tag: number): number {
    const value = this.#value(tag);
    if (value.length !== 1) throw new NotLdap();
    return value.readUInt8(0);
  }

  text(): string {
    return this.#value(OCTET_STRING).toString();
  }

  #value(tag: number): Buffer {
    if (this.#byte() !== tag) throw new NotLdap();
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#bytes.length) this.#short();
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  /** In one byte below 128, else in as many as the first byte says; Active Directory takes four for each. */
  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const size = first & 0x7f;
    if (size < 1 || size > 4) throw new NotLdap();
    let length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + this.#byte();
    if (length > LONGEST_ANSWER) throw new NotLdap();
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    return byte ?? this.#short();
  }

  #short(): never {
    throw this.#whole ? new NotLdap() : new Incomplete();
  }
}
