import { check, minimise } from './check.ts';
import { type Input, inputOf } from './inputs.ts';

/** What a run has shown. */
export interface Tally {
  /** Inputs of each kind, and how many of them were accepted, at least in part. */
  readonly response: { inputs: number; accepted: number };
  readonly request: { inputs: number; accepted: number };
  /** One text for each failing input. */
  readonly faults: string[];
}

/** Beyond these, one mistake is most likely behind all of them. */
const MOST_FAULTS = 10;

/** Looks at the first `inputs` inputs of a seed. */
export function run(seed: number, inputs: number, progress?: (done: number) => void): Tally {
  const tally: Tally = { response: { inputs: 0, accepted: 0 }, request: { inputs: 0, accepted: 0 }, faults: [] };
  for (let index = 0; index < inputs && tally.faults.length < MOST_FAULTS; index++) {
    const input = inputOf(seed, index);
    const { accepted, fault } = check(input);
    const count = tally[input.kind];
    count.inputs++;
    if (accepted) count.accepted++;
    if (fault !== undefined) tally.faults.push(report(seed, index, input, fault));
    if (progress && (index + 1) % 250_000 === 0) progress(index + 1);
  }
  return tally;
}

/** All that is needed to see it again. */
export function report(seed: number, index: number, input: Input, fault: string): string {
  const small = minimise(input);
  return [
    `seed ${seed}, input ${index} (again: npm run fuzz -- --seed ${seed} --only ${index}): ${fault}`,
    `  hex ${hexOf(input)}`,
    `  smaller: ${JSON.stringify(small.text)}`,
    `  again: npm run fuzz -- --replay ${replayOf(small)}`,
    `  ${check(small).fault ?? 'which does not fail any more'}`,
  ].join('\n');
}

function hexOf({ text }: Input): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

/** An input as one word of the command line. */
export function replayOf(input: Input): string {
  const how = input.kind === 'response' ? `${input.method}:${input.cuts.join(',')}` : input.tamper;
  return `${input.kind}:${how}:${hexOf(input)}`;
}

/** Reads such a word. `undefined`: it is none. */
export function inputFrom(word: string): Input | undefined {
  const response = /^response:([A-Z]+):([\d,]*):([\da-f]*)$/.exec(word);
  if (response) {
    const [, method = '', cuts = '', hex = ''] = response;
    return { kind: 'response', method, cuts: cuts === '' ? [] : cuts.split(',').map(Number), text: textOf(hex) };
  }
  const request = /^request:(\d+):([\da-f]*)$/.exec(word);
  return request ? { kind: 'request', tamper: Number(request[1]), text: textOf(request[2] ?? '') } : undefined;
}

function textOf(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}
