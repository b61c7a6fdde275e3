import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Bytes of HMAC-SHA-256 that are kept: 128 bits. */
const MAC_BYTES = 16;
/** The same in base64url. */
const MAC_LENGTH = 22;
const SEPARATOR = '.';

/** What a signed value turned out to be. */
export interface Verified {
  /** The value without its signature. */
  readonly value: string;
  /** Signed with a key that is no longer the newest. */
  readonly stale: boolean;
}

/**
 * Signs what the pool writes into a cookie, so that no client can name a server by itself, or give itself a date. The form is
 * `value.signature`, where `value` has its dates (`srv|last|first`) and no prefix's `~`, and the signature is the first 128 bits of
 * HMAC-SHA-256 over the cookie's name and the value, in base64url: 22 characters, none of which is `.`, `|` or `~`.
 */
export class CookieSigner {
  readonly #name: string;
  /** Five times as fast as bytes. */
  readonly #keys: readonly KeyObject[];

  /** @param keys the newest first, which signs; all of them verify */
  constructor(name: string, keys: readonly Uint8Array[]) {
    this.#name = name;
    this.#keys = keys.map((key) => createSecretKey(key));
  }

  sign(value: string): string {
    return `${value}${SEPARATOR}${this.#macs(value)[0]?.toString('base64url')}`;
  }

  /** `undefined`: not signed, or not by us. */
  verify(signed: string): Verified | undefined {
    const dot = signed.length - MAC_LENGTH - 1;
    if (dot < 1 || signed[dot] !== SEPARATOR) return undefined;
    const value = signed.slice(0, dot);
    const given = Buffer.from(signed.slice(dot + 1), 'latin1');
    let by = -1;
    // Every key is tried, so that the time says nothing about which one it was.
    for (const [index, mac] of this.#macs(value).entries()) {
      const expected = Buffer.from(mac.toString('base64url'), 'latin1');
      if (timingSafeEqual(given, expected) && by === -1) by = index;
    }
    return by === -1 ? undefined : { value, stale: by > 0 };
  }

  #macs(value: string): Buffer[] {
    return this.#keys.map((key) =>
      createHmac('sha256', key).update(`${this.#name}\0${value}`, 'latin1').digest().subarray(0, MAC_BYTES),
    );
  }
}
