import { parseDuration } from '../core/units.ts';
import type { ArrayName, CounterName, DatumName, RateName } from './table.ts';

/** What a table keeps for each entry beside a server. HAProxy: `store`. */
export type StoredDataWord =
  | CounterName
  | `${RateName}(${string})`
  | `gpc(${number})`
  | `gpt(${number})`
  | `gpc_rate(${number},${string})`
  | 'server_id'
  | 'server_key';

/** One number of each entry: how it counts, and for a rate over how long. */
export interface StoredDatum {
  readonly name: DatumName;
  /** Bytes do not fit into 32 bits. */
  readonly kind: 'counter' | 'bytes' | 'rate';
  readonly periodMs: number;
}

export const COUNTERS: readonly CounterName[] = [
  ...(['conn_cnt', 'conn_cur', 'http_req_cnt', 'http_err_cnt', 'http_fail_cnt'] as const),
  ...(['bytes_in_cnt', 'bytes_out_cnt', 'gpc0', 'gpc1', 'gpt0'] as const),
];
export const RATES: readonly RateName[] = [
  ...(['conn_rate', 'http_req_rate', 'http_err_rate', 'http_fail_rate'] as const),
  ...(['bytes_in_rate', 'bytes_out_rate', 'gpc0_rate', 'gpc1_rate'] as const),
];
export const ARRAYS: readonly ArrayName[] = ['gpc', 'gpc_rate', 'gpt'];

/** HAProxy: STKTABLE_MAX_DT_ARRAY_SIZE. */
const LONGEST_ARRAY = 100;
/** HAProxy: the longest time that it reads. */
const LONGEST_PERIOD_MS = 2_147_483_647;

/** Servers are always kept. */
const SERVER_WORDS = ['server_id', 'server_key'];
/** What HAProxy counts of connections, which are the user's server's. */
const OF_CONNECTIONS = ['sess_cnt', 'sess_rate', 'glitch_cnt', 'glitch_rate'];

/** An array takes the place of the single ones; together they would be two counters of one name. */
const INSTEAD_OF: Readonly<Record<ArrayName, readonly string[]>> = {
  gpc: ['gpc0', 'gpc1'],
  gpc_rate: ['gpc0_rate', 'gpc1_rate'],
  gpt: ['gpt0'],
};

/**
 * Reads `store`: a list, or HAProxy's words with commas between them.
 * @param fault told of each word that is wrong, and why
 */
export function readStoredData(words: readonly unknown[], fault: (word: unknown, why: string) => void): StoredDatum[] {
  const data: StoredDatum[] = [];
  const seen = new Set<string>();
  for (const word of words) {
    const [, name = '', args] = (typeof word === 'string' && /^\s*(\w+)\s*(?:\(([^()]*)\))?\s*$/.exec(word)) || [];
    const read = readWord(name, args?.split(',').map((arg) => arg.trim()) ?? []);
    if (typeof read === 'string') fault(word, read);
    else if (seen.has(name)) fault(word, 'is there twice');
    else data.push(...read);
    seen.add(name);
  }
  for (const array of ARRAYS)
    for (const single of INSTEAD_OF[array])
      if (seen.has(array) && seen.has(single)) fault(single, `is a part of ${array}, which is stored, too`);
  return data;
}

/** The words of a comma list; commas within brackets do not count. */
export function wordsOf(list: string): string[] {
  return list.trim() === '' ? [] : list.split(/,(?![^(]*\))/);
}

function readWord(name: string, args: readonly string[]): StoredDatum[] | string {
  if (SERVER_WORDS.includes(name)) return args.length === 0 ? [] : 'takes no argument';
  if (OF_CONNECTIONS.includes(name)) return 'is not supported: it is of connections, which your own server accepts';
  if ((COUNTERS as readonly string[]).includes(name)) {
    if (args.length > 0) return 'takes no argument';
    return [{ name: name as CounterName, kind: name.startsWith('bytes_') ? 'bytes' : 'counter', periodMs: 0 }];
  }
  if ((RATES as readonly string[]).includes(name)) {
    const periodMs = readPeriod(args);
    return periodMs === undefined ? PERIOD_NEEDED : [{ name: name as RateName, kind: 'rate', periodMs }];
  }
  if ((ARRAYS as readonly string[]).includes(name)) return readArray(name as ArrayName, args);
  return `is not among the data of a table; allowed: ${[...COUNTERS, ...RATES.map((rate) => `${rate}(10s)`), 'gpc(3)', 'gpt(3)', 'gpc_rate(3,10s)'].join(', ')}`;
}

function readArray(name: ArrayName, [count = '', ...rest]: readonly string[]): StoredDatum[] | string {
  const length = /^\d{1,3}$/.test(count) ? Number(count) : 0;
  if (length < 1 || length > LONGEST_ARRAY) return `needs how many there are, 1 to ${LONGEST_ARRAY}`;
  const isRate = name === 'gpc_rate';
  const periodMs = isRate ? readPeriod(rest) : 0;
  if (periodMs === undefined) return PERIOD_NEEDED;
  if (!isRate && rest.length > 0) return 'takes one argument';
  return Array.from({ length }, (_, index) => ({
    name: `${name}[${index}]` as const,
    kind: isRate ? 'rate' : 'counter',
    periodMs,
  }));
}

const PERIOD_NEEDED = `needs the period that it is counted over, 1 to ${LONGEST_PERIOD_MS} ms: (10s)`;

/** HAProxy: without a unit it is milliseconds. */
function readPeriod(args: readonly string[]): number | undefined {
  const [text = '', ...rest] = args;
  const ms = parseDuration(/^\d+$/.test(text) ? Number(text) : text);
  return rest.length === 0 && ms !== undefined && ms >= 1 && ms <= LONGEST_PERIOD_MS ? ms : undefined;
}
