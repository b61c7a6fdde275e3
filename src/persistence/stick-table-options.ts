import type { ConfigFault } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import { STICK_TABLE_HINTS } from './option-hints.ts';
import { fromTablePhrase } from './stick-table-phrase.ts';
import { readStoredData, type StoredDataWord, type StoredDatum, wordsOf } from './stored-data.ts';
import type { StickKeyType } from './table.ts';

/** A number of entries, or one with HAProxy's suffix: `k` is 1024, `m` 1024². */
export type EntryCount = number | `${number}k` | `${number}m`;

/** How a table is made. HAProxy: `stick-table`. */
export interface StickTableOptions {
  /**
   * What its keys are: IPv4 addresses, addresses of both kinds (those of IPv4 as mapped ones), unsigned integers of 32 bits,
   * texts, or bytes. With `ip` clients that come over IPv6 have no key; `ipv6` takes both. HAProxy's own words do as well:
   * `'ipv4'`, `'string len 64'`. HAProxy: `type`.
   */
  readonly type: StickKeyType | 'ipv4' | `${'string' | 'binary'} len ${number}`;
  /**
   * Bytes of a key of type `string`, of which what is beyond is cut (keys that begin alike are one then), or `binary`, where
   * what is missing is zeros. Default: 32. 1 to 65,535. HAProxy: `len`.
   */
  readonly len?: number;
  /** Most entries. 28 bytes for each are taken at once, the rest as entries come. 1 to 8,388,608 (`'8m'`). HAProxy: `size`. */
  readonly size: EntryCount;
  /** For how long an entry stays that nothing uses. Default: none, for ever. 1 ms to 24.8 days. HAProxy: `expire`. */
  readonly expire?: Duration;
  /** Refuses new entries when it is full, instead of removing the one that was used longest ago. Default: false. HAProxy: `nopurge`. */
  readonly nopurge?: boolean;
  /**
   * What is counted for each entry, in HAProxy's words, as a list or with commas: `'gpc0,http_req_rate(10s)'`. A server is always
   * kept. Default: nothing. HAProxy: `store`.
   */
  readonly store?: readonly StoredDataWord[] | string;
}

/** The same in HAProxy's words: `'type ip size 100k expire 30m store http_req_rate(10s)'`. */
export type StickTablePhrase = `type ${string}`;

/** A table's options, read. */
export interface ResolvedTable {
  readonly type: StickKeyType;
  /** Bytes of a text or a block. */
  readonly len: number;
  readonly size: number;
  /** `Infinity`: never. */
  readonly expireMs: number;
  readonly nopurge: boolean;
  readonly data: readonly StoredDatum[];
}

/** A `Map` of V8 holds 2^24 entries, of which half may be ones that were removed. */
const MOST_ENTRIES = 2 ** 23;
const LONGEST_KEY = 65_535;
const DEFAULT_LEN = 32;
/** HAProxy: the longest time that it reads. */
const LONGEST_EXPIRE_MS = 2_147_483_647;
const TYPES: readonly StickKeyType[] = ['ip', 'ipv6', 'integer', 'string', 'binary'];
const SUFFIXES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  srvkey: 'not supported (HAProxy: srvkey): servers are kept by name',
  peers: 'not supported (HAProxy: peers)',
  writeTo: 'not supported (HAProxy: write-to)',
  recvOnly: 'not supported (HAProxy: recv-only)',
  bratesFactor: 'not supported (HAProxy: brates-factor): rates of bytes do not overflow here',
};

/** A phrase as options, or the options as they are; `undefined`, with a fault, where it is neither. */
export function tableOptionsOf(value: unknown, path: string, faults: ConfigFault[]): StickTableOptions | undefined {
  const given = typeof value === 'string' ? fromTablePhrase(value) : value;
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as StickTableOptions;
  const why = typeof given === 'string' ? given : 'is not allowed';
  const allowed = "'type ip size 100k expire 30m store http_req_rate(10s)' or { type, size, … }";
  faults.push({ path, value, message: `${show(value)} ${why}; allowed: ${allowed}` });
  return undefined;
}

