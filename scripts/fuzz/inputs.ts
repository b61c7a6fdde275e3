import { Chance, seedOf } from './chance.ts';
import { REQUESTS, RESPONSES } from './corpus.ts';
import { cuts, mutate } from './mutate.ts';
import { generateRequest } from './request-grammar.ts';
import { generateResponse } from './response-grammar.ts';

/** One input: what a server says, or what a client does. */
export type Input =
  | { readonly kind: 'response'; readonly method: string; readonly text: string; readonly cuts: readonly number[] }
  | { readonly kind: 'request'; readonly text: string; readonly tamper: number };

/** The input of this number in the run of this seed: always the same one. */
export function inputOf(run: number, index: number): Input {
  const chance = new Chance(seedOf(run, index));
  if (chance.onceIn(3)) {
    const text = written(chance, REQUESTS, generateRequest);
    return { kind: 'request', text, tamper: chance.onceIn(6) ? 1 + chance.below(1 << 30) : 0 };
  }
  const text = written(chance, RESPONSES, generateResponse);
  return { kind: 'response', method: chance.onceIn(10) ? 'HEAD' : 'GET', text, cuts: cuts(text.length, chance) };
}

/** Half of them from the grammar as it is, the others changed: from the grammar, or a known good message. */
function written(chance: Chance, corpus: readonly [string, ...string[]], generate: (chance: Chance) => string): string {
  switch (chance.below(4)) {
    case 0:
      return mutate(chance.one(corpus), chance);
    case 1:
      return mutate(generate(chance), chance);
    default:
      return generate(chance);
  }
}
