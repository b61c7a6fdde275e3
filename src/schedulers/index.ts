import { ConfigError } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import { leastConnections } from './least-connections.ts';
import { randomDraws } from './random-draws.ts';
import { roundRobin } from './round-robin.ts';
import type { Algorithm, Scheduler, SchedulerFactory } from './scheduler.ts';

/** An algorithm as HAProxy's `balance` phrases it. */
export type BalancePhrase = 'roundrobin' | 'leastconn' | 'random' | `random(${number})`;

/** An algorithm as an object; what a phrase can say, and nothing else. */
export type BalanceObject =
  | { readonly algorithm: 'roundrobin' }
  | { readonly algorithm: 'leastconn' }
  | {
      readonly algorithm: 'random';
      /** Servers drawn for each request, the least loaded of which is taken. Default: 2. Range: 1..16. */
      readonly draws?: number | undefined;
    };

/**
 * How a pool chooses the server of a request. Default: `'roundrobin'`. A function makes a scheduler of one's own; it
 * is called once for each group, the active servers and the backups.
 * @see HAProxy `balance`, configuration manual 4.2
 */
export type BalanceOption = BalancePhrase | BalanceObject | SchedulerFactory;

export type AlgorithmName = BalanceObject['algorithm'];

/** Every algorithm, under HAProxy's name for it. */
export const ALGORITHMS: Readonly<Record<AlgorithmName, Algorithm>> = {
  roundrobin: roundRobin,
  leastconn: leastConnections,
  random: randomDraws,
};

/** Algorithms of HAProxy that are not here. */
const NOT_SUPPORTED: ReadonlySet<string> = new Set([
  'static-rr',
  'first',
  'source',
  'uri',
  'url_param',
  'hdr',
  'hash',
  'rdp-cookie',
  'sticky',
]);

const ALLOWED = `${(Object.keys(ALGORITHMS) as AlgorithmName[])
  .map((name) => `'${name}'`)
  .join(', ')}, 'random(<draws>)', { algorithm: <one of these names>, … } or a function (environment) => Scheduler`;

/** A `balance` option, read. */
export interface Balance {
  /** The algorithm's name; `'custom'` for a user's own scheduler. */
  readonly name: AlgorithmName | 'custom';
  readonly factory: SchedulerFactory;
  /** Most declared servers in a group, if there is a limit. */
  readonly maxServers: number | undefined;
}

/**
 * Reads the option `balance`. What is wrong with it is gathered in the reader; the default stands in for it.
 * @param read a reader of the options that `balance` is one of
 */
export function readBalance(read: OptionReader): Balance {
  const value = read.any('balance');
  const fallback = (): Balance => balanceOf('roundrobin', { algorithm: 'roundrobin' }, read);
  if (value === undefined) return fallback();
  if (typeof value === 'function')
    return { name: 'custom', factory: checked(value as SchedulerFactory), maxServers: undefined };
  const [, word = '', rest = ''] = typeof value === 'string' ? (/^([\w-]+)(.*)$/s.exec(value) ?? []) : [];
  const name = typeof value === 'string' ? word : algorithmOf(value);
  if (typeof name === 'string' && isKnown(name)) {
    const options = typeof value === 'string' ? ALGORITHMS[name].readPhrase(rest) : value;
    if (options !== undefined) return balanceOf(name, options, read);
  }
  if (typeof name === 'string' && NOT_SUPPORTED.has(name))
    read.reject('balance', `not supported (HAProxy: balance ${name})`);
  else read.fault('balance', value, ALLOWED);
  return fallback();
}

function balanceOf(name: AlgorithmName, options: unknown, parent: OptionReader): Balance {
  const read = new OptionReader(options, parent.pathOf('balance'), parent.faults);
  read.any('algorithm');
  const factory = ALGORITHMS[name].read(read);
  read.rejectUnknown();
  return { name, factory, maxServers: ALGORITHMS[name].maxServers };
}

function isKnown(name: string): name is AlgorithmName {
  return Object.hasOwn(ALGORITHMS, name);
}

function algorithmOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'algorithm' in value ? value.algorithm : undefined;
}

/** A user's factory, whose product is looked at before a pool relies on it. */
function checked(factory: SchedulerFactory): SchedulerFactory {
  return (environment) => {
    const made: unknown = factory(environment);
    if (isScheduler(made)) return made;
    const message = `the function returned ${show(made)}; allowed: an object with add, remove, reweigh and pick`;
    throw new ConfigError([{ path: 'balance', value: made, message }]);
  };
}

function isScheduler(made: unknown): made is Scheduler {
  if (typeof made !== 'object' || made === null) return false;
  const methods = made as Readonly<Record<string, unknown>>;
  const has = (name: string, optional = false): boolean =>
    typeof methods[name] === 'function' || (optional && methods[name] === undefined);
  return has('add') && has('remove') && has('reweigh') && has('pick') && has('took', true) && has('freed', true);
}
