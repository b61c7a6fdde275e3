import { Pool, type PoolOptions } from '#src/index.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';
import { exponentialMs } from './latency.ts';

/** Traffic that has all it needs, before a pool whose servers are slow for a while. */
export interface Storm extends Pick<PoolOptions, 'retryBudget' | 'retries'> {
  readonly seed: number;
  readonly forMs: number;
  /** From when until when each piece of work takes `factor` times as long. */
  readonly trigger: { readonly fromMs: number; readonly toMs: number; readonly factor: number };
}

/** What happened in each second. */
export interface StormReport {
  /** Requests that came. */
  readonly requests: readonly number[];
  /** Requests and retries that servers were given. */
  readonly attempts: readonly number[];
  /** Requests that were answered in time. */
  readonly answered: readonly number[];
}

export const SERVERS = 5;
/** A server works on one request at a time. */
export const WORK_MS = 20;
/** Requests that wait at one server; another is refused at once. */
export const BACKLOG = 200;
/** Requests come at this rate, of the 250 a second that the servers can do. */
export const REQUESTS_PER_SECOND = 175;
/** Clients, and the pool for them, give an attempt up after so long. */
export const TIMEOUT_MS = 1_000;

/** A server with a queue. It does not hear of clients that have given up, and works for them all the same. */
class BusyServer {
  #freeAt = 0;

  /** When the work will be done; `undefined`: it is refused. */
  take(now: number, workMs: number): number | undefined {
    const beginsAt = Math.max(now, this.#freeAt);
    if (beginsAt - now > BACKLOG * workMs) return undefined;
    this.#freeAt = beginsAt + workMs;
    return this.#freeAt;
  }
}

/** Plays it through `pool.run` on the virtual clock. */
export async function playStorm({ seed, forMs, trigger, ...retrying }: Storm): Promise<StormReport> {
  const clock = new VirtualClock({ seed });
  const random = seededRandom(seed);
  const names = Array.from({ length: SERVERS }, (_, index) => `s${index + 1}`);
  const pool = new Pool<unknown>(
    { ...retrying, servers: names.map((name, index) => ({ name, address: `192.0.2.${index + 1}:80` })) },
    clock,
  );
  const servers = new Map(names.map((name) => [name, new BusyServer()]));
  const [requests, attempts, answered] = [1, 2, 3].map(() => new Array<number>(Math.ceil(forMs / 1_000)).fill(0));
  if (!requests || !attempts || !answered) throw new Error('there are three counts');
  const count = (counts: number[]): void => {
    const second = Math.floor(clock.now() / 1_000);
    if (second < counts.length) counts[second] = (counts[second] ?? 0) + 1;
  };

  const attempt = (name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      count(attempts);
      const now = clock.now();
      const slow = now >= trigger.fromMs && now < trigger.toMs;
      const doneAt = servers.get(name)?.take(now, slow ? trigger.factor * WORK_MS : WORK_MS);
      if (doneAt === undefined) reject(new Error('refused'));
      else if (doneAt - now <= TIMEOUT_MS) clock.setTimer(resolve, doneAt - now);
      else clock.setTimer(() => reject(new Error('too late')), TIMEOUT_MS);
    });
  const ask = (): void => {
    count(requests);
    pool
      .run({}, (lease) => attempt(lease.server.name), { retry: true })
      .then(
        () => count(answered),
        () => undefined,
      );
  };
  const next = (): void => {
    clock.setTimer(
      () => {
        ask();
        next();
      },
      exponentialMs(1_000 / REQUESTS_PER_SECOND, random()),
    );
  };
  next();
  await clock.advanceAsync(forMs);
  return { requests, attempts, answered };
}

/** Requests answered in time, of all that came from that second on. */
export function goodput({ requests, answered }: StormReport, fromSecond: number, toSecond?: number): number {
  const sum = (counts: readonly number[]): number => counts.slice(fromSecond, toSecond).reduce((a, b) => a + b, 0);
  return sum(answered) / sum(requests);
}
