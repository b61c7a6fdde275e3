import type { Input } from './inputs.ts';
import { checkRequests } from './request-check.ts';
import { checkResponse, type Verdict } from './response-check.ts';

/** Looks at one input. What throws is a fault, too: nothing that comes off a socket may. */
export function check(input: Input): Verdict {
  try {
    return input.kind === 'response' ? checkResponse(input) : checkRequests(input);
  } catch (error) {
    return { accepted: false, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Most attempts at making a failing input smaller. */
const ATTEMPTS = 3_000;

/** The input with everything taken out that it fails without. */
export function minimise<I extends Input>(input: I): I {
  let smallest = input;
  let attempts = ATTEMPTS;
  for (let size = input.text.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < smallest.text.length && attempts > 0; attempts--) {
      const smaller = without(smallest, at, size);
      if (check(smaller).fault === undefined) at += size;
      else smallest = smaller;
    }
  }
  return smallest;
}

function without<I extends Input>(input: I, at: number, size: number): I {
  const text = input.text.slice(0, at) + input.text.slice(at + size);
  if (input.kind !== 'response') return { ...input, text };
  return {
    ...input,
    text,
    cuts: input.cuts.map((cut) => Math.min(text.length, cut > at ? Math.max(at, cut - size) : cut)),
  };
}
