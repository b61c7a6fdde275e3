import { ConfigError, type ConfigFault } from './errors.ts';
import { nearestName, plainName } from './nearest-name.ts';
import { parseDuration, parseSize } from './units.ts';

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** What to say of keys that are no options where they stand, by key. Case, hyphens, underscores and blanks do not matter. */
export type Hints = Readonly<Record<string, string>>;

/** Shows a value in an error: short, on one line, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol' || typeof value === 'bigint' || typeof value === 'number') return String(value);
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 60 ? `${text.slice(0, 57)}...` : text;
  } catch {
    return 'an object';
  }
}

/**
 * Reads one object of options: key, unit, default and range of an option stand on one line. Faults are gathered, over
 * all readers that share the list, and thrown as one `ConfigError` by `throwFaults`.
 */
export class OptionReader {
  readonly path: string;
  readonly faults: ConfigFault[];
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();
  readonly #secrets = new Set<string>();
  /** What is said of keys that exist but cannot be used. */
  readonly #unusable: Record<string, string> = {};

  constructor(raw: unknown, path: string, faults: ConfigFault[] = []) {
    this.path = path;
    this.faults = faults;
    const isObject = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
    if (!isObject && raw !== undefined)
      this.faults.push({ path: path || 'options', value: raw, message: `${show(raw)} is not an object` });
    this.#raw = isObject ? (raw as Record<string, unknown>) : {};
  }

  pathOf(key: string): string {
    return this.path ? `${this.path}.${key}` : key;
  }

  /** The value as it stands; marks the key as known. */
  any(key: string): unknown {
    this.#known.add(key);
    return Object.hasOwn(this.#raw, key) ? this.#raw[key] : undefined;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#raw, key) && this.#raw[key] !== undefined;
  }

  /** Of these keys no fault shows or holds the value. */
  conceal(...keys: readonly string[]): void {
    for (const key of keys) this.#secrets.add(key);
  }

  fault(key: string, value: unknown, allowed: string): void {
    const isSecret = this.#secrets.has(key);
    const message = `${isSecret ? 'this value' : show(value)} is not allowed; allowed: ${allowed}`;
    this.faults.push({ path: this.pathOf(key), value: isSecret ? undefined : value, message });
  }

  /** A fault in words of its own. */
  reject(key: string, message: string): void {
    const value = this.#secrets.has(key) ? undefined : this.#raw[key];
    this.faults.push({ path: this.pathOf(key), value, message });
  }

  read<T, D>(key: string, fallback: D, allowed: string, parse: (value: unknown) => T | undefined): T | D {
    const value = this.any(key);
    if (value === undefined) return fallback;
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    this.fault(key, value, allowed);
    return fallback;
  }

  integer<D>(
    key: string,
    { default: fallback, min = 0, max = Number.MAX_SAFE_INTEGER }: Range & { default: D },
  ): number | D {
    const allowed =
      max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
    return this.read(key, fallback, allowed, (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
    );
  }

  /** A number that need not be whole. */
  number<D>(key: string, { default: fallback, min = 0, max = Number.MAX_VALUE }: Range & { default: D }): number | D {
    const allowed = max === Number.MAX_VALUE ? `a number of at least ${min}` : `a number from ${min} to ${max}`;
    return this.read(key, fallback, allowed, (value) =>
      typeof value === 'number' && value >= min && value <= max ? value : undefined,
    );
  }

  durationMs<D>(
    key: string,
    { default: fallback, min = 0, max = Number.POSITIVE_INFINITY }: Range & { default: D },
  ): number | D {
    const upTo = max === Number.POSITIVE_INFINITY ? '' : `, at most ${max} ms`;
    return this.read(
      key,
      fallback,
      `a duration (250, '250ms', '2s', '1m', '1h', '1d') of at least ${min} ms${upTo}`,
      (value) => {
        const ms = parseDuration(value);
        return ms !== undefined && ms >= min && ms <= max ? ms : undefined;
      },
    );
  }

  bytes<D>(
    key: string,
    { default: fallback, min = 0, max = Number.POSITIVE_INFINITY }: Range & { default: D },
  ): number | D {
    return this.read(key, fallback, `a size (65536, '64kb', '1mb') of at least ${min} bytes`, (value) => {
      const bytes = parseSize(value);
      return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
    });
  }

  boolean<D>(key: string, { default: fallback }: { default: D }): boolean | D {
    return this.read(key, fallback, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  string<D>(
    key: string,
    {
      default: fallback,
      allowed = 'a string that is not empty',
      test = /./,
    }: { default: D; allowed?: string; test?: RegExp },
  ): string | D {
    return this.read(key, fallback, allowed, (value) =>
      typeof value === 'string' && test.test(value) ? value : undefined,
    );
  }

  oneOf<const T extends string | boolean, const D>(
    key: string,
    values: readonly T[],
    { default: fallback }: { default: D },
  ): T | D {
    return this.read(
      key,
      fallback,
      values.map((value) => (typeof value === 'string' ? `'${value}'` : value)).join(', '),
      (value) => values.find((known) => known === value),
    );
  }

  /** A function; its own type is the caller's word, since a function's parameters cannot be looked at. */
  function<F>(key: string): F | undefined {
    return this.read(key, undefined, 'a function', (value) => (typeof value === 'function' ? (value as F) : undefined));
  }

  list(key: string, allowed = 'an array'): readonly unknown[] | undefined {
    return this.read(key, undefined, allowed, (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));
  }

  /** A reader of the object at `key`; an empty one when the key is absent. */
  object(key: string): OptionReader {
    return new OptionReader(this.any(key), this.pathOf(key), this.faults);
  }

  /** The keys that were asked for. */
  get known(): readonly string[] {
    return [...this.#known];
  }

  /** Keys that exist but cannot be used; `why` says so in words. */
  notSupported(why: Readonly<Record<string, string>>): void {
    Object.assign(this.#unusable, why);
    for (const [key, message] of Object.entries(why)) if (this.any(key) !== undefined) this.reject(key, message);
  }

  /** Call last: every key that was not asked for is a fault. */
  rejectUnknown(hints: Hints = {}): void {
    const { known } = this;
    for (const key of Object.keys(this.#raw)) {
      if (this.#known.has(key) || this.#raw[key] === undefined) continue;
      const near = nearestName(known, key);
      const hint = inAnySpelling(hints, key) ?? (near === undefined ? undefined : `did you mean '${near}'?`);
      const message = hint === undefined ? 'is not an option' : `is not an option; ${hint}`;
      this.reject(key, inAnySpelling(this.#unusable, key) ?? message);
    }
  }

  throwFaults(): void {
    if (this.faults.length > 0) throw new ConfigError(this.faults);
  }
}

function inAnySpelling(texts: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.entries(texts).find(([name]) => plainName(name) === plainName(key))?.[1];
}
