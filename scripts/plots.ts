import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poisson, zipf } from '../test/simulation/arrivals.ts';
import { exponential, type Latency, queueing } from '../test/simulation/latency.ts';
import { goodput, playStorm, REQUESTS_PER_SECOND } from '../test/simulation/retry-storm.ts';
import { type Scenario, simulate } from '../test/simulation/simulate.ts';
import { playHedged } from '../test/simulation/slow-now-and-then.ts';
import { drawPlot, type Scene } from './plots/draw.ts';
import { drawStorm } from './plots/draw-storm.ts';

/**
 * Draws what docs/algorithms.md shows of each algorithm, the same traffic through each of them, and docs/retries.md of retry
 * budgets; all on the virtual clock. The same sources give the same pictures, byte for byte.
 */

const TARGET = join(import.meta.dirname, '../docs/plots');

interface Plot extends Pick<Scenario, 'balance' | 'hashType' | 'hashBalanceFactor'> {
  readonly file: string;
  readonly title: string;
  /** `first` does nothing without a maxconn. */
  readonly limited?: boolean;
}

const PLOTS: readonly Plot[] = [
  { file: 'roundrobin', title: 'roundrobin', balance: 'roundrobin' },
  { file: 'static-rr', title: 'static-rr', balance: 'static-rr' },
  { file: 'leastconn', title: 'leastconn', balance: 'leastconn' },
  { file: 'first', title: 'first', balance: 'first', limited: true },
  { file: 'random', title: 'random', balance: 'random' },
  { file: 'peak-ewma', title: 'peak-ewma', balance: 'peak-ewma' },
  { file: 'source', title: 'source, map-based', balance: 'source' },
  { file: 'uri', title: 'uri, map-based', balance: 'uri' },
  { file: 'uri-consistent', title: 'uri, consistent', balance: 'uri', hashType: 'consistent' },
  {
    file: 'uri-consistent-bounded',
    title: 'uri, consistent, hashBalanceFactor 150',
    balance: 'uri',
    hashType: 'consistent',
    hashBalanceFactor: 150,
  },
  { file: 'uri-maglev', title: 'uri, maglev', balance: 'uri', hashType: 'maglev' },
];

const DESCRIPTION =
  'Four servers, a to d, with three kinds of traffic side by side: four equal servers; server a four times as slow as the ' +
  'others; long requests, where server a is away from 20 s to 40 s. Each column shows over one minute the share of requests ' +
  'that each server gets, the requests that it has in progress (cut off at the top of the panel), and the median and the ' +
  '99th percentile of latency.';

/** One request in eight asks for the same. */
const KEYS = zipf({ keys: 1_000, exponent: 1 });

/** Time before the picture begins, in which servers get as much to do as they will have. */
const WARM_UP_MS = 20_000;

interface Setting extends Omit<Scene, 'traffic'> {
  /** Of server a, and of the others. */
  readonly latency: readonly [a: Latency, others: Latency];
  readonly everyMs: number;
  readonly maxconn: number;
  readonly events?: NonNullable<Scenario['events']>;
}

/** In each, servers have about two thirds of the work that they can do. */
const SETTINGS: readonly Setting[] = [
  {
    title: 'four equal servers',
    latency: [queueing(8, exponential(40)), queueing(8, exponential(40))], // 200 a second at most, of 135
    everyMs: 1_000 / 540,
    maxconn: 8,
    mostLoad: 40,
    decades: [1, 3],
  },
  {
    title: 'a takes four times as long',
    latency: [queueing(32, exponential(160)), queueing(8, exponential(40))],
    everyMs: 1_000 / 540,
    maxconn: 8,
    mostLoad: 40,
    decades: [1, 3],
  },
  {
    title: 'long requests; a is away for 20 s',
    latency: [queueing(100, exponential(4_000)), queueing(100, exponential(4_000))], // 25 a second at most, of 15
    everyMs: 1_000 / 60,
    maxconn: 100,
    mostLoad: 200,
    decades: [3, 5],
    events: {
      [WARM_UP_MS + 20_000]: ({ pool }) => pool.server('a').setState('maint'),
      [WARM_UP_MS + 40_000]: ({ pool }) => pool.server('a').setState('ready'),
    },
  },
];

