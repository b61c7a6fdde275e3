import type { Environment } from '../core/environment.ts';
import type { OptionReader } from '../core/options.ts';
import { asBinary, asText, readSample, type SampleOption, sampleOf } from '../samples/index.ts';
import { ConsistentHash, tooManyNodes } from './consistent-hash.ts';
import { hashHeader, hashSample, hashSource, hashUri, hashUrlParam, type ReadHash } from './hash-inputs.ts';
import type { HashMethod, HashSettings } from './hash-type.ts';
import { maglevBuilder, tooManyForMaglev } from './maglev.ts';
import { MapHash } from './map-hash.ts';
import { type Algorithm, type DeclaredServer, nothingMore, type PoolView, type Scheduler } from './scheduler.ts';
import { staticMap } from './static-round-robin.ts';
import { TurnTable } from './turn-table.ts';

/** An algorithm that hashes something of the request. */
interface HashDefinition<Options> {
  readOptions(read: OptionReader): Options;
  readPhrase(rest: string): Record<string, unknown> | undefined;
  /** What is hashed, and how. */
  input(options: Options, settings: HashSettings, environment: Environment, pool: PoolView): ReadHash;
  readsBodies?(options: Options): boolean;
  /** Also where one server is all there is, so that requests without a value take turns there. HAProxy: only `url_param`. */
  readonly readsAlways?: boolean;
}

/** Where hashes lead, by `hashType`. */
const METHODS: Readonly<
  Record<
    HashMethod,
    {
      readonly static: boolean;
      create(read: ReadHash, readsAlways: boolean, settings: HashSettings, pool: PoolView): Scheduler;
      refuse(declared: readonly DeclaredServer[]): string | undefined;
    }
  >
> = {
  'map-based': {
    static: true,
    create: (read, readsAlways, _settings, pool) =>
      new MapHash(read, readsAlways, new TurnTable(pool, (servers, memory) => staticMap(servers, pool, memory)), false),
    refuse: () => undefined,
  },
  consistent: {
    static: false,
    create: (read, readsAlways, settings, pool) => new ConsistentHash(read, readsAlways, settings, pool),
    refuse: tooManyNodes,
  },
  maglev: {
    static: false,
    create: (read, readsAlways, _settings, pool) =>
      new MapHash(read, readsAlways, new TurnTable(pool, maglevBuilder(pool)), true),
    refuse: tooManyForMaglev,
  },
};

function defineHash<Options>(definition: HashDefinition<Options>): Algorithm {
  return {
    hashes: true,
    readPhrase: (rest) => definition.readPhrase(rest),
    read: (reader, settings) => {
      const options = definition.readOptions(reader);
      const method = METHODS[settings.method];
      return {
        factory: (environment, pool) =>
          method.create(
            definition.input(options, settings, environment, pool),
            definition.readsAlways ?? false,
            settings,
            pool,
          ),
        static: method.static,
        hashes: true,
        readsBodies: definition.readsBodies?.(options) ?? false,
        refuse: (declared) => method.refuse(declared),
        explainsHash: (environment, pool) => {
          let key = '';
          const onKey = (text: string): void => {
            key = text;
          };
          const read = definition.input(options, { ...settings, onKey }, environment, pool);
          return (context) => {
            const hash = read(context);
            return hash === undefined ? undefined : { key, hash: hash >>> 0 };
          };
        },
      };
    },
  };
}

/** @see HAProxy `balance source` */
export const source: Algorithm = defineHash({
  readOptions: () => ({}),
  readPhrase: nothingMore,
  input: (_options, settings, _environment, pool) => hashSource(settings, pool),
});

