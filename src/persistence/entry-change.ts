import { ConfigError, type ConfigFault } from '../core/errors.ts';
import { show } from '../core/options.ts';
import type { Column } from './entry-data.ts';
import type { EntryStore } from './entry-store.ts';
import type { DataNames } from './entry-view.ts';

/** What an operator writes into an entry, read and not yet written. */
export interface Change {
  apply(store: EntryStore, slot: number, now: number): void;
}

/**
 * Reads what `set` is given.
 * @param faults already found, of the key
 * @throws {ConfigError} naming everything that is wrong; nothing was changed
 */
export function readChange(change: unknown, names: DataNames, faults: ConfigFault[]): Change {
  const writes: (readonly [Column, number])[] = [];
  let server: string | null | undefined;
  const fault = (path: string, value: unknown, why: string): void => {
    faults.push({ path, value, message: `${show(value)} ${why}` });
  };
  const write = (path: string, column: Column, value: unknown): void => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= column.max)
      writes.push([column, value]);
    else fault(path, value, `is not allowed; allowed: an integer from 0 to ${column.max}`);
  };
  const isObject = typeof change === 'object' && change !== null && !Array.isArray(change);
  if (!isObject) fault('data', change, 'is not an object');
  for (const [name, value] of isObject ? Object.entries(change) : []) {
    if (value === undefined) continue;
    const array = names.array(name);
    const column = names.column(name);
    if (name === 'server') {
      if (value === null || (typeof value === 'string' && value !== '')) server = value;
      else fault(name, value, "is not allowed; allowed: a server's name, or null for none");
    } else if (array) {
      if (Array.isArray(value) && value.length <= array.length)
        for (const [index, column] of array.entries()) {
          if (index < value.length) write(`${name}[${index}]`, column, value[index]);
        }
      else fault(name, value, `is not allowed; allowed: an array of at most ${array.length} integers`);
    } else if (column) write(name, column, value);
    else
      faults.push({
        path: name,
        value,
        message: `is not stored by this table; stored: ${['server', ...names.names].join(', ')}`,
      });
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    apply(store, slot, now) {
      if (server !== undefined) store.setServer(slot, server ?? undefined);
      for (const [column, value] of writes) column.write(slot, value, now);
    },
  };
}
