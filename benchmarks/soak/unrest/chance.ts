/** One of these. */
export function oneOf<T>(random: () => number, list: readonly [T, ...T[]]): T;
/** One of these, if there is any. */
export function oneOf<T>(random: () => number, list: readonly T[]): T | undefined;
export function oneOf<T>(random: () => number, list: readonly T[]): T | undefined {
  return list[Math.floor(random() * list.length)];
}

/** A whole number, both ends included. */
export function between(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** One name of a table of weights. */
export function drawn<K extends string>(random: () => number, weights: Readonly<Record<K, number>>): K {
  const entries = Object.entries(weights) as [K, number][];
  let left = random() * entries.reduce((total, [, weight]) => total + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left < 0) return name;
  }
  return (entries[0] as [K, number])[0];
}
