import { dialogueCheck, excerpt, failed, LONGEST_ANSWER, passed, type Turn } from './dialogue.ts';
import { type CheckResult, type HealthCheck, oneLine } from './health-check.ts';

/** The options of a check that an agent of HAProxy's SPOE answers its hello. HAProxy: `option spop-check`. */
export interface SpopCheckOptions {
  readonly type: 'spop';
}

/** HAPROXY-HELLO: version 2.0, frames of up to 16,380 bytes, no capabilities, `healthcheck` true. */
const hello: Turn = {
  send: Buffer.concat([
    Buffer.from('0000004e01000000010000', 'hex'),
    Buffer.from('\x12supported-versions\x08\x032.0\x0emax-frame-size', 'latin1'),
    Buffer.from('03fcf006', 'hex'),
    Buffer.from('\x0ccapabilities\x08\x00\x0bhealthcheck\x11', 'latin1'),
  ]),
  awaits: 'the answer to the hello',
  read: readAgentHello,
};

export const spopCheck: HealthCheck = dialogueCheck(() => [hello], { reset: true });

const AGENT_HELLO = 101;
const AGENT_DISCONNECT = 102;
/** Of a frame behind its length: type, flags, stream and frame. */
const FRAME_HEAD = 7;

/** The agent's first frame; SPOE.txt, 3.2.5 and 3.2.9. */
export function readAgentHello(reply: Buffer): CheckResult | undefined {
  if (reply.length < 4) return undefined;
  const length = reply.readUInt32BE(0);
  if (length < FRAME_HEAD || length > LONGEST_ANSWER - 4) return notSpop(reply);
  if (reply.length < 4 + FRAME_HEAD) return undefined;
  const type = reply[4];
  if (type !== AGENT_HELLO && type !== AGENT_DISCONNECT) return notSpop(reply);
  // The last and only part of a frame, of no stream.
  if (reply.readUInt32BE(5) !== 1 || reply.readUInt16BE(9) !== 0) return notSpop(reply);
  if (reply.length < 4 + length) return undefined;
  const items = readItems(reply.subarray(4 + FRAME_HEAD, 4 + length));
  if (!items) return notSpop(reply);
  return type === AGENT_HELLO ? judgeHello(items) : farewell(items);
}

type Items = ReadonlyMap<string, string | number | undefined>;

function judgeHello(items: Items): CheckResult {
  const version = items.get('version');
  const size = items.get('max-frame-size');
  if (typeof version !== 'string') return failed('L7RSP', 'the agent names no version', 5);
  if (version.trim() !== '2.0') return failed('L7RSP', `the agent speaks version ${oneLine(version)}, not 2.0`, 8);
  if (typeof size !== 'number') return failed('L7RSP', 'the agent names no max-frame-size', 6);
  if (size < 256 || size > LONGEST_ANSWER - 4) return failed('L7RSP', `the agent's max-frame-size is ${size}`, 9);
  if (typeof items.get('capabilities') !== 'string') return failed('L7RSP', 'the agent names no capabilities', 7);
  return passed('SPOA server is ok');
}

function farewell(items: Items): CheckResult {
  const code = items.get('status-code');
  const message = items.get('message');
  const words = typeof message === 'string' ? oneLine(message) : 'without a reason';
  return failed('L7RSP', `the agent disconnects: ${words}`, typeof code === 'number' ? code : undefined);
}

/** Names and values up to the end; `undefined`: they are none. */
function readItems(bytes: Buffer): Items | undefined {
  const items = new Map<string, string | number | undefined>();
  const reader = new ItemReader(bytes);
  try {
    while (!reader.ended) items.set(reader.text(), reader.value());
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  return items;
}

/** Types of values: those that are numbers, those with a length before them, and the sizes of the others. */
const NUMBERS: readonly number[] = [2, 3, 4, 5];
const TEXTS: readonly number[] = [8, 9];
const SIZES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 6: 4, 7: 16 };

/** Throws a RangeError where the bytes end too early or are none of the protocol. */
class ItemReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  text(): string {
    return this.#take(this.#number()).toString();
  }

  value(): string | number | undefined {
    const type = this.#byte() & 0x0f;
    if (NUMBERS.includes(type)) return this.#number();
    if (TEXTS.includes(type)) return this.text();
    this.#take(SIZES[type] ?? Number.POSITIVE_INFINITY);
    return undefined;
  }

  /** Four bits in the first byte, then seven in each while the last one is 128 or more: HAProxy's intops.h:decode_varint. */
  #number(): number {
    let byte = this.#byte();
    let number = byte;
    if (byte < 240) return number;
    let factor = 16;
    do {
      byte = this.#byte();
      number += byte * factor;
      factor *= 128;
    } while (byte >= 128 && factor < Number.MAX_SAFE_INTEGER / 256);
    return number;
  }

  #take(length: number): Buffer {
    const start = this.#at;
    if (start + length > this.#bytes.length) throw new RangeError('cut short');
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #byte(): number {
    return this.#take(1).readUInt8(0);
  }
}

function notSpop(reply: Buffer): CheckResult {
  return failed('L7RSP', `not the answer of an SPOP agent: ${excerpt(reply)}`);
}
