import { atOnce } from '../core/at-once.ts';
import { ConfigError } from '../core/errors.ts';
import { show } from '../core/options.ts';
import type { Column } from './entry-data.ts';
import { type EntryStore, NONE } from './entry-store.ts';
import { type DataNames, snapshot } from './entry-view.ts';
import type { KeyFormat } from './stick-key.ts';
import type { ArrayName, CounterName, DatumName, RateName, StickComparison, StickEntry, StickFilter } from './table.ts';

/** Whether the entry of a slot is chosen. What a user's function throws comes out of it. */
export type SlotFilter = (slot: number, now: number) => boolean;

const OPERATORS: Readonly<Record<StickComparison['op'], (a: number, b: number) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  le: (a, b) => a <= b,
  ge: (a, b) => a >= b,
  lt: (a, b) => a < b,
  gt: (a, b) => a > b,
};

/** @throws {ConfigError} for what is no filter, or compares what is not stored */
export function slotFilter(filter: StickFilter, store: EntryStore, names: DataNames, format: KeyFormat): SlotFilter {
  if (typeof filter === 'function')
    return (slot, now) => slot !== NONE && Boolean(atOnce(filter(snapshot(store, names, format, slot, now))));
  const { column, holds } = readComparison(filter, names);
  return (slot, now) => holds(column.read(slot, now));
}

/** As `slotFilter`, for entries that lie elsewhere. @throws {ConfigError} */
export function entryFilter(filter: StickFilter, names: DataNames): (entry: StickEntry) => boolean {
  if (typeof filter === 'function') return (entry) => Boolean(atOnce(filter(entry)));
  const { column, holds } = readComparison(filter, names);
  return (entry) => holds(datumOf(entry, column.name));
}

/** `gpc[1]` is the second of `gpc`. */
function datumOf(entry: StickEntry, datum: DatumName): number {
  const [, array, index] = /^(\w+)\[(\d+)\]$/.exec(datum) ?? [];
  if (array === undefined) return entry[datum as CounterName | RateName] as number;
  return (entry[array as ArrayName] as readonly number[])[Number(index)] as number;
}

interface Comparison {
  readonly column: Column;
  readonly holds: (value: number) => boolean;
}

function readComparison(filter: StickComparison, names: DataNames): Comparison {
  if (typeof filter !== 'object' || filter === null)
    throw wrong('filter', filter, `${show(filter)} is no filter; allowed: a function, or { data, op, value }`);
  const { data, op, value }: Partial<StickComparison> = filter;
  const column = typeof data === 'string' ? names.column(data) : undefined;
  const compare = typeof op === 'string' && Object.hasOwn(OPERATORS, op) ? OPERATORS[op] : undefined;
  if (column === undefined)
    throw wrong('filter.data', data, `${show(data)} is not stored by this table; stored: ${names.names.join(', ')}`);
  if (compare === undefined)
    throw wrong('filter.op', op, `${show(op)} is not allowed; allowed: ${Object.keys(OPERATORS).join(', ')}`);
  if (typeof value !== 'number' || Number.isNaN(value))
    throw wrong('filter.value', value, `${show(value)} is not allowed; allowed: a number`);
  return { column, holds: (stored) => compare(stored, value) };
}

function wrong(path: string, value: unknown, message: string): ConfigError {
  return new ConfigError([{ path, value, message }]);
}