/**
 * Reads a table's options; faults go to the reader.
 * @returns what holds, with the defaults in place of what is wrong
 */
export function readStickTable(read: OptionReader): ResolvedTable {
  read.notSupported(NOT_SUPPORTED);
  const { type, phraseLen } = readType(read);
  const hasLen = type === 'string' || type === 'binary';
  if (read.has('len') && !hasLen) read.reject('len', 'is for the types string and binary');
  if (read.has('len') && phraseLen !== undefined) read.reject('len', 'is said twice, in type and in len');
  const len = read.integer('len', { default: phraseLen ?? DEFAULT_LEN, min: 1, max: LONGEST_KEY });
  const resolved: ResolvedTable = {
    type,
    len,
    size: readSize(read),
    expireMs: read.durationMs('expire', { default: Number.POSITIVE_INFINITY, min: 1, max: LONGEST_EXPIRE_MS }),
    nopurge: read.boolean('nopurge', { default: false }),
    data: readStore(read),
  };
  read.rejectUnknown(STICK_TABLE_HINTS);
  return resolved;
}

/** @throws {ConfigError} naming every option that is wrong */
export function resolveStickTable(options: StickTableOptions | StickTablePhrase): ResolvedTable {
  const faults: ConfigFault[] = [];
  const given = tableOptionsOf(options, 'options', faults);
  const read = new OptionReader(given, '', faults);
  if (!given) read.throwFaults();
  const resolved = readStickTable(read);
  read.throwFaults();
  return resolved;
}

function readType(read: OptionReader): { type: StickKeyType; phraseLen: number | undefined } {
  const written = read.any('type');
  const [, word = '', digits] =
    (typeof written === 'string' && /^(\w+)(?: +len +(\d{1,5}))?$/.exec(written.trim())) || [];
  const type = word === 'ipv4' ? 'ip' : TYPES.find((known) => known === word);
  const phraseLen = digits === undefined ? undefined : Number(digits);
  const isWrong =
    phraseLen !== undefined && (!/^(?:string|binary)$/.test(word) || phraseLen < 1 || phraseLen > LONGEST_KEY);
  if (type === undefined || isWrong)
    read.fault(
      'type',
      written,
      `'ip', 'ipv4', 'ipv6', 'integer', 'string', 'binary', 'string len 64' (1 to ${LONGEST_KEY})`,
    );
  return { type: type ?? 'string', phraseLen: isWrong ? undefined : phraseLen };
}

function readSize(read: OptionReader): number {
  const allowed = `a number of entries (10000, '100k', '1m') from 1 to ${MOST_ENTRIES}`;
  const size = read.read('size', undefined, allowed, (value) => {
    const [, digits = '', suffix = ''] = (typeof value === 'string' && /^(\d{1,10})([kmg]?)$/i.exec(value)) || [];
    const count = typeof value === 'number' ? value : Number(digits) * (SUFFIXES[suffix.toLowerCase()] ?? 0);
    return Number.isInteger(count) && count >= 1 && count <= MOST_ENTRIES ? count : undefined;
  });
  if (size === undefined && !read.has('size')) read.reject('size', `is missing; allowed: ${allowed}`);
  return size ?? 1;
}

function readStore(read: OptionReader): StoredDatum[] {
  const words = read.read(
    'store',
    [],
    "HAProxy's words, as a list or with commas: 'gpc0,http_req_rate(10s)'",
    (value) => (typeof value === 'string' ? wordsOf(value) : Array.isArray(value) ? (value as unknown[]) : undefined),
  );
  return readStoredData(words, (word, why) =>
    read.faults.push({ path: read.pathOf('store'), value: word, message: `${show(word)} ${why}` }),
  );
}
