/**
 * What a stick table costs, beside a bare lru-cache with the same keys: memory for a million entries, and the time to look a
 * key up, to store one that is there, and to store a new one while the table is full or still grows. The value of the bare
 * cache is a small object, as one writes it by hand; it knows of no expiry, no requests that use an entry, no address that is
 * written in two ways, and keeps what a key is a part of.
 * Every key is a text of its own, made anew outside what is timed, as requests bring them.
 * Prints bytes an entry beyond its key, and nanoseconds, the median of blocks in alternation. Run: `npm run bench:table` (a
 * minute or so).
 */

import { LRUCache } from 'lru-cache';
import { StickTable, type StickTableOptions } from '#src/index.ts';

const ENTRIES = 1_000_000;
/** Keys timed at once, and how many times each step is. */
const BLOCK = 50_000;
const BLOCKS = ENTRIES / BLOCK;
const SERVERS = Array.from({ length: 16 }, (_, index) => `server-${index}`);

type Type = 'string' | 'ip';
type Step = 'fill' | 'get' | 'set' | 'replace';

interface Memory {
  get(key: string): string | undefined;
  set(key: string, server: string): void;
}

/** Spread over the whole range, and in no order. */
const scattered = (index: number): number => Math.imul(index + 1, 2_654_435_761) >>> 0;

const KEY_OF: Readonly<Record<Type, (index: number) => string>> = {
  string: (index) => `session-${scattered(index).toString(36).padStart(7, '0')}`,
  ip: (index) => {
    const bits = scattered(index);
    return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
  },
};

const MAKE: Readonly<Record<'ours' | 'bare', (type: Type) => Memory>> = { ours: table, bare: () => bareCache() };

function table(type: Type, store: NonNullable<StickTableOptions['store']> = []): Memory {
  const entries = new StickTable({ type, size: ENTRIES, expire: '30m', store });
  return { get: (key) => entries.lookup(key), set: (key, server) => entries.store(key, server) };
}

function bareCache(): Memory {
  const entries = new LRUCache<string, { server: string }>({ max: ENTRIES });
  return { get: (key) => entries.get(key)?.server, set: (key, server) => entries.set(key, { server }) };
}

/** Texts that nothing else refers to, and that were never looked up. */
function freshKeys(type: Type, indexes: Iterable<number>): string[] {
  return Array.from(indexes, (index) => Buffer.from(KEY_OF[type](index), 'latin1').toString('latin1'));
}

/** Which keys a block of a step uses. Those that are looked up come in an order of their own. */
function indexesOf(step: Step, block: number): number[] {
  return Array.from({ length: BLOCK }, (_, i) => {
    if (step === 'fill') return block * BLOCK + i;
    if (step === 'replace') return (BLOCKS + block) * BLOCK + i;
    return scattered(block * BLOCK + i) % ENTRIES;
  });
}

function serverOf(index: number): string {
  return SERVERS[index % SERVERS.length] as string;
}

function used(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The bytes of a key that a table holds itself: a text of one character a byte with its head, rounded up; of an address none. */
function keyBytes(type: Type): number {
  return type === 'ip' ? 0 : Math.ceil((16 + KEY_OF.string(0).length) / 8) * 8;
}

/** @param type of its keys */
function bytesAnEntry(type: Type, make: () => Memory, ownKeyBytes: number): number {
  const before = used();
  const memory = make();
  for (let index = 0; index < ENTRIES; index++) {
    const [key] = freshKeys(type, [index]);
    memory.set(key as string, serverOf(index));
  }
  const bytes = (used() - before) / ENTRIES - ownKeyBytes;
  if (memory.get(KEY_OF[type](0)) !== SERVERS[0]) throw new Error('the entries are gone');
  return bytes;
}

function nanoseconds(memory: Memory, step: Step, keys: readonly string[]): number {
  let found = 0;
  const from = performance.now();
  if (step === 'get') for (const key of keys) found += memory.get(key) === undefined ? 0 : 1;
  else for (let i = 0; i < keys.length; i++) memory.set(keys[i] as string, SERVERS[i & 15] as string);
  const took = performance.now() - from;
  if (step === 'get' && found !== keys.length) throw new Error(`found ${found} of ${keys.length}`);
  return (took * 1e6) / keys.length;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

function compare(type: Type): void {
  const memories = { ours: MAKE.ours(type), bare: MAKE.bare(type) };
  for (const [step, what] of [
    ['fill', 'store a new key, growing'],
    ['get', 'look up a key'],
    ['set', 'store a key that is there'],
    ['replace', 'store a new key, full'],
  ] as const) {
    const times = { ours: [] as number[], bare: [] as number[] };
    for (let block = 0; block < BLOCKS; block++)
      for (const which of block % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const))
        times[which].push(nanoseconds(memories[which], step, freshKeys(type, indexesOf(step, block))));
    const [ours, bare] = [median(times.ours), median(times.bare)];
    const cells = [ours.toFixed(0).padStart(6), bare.toFixed(0).padStart(6), (ours / bare).toFixed(2).padStart(6)];
    console.log(`${`${type}: ${what}`.padEnd(38)} ${cells.join('   ')}`);
  }
}

if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc');

console.log(`bytes an entry beyond its key, ${ENTRIES.toLocaleString('en')} entries`);
const stores = [
  ['server alone', []],
  ['and a rate', ['http_req_rate(10s)']],
  ['and two rates', ['http_req_rate(10s)', 'conn_rate(10s)']],
] as const;
for (const type of ['string', 'ip'] as const)
  for (const [what, store] of stores) {
    const bytes = bytesAnEntry(type, () => table(type, store), keyBytes(type));
    console.log(`${`${type}: ${what}`.padEnd(38)} ${bytes.toFixed(1).padStart(6)}`);
  }
console.log(
  `${'bare lru-cache'.padEnd(38)} ${bytesAnEntry('string', bareCache, keyBytes('string')).toFixed(1).padStart(6)}`,
);

console.log(`\nnanoseconds${''.padEnd(31)} ours     bare    ratio`);
compare('string');
compare('ip');
