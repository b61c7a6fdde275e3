import type { Contender } from './contender.ts';
import type { Generator } from './generator.ts';
import type { Scenario } from './scenarios.ts';

/** One round of one contender. */
export interface Round {
  readonly cpuMicros: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rssBytes: number;
  /** Share of one core that the contender used. */
  readonly busy: number;
}

/** Medians over a contender's rounds of one scenario, and the rounds themselves for ratios round by round. */
export interface Row extends Round {
  readonly contender: string;
  readonly scenario: string;
  readonly rounds: readonly Round[];
  /** Why the figures are not valid: failed requests, or the contender's end. */
  readonly fault: string | undefined;
}

/** Warms up every contender, then lets them take turns, A B C A B C …, so that a slow moment of the machine hits all alike. */
export async function measure(
  scenario: Scenario,
  contenders: readonly Contender[],
  load: Generator,
  { rounds, seconds, progress }: { rounds: number; seconds: number; progress: (text: string) => void },
): Promise<Row[]> {
  const results = new Map<Contender, Round[]>(contenders.map((contender) => [contender, []]));
  const faults = new Map<Contender, string>();
  for (let turn = 0; turn <= rounds; turn++) {
    for (const [contender, done] of results) {
      if (faults.has(contender)) continue;
      progress(`${scenario.title}: ${turn === 0 ? 'warm-up' : `round ${turn} of ${rounds}`}, ${contender.plan.name}`);
      try {
        const result = await round(scenario, contender, load, seconds);
        if (turn > 0) done.push(result);
      } catch (error) {
        faults.set(contender, error instanceof Error ? error.message : String(error));
      }
    }
  }
  return Array.from(results, ([contender, done]) => ({
    contender: contender.plan.name,
    scenario: scenario.name,
    rounds: done,
    cpuMicros: median(done.map((each) => each.cpuMicros)),
    requestsPerSecond: median(done.map((each) => each.requestsPerSecond)),
    p50Ms: median(done.map((each) => each.p50Ms)),
    p99Ms: median(done.map((each) => each.p99Ms)),
    rssBytes: median(done.map((each) => each.rssBytes)),
    busy: median(done.map((each) => each.busy)),
    fault: faults.get(contender),
  }));
}

async function round(scenario: Scenario, contender: Contender, load: Generator, seconds: number): Promise<Round> {
  const before = await contender.usage();
  const seen = await load(scenario, contender.port, seconds);
  const after = await contender.usage();
  if (seen.errors > 0 || seen.requests === 0) throw new Error(`${seen.errors} errors in ${seen.requests} requests`);
  const cpuMicros = after.cpuMicros - before.cpuMicros;
  return {
    cpuMicros: cpuMicros / seen.requests,
    requestsPerSecond: seen.requests / seen.seconds,
    p50Ms: seen.p50Ms,
    p99Ms: seen.p99Ms,
    rssBytes: after.rssBytes,
    busy: cpuMicros / 1e6 / seen.seconds,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
