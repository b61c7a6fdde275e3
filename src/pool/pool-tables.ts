import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import { ConfigError } from '../core/errors.ts';
import { show } from '../core/options.ts';
import { keySample } from '../persistence/stick-key.ts';
import { isTable, OWN, type TableRef, type TableSources } from '../persistence/stick-options.ts';
import { StickTable } from '../persistence/stick-table.ts';
import type { StickKey, Table } from '../persistence/table.ts';
import { type SampleEnvironment, type SampleOption, sampleOf } from '../samples/index.ts';

/** A key of requests, and the table that it is for. */
export interface KeyPlan {
  readonly key: SampleOption;
  readonly table: TableRef;
}

/** The same, made ready. */
export interface TableKey {
  readonly table: Table;
  readonly of: (context: RequestContext) => StickKey | undefined;
}

/** The tables of a pool: those that its options describe, and those that they name. */
export class PoolTables {
  readonly samples: SampleEnvironment;
  readonly #tables = new Map<string, Table>();
  readonly #keys = new Map<KeyPlan, TableKey>();

  constructor(sources: TableSources, environment: Environment, samples: SampleEnvironment) {
    this.samples = samples;
    for (const [name, source] of sources)
      this.#tables.set(name, isTable(source) ? source : new StickTable(source.options, environment));
  }

  /** @throws {ConfigError} for a name that no table has */
  resolve(table: TableRef): Table {
    if (typeof table !== 'string') return table;
    const found = this.#tables.get(table);
    if (found) return found;
    const names = [...this.#tables.keys()].filter((name) => name !== OWN).map((name) => show(name));
    const message =
      table === OWN
        ? "the pool has no table of its own: give it the option 'stickTable'"
        : `the pool has no table ${show(table)}; it has: ${names.join(', ') || 'none'}`;
    throw new ConfigError([{ path: 'table', value: table, message }]);
  }

  keyOf(plan: KeyPlan): TableKey {
    const known = this.#keys.get(plan);
    if (known) return known;
    const table = this.resolve(plan.table);
    const made = { table, of: keySample(sampleOf(plan.key, this.samples), table.type) };
    this.#keys.set(plan, made);
    return made;
  }
}
