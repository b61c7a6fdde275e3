/** A length of time: milliseconds, or a number with a unit. `Infinity` (in JSON `"infinite"`) is no limit. */
export type Duration = number | `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d` | 'infinite';

/** A number of bytes, or a number with a unit (1 kb = 1024 bytes). `Infinity` (in JSON `"infinite"`) is no limit. */
export type Size = number | `${number}b` | `${number}kb` | `${number}mb` | `${number}gb` | 'infinite';

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1_048_576, gb: 1_073_741_824 };

/** Milliseconds, or `undefined` for what is no duration. */
export function parseDuration(value: unknown): number | undefined {
  return parse(value, MS);
}

/** Bytes, or `undefined` for what is no size. */
export function parseSize(value: unknown): number | undefined {
  const bytes = parse(value, BYTES);
  return bytes === undefined || bytes === Number.POSITIVE_INFINITY || Number.isInteger(bytes) ? bytes : undefined;
}

function parse(value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === 'number') return value >= 0 ? value : undefined;
  if (typeof value !== 'string') return undefined;
  if (value === 'infinite') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(value);
  const unit = match && Object.hasOwn(units, match[2] ?? '') ? units[match[2] ?? ''] : undefined;
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}
