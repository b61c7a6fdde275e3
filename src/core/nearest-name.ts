/** A name in whatever spelling: `http-request`, `http_request` and `httpRequest` are one. */
export function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** The name that `written` was likely meant to be: at most two letters are wrong, missing, too many or swapped. */
export function nearestName(names: readonly string[], written: string): string | undefined {
  const plain = plainName(written);
  const [nearest] = names
    .map((name) => ({ name, distance: distance(plainName(name), plain) }))
    .filter(({ name, distance }) => distance <= Math.min(2, name.length / 3))
    .sort((a, b) => a.distance - b.distance);
  return nearest?.name;
}

/** How many letters must be put in, taken out, changed or swapped with their neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 0; i <= a.length; i++) {
    const row: number[] = [];
    rows.push(row);
    for (let j = 0; j <= b.length; j++) {
      if (i === 0 || j === 0) {
        row.push(i + j);
        continue;
      }
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(changed, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1));
    }
  }
  return at(a.length, b.length);
}
