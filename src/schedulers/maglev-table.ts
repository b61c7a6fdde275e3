import { TableMemory } from './table-memory.ts';

/** Sizes of tables: primes a little above powers of two. */
const SIZES: readonly number[] = [65_537, 131_101, 262_147, 524_309, 1_048_583, 2_097_169, 4_194_319];

/** The paper asks for a table well above 100 times the servers, for shares that differ by at most 1 %. */
const PLACES_PER_SERVER = 128;

/** Most servers that the largest table holds. */
export const MAX_MAGLEV_SERVERS: number = Math.floor((SIZES.at(-1) ?? 0) / PLACES_PER_SERVER);

/** The size of the table for so many servers. */
export function maglevSize(servers: number): number {
  return SIZES.find((size) => size >= servers * PLACES_PER_SERVER) ?? (SIZES.at(-1) as number);
}

/** One server of a table: two hashes of its name, and its weight. */
export interface MaglevEntry {
  /** What stands for it in the table. */
  readonly index: number;
  /** Unsigned. */
  readonly offsetHash: number;
  /** Unsigned. */
  readonly skipHash: number;
  /** Above 0. */
  readonly weight: number;
}

/**
 * The `index` of an entry by place. The entries take turns, more often the heavier they are, and each takes the first place that is
 * free in an order of its own; so when one goes, nearly all places of the others stay as they are.
 * Cost: O(size × log size).
 * @param entries in an order that does not depend on how they were listed
 * @see Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4
 */
export function buildMaglev(
  entries: readonly MaglevEntry[],
  size: number,
  memory: TableMemory = new TableMemory(),
): Uint32Array {
  const table = memory.table(size);
  const count = entries.length;
  if (count === 0) return table;
  const heaviest = entries.reduce((most, { weight }) => Math.max(most, weight), 0);
  const places = Uint32Array.from(entries, ({ offsetHash }) => offsetHash % size);
  const skips = Uint32Array.from(entries, ({ skipHash }) => (skipHash % (size - 1)) + 1);
  const weights = Float64Array.from(entries, ({ weight }) => weight);
  const index = Uint32Array.from(entries, (entry) => entry.index);
  const due = new Float64Array(count);
  // Bits fit into the nearest cache where the table does not.
  const taken = memory.scratch((size >> 5) + 1).fill(0);
  for (let filled = 0, round = 1; ; round++) {
    for (let i = 0; i < count; i++) {
      if (round * (weights[i] as number) < (due[i] as number)) continue;
      due[i] = (due[i] as number) + heaviest;
      const skip = skips[i] as number;
      let place = places[i] as number;
      while (((taken[place >> 5] as number) >>> (place & 31)) & 1) {
        place += skip;
        if (place >= size) place -= size;
      }
      taken[place >> 5] = (taken[place >> 5] as number) | (1 << (place & 31));
      table[place] = index[i] as number;
      if (++filled === size) return table;
      place += skip;
      places[i] = place >= size ? place - size : place;
    }
  }
}
