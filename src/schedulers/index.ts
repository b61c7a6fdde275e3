import { ConfigError } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import type { SampleFunction } from '../samples/index.ts';
import { firstAvailable } from './first-available.ts';
import { hash, hdr, rdpCookie, source, uri, urlParam } from './hash.ts';
import { readHashSettings } from './hash-type.ts';
import { leastConnections } from './least-connections.ts';
import { peakEwma } from './peak-ewma.ts';
import { randomDraws } from './random-draws.ts';
import { roundRobin } from './round-robin.ts';
import type { Algorithm, ChosenAlgorithm, Scheduler, SchedulerFactory } from './scheduler.ts';
import { staticRoundRobin } from './static-round-robin.ts';
import { sticky } from './sticky.ts';

/** An algorithm as HAProxy's `balance` phrases it. */
export type BalancePhrase =
  | 'roundrobin'
  | 'static-rr'
  | 'leastconn'
  | 'first'
  | 'random'
  | `random(${number})`
  | 'source'
  | 'uri'
  | `uri ${'whole' | 'path-only' | `len ${number}` | `depth ${number}`}${'' | ` ${string}`}`
  | `url_param ${string}`
  | `hdr(${string})${'' | ' use_domain_only'}`
  | `hash ${string}`
  | 'rdp-cookie'
  | `rdp-cookie(${string})`
  | 'peak-ewma';

/** An algorithm as an object: what a phrase can say, and functions. @typeParam R the framework's own request */
export type BalanceObject<R = unknown> =
  | { readonly algorithm: 'roundrobin' | 'static-rr' | 'leastconn' | 'first' | 'source' | 'sticky' }
  | {
      readonly algorithm: 'random';
      /** Servers drawn for each request, the least loaded of which is taken. Default: 2. Range: 1..16. */
      readonly draws?: number | undefined;
    }
  | {
      readonly algorithm: 'uri';
      /** Hashes the query, too. Default: false. */
      readonly whole?: boolean | undefined;
      /** Hashes from the path on, where the target names a host. Default: false. */
      readonly pathOnly?: boolean | undefined;
      /** Hashes at most so many characters. Default: all. Range: 1 and up. */
      readonly len?: number | undefined;
      /** Hashes at most so many segments of the path. Default: all. Range: 1 and up. */
      readonly depth?: number | undefined;
    }
  | {
      readonly algorithm: 'url_param';
      /** The parameter in the query whose value is hashed. */
      readonly name: string;
      /** Looks for it in the body of a POST, too, where the query has none. Default: false. */
      readonly checkPost?: boolean | undefined;
    }
  | {
      readonly algorithm: 'hdr';
      /** The field whose first value is hashed. */
      readonly name: string;
      /** Hashes only the part before the top-level domain: of `www.example.com`, `example`. Default: false. */
      readonly useDomainOnly?: boolean | undefined;
    }
  | {
      readonly algorithm: 'hash';
      /** What is hashed: a sample expression (`req.hdr(x-user),lower`), or a function. */
      readonly key: string | SampleFunction<R>;
    }
  | {
      readonly algorithm: 'rdp-cookie';
      /** The cookie's name. Default: `mstshash`. */
      readonly name?: string | undefined;
    }
  | {
      readonly algorithm: 'peak-ewma';
      /** Time in which the memory of a slow answer fades to a third. Default: 10s. */
      readonly decay?: Duration | undefined;
    };

/**
 * How a pool chooses the server of a request. Default: `'roundrobin'`. A function makes a scheduler of one's own; it
 * is called once for each group, the active servers and the backups.
 * @see HAProxy `balance`, configuration manual 4.2
 */
export type BalanceOption<R = unknown> = BalancePhrase | BalanceObject<R> | SchedulerFactory;

export type AlgorithmName = BalanceObject['algorithm'];

/** Every algorithm, under HAProxy's name for it; `peak-ewma` is ours. */
export const ALGORITHMS: Readonly<Record<AlgorithmName, Algorithm>> = {
  roundrobin: roundRobin,
  'static-rr': staticRoundRobin,
  leastconn: leastConnections,
  first: firstAvailable,
  random: randomDraws,
  source,
  uri,
  url_param: urlParam,
  hdr,
  hash,
  'rdp-cookie': rdpCookie,
  sticky,
  'peak-ewma': peakEwma,
};

const ALLOWED =
  "'roundrobin', 'static-rr', 'leastconn', 'first', 'random', 'random(<draws>)', 'source', " +
  "'uri [whole] [len <n>] [depth <n>] [path-only]', 'url_param <name> [check_post]', 'hdr(<name>) [use_domain_only]', " +
  "'hash <sample>', 'rdp-cookie', 'rdp-cookie(<name>)', 'peak-ewma', { algorithm: <one of these names or 'sticky'>, … } " +
  'or a function (environment, pool) => Scheduler';

/** A `balance` option, read. */
export interface Balance extends ChosenAlgorithm {
  /** The algorithm's name; `'custom'` for a user's own scheduler. */
  readonly name: AlgorithmName | 'custom';
}

/**
 * Reads the option `balance` with those of hashing. What is wrong with them is gathered in the reader; the default stands
 * in for it.
 * @param read a reader of the options that `balance` is one of
 */
export function readBalance(read: OptionReader): Balance {
  const given = read.any('balance');
  const value = given === undefined ? 'roundrobin' : given;
  if (typeof value === 'function') {
    readHashSettings(read, false);
    const factory = checked(value as SchedulerFactory);
    return { name: 'custom', factory, static: false, hashes: false, readsBodies: false, refuse: () => undefined };
  }
  const [, word = '', rest = ''] = typeof value === 'string' ? (/^([\w-]+)(.*)$/s.exec(value) ?? []) : [];
  const name = typeof value === 'string' ? word : algorithmOf(value);
  if (value === 'sticky')
    read.reject(
      'balance',
      "'sticky' keeps all requests on one server: { algorithm: 'sticky' } if that is meant. To keep each client on a " +
        "server, use balance: 'source', a hash of what tells clients apart, a 'cookie', or 'stick' rules",
    );
  else if (typeof name === 'string' && isKnown(name)) {
    const options = typeof value === 'string' ? ALGORITHMS[name].readPhrase(rest) : value;
    if (options !== undefined) return balanceOf(name, options, read);
    read.fault('balance', value, ALLOWED);
  } else read.fault('balance', value, ALLOWED);
  // Whether what was meant hashes is not known.
  return balanceOf('roundrobin', {}, new OptionReader({}, ''));
}

function balanceOf(name: AlgorithmName, options: unknown, parent: OptionReader): Balance {
  const hashing = readHashSettings(parent, ALGORITHMS[name].hashes);
  const read = new OptionReader(options, parent.pathOf('balance'), parent.faults);
  read.any('algorithm');
  const chosen = ALGORITHMS[name].read(read, hashing);
  read.rejectUnknown();
  return { name, ...chosen };
}

function isKnown(name: string): name is AlgorithmName {
  return Object.hasOwn(ALGORITHMS, name);
}

function algorithmOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'algorithm' in value ? value.algorithm : undefined;
}

/** A user's factory, whose product is looked at before a pool relies on it. */
function checked(factory: SchedulerFactory): SchedulerFactory {
  return (environment, pool) => {
    const made: unknown = factory(environment, pool);
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
  const optional = ['declared', 'took', 'freed', 'observed', 'peek'];
  return ['add', 'remove', 'reweigh', 'pick'].every((name) => has(name)) && optional.every((name) => has(name, true));
}