function sceneOf({ file: _file, title: _title, limited, ...balancing }: Plot, setting: Setting): Scene {
  const { latency, everyMs, maxconn, events = {} } = setting;
  const [a, others] = latency;
  const limit = limited ? { maxconn } : {};
  const traffic = simulate({
    seed: 1,
    ...balancing,
    servers: {
      a: { latency: a, ...limit },
      b: { latency: others, ...limit },
      c: { latency: others, ...limit },
      d: { latency: others, ...limit },
    },
    arrivals: poisson({ everyMs }),
    keys: KEYS,
    forMs: WARM_UP_MS + 60_000,
    events,
  });
  return { ...setting, traffic: traffic.after(WARM_UP_MS) };
}

mkdirSync(TARGET, { recursive: true });
for (const plot of PLOTS) {
  const scenes = SETTINGS.map((setting) => sceneOf(plot, setting));
  writeFileSync(join(TARGET, `${plot.file}.svg`), drawPlot(plot.title, DESCRIPTION, scenes));
  for (const { title, traffic } of scenes) {
    const shares = traffic.servers.map((server) => `${Math.round(100 * traffic.share(server))} %`).join(' ');
    const [p50, p99] = [50, 99].map((percent) => `p${percent} ${Math.round(traffic.percentile(percent))} ms`);
    console.log(
      `${plot.title} | ${title} | ${shares} | ${p50}, ${p99} | refused ${(100 * traffic.refused).toFixed(1)} %`,
    );
  }
}

const STORM_SECONDS = 90;
const TRIGGER = { fromMs: 10_000, toMs: 20_000, factor: 4 };
const STORM_DESCRIPTION =
  `Five servers that can do 250 requests a second together get ${REQUESTS_PER_SECOND}. From 10 s to 20 s, between the dashed ` +
  'lines, their work takes four times as long. Each column shows requests, attempts and requests answered in time, a second: ' +
  'without a retry budget attempts stay above what the servers can do and nothing is answered to the end; with one, and without ' +
  'retries, all is answered again after some time.';

const storms = await Promise.all(
  [
    { title: 'three retries, no budget', retryBudget: false as const },
    { title: 'three retries, retryBudget: {}', retryBudget: {} },
    { title: 'no retries', retries: 0 },
  ].map(async ({ title, ...retrying }) => {
    const report = await playStorm({ seed: 1, forMs: (STORM_SECONDS + 2) * 1_000, trigger: TRIGGER, ...retrying });
    return { title, report };
  }),
);
const axes = { seconds: STORM_SECONDS, mostPerSecond: 1_000, trigger: TRIGGER };
const storm = drawStorm('ten slow seconds, and what retries make of them', STORM_DESCRIPTION, storms, axes);
writeFileSync(join(TARGET, 'retry-budget.svg'), storm);
for (const { title, report } of storms) {
  const well = report.answered.findIndex((count, second) => second > 20 && count > 0.9 * REQUESTS_PER_SECOND);
  const end = Math.round(100 * goodput(report, STORM_SECONDS - 20, STORM_SECONDS));
  console.log(`${title} | recovered ${well === -1 ? 'never' : `after ${well - 20} s`} | ${end} % answered at the end`);
}

const hedged = { p95: { percent: 95 }, p98: { percent: 98 }, '150ms': { ms: 150 } };
for (const [name, after] of Object.entries({ nothing: undefined, ...hedged })) {
  const hedge = after && { after, max: 1, budget: 0.05 };
  const report = playHedged({ seed: 1, forMs: 300_000, hedge });
  const percentiles = [50, 95, 99, 99.9].map((percent) => `p${percent} ${Math.round(report.percentile(percent))} ms`);
  const hedges = (100 * report.hedges) / report.requests;
  console.log(`hedged after ${name} | ${percentiles.join(', ')} | ${hedges.toFixed(1)} % hedges`);
}