/** @see HAProxy `balance uri [whole] [len <n>] [depth <n>] [path-only]` */
export const uri: Algorithm = defineHash({
  readOptions: (read) => ({
    whole: read.boolean('whole', { default: false }),
    pathOnly: read.boolean('pathOnly', { default: false }),
    len: read.integer('len', { default: Number.POSITIVE_INFINITY, min: 1 }),
    depth: read.integer('depth', { default: Number.POSITIVE_INFINITY, min: 1 }),
  }),
  readPhrase: (rest) => {
    const words = wordsOf(rest);
    if (!words) return undefined;
    const options: Record<string, unknown> = {};
    for (let word = words.shift(); word !== undefined; word = words.shift()) {
      if (word === 'whole') options['whole'] = true;
      else if (word === 'path-only') options['pathOnly'] = true;
      else if ((word === 'len' || word === 'depth') && /^\d+$/.test(words[0] ?? ''))
        options[word] = Number(words.shift());
      else return undefined;
    }
    return options;
  },
  input: (options, settings) => hashUri(options, settings),
});

/** @see HAProxy `balance url_param <param> [check_post]` */
export const urlParam: Algorithm = defineHash({
  readOptions: (read) => ({
    name: required(read, 'name', 'the name of a parameter', /^[^\s&=?#]+$/),
    checkPost: read.boolean('checkPost', { default: false }),
  }),
  readPhrase: (rest) => {
    const [name, word, ...more] = wordsOf(rest) ?? [];
    if (name === undefined || more.length > 0 || (word !== undefined && word !== 'check_post')) return undefined;
    return { name, checkPost: word === 'check_post' };
  },
  input: ({ name, checkPost }, settings) => hashUrlParam(name, checkPost, settings),
  readsBodies: ({ checkPost }) => checkPost,
  readsAlways: true,
});

/** @see HAProxy `balance hdr(<name>) [use_domain_only]` */
export const hdr: Algorithm = defineHash({
  readOptions: (read) => ({
    name: required(read, 'name', 'the name of a field', /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/),
    useDomainOnly: read.boolean('useDomainOnly', { default: false }),
  }),
  readPhrase: (rest) => {
    const [, name, word] = /^\(([^()\s]+)\)(?:\s+(use_domain_only))?$/.exec(rest.trimEnd()) ?? [];
    return name === undefined ? undefined : { name, useDomainOnly: word !== undefined };
  },
  input: ({ name, useDomainOnly }, settings) => hashHeader(name, useDomainOnly, settings),
});

const KEY = "a sample, as 'req.hdr(x-user),lower', or a function";

/** @see HAProxy `balance hash <expr>` */
export const hash: Algorithm = defineHash({
  readOptions: (read) => {
    if (!read.has('key')) read.reject('key', `is missing; allowed: ${KEY}`);
    readSample(read, 'key', { random: () => 0, addressOf: () => undefined }); // for its faults
    return { key: read.any('key') as SampleOption };
  },
  readPhrase: (rest) => (/^\s+\S/.test(rest) ? { key: rest.trim() } : undefined),
  input: ({ key }, settings, { random }, pool) =>
    hashSample(
      // HAProxy reads digits off the text of a number, and hashes its bytes.
      (settings.function === 'none' ? asText : asBinary)(
        sampleOf(key, { random, addressOf: (context) => pool.addressOf(context) }),
      ),
      settings,
      (error) => pool.report(`balance: ${typeof key === 'string' ? `hash ${key}` : 'the key function'}`, error),
    ),
});

/** The cookie is looked for in TCP connections, which a pool does not carry yet; HTTP requests have none. */
export const rdpCookie: Algorithm = defineHash({
  readOptions: (read) => ({ name: read.string('name', { default: 'mstshash' }) }),
  readPhrase: (rest) => {
    if (rest === '') return {};
    const name = /^\(([^()\s]+)\)$/.exec(rest)?.[1];
    return name === undefined ? undefined : { name };
  },
  input: () => () => undefined,
});

/** The words of a phrase behind its first; `undefined` where none is apart from it. */
function wordsOf(rest: string): string[] | undefined {
  if (rest === '') return [];
  return /^\s/.test(rest)
    ? rest
        .trim()
        .split(/\s+/)
        .filter((word) => word !== '')
    : undefined;
}

function required(read: OptionReader, key: string, allowed: string, test: RegExp): string {
  if (!read.has(key)) read.reject(key, `is missing; allowed: ${allowed}`);
  return read.string(key, { default: '', allowed, test });
}
