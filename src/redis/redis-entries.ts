import { type Counted, rateOf } from '../persistence/entry-data.ts';
import type { DataNames } from '../persistence/entry-view.ts';
import type { StoredDatum } from '../persistence/stored-data.ts';
import type { StickChange, StickEntry } from '../persistence/table.ts';
import { readCounts, readText } from './answers.ts';
import { fieldOf } from './key-names.ts';
import type { RedisLink } from './redis-link.ts';
import { COUNT, REMOVE, WRITE } from './scripts.ts';

export interface RedisEntriesOptions {
  readonly link: RedisLink;
  readonly data: readonly StoredDatum[];
  readonly names: DataNames;
  /** 0: for ever. */
  readonly ttlMs: number;
  readonly channel: string;
  /** What stands before each key in Redis. */
  readonly prefix: string;
}

const SCANNED_AT_ONCE = '500';

/** The entries of a table as Redis has them, for operators. What the client throws comes out of it. */
export class RedisEntries {
  readonly #options: RedisEntriesOptions;

  constructor(options: RedisEntriesOptions) {
    this.#options = options;
  }

  async get(name: string, key: StickEntry['key']): Promise<StickEntry | undefined> {
    const { link, data, prefix } = this.#options;
    const words = data.flatMap((datum) => [fieldOf(datum), '0', String(datum.periodMs)]);
    const [left, stored, counted] = await Promise.all([
      link.command(['PTTL', prefix + name]),
      link.command(['HGET', prefix + name, 'server']),
      link.evaluate(COUNT, prefix + name, ['0', ...words]),
    ]);
    const ttl = Number(left);
    if (ttl === -2) return undefined;
    const server = readText(stored);
    const counts = readCounts(counted, data);
    const entry: Record<string, unknown> = {
      key,
      expiresInMs: ttl === -1 ? Number.POSITIVE_INFINITY : ttl,
      use: 0,
      ...(server && { server }),
    };
    for (const [index, { name: datum, kind, periodMs }] of data.entries()) {
      const { count, past, ageMs } = counts[index] as Counted;
      put(entry, datum, kind === 'rate' ? rateOf(count, past, periodMs - ageMs, periodMs) : count);
    }
    return Object.freeze(entry) as unknown as StickEntry;
  }

  async write(name: string, change: StickChange): Promise<void> {
    const { link, data, names, ttlMs, channel, prefix } = this.#options;
    const words: string[] = [];
    for (const [datum, value] of Object.entries(change)) {
      if (datum === 'server' && value !== undefined) words.push('server', String(value ?? ''), '0');
      else
        for (const [index, each] of (Array.isArray(value) ? value : [value]).entries()) {
          const element = Array.isArray(value) ? `${datum}[${index}]` : datum;
          const column = names.column(element)?.name;
          const stored = data.find(({ name: known }) => known === column);
          if (stored && each !== undefined) words.push(fieldOf(stored), String(each), String(stored.periodMs));
        }
    }
    await link.evaluate(WRITE, prefix + name, [String(ttlMs), channel, name, ...words]);
  }

  async remove(name: string): Promise<boolean> {
    const { link, channel, prefix } = this.#options;
    return Number(await link.evaluate(REMOVE, prefix + name, [channel, name])) === 1;
  }

  async *names(): AsyncIterableIterator<string> {
    const { link, prefix } = this.#options;
    const seen = new Set<string>();
    for (let cursor = ''; cursor !== '0'; ) {
      const words = ['SCAN', cursor || '0', 'MATCH', `${prefix}*`, 'COUNT', SCANNED_AT_ONCE];
      const [next, keys] = (await link.command(words)) as [unknown, unknown[]];
      for (const key of keys.map(String)) {
        if (seen.has(key)) continue;
        seen.add(key);
        yield key.slice(prefix.length);
      }
      cursor = String(next);
    }
  }
}

/** `gpc[1]` is the second of `gpc`. */
function put(entry: Record<string, unknown>, datum: string, value: number): void {
  const [, array, index] = /^(\w+)\[(\d+)\]$/.exec(datum) ?? [];
  if (array === undefined) entry[datum] = value;
  else entry[array] = Object.assign((entry[array] as number[] | undefined) ?? [], { [Number(index)]: value });
}
