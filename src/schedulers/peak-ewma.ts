import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { ServerView } from '../servers/server.ts';
import { RandomDraws } from './random-draws.ts';
import { type Algorithm, defineScheduler, nothingMore, type Scheduler } from './scheduler.ts';

/**
 * A failure counts as an answer that took so many times what its server's answers are taken to, within limits: a server that
 * goes on failing is tried less and less, and one that is mended comes back within some times `decay`.
 */
const FAILURE_FACTOR = 4;
const FAILURE_AT_LEAST_MS = 1_000;
const FAILURE_AT_MOST_MS = 60_000;

const MOST = 2_147_483_647;

/** How long answers of one server take: up at once, down slowly. */
interface Latency {
  ms: number;
  /** When it was last looked at. */
  at: number;
}

/**
 * Draws two different servers at random, in proportion to weight, and takes the one where a request would wait less: the latency of its
 * answers of late times the requests it has, and this one. A slow answer or a failure raises that latency at once; it
 * comes down with time (`decay`). A server without answers yet counts as one of average latency, so that it is neither
 * flooded nor starved.
 * Cost: O(log n); nothing allocated.
 * @see "peak EWMA" of Twitter's Finagle, com.twitter.finagle.loadbalancer.PeakEwma
 * @see Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001
 */
class PeakEwma implements Scheduler {
  readonly #decayMs: number;
  readonly #environment: Environment;
  readonly #draws: RandomDraws;
  readonly #latencies = new Map<ServerView, Latency>();
  /** Moving average over the answers of all servers: what a new server is taken to have. */
  #usualMs = 0;

  constructor(decayMs: number, environment: Environment) {
    this.#decayMs = decayMs;
    this.#environment = environment;
    this.#draws = new RandomDraws(2, true, environment, (a, b) => this.#cost(a) < this.#cost(b));
  }

  add(server: ServerView): void {
    this.#draws.add(server);
  }

  /** What was known of its latency is old when it comes back. */
  remove(server: ServerView): void {
    this.#draws.remove(server);
    this.#latencies.delete(server);
  }

  reweigh(server: ServerView): void {
    this.#draws.reweigh(server);
  }

  took(server: ServerView): void {
    this.#draws.reweigh(server);
  }

  freed(server: ServerView): void {
    this.#draws.reweigh(server);
  }

  observed(server: ServerView, ms: number, ok: boolean): void {
    if (!this.#draws.has(server)) return;
    const now = this.#environment.now();
    let latency = this.#latencies.get(server);
    if (!latency) this.#latencies.set(server, (latency = { ms: this.#usualMs, at: now }));
    const seen = ok ? ms : Math.max(ms, FAILURE_AT_LEAST_MS, Math.min(FAILURE_FACTOR * latency.ms, FAILURE_AT_MOST_MS));
    const share = Math.exp((latency.at - now) / this.#decayMs);
    latency.ms = seen > latency.ms ? seen : latency.ms * share + seen * (1 - share);
    latency.at = now;
    if (ok) this.#usualMs = this.#usualMs === 0 ? ms : this.#usualMs + (ms - this.#usualMs) / 64;
  }

  pick(context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    return this.#draws.pick(context, avoid);
  }

  /** A latency that nothing has confirmed for long fades to the usual one, so that a server once slow is tried again. */
  #cost(server: ServerView): number {
    const latency = this.#latencies.get(server);
    let ms = this.#usualMs;
    if (latency) {
      const share = Math.exp((latency.at - this.#environment.now()) / this.#decayMs);
      ms = latency.ms > ms ? latency.ms * share + ms * (1 - share) : latency.ms;
    }
    const load = (server.active * this.#draws.averageWeight) / server.effectiveWeight;
    // In whole microseconds, as V8 allocates for fractions that a function returns.
    return Math.min((ms * 1000 + 1) * (load + 1), MOST) | 0;
  }
}

export const peakEwma: Algorithm = defineScheduler({
  readOptions: (read) => ({ decayMs: read.durationMs('decay', { default: 10_000, min: 1 }) }),
  readPhrase: nothingMore,
  create: ({ decayMs }, environment) => new PeakEwma(decayMs, environment),
});
