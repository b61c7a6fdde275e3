import { type Lease, Pool } from '#src/index.ts';
import { type HedgeSettings, Hedging } from '#src/pool/hedging.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';
import { exponentialMs } from './latency.ts';

/** Traffic before servers that stop now and then: to collect garbage, say. */
export interface HedgedTraffic {
  readonly seed: number;
  readonly forMs: number;
  /** `undefined`: nothing is hedged. */
  readonly hedge: HedgeSettings | undefined;
}

export interface HedgedReport {
  readonly requests: number;
  readonly hedges: number;
  readonly hedgesWon: number;
  percentile(percent: number): number;
}

export const SERVERS = 10;
export const REQUESTS_PER_SECOND = 200;
/** Of a request, exponentially distributed. */
export const WORK_MS = 20;
/** A server stands still for so long, and then works for so long on average. */
export const PAUSE_MS = 200;
export const BETWEEN_PAUSES_MS = 10_000;

/** When the server that works now, or next, has its next pause. */
class PausingServer {
  readonly #random: () => number;
  #pausesAt: number;

  constructor(random: () => number) {
    this.#random = random;
    this.#pausesAt = exponentialMs(BETWEEN_PAUSES_MS, random());
  }

  /** How long a request takes that comes now. */
  take(now: number, workMs: number): number {
    while (this.#pausesAt + PAUSE_MS <= now)
      this.#pausesAt += PAUSE_MS + exponentialMs(BETWEEN_PAUSES_MS, this.#random());
    const stands = now + workMs > this.#pausesAt ? PAUSE_MS - Math.max(0, now - this.#pausesAt) : 0;
    return workMs + stands;
  }
}

/**
 * Plays it through the slots of a real pool on the virtual clock, with a pool's own decisions of when and how often to hedge:
 * the first answer counts, and the other attempt is given up.
 */
export function playHedged({ seed, forMs, hedge }: HedgedTraffic): HedgedReport {
  const clock = new VirtualClock({ seed });
  const [arrives, works, pauses] = [1, 2, 3].map((stream) => seededRandom(seed * 8191 + stream));
  if (!arrives || !works || !pauses) throw new Error('there are three streams');
  const names = Array.from({ length: SERVERS }, (_, index) => `s${index + 1}`);
  const pool = new Pool<unknown>(
    { servers: names.map((name, index) => ({ name, address: `192.0.2.${index + 1}:80` })) },
    clock,
  );
  const servers = new Map(names.map((name) => [name, new PausingServer(pauses)]));
  const hedging = hedge && new Hedging(hedge);
  const times: number[] = [];
  let [hedges, hedgesWon] = [0, 0];

  const ask = (): void => {
    const began = clock.now();
    const leases: Lease[] = [];
    let answered = false;
    const attempt = (avoid: readonly string[]): void => {
      const lease = pool.tryAcquire({}, { avoid });
      const server = servers.get(lease?.server.name ?? '');
      if (!lease || !server) throw new Error('no server is ever full');
      leases.push(lease);
      const ms = server.take(clock.now(), exponentialMs(WORK_MS, works()));
      clock.setTimer(() => {
        if (answered) return;
        answered = true;
        if (lease !== leases[0]) hedgesWon++;
        for (const each of leases) each.release();
        times.push(clock.now() - began);
        hedging?.observed(clock.now() - began, clock.now());
      }, ms);
    };
    hedging?.budget.request();
    attempt([]);
    const delayMs = hedging?.delayMs(began);
    if (delayMs === undefined) return;
    clock.setTimer(() => {
      if (answered || !hedging?.budget.suffices) return;
      hedging.budget.spend();
      hedges++;
      attempt([leases[0]?.server.name ?? '']);
    }, delayMs);
  };
  const next = (): void => {
    clock.setTimer(
      () => {
        ask();
        next();
      },
      exponentialMs(1_000 / REQUESTS_PER_SECOND, arrives()),
    );
  };
  next();
  clock.advance(forMs);
  const sorted = Float64Array.from(times).sort();
  return {
    requests: times.length,
    hedges,
    hedgesWon,
    percentile: (percent) => sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? 0,
  };
}
