import type { RequestContext } from '../core/context.ts';
import type { TerminationFlags } from '../core/errors.ts';
import { OptionReader } from '../core/options.ts';
import { isMisspelt } from '../persistence/entry-view.ts';
import { readKey, readTableRef, splitTable, type TableSources, typeOf } from '../persistence/stick-options.ts';
import type { Tracked, Tracking } from '../persistence/table.ts';
import { FETCHES } from '../samples/index.ts';
import type { KeyPlan, PoolTables } from './pool-tables.ts';

/** What rules see before a rule has tracked anything. */
export const NOTHING_TRACKED: Tracked = new Proxy(Object.create(null), {
  get(_target, name) {
    if (!isMisspelt(name)) return undefined;
    throw new TypeError(`tracked.${String(name)}: no rule 'track' before this one has tracked the request`);
  },
});

/** Reads `track`, and the `table` beside it or behind its key. */
export function readTrack(rule: OptionReader, tables: TableSources): KeyPlan | undefined {
  const given = rule.any('track');
  const { key: written, table: named } = typeof given === 'string' ? splitTable(given) : { key: given };
  const beside = rule.any('table');
  if (named !== undefined && beside !== undefined) rule.reject('table', "is said twice, in 'track' and in 'table'");
  const read = new OptionReader({ track: written, table: named ?? beside }, rule.path, rule.faults);
  const table = readTableRef(read, tables);
  if (table === undefined) return undefined;
  const key = readKey(read, 'track', typeOf(tables, table), FETCHES);
  return key === undefined ? undefined : { key, table };
}

/** What of a request is counted in tables, from the rule that tracks it to its end. HAProxy: `track-sc0` … */
export class RequestTracks {
  readonly #trackings: Tracking[] = [];
  #answered = false;

  /** @returns what rules see of the entry @throws what a function of the user's throws, or a table */
  begin(plan: KeyPlan, context: RequestContext, tables: PoolTables): Tracked {
    const { table, of } = tables.keyOf(plan);
    const key = of(context);
    const tracking = key === undefined ? undefined : table.track(key);
    if (!tracking) return table.untracked;
    tracking.request();
    this.#trackings.push(tracking);
    return tracking.tracked;
  }

  /** A server has answered. */
  answered(status: number): void {
    this.#answered = true;
    for (const tracking of this.#trackings) tracking.response(status);
  }

  /**
   * The request is over. A response that we do not let pass was no failure of its server's.
   * @see HAProxy http_ana.c: where it calls stream_inc_http_err_ctr and stream_inc_http_fail_ctr
   */
  end(flags: TerminationFlags, bytesIn: number, bytesOut: number): void {
    for (const tracking of this.#trackings) {
      if (flags === 'PR' || flags === 'PT') tracking.error();
      else if (!this.#answered && (flags === 'PH' || flags === 'SH' || flags === 'sH')) tracking.failure();
      tracking.bytesIn(bytesIn);
      tracking.bytesOut(bytesOut);
      tracking.release();
    }
  }
}
