import type { Counted } from '../persistence/entry-data.ts';
import type { DataNames } from '../persistence/entry-view.ts';
import type { StickTable } from '../persistence/stick-table.ts';
import type { StoredDatum } from '../persistence/stored-data.ts';
import type { DatumName, StickKey, Tracked, Tracking } from '../persistence/table.ts';
import { inRange, readCounts } from './answers.ts';
import { fieldOf } from './key-names.ts';
import type { RedisLink } from './redis-link.ts';
import { COUNT } from './scripts.ts';

export interface SharedCountersOptions {
  readonly link: RedisLink;
  /** What is counted for each entry. */
  readonly data: readonly StoredDatum[];
  readonly names: DataNames;
  /** Where this process counts. */
  readonly table: StickTable;
  /** 0: for ever. */
  readonly ttlMs: number;
  readonly keyOf: (key: string) => string;
}

/** By name, what was counted here and Redis has not been told of. */
type Counts = Map<string, number>;

/**
 * Counts by all processes together: here at once, in Redis afterwards, whose numbers then take the place of ours. So what a rule
 * reads is what all have counted up to the last request of the same key, and what this process has counted since. While Redis
 * is gone each process counts for itself.
 */
export class SharedCounters {
  readonly #options: SharedCountersOptions;
  readonly #uncounted = new Map<string, { readonly key: StickKey; readonly counts: Counts }>();
  readonly #counting = new Set<string>();

  constructor(options: SharedCountersOptions) {
    this.#options = options;
  }

  /** @param name the key as it is named in Redis */
  track(key: StickKey, name: string): Tracking | undefined {
    const tracking = this.#options.table.track(key);
    if (!tracking) return undefined;
    const shared = new SharedTracking(tracking, (datum, by) => this.#count(key, name, datum, by));
    shared.begun();
    return shared;
  }

  forget(name: string): void {
    this.#uncounted.delete(name);
  }

  #count(key: StickKey, name: string, datum: string, by: number): void {
    const { names, link } = this.#options;
    const stored = names.column(datum)?.name;
    if (stored === undefined || !link.usable) return;
    const waiting = this.#uncounted.get(name) ?? { key, counts: new Map<string, number>() };
    waiting.counts.set(stored, (waiting.counts.get(stored) ?? 0) + by);
    this.#uncounted.set(name, waiting);
    // All of a turn goes in one.
    if (this.#counting.has(name)) return;
    this.#counting.add(name);
    queueMicrotask(() => void this.#send(name));
  }

  async #send(name: string): Promise<void> {
    const { link, data, table, ttlMs, keyOf } = this.#options;
    try {
      for (let waiting = this.#uncounted.get(name); waiting; waiting = this.#uncounted.get(name)) {
        this.#uncounted.delete(name);
        const { key, counts } = waiting;
        const words = data.flatMap((datum) => [
          fieldOf(datum),
          String(counts.get(datum.name) ?? 0),
          String(datum.periodMs),
        ]);
        const answer = await link.run(COUNT, keyOf(name), [String(ttlMs), ...words]);
        const counted = readCounts(answer, data);
        // What was counted here meanwhile is not among them.
        const since = this.#uncounted.get(name)?.counts;
        const all = data.map(({ name: datum, kind }, index): [DatumName, Counted] => {
          const { count, past, ageMs } = counted[index] as Counted;
          return [datum, { count: inRange(kind, count + (since?.get(datum) ?? 0)), past, ageMs }];
        });
        table.takeOver(key, new Map(all));
      }
    } catch {
      this.#uncounted.delete(name); // what was counted here stays here
    } finally {
      this.#counting.delete(name);
    }
  }
}

/** Names of data that an event counts in: `http_req` in `http_req_cnt` and `http_req_rate`. */
function dataOf(event: string): readonly string[] {
  return [`${event}_cnt`, `${event}_rate`];
}

/** Counts here, and tells who counts for all. */
class SharedTracking implements Tracking {
  readonly tracked: Tracked;
  readonly #own: Tracking;
  readonly #count: (datum: string, by: number) => void;
  #released = false;

  constructor(own: Tracking, count: (datum: string, by: number) => void) {
    this.#own = own;
    this.#count = count;
    this.tracked = new Proxy(own.tracked, {
      get: (target, name) => {
        if (name === 'increment') return this.#increment;
        if (name === 'mark') return this.#mark;
        return Reflect.get(target, name, target);
      },
    });
  }

  begun(): void {
    this.#event('conn', 1);
  }

  request(): void {
    this.#own.request();
    this.#event('http_req', 1);
  }

  response(status: number): void {
    if (status >= 400 && status < 500) this.error();
    else if (status >= 500 && status < 600 && status !== 501 && status !== 505) this.failure();
  }

  error(): void {
    this.#own.error();
    this.#event('http_err', 1);
  }

  failure(): void {
    this.#own.failure();
    this.#event('http_fail', 1);
  }

  bytesIn(bytes: number): void {
    this.#own.bytesIn(bytes);
    this.#event('bytes_in', bytes);
  }

  bytesOut(bytes: number): void {
    this.#own.bytesOut(bytes);
    this.#event('bytes_out', bytes);
  }

  release(): void {
    this.#own.release();
    this.#released = true;
  }

  readonly #increment: Tracked['increment'] = (counter, by = 1) => {
    this.#own.tracked.increment(counter, by);
    if (this.#released) return;
    this.#count(counter, by);
    this.#count(counter.endsWith(']') ? counter.replace('gpc', 'gpc_rate') : `${counter}_rate`, by);
  };

  /** A tag is of this process alone, until it is read from Redis again. */
  readonly #mark: Tracked['mark'] = (tag, value) => {
    const before = Number(readTag(this.#own.tracked, tag));
    this.#own.tracked.mark(tag, value);
    if (!this.#released) this.#count(tag, value - before);
  };

  #event(event: string, by: number): void {
    if (by === 0 || this.#released) return;
    for (const datum of dataOf(event)) this.#count(datum, by);
  }
}

function readTag(tracked: Tracked, tag: string): number | undefined {
  const [, index] = /^gpt\[(\d+)\]$/.exec(tag) ?? [];
  return index === undefined ? tracked.gpt0 : tracked.gpt[Number(index)];
}
