import type { RequestContext } from '../core/context.ts';
import { OptionReader, show } from '../core/options.ts';
import {
  FETCHES,
  type Fetches,
  RESPONSE_FETCHES,
  readSample,
  type SampleFunction,
  type SampleOption,
} from '../samples/index.ts';
import { STICK_HINTS } from './option-hints.ts';
import { keySample } from './stick-key.ts';
import {
  readStickTable,
  type StickTableOptions,
  type StickTablePhrase,
  tableOptionsOf,
} from './stick-table-options.ts';
import type { StickKeyType, Table } from './table.ts';

/** A response as stick rules see it. */
export interface StickResponseContext<R = unknown> extends RequestContext<R> {
  readonly response: {
    readonly status: number;
    /** By lower-case name; repeated fields are arrays. */
    readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  };
}

/** A rule is one of these. */
type Alone<Kind extends RuleKind> = { readonly [Other in Exclude<RuleKind, Kind>]?: undefined };
type RuleKind = 'on' | 'match' | 'storeRequest' | 'storeResponse';

interface OfRequest<R> {
  /** The table: a name of the pool's `tables`, or a table itself. Default: the pool's own, `stickTable`. HAProxy: `table`. */
  readonly table?: string | Table;
  /** The rule holds only where this returns true. */
  readonly if?: (context: RequestContext<R>) => boolean;
}

/** As `match` and `storeRequest` together. HAProxy: `stick on`. */
interface OnRule<R> extends OfRequest<R>, Alone<'on'> {
  readonly on: SampleOption<R>;
}

/** Sends the request to the server that the table has for this key. HAProxy: `stick match`. */
interface MatchRule<R> extends OfRequest<R>, Alone<'match'> {
  readonly match: SampleOption<R>;
}

/** Once a server answers, the table has it for this key. HAProxy: `stick store-request`. */
interface StoreRequestRule<R> extends OfRequest<R>, Alone<'storeRequest'> {
  readonly storeRequest: SampleOption<R>;
}

/** The same, by a key off the response: `'res.cook(sid)'`, or a function of `context.response`. HAProxy: `stick store-response`. */
interface StoreResponseRule<R> extends Alone<'storeResponse'> {
  readonly storeResponse: string | ((context: StickResponseContext<R>) => ReturnType<SampleFunction<R>>);
  readonly table?: string | Table;
  readonly if?: (context: StickResponseContext<R>) => boolean;
}

/** One stick rule: one of `on`, `match`, `storeRequest`, `storeResponse`. HAProxy: `stick`. */
export type StickRuleObject<R = unknown> = OnRule<R> | MatchRule<R> | StoreRequestRule<R> | StoreResponseRule<R>;

/** The same in HAProxy's words, without conditions: `'on src'`, `'store-response res.cook(sid) table sessions'`. */
export type StickPhrase = `${'on' | 'match' | 'store-request' | 'store-response'} ${string}`;
export type StickRule<R = unknown> = StickPhrase | StickRuleObject<R>;

/** Tables by name: how to make one, or one that is there. */
export type TablesOption = Readonly<Record<string, StickTableOptions | StickTablePhrase | Table>>;

/** A table that the pool is to make. */
export interface TablePlan {
  readonly type: StickKeyType;
  readonly options: StickTableOptions;
}

/** A table that the pool is to make, or one that it was given. */
export type TableSource = TablePlan | Table;

/** The tables of a pool, by name; `OWN` is the one without. */
export type TableSources = ReadonlyMap<string, TableSource>;

export const OWN = '';

/** Which table: by name, or itself. */
export type TableRef = string | Table;

/** A stick rule, read. */
export interface StickSettings {
  /** Where it stands in the options. */
  readonly path: string;
  readonly matches: boolean;
  readonly stores: boolean;
  /** Its key is of the response. */
  readonly ofResponse: boolean;
  readonly key: SampleOption;
  readonly table: TableRef;
  readonly condition: ((context: RequestContext) => boolean) | undefined;
}

const KINDS = {
  on: { matches: true, stores: true, ofResponse: false },
  match: { matches: true, stores: false, ofResponse: false },
  storeRequest: { matches: false, stores: true, ofResponse: false },
  storeResponse: { matches: false, stores: true, ofResponse: true },
} as const satisfies Record<RuleKind, object>;

const NAMES = Object.keys(KINDS) as RuleKind[];

const RULE =
  "'on src', 'match req.hdr(x-key) table t', 'store-request …', 'store-response res.cook(sid)', or { on | match | storeRequest | storeResponse, table?, if? }";
const TABLE_NAME = /^[\w.:-]{1,255}$/;

/** Reads `stickTable` and `tables`. */
export function readTables(read: OptionReader): TableSources {
  const tables = new Map<string, TableSource>();
  const own = readTable(read, 'stickTable');
  if (own) tables.set(OWN, own);
  const named = read.object('tables');
  for (const name of Object.keys((read.any('tables') as object | undefined) ?? {})) {
    const before = read.faults.length;
    const table = readTable(named, name);
    if (!TABLE_NAME.test(name))
      named.reject(name, `${show(name)} is no name of a table; allowed: letters, digits and -_.:`);
    else if (table && read.faults.length === before) tables.set(name, table);
  }
  return tables;
}

