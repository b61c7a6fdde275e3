import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { FETCHES, type SampleEnvironment, sampleOf } from '../samples/index.ts';
import { keySample } from './stick-key.ts';
import { OF_RESPONSE, type StickResponseContext, type StickSettings, type TableRef } from './stick-options.ts';
import type { StickKey, Table } from './table.ts';

/** A server is to be stored under this key once one answers. */
export interface PendingStore {
  readonly table: Table;
  readonly key: StickKey;
  /** The server that the table had for it. */
  known: string | undefined;
  /** The request goes to whatever server the key has in that table. */
  readonly binds: boolean;
}

/** A request that looks for its server. */
export interface StickVisit {
  /** It has one. HAProxy: SF_ASSIGNED. */
  readonly assigned: boolean;
  readonly stores: PendingStore[];
  /** A table has this server for it. @returns whether that may be used, and is taken */
  offer(server: string): boolean;
}

/** Waits for what a table asks of another machine, but not for long. Never rejects. */
export type Patience = (found: Promise<string | undefined>) => Promise<string | undefined>;

/** How often a server that cannot be used is replaced in a table before the one that was chosen is used all the same. */
const MOST_CLAIMS = 3;

interface Rule extends Pick<StickSettings, 'path' | 'matches' | 'stores' | 'condition'> {
  readonly table: Table;
  readonly key: (context: RequestContext) => StickKey | undefined;
  /** It stores what it, or another rule, looks up. */
  readonly binds: boolean;
}

/**
 * Keeps clients on their servers by tables.
 * @see HAProxy `stick`; stream.c:process_sticking_rules, process_store_rules
 */
export class StickRules {
  readonly #ofRequest: readonly Rule[];
  readonly #ofResponse: readonly Rule[];
  readonly #report: (sample: string, error: unknown) => void;

  /** @param report told of functions of the user's that throw, and of tables that do */
  constructor(
    settings: readonly StickSettings[],
    tableOf: (table: TableRef) => Table,
    environment: SampleEnvironment,
    report: (sample: string, error: unknown) => void,
  ) {
    const compiled = (ofResponse: boolean): Rule[] =>
      settings
        .filter((rule) => rule.ofResponse === ofResponse)
        .map(({ path, matches, stores, condition, key, table: ref }) => {
          const table = tableOf(ref);
          const sample = sampleOf(key, environment, ofResponse ? OF_RESPONSE : FETCHES);
          const binds = settings.some(
            (rule) => rule.matches && rule.key === key && rule.table === ref && rule.condition === condition,
          );
          return { path, matches, stores, condition, table, key: keySample(sample, table.type), binds };
        });
    this.#ofRequest = compiled(false);
    this.#ofResponse = compiled(true);
    this.#report = report;
  }

  /** There are rules that look at responses. */
  get readsResponses(): boolean {
    return this.#ofResponse.length > 0;
  }

  /**
   * Looks for the server of a request, and notes what is to be stored.
   * @param patience `undefined`: what is not known at once is not waited for
   */
  match(context: RequestContext, visit: StickVisit, patience: Patience | undefined): Promise<void> | undefined {
    return this.#matchFrom(0, context, visit, patience);
  }

  /** As `match`, without waiting, and without any entry counting as used. */
  peek(context: RequestContext, visit: StickVisit): void {
    for (const rule of this.#ofRequest) {
      if (visit.assigned) return;
      const key = rule.matches ? this.#keyOf(rule, context) : undefined;
      const entry = key === undefined ? undefined : this.#tried(rule.path, () => rule.table.get(key));
      if (entry instanceof Promise) entry.catch(() => {});
      else if (entry?.server !== undefined) visit.offer(entry.server);
    }
  }

