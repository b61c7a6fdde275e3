import { parseArgs } from 'node:util';

export const PARTS: readonly string[] = ['requests', 'bodies', 'kills'];

export interface Flags {
  readonly parts: readonly string[];
  readonly requests: number;
  readonly mebibytes: number;
  readonly seconds: number;
  readonly seed: number;
}

export const USAGE: string = `npm run soak -- [flags]
  --only A,B       of ${PARTS.join(', ')}
  --requests N     requests (default 1000000)
  --mebibytes N    size of each body (default 1024)
  --seconds N      time for which servers are killed, twice (default 60)
  --seed N         makes the kills of an earlier run again`;

/** Throws an `Error` that says what is wrong. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: PARTS.join(',') },
      requests: { type: 'string', default: '1000000' },
      mebibytes: { type: 'string', default: '1024' },
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const parts = values.only.split(',');
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${PARTS.join(', ')} is wanted`);
  return {
    parts,
    requests: count('requests', values.requests),
    mebibytes: count('mebibytes', values.mebibytes),
    seconds: count('seconds', values.seconds),
    seed: count('seed', values.seed),
  };
}

function count(flag: string, value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`--${flag} ${value}: a whole number from 1 is wanted`);
  return number;
}