function readTable(read: OptionReader, key: string): TableSource | undefined {
  const value = read.any(key);
  if (value === undefined) return undefined;
  if (isTable(value)) return value;
  const options = tableOptionsOf(value, read.pathOf(key), read.faults);
  if (!options) return undefined;
  const before = read.faults.length;
  const { type } = readStickTable(new OptionReader(options, read.pathOf(key), read.faults));
  return read.faults.length > before ? undefined : { type, options };
}

export function isTable(value: unknown): value is Table {
  if (typeof value !== 'object' || value === null) return false;
  return ['lookup', 'store', 'track', 'get'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}

/** Reads which table a rule uses; `undefined`: there is none, which is a fault. */
export function readTableRef(read: OptionReader, tables: TableSources): TableRef | undefined {
  const value = read.any('table');
  if (isTable(value)) return value;
  const name = value === undefined ? OWN : value;
  if (typeof name === 'string' && tables.has(name)) return name;
  if (value === undefined)
    read.faults.push({ path: read.path, value, message: "needs a table: 'table', or the pool's option 'stickTable'" });
  else
    read.fault(
      'table',
      value,
      `a table, or the name of one in 'tables': ${[...tables.keys()].filter(Boolean).join(', ') || 'there is none'}`,
    );
  return undefined;
}

export function typeOf(tables: TableSources, table: TableRef): StickKeyType {
  return typeof table === 'string' ? (tables.get(table) as TableSource).type : table.type;
}

/**
 * Reads a key for a table; a fault where the table's type cannot be made of it.
 * @param fetches what an expression may begin with
 */
export function readKey(
  read: OptionReader,
  name: string,
  type: StickKeyType,
  fetches: Fetches,
): SampleOption | undefined {
  const before = read.faults.length;
  const sample = readSample(read, name, { random: () => 0, addressOf: () => undefined }, fetches);
  if (!sample || read.faults.length > before) return undefined;
  try {
    keySample(sample, type);
  } catch (error) {
    read.reject(name, `cannot be a key of type ${type}: ${(error as Error).message}`);
    return undefined;
  }
  return read.any(name) as SampleOption;
}

/** Reads `stick`. */
export function readStick(read: OptionReader, tables: TableSources): readonly StickSettings[] {
  const list = read.list('stick', "an array of rules: ['on src']") ?? [];
  const rules = list.map((raw, index) => readRule(raw, `${read.pathOf('stick')}[${index}]`, read, tables));
  return rules.filter((rule) => rule !== undefined);
}

function readRule(
  raw: unknown,
  path: string,
  { faults }: OptionReader,
  tables: TableSources,
): StickSettings | undefined {
  const given = typeof raw === 'string' ? fromPhrase(raw) : raw;
  if (typeof given === 'string' || typeof given !== 'object' || given === null) {
    const why = typeof given === 'string' ? `${show(raw)} ${given}` : `${show(raw)} is not allowed`;
    faults.push({ path, value: raw, message: `${why}; allowed: ${RULE}` });
    return undefined;
  }
  const rule = new OptionReader(given, path, faults);
  const before = faults.length;
  const [kind, second] = NAMES.filter((name) => rule.has(name));
  for (const name of NAMES) rule.any(name);
  if (second) rule.reject(second, 'a rule is one of these; make it two rules');
  const condition = rule.function<(context: RequestContext) => boolean>('if');
  const table = readTableRef(rule, tables);
  rule.rejectUnknown(STICK_HINTS);
  // What it has in place of one is told already.
  if (!kind && faults.every((fault) => !fault.path.startsWith(`${path}.`)))
    faults.push({ path, value: raw, message: `says not what to do; allowed: ${NAMES.join(', ')}` });
  if (!kind || table === undefined || faults.length > before) return undefined;
  const key = readKey(rule, kind, typeOf(tables, table), KINDS[kind].ofResponse ? OF_RESPONSE : FETCHES);
  if (key === undefined) return undefined;
  return { path: rule.pathOf(kind), ...KINDS[kind], key, table, condition };
}

/** What a rule may read once there is a response. */
export const OF_RESPONSE: Fetches = { ...FETCHES, ...RESPONSE_FETCHES };

const WORDS: Readonly<Record<string, RuleKind>> = {
  on: 'on',
  match: 'match',
  'store-request': 'storeRequest',
  'store-response': 'storeResponse',
};

/** `src table t` is the key `src` of the table `t`. */
export function splitTable(phrase: string): { readonly key: string; readonly table: string | undefined } {
  const [, key = phrase, table] = /^\s*(\S.*?)(?:\s+table\s+(\S+))?\s*$/.exec(phrase) ?? [];
  return { key, table };
}

/** @returns the rule as an object, or what is wrong with it */
function fromPhrase(phrase: string): Record<string, unknown> | string {
  const [, word = '', rest = ''] = /^\s*(\S+)\s+(\S.*)$/s.exec(phrase) ?? [];
  const { key, table } = splitTable(rest);
  const kind = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  if (kind === undefined) return 'is no stick rule';
  if (/\s(?:if|unless|table)\s/.test(`${key} `))
    return "has more than a key and a table: a condition is the function 'if' of an object";
  return { [kind]: key, ...(table !== undefined && { table }) };
}
