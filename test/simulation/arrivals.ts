import { exponentialMs } from './latency.ts';

/** What a source of requests may do. */
export interface Clients {
  /** In [0, 1). */
  random(): number;
  later(ms: number, what: () => void): void;
  /** Sends a request. @param then it has its answer, or was refused */
  ask(then?: () => void): void;
}

/** Where requests come from. */
export type Arrivals = (clients: Clients) => void;

/** Requests that know nothing of each other, one every so often on average. Answers that take longer change nothing. */
export function poisson({ everyMs }: { everyMs: number }): Arrivals {
  return ({ random, later, ask }) => {
    const next = (): void =>
      later(exponentialMs(everyMs, random()), () => {
        ask();
        next();
      });
    next();
  };
}

/** So many clients, each of which waits for its answer, and then for a while, before it asks again. */
export function closedLoop({ clients, pauseMs }: { clients: number; pauseMs: number }): Arrivals {
  return ({ random, later, ask }) => {
    const next = (): void => later(exponentialMs(pauseMs, random()), () => ask(next));
    for (let i = 0; i < clients; i++) next();
  };
}

/** What a request asks for, as a number, of a number in [0, 1). */
export type Keys = (chance: number) => number;

/**
 * The kth key is asked for in proportion to 1 / k^exponent: few are hot, most are rare.
 * @see Breslau et al., "Web Caching and Zipf-like Distributions", INFOCOM 1999: exponents of 0.6 to 0.8 for the Web
 */
export function zipf({ keys, exponent }: { keys: number; exponent: number }): Keys {
  const upTo: number[] = [];
  for (let k = 1, sum = 0; k <= keys; k++) upTo.push((sum += k ** -exponent));
  const total = upTo.at(-1) ?? 0;
  return (chance) => {
    let low = 0;
    for (let high = keys - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if ((upTo[middle] as number) > chance * total) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}

/** Every key as often as every other. */
export function uniform({ keys }: { keys: number }): Keys {
  return (chance) => Math.floor(chance * keys);
}
