import type { Column } from './entry-data.ts';
import { type EntryStore, NONE } from './entry-store.ts';
import { type DataNames, type Place, viewOf } from './entry-view.ts';
import type { KeyFormat } from './stick-key.ts';
import type { Tracked, Tracking } from './table.ts';

/** Which columns each event counts in. */
export interface Events {
  readonly connection: readonly Column[];
  readonly current: Column | undefined;
  readonly request: readonly Column[];
  readonly error: readonly Column[];
  readonly failure: readonly Column[];
  readonly bytesIn: readonly Column[];
  readonly bytesOut: readonly Column[];
}

export function eventsOf(names: DataNames): Events {
  const columns = (event: string): readonly Column[] =>
    [names.column(`${event}_cnt`), names.column(`${event}_rate`)].filter((column) => column !== undefined);
  return {
    connection: columns('conn'),
    current: names.column('conn_cur'),
    request: columns('http_req'),
    error: columns('http_err'),
    failure: columns('http_fail'),
    bytesIn: columns('bytes_in'),
    bytesOut: columns('bytes_out'),
  };
}

/**
 * One request's hold on an entry.
 * @see HAProxy stream.h, `stream_track_stkctr` and `stream_store_counters`
 */
export class EntryTracking implements Tracking, Place {
  readonly #store: EntryStore;
  readonly #names: DataNames;
  readonly #format: KeyFormat;
  readonly #events: Events;
  #slot: number;
  #tracked: Tracked | undefined;

  constructor(store: EntryStore, names: DataNames, format: KeyFormat, events: Events, slot: number, now: number) {
    this.#store = store;
    this.#names = names;
    this.#format = format;
    this.#events = events;
    this.#slot = slot;
    store.hold(slot);
    events.current?.add(slot, 1, now);
    for (const column of events.connection) column.add(slot, 1, now);
  }

  get slot(): number {
    return this.#slot;
  }

  get tracked(): Tracked {
    this.#tracked ??= viewOf(this.#store, this.#names, this.#format, this);
    return this.#tracked;
  }

  request(): void {
    this.#count(this.#events.request, 1);
  }

  response(status: number): void {
    if (status >= 400 && status < 500) this.error();
    else if (status >= 500 && status < 600 && status !== 501 && status !== 505) this.failure();
  }

  error(): void {
    this.#count(this.#events.error, 1);
  }

  failure(): void {
    this.#count(this.#events.failure, 1);
  }

  bytesIn(bytes: number): void {
    this.#count(this.#events.bytesIn, bytes);
  }

  bytesOut(bytes: number): void {
    this.#count(this.#events.bytesOut, bytes);
  }

  release(): void {
    const slot = this.#slot;
    if (slot === NONE) return;
    this.#slot = NONE;
    const now = this.#store.now();
    const { current } = this.#events;
    // An operator may have set it to less.
    if (current !== undefined && current.read(slot, now) > 0) current.write(slot, current.read(slot, now) - 1, now);
    this.#store.release(slot, now);
  }

  #count(columns: readonly Column[], by: number): void {
    if (columns.length === 0 || this.#slot === NONE) return;
    const now = this.#store.now();
    for (const column of columns) column.add(this.#slot, by, now);
  }
}