  #matchFrom(
    start: number,
    context: RequestContext,
    visit: StickVisit,
    patience: Patience | undefined,
  ): Promise<void> | undefined {
    for (let index = start; index < this.#ofRequest.length; index++) {
      const rule = this.#ofRequest[index] as Rule;
      // HAProxy: the first store-request of each table counts, so that keys may be tried one after another.
      if (rule.stores && visit.stores.some(({ table }) => table === rule.table)) continue;
      const key = this.#keyOf(rule, context);
      if (key === undefined) continue;
      const { path, table, matches } = rule;
      const found = matches ? this.#tried(path, () => table.lookup(key)) : undefined;
      const isAsked = found instanceof Promise;
      const waits = patience !== undefined && !visit.assigned;
      if (isAsked && waits)
        return patience(found).then((server) => {
          note(rule, key, server ?? this.#recall(rule, key), visit);
          return this.#matchFrom(index + 1, context, visit, patience);
        });
      if (isAsked) found.catch(() => {});
      const server = isAsked ? this.#recall(rule, key) : found;
      const isUseless = server !== undefined && waits && table.ask && !visit.offer(server);
      const asked = isUseless ? this.#tried(path, () => table.ask?.(key)) : undefined;
      if (asked && patience)
        return patience(asked).then((anew) => {
          note(rule, key, anew ?? server, visit);
          return this.#matchFrom(index + 1, context, visit, patience);
        });
      note(rule, key, server, visit);
    }
    return undefined;
  }

  /**
   * Has a table that processes share agree to the server that was chosen for a request, before it goes there.
   * @param mayUse whether that server could be used in its place
   * @returns the server to use; `undefined`: there is nothing to wait for
   */
  agree(
    server: string,
    visit: StickVisit,
    mayUse: (server: string) => boolean,
    patience: Patience,
  ): Promise<string> | undefined {
    const store = visit.stores.find(({ table, binds }) => binds && table.claim !== undefined);
    const claim = store && this.#claim(store, server);
    return claim && this.#agreed(server, store, claim, mayUse, patience);
  }

  async #agreed(
    server: string,
    store: PendingStore,
    first: Promise<string | undefined>,
    mayUse: (server: string) => boolean,
    patience: Patience,
  ): Promise<string> {
    let claim: Promise<string | undefined> | undefined = first;
    for (let claims = 1; claim && claims <= MOST_CLAIMS; claims++) {
      const agreed = await patience(claim);
      if (agreed === undefined) break;
      store.known = agreed;
      if (agreed === server || mayUse(agreed)) return agreed;
      claim = this.#claim(store, server);
    }
    return server;
  }

  #claim({ table, key, known }: PendingStore, server: string): Promise<string | undefined> | undefined {
    return this.#tried('stick', () => table.claim?.(key, server, known));
  }

  /** A server answers: stores it, under keys of the request and, where there is one, of the response. */
  store(server: string, visit: StickVisit, response: StickResponseContext | undefined): void {
    const stores = [...visit.stores];
    const ofRequest = stores.length;
    if (response)
      for (const rule of this.#ofResponse) {
        if (stores.slice(ofRequest).some(({ table }) => table === rule.table)) continue;
        const key = this.#keyOf(rule, response);
        if (key !== undefined) stores.push({ table: rule.table, key, known: undefined, binds: false });
      }
    visit.stores.length = 0;
    for (const { table, key, known, binds } of stores)
      this.#tried('stick', () => table.store(key, server, binds ? known : null));
  }

  #keyOf({ path, condition, key }: Rule, context: RequestContext): StickKey | undefined {
    try {
      return condition === undefined || atOnce(condition(context)) ? key(context) : undefined;
    } catch (error) {
      this.#report(path, error);
      return undefined;
    }
  }

  #recall({ path, table }: Rule, key: StickKey): string | undefined {
    return this.#tried(path, () => table.recall?.(key));
  }

  /** A table may be the user's own, and do without what it throws. */
  #tried<T>(what: string, ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.#report(what, error);
      return undefined;
    }
  }
}

function note(rule: Rule, key: StickKey, server: string | undefined, visit: StickVisit): void {
  if (server !== undefined && !visit.assigned) visit.offer(server);
  if (rule.stores) visit.stores.push({ table: rule.table, key, known: server, binds: rule.binds });
}
