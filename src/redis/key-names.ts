import type { KeyFormat } from '../persistence/stick-key.ts';
import type { StoredDatum } from '../persistence/stored-data.ts';
import type { StickEntry, StickKey } from '../persistence/table.ts';

/**
 * What a number is called in an entry's hash. Rates over different periods, as while a deployment changes one, are different
 * numbers.
 */
export function fieldOf({ name, periodMs }: StoredDatum): string {
  return periodMs === 0 ? name : `${name}(${periodMs})`;
}

/** Keys of a table as they are named in Redis: readable, without blanks. */
export class KeyNames {
  readonly #format: KeyFormat;

  constructor(format: KeyFormat) {
    this.#format = format;
  }

  /** `undefined`: it cannot be a key. */
  nameOf(key: StickKey): string | undefined {
    const stored = this.#format.read(key);
    if (stored === undefined) return undefined;
    const shown = this.#format.show(stored);
    if (typeof shown === 'number') return String(shown);
    return typeof shown === 'string' ? encodeURIComponent(shown) : Buffer.from(shown).toString('hex');
  }

  /** The key of a name, as an operator sees it; `undefined`: no table has given that name. */
  keyOf(name: string): StickEntry['key'] | undefined {
    for (const read of [decoded, (text: string) => Buffer.from(text, 'hex')]) {
      const key = read(name);
      if (key !== undefined && this.nameOf(key) === name) return this.#format.show(this.#format.read(key) ?? 0);
    }
    return undefined;
  }
}

function decoded(name: string): string | undefined {
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}
