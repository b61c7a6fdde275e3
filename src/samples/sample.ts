import type { RequestContext } from '../core/context.ts';

/** What a sample is, in HAProxy's words; `any` where only the request tells. */
export type SampleType = 'str' | 'bin' | 'int' | 'ip' | 'any';

/** A type that is known before any request. */
export type FixedType = Exclude<SampleType, 'any'>;

/** How a value of each type is held. */
export interface SampleValues {
  /** One character a byte, as Node gives request targets and fields; with characters beyond 255 it stands for its UTF-8. */
  readonly str: string;
  readonly bin: Buffer;
  /** At most 64 bits with a sign; a `bigint` where a safe integer would not do. */
  readonly int: number | bigint;
  /** Canonical text: `10.0.0.1`, `2001:db8::1`; an IPv4 address inside an IPv6 one is the IPv4 address. */
  readonly ip: string;
  readonly any: SampleValue;
}

export type SampleValue = string | Buffer | number | bigint;

/** What a sample needs beside the request. */
export interface SampleEnvironment {
  /** At least 0, below 1. */
  random(): number;
  /** The client's address. */
  addressOf(context: RequestContext): string | undefined;
}

/** A value read off a request. HAProxy: a sample expression, configuration manual 7.3. */
export interface Sample {
  readonly type: SampleType;
  /** `undefined`: this request has no such value. Throws only what a user's own function throws. */
  read(context: RequestContext): SampleValue | undefined;
}

/**
 * A user's own sample. Bytes are text with one character a byte, or a `Buffer`; text with characters beyond 255 stands for
 * its UTF-8. `undefined` and `null`: the request has no such value.
 * @typeParam R the framework's own request object
 */
export type SampleFunction<R = unknown> = (
  context: RequestContext<R>,
) => string | Uint8Array | number | bigint | null | undefined;

/**
 * HAProxy's sample expression, as `req.hdr(x-key),lower`, or a function.
 * @typeParam R the framework's own request object
 */
export type SampleOption<R = unknown> = string | SampleFunction<R>;
