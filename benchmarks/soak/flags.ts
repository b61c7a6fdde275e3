import { parseArgs } from 'node:util';
import type { PoolOptions } from '#src/index.ts';

export const PARTS: readonly string[] = ['unrest', 'requests', 'bodies', 'kills'];

export type Engine = NonNullable<PoolOptions['engine']>;

export interface Flags {
  readonly parts: readonly string[];
  readonly requests: number;
  readonly mebibytes: number;
  readonly seconds: number;
  readonly seed: number;
  readonly clients: number;
  readonly engine: Engine;
}

export const USAGE: string = `npm run soak -- [flags]
  --only A,B       of ${PARTS.join(', ')}; or all (default unrest)
  --seconds N      time of unrest, and for which servers are killed, twice (default 60)
  --clients N      most clients of the unrest, from 8 (default 512)
  --engine E       what carries the unrest: http1 or http-proxy-3 (default http1)
  --seed N         makes the choices of an earlier run again: unrest, kills
  --requests N     requests (default 1000000)
  --mebibytes N    size of each body (default 1024)`;

/** Throws an `Error` that says what is wrong. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: 'unrest' },
      requests: { type: 'string', default: '1000000' },
      mebibytes: { type: 'string', default: '1024' },
      seconds: { type: 'string', default: '60' },
      clients: { type: 'string', default: '512' },
      engine: { type: 'string', default: 'http1' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const parts = values.only === 'all' ? PARTS : values.only.split(',');
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: one of ${PARTS.join(', ')}, or all, is wanted`);
  const { engine } = values;
  if (engine !== 'http1' && engine !== 'http-proxy-3')
    throw new Error(`--engine ${engine}: http1 or http-proxy-3 is wanted`);
  return {
    parts,
    requests: count('requests', values.requests),
    mebibytes: count('mebibytes', values.mebibytes),
    seconds: count('seconds', values.seconds),
    seed: count('seed', values.seed),
    clients: count('clients', values.clients, 8),
    engine,
  };
}

function count(flag: string, value: string, least = 1): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least)
    throw new Error(`--${flag} ${value}: a whole number from ${least} is wanted`);
  return number;
}
