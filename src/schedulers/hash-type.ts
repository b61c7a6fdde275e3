import type { OptionReader } from '../core/options.ts';
import { HASH_FUNCTIONS, type HashFunctionName } from '../hashing/functions.ts';

/** How hashes lead to servers. HAProxy: `hash-type`; `maglev` is ours. */
export type HashMethod = 'map-based' | 'consistent' | 'maglev';

type HashWord = HashFunctionName | 'avalanche';

/** HAProxy's phrase: the method, then perhaps a function and `avalanche`. */
export type HashTypePhrase = HashMethod | `${HashMethod} ${HashWord}` | `${HashMethod} ${HashFunctionName} avalanche`;

/** `hashType` as an object. */
export interface HashTypeObject {
  /** Default: `map-based`. */
  readonly method?: HashMethod | undefined;
  /** What makes a number of bytes. Default: `sdbm`. */
  readonly function?: HashFunctionName | undefined;
  /** Spreads the bits of that number. Default: true where no function is named and the method is not `map-based`. */
  readonly avalanche?: boolean | undefined;
}

/** How the hashing algorithms work. Default: `'map-based'`. HAProxy: `hash-type`. */
export type HashTypeOption = HashTypePhrase | HashTypeObject;

/** When the server that a hash leads to is passed over for being full. HAProxy: `hash-preserve-affinity`. */
export type HashPreserveAffinity = 'always' | 'maxconn' | 'maxqueue';

/** All that the hashing algorithms share, read. */
export interface HashSettings {
  readonly method: HashMethod;
  readonly function: HashFunctionName;
  readonly avalanche: boolean;
  /** Most load of a server, in percent of the average; 0 is no limit. */
  readonly balanceFactor: number;
  readonly preserveAffinity: HashPreserveAffinity;
  /** Is told what is hashed. Without it nothing is copied. */
  readonly onKey?: (key: string) => void;
}

const METHODS: readonly HashMethod[] = ['map-based', 'consistent', 'maglev'];
const FUNCTIONS = Object.keys(HASH_FUNCTIONS) as HashFunctionName[];

const ALLOWED = `'<method> [<function>] [avalanche]' or { method, function, avalanche }, with the methods ${quoted(METHODS)} and the functions ${quoted(FUNCTIONS)}`;

/**
 * Reads the options `hashType`, `hashBalanceFactor` and `hashPreserveAffinity`, whose faults are gathered in the reader.
 * @param hashes the algorithm in use does
 */
export function readHashSettings(read: OptionReader, hashes: boolean): HashSettings {
  const type = read.read('hashType', typeOf({}), ALLOWED, readType);
  const balanceFactor = read.read('hashBalanceFactor', 0, '0 (no limit) or an integer from 101 to 65535', (value) =>
    typeof value === 'number' && Number.isInteger(value) && (value === 0 || (value > 100 && value <= 65_535))
      ? value
      : undefined,
  );
  const preserveAffinity = read.oneOf('hashPreserveAffinity', ['always', 'maxconn', 'maxqueue'], { default: 'always' });
  for (const key of ['hashType', 'hashBalanceFactor', 'hashPreserveAffinity'])
    if (!hashes && read.has(key))
      read.reject(key, "needs a 'balance' that hashes: source, uri, url_param, hdr, hash or rdp-cookie");
  for (const key of ['hashBalanceFactor', 'hashPreserveAffinity'])
    if (hashes && read.has(key) && type.method !== 'consistent') read.reject(key, "needs hashType: 'consistent'");
  return { ...type, balanceFactor, preserveAffinity };
}

type TypeSettings = Pick<HashSettings, 'method' | 'function' | 'avalanche'>;

function readType(value: unknown): TypeSettings | undefined {
  if (typeof value === 'string') {
    const [method, ...words] = value.trim().split(/\s+/);
    const spread = words.at(-1) === 'avalanche';
    if (spread) words.pop();
    const [name, ...more] = words;
    if (more.length > 0) return undefined;
    return checked({ method, function: name, avalanche: spread || undefined });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.keys(value).every((key) => ['method', 'function', 'avalanche'].includes(key))
    ? checked(value)
    : undefined;
}

function checked({
  method,
  function: name,
  avalanche,
}: Record<keyof TypeSettings, unknown> | (object & Partial<Record<keyof TypeSettings, unknown>>)):
  | TypeSettings
  | undefined {
  const known = METHODS.find((each) => each === method);
  const hash = FUNCTIONS.find((each) => each === name);
  if (method !== undefined && !known) return undefined;
  if (name !== undefined && !hash) return undefined;
  if (avalanche !== undefined && typeof avalanche !== 'boolean') return undefined;
  return typeOf({ method: known, function: hash, avalanche });
}

/** HAProxy: a method alone, other than `map-based`, brings avalanche with it; a function alone does not. */
function typeOf({ method = 'map-based', function: name, avalanche }: HashTypeObject): TypeSettings {
  return {
    method,
    function: name ?? 'sdbm',
    avalanche: avalanche ?? (name === undefined && method !== 'map-based'),
  };
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}
