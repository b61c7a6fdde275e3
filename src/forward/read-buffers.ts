/** Bytes of the buffer that every connection reads into while answers are small. */
const SCRATCH_BYTES = 65_536;

/** Bytes of a buffer for big bodies: 256 KiB lent to the response and used again cost half of copies out of 64 KiB. */
const BIG_BYTES = 262_144;

/** Most big buffers at one time, lent or held: 8 MiB. Beyond, bodies are copied out of the scratch buffer. */
const MAX_BIG = 32;

/** What is read into it must be copied or used up before the callback returns: the next read of any connection reuses it. */
export const scratchBuffer: Buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

const spare: Buffer[] = [];
let circulating = 0;

/** A response that was destroyed may drop a buffer without calling back: then the collector gives its place back. */
const lost = new FinalizationRegistry<undefined>(() => {
  circulating--;
});

/** A big buffer, to be given back; `undefined` when as many as may be are in use. */
export function takeBigBuffer(): Buffer | undefined {
  const buffer = spare.pop();
  if (buffer) return buffer;
  if (circulating >= MAX_BIG) return undefined;
  circulating++;
  const fresh = Buffer.allocUnsafeSlow(BIG_BYTES);
  lost.register(fresh, undefined);
  return fresh;
}

/** Nobody reads or writes the buffer any more. */
export function giveBigBuffer(buffer: Buffer): void {
  spare.push(buffer);
}

/** A big buffer that is lent: it comes back when all the views of it have been given back. */
export class Loan {
  readonly #buffer: Buffer;
  #views = 0;
  #over = false;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** Whether more views of this buffer may be had. */
  holds(buffer: Uint8Array): boolean {
    return buffer === this.#buffer && !this.#over;
  }

  view(start: number, end: number): Buffer {
    this.#views++;
    return this.#buffer.subarray(start, end);
  }

  /** To be called once for each view. */
  readonly giveBack = (): void => {
    if (--this.#views > 0) return;
    this.#over = true;
    giveBigBuffer(this.#buffer);
  };
}

/** Smaller pieces are copied into memory of their own, so that they do not hold a big buffer. */
const BIG_COPY_FROM = 16_384;

/** A piece of body apart from the buffer it was read into. */
export interface Piece {
  readonly bytes: Buffer;
  /** Must be called once nobody reads the bytes any more; `undefined`: they are nobody else's. */
  readonly giveBack: (() => void) | undefined;
}

/** A copy. Large ones use big buffers again: memory that is new each time doubled the CPU of a 64 KiB answer. */
export function copyOut(buffer: Uint8Array, start: number, end: number): Piece {
  const big = end - start >= BIG_COPY_FROM ? takeBigBuffer() : undefined;
  if (!big) return { bytes: Buffer.copyBytesFrom(buffer, start, end - start), giveBack: undefined };
  big.set(buffer.subarray(start, end));
  const loan = new Loan(big);
  return { bytes: loan.view(0, end - start), giveBack: loan.giveBack };
}
