import { parseArgs } from 'node:util';
import { CONTENDERS } from './contenders.ts';
import { SCENARIOS } from './scenarios.ts';

export interface Flags {
  readonly rounds: number;
  /** Length of each round; without it, each scenario's own. */
  readonly seconds: number | undefined;
  readonly contenders: readonly string[];
  readonly scenarios: readonly string[];
  readonly origin: 'nginx' | 'node' | undefined;
  readonly load: 'wrk' | 'autocannon' | undefined;
  /** All contenders, all scenarios and enough rounds: what may be written into the documentation. */
  readonly complete: boolean;
  readonly write: boolean;
}

export const USAGE: string = `npm run bench -- [flags]
  --rounds N          alternations (default 5)
  --seconds N         seconds a round (default: by scenario, 2 or 3)
  --only A,B          of ${CONTENDERS.map(({ name }) => name).join(', ')}
  --scenario A,B      of ${SCENARIOS.map(({ name }) => name).join(', ')}
  --quick             one round of one second each
  --origin KIND       nginx or node (default: nginx when installed)
  --load KIND         wrk or autocannon (default: wrk when installed)
  --no-write          leave docs/benchmarks.md alone (as every partial run does)`;

/** Throws an `Error` that says what is wrong. */
export function readFlags(args: readonly string[]): Flags {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      quick: { type: 'boolean', default: false },
      origin: { type: 'string' },
      load: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
    },
  });
  const { quick, only, scenario } = values;
  const rounds = count('rounds', values.rounds) ?? (quick ? 1 : 5);
  const seconds = count('seconds', values.seconds) ?? (quick ? 1 : undefined);
  return {
    rounds,
    seconds,
    contenders: names('only', only, CONTENDERS),
    scenarios: names('scenario', scenario, SCENARIOS),
    origin: oneOf('origin', values.origin, ['nginx', 'node']),
    load: oneOf('load', values.load, ['wrk', 'autocannon']),
    complete: only === undefined && scenario === undefined && rounds >= 5 && (seconds ?? 2) >= 2,
    write: !values['no-write'],
  };
}

function count(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${flag} ${value}: a whole number from 1 is wanted`);
  return number;
}

function names(flag: string, value: string | undefined, known: readonly { name: string }[]): readonly string[] {
  const all = known.map(({ name }) => name);
  if (value === undefined) return all;
  return value.split(',').map((name) => oneOf(flag, name, all) ?? name);
}

function oneOf<T extends string>(flag: string, value: string | undefined, known: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = known.find((each) => each === value);
  if (found === undefined) throw new Error(`--${flag} ${value}: one of ${known.join(', ')} is wanted`);
  return found;
}
