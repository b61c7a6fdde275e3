import { nearestName } from '../core/nearest-name.ts';
import type { Column } from './entry-data.ts';
import { type EntryStore, NONE } from './entry-store.ts';
import type { KeyFormat } from './stick-key.ts';
import { ARRAYS, COUNTERS, RATES } from './stored-data.ts';
import type { DatumName, StickEntry, Tracked } from './table.ts';

/** The data of a table by name: columns, and the arrays that some of them make up. */
export class DataNames {
  readonly #columns: ReadonlyMap<string, Column>;
  readonly #arrays: ReadonlyMap<string, readonly Column[]>;
  /** As one reads them off an entry: `http_req_rate`, `gpc`. */
  readonly names: readonly string[];

  constructor(columns: readonly Column[]) {
    this.#columns = new Map(columns.map((column) => [column.name, column]));
    const arrays = ARRAYS.map((array) => [array, columns.filter(({ name }) => name.startsWith(`${array}[`))] as const);
    this.#arrays = new Map(arrays.filter(([, elements]) => elements.length > 0));
    this.names = [...[...this.#columns.keys()].filter((name) => !name.includes('[')), ...this.#arrays.keys()];
  }

  /** `gpc0` is the first of `gpc`, where there is that. HAProxy: smp_fetch_get_gpc0. */
  column(name: string): Column | undefined {
    return this.#columns.get(name) ?? this.#columns.get(name.replace(/^(gp[ct])([01])(_rate)?$/, '$1$3[$2]'));
  }

  array(name: string): readonly Column[] | undefined {
    return this.#arrays.get(name);
  }

  /** @throws {TypeError} naming what is stored */
  needed(name: string): Column {
    return this.column(name) ?? this.#missing(name);
  }

  /** @throws {TypeError} naming what is stored */
  neededArray(name: string): readonly Column[] {
    return this.array(name) ?? this.#missing(name);
  }

  #missing(name: string): never {
    throw new TypeError(`the table does not store ${name}; it stores: ${['server', ...this.names].join(', ')}`);
  }
}

/** An entry as it is now. */
export function snapshot(
  store: EntryStore,
  names: DataNames,
  format: KeyFormat,
  slot: number,
  now: number,
): StickEntry {
  const entry: Record<string, unknown> = {
    key: format.show(store.keyAt(slot, now) ?? 0),
    expiresInMs: store.expiresInMs(slot, now),
    use: store.usesOf(slot),
  };
  const server = store.serverAt(slot);
  if (server !== undefined) entry['server'] = server;
  for (const name of names.names) {
    const array = names.array(name);
    entry[name] = array
      ? Object.freeze(array.map((column) => column.read(slot, now)))
      : names.column(name)?.read(slot, now);
  }
  return Object.freeze(entry) as StickEntry;
}

/** Where the entry of a view lies; it may come to lie nowhere. */
export interface Place {
  readonly slot: number;
}

/** What a rule finds in any entry. */
const OF_EVERY_VIEW: readonly (keyof Tracked)[] = ['key', 'server', 'increment', 'mark'];

/** What promises, JSON, consoles and test frameworks look for in any object; they must find nothing. */
const SOUGHT_ANYWHERE: ReadonlySet<string> = new Set([
  ...['then', 'toJSON', 'inspect', 'href', 'nodeType', 'asymmetricMatch', '$$typeof'],
]);

/** Whether a property that there is not is asked for by a name that somebody has written. */
export function isMisspelt(name: string | symbol): name is string {
  return typeof name === 'string' && !SOUGHT_ANYWHERE.has(name) && !(name in Object.prototype);
}

/** What rules see of an entry. Data are read when they are asked for. */
class EntryView {
  readonly #store: EntryStore;
  readonly #names: DataNames;
  readonly #format: KeyFormat;
  readonly #place: Place;

  constructor(store: EntryStore, names: DataNames, format: KeyFormat, place: Place) {
    this.#store = store;
    this.#names = names;
    this.#format = format;
    this.#place = place;
  }

  static {
    const getter = (name: string, get: (view: EntryView) => unknown): void => {
      Object.defineProperty(EntryView.prototype, name, {
        enumerable: true,
        get(this: EntryView) {
          return get(this);
        },
      });
    };
    for (const name of [...COUNTERS, ...RATES]) getter(name, (view) => view.#read(view.#names.needed(name)));
    for (const name of ARRAYS)
      getter(name, (view) => view.#names.neededArray(name).map((column) => view.#read(column)));
    // A limit of a name that is undefined would never hold.
    const nothingElse = new Proxy(Object.prototype, {
      get(target, name, view) {
        if (!isMisspelt(name) || !(#names in view)) return Reflect.get(target, name, view);
        const meant = nearestName([...OF_EVERY_VIEW, ...COUNTERS, ...RATES, ...ARRAYS], name);
        const hint = meant === undefined ? '' : `did you mean '${meant}'? `;
        throw new TypeError(
          `tracked has no ${name}; ${hint}it has: ${[...OF_EVERY_VIEW, ...view.#names.names].join(', ')}`,
        );
      },
    });
    Object.setPrototypeOf(EntryView.prototype, nothingElse);
  }

  get key(): StickEntry['key'] | undefined {
    const key = this.#isNowhere ? undefined : this.#store.keyAt(this.#place.slot, this.#store.now());
    return key === undefined ? undefined : this.#format.show(key);
  }

  get server(): string | undefined {
    return this.#isNowhere ? undefined : this.#store.serverAt(this.#place.slot);
  }

  increment(counter: DatumName, by: number = 1): void {
    this.#change(/^gpc(?:[01]|\[\d+\])$/, counter, by, 'increment');
    const rate = counter.endsWith(']') ? counter.replace('gpc', 'gpc_rate') : `${counter}_rate`;
    const columns = [this.#names.column(counter), this.#names.column(rate)].filter((column) => column !== undefined);
    if (columns.length === 0) this.#names.needed(counter);
    if (this.#isNowhere) return;
    for (const column of columns) column.add(this.#place.slot, by, this.#store.now());
  }

  mark(tag: DatumName, value: number): void {
    this.#change(/^gpt(?:0|\[\d+\])$/, tag, value, 'mark');
    const column = this.#names.needed(tag);
    if (!this.#isNowhere) column.write(this.#place.slot, value, this.#store.now());
  }

  get #isNowhere(): boolean {
    return this.#place.slot === NONE;
  }

  #read(column: Column): number {
    return this.#isNowhere ? 0 : column.read(this.#place.slot, this.#store.now());
  }

  #change(allowed: RegExp, name: string, value: number, method: string): void {
    if (!allowed.test(name)) throw new TypeError(`${method}: there is no ${name} to change`);
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
      throw new TypeError(`${method}: ${name} takes an integer from 0 to ${2 ** 32 - 1}`);
  }
}

export function viewOf(store: EntryStore, names: DataNames, format: KeyFormat, place: Place): Tracked {
  return new EntryView(store, names, format, place) as unknown as Tracked;
}
