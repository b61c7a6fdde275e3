/**
 * How long a server takes for a request that comes at `now`. `chance` is the request's own number in [0, 1): the nth request
 * of a seed is the same work whichever server gets it.
 */
export type Serve = (now: number, chance: number) => number;

/** Makes the `Serve` of one server, which may remember what it is busy with. */
export type Latency = () => Serve;

/** Always so long. */
export function constant(ms: number): Latency {
  return () => () => ms;
}

/** Mostly shorter than the mean, now and then much longer: p50 is 0.7 of it, p99 4.6 times as long. */
export function exponential(meanMs: number): Latency {
  return () => (_now, chance) => exponentialMs(meanMs, chance);
}

/** Works on so many requests at one time; others wait for their turn. So load makes latency. */
export function queueing(workers: number, latency: Latency): Latency {
  return () => {
    const serve = latency();
    const freeAt: number[] = new Array(workers).fill(0);
    return (now, chance) => {
      const first = freeAt.indexOf(Math.min(...freeAt));
      const begin = Math.max(now, freeAt[first] as number);
      const end = begin + serve(begin, chance);
      freeAt[first] = end;
      return end - now;
    };
  };
}

/** An exponentially distributed time. */
export function exponentialMs(meanMs: number, chance: number): number {
  return -meanMs * Math.log(1 - chance);
}
