import type { Traffic } from '../../test/simulation/traffic.ts';
import { curve, duration, escaped, HEIGHT, panel, STYLE, text } from './svg.ts';

/** A column of a plot. */
export interface Scene {
  readonly title: string;
  readonly traffic: Traffic;
  /** Top of the axis of requests in progress. */
  readonly mostLoad: number;
  /** Ends of the axis of latency, in powers of ten of a millisecond. */
  readonly decades: readonly [from: number, to: number];
}

const STEPS = 60;
const STEP_WIDTH = 4;
const WIDTH = STEPS * STEP_WIDTH;
const LEFT = 58;
const GAP = 58;
const TOP = 92;
const ROW_GAP = 36;
const PAGE_WIDTH = LEFT + 3 * WIDTH + 2 * GAP + 18;
const PAGE_HEIGHT = TOP + 3 * HEIGHT + 2 * ROW_GAP + 32;

/** An SVG of scenes side by side: who gets the requests, how many each server has, and how long answers take. */
export function drawPlot(title: string, description: string, scenes: readonly Scene[]): string {
  const servers = scenes[0]?.traffic.servers ?? [];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${PAGE_WIDTH} ${PAGE_HEIGHT}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(title)}</title>`,
    `<desc id="d">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect width="${PAGE_WIDTH}" height="${PAGE_HEIGHT}" rx="6" class="o"/>`,
    text(16, 30, title, 'h t'),
    ...servers.map((server, index) => {
      const x = PAGE_WIDTH - 310 + 40 * index;
      return `<rect x="${x}" y="20" width="12" height="12" class="f${index}"/>${text(x + 17, 30, server)}`;
    }),
    ...['c p', 'c p q'].map((name, index) => {
      const x = PAGE_WIDTH - 138 + 64 * index;
      return `<path class="${name}" d="M${x} 26h20"/>${text(x + 25, 30, index === 0 ? 'p50' : 'p99')}`;
    }),
    ...scenes.map((scene, index) => drawScene(scene, LEFT + index * (WIDTH + GAP))),
    '</svg>',
    '',
  ].join('\n');
}

function drawScene({ title, traffic, mostLoad, decades: [from, to] }: Scene, x: number): string {
  const { servers, forMs } = traffic;
  const stepMs = forMs / STEPS;
  const [first = 0, second = 0, third = 0] = [0, 1, 2].map((row) => TOP + row * (HEIGHT + ROW_GAP));
  const heightOf = (ms: number): number => (Math.log10(Math.max(1, ms)) - from) / (to - from);
  const msAt = (height: number): number => 10 ** (from + height * (to - from));
  const decadeTicks = Array.from({ length: to - from + 1 }, (_, decade) => decade / (to - from));
  const overall = `p50 ${duration(traffic.percentile(50))}, p99 ${duration(traffic.percentile(99))}`;
  return [
    text(x, TOP - 30, title, 'h'),
    panel(x, first, WIDTH, 'share of the requests', [0, 0.5, 1], (height) => `${height * 100} %`),
    // Each lies behind the one that is stacked below it.
    ...stacked(traffic, stepMs)
      .map((edge, index) => {
        const area = `${curve(edge, x, first, STEP_WIDTH)}V${first + HEIGHT}H${x + STEP_WIDTH / 2}z`;
        return `<path class="f${index}" d="${area}"/>`;
      })
      .reverse(),
    panel(x, second, WIDTH, 'requests in progress', [0, 0.5, 1], (height) => String(height * mostLoad)),
    ...servers.map((server, index) => {
      const loads = traffic.loads(server, stepMs).map((load) => load / mostLoad);
      return `<path class="c l${index}" d="${curve(loads, x, second, STEP_WIDTH)}"/>`;
    }),
    panel(x, third, WIDTH, `latency: ${overall}`, decadeTicks, (height) => duration(msAt(height))),
    ...[50, 99].map((percent) => {
      // Over three steps, as a 99th percentile of few requests says little.
      const heights = Array.from({ length: STEPS }, (_, step) =>
        heightOf(traffic.percentile(percent, { from: (step - 1) * stepMs, to: (step + 2) * stepMs })),
      );
      return `<path class="${percent === 50 ? 'c p' : 'c p q'}" d="${curve(heights, x, third, STEP_WIDTH)}"/>`;
    }),
    ...[0, 0.5, 1].map((part, index) =>
      text(x + part * WIDTH, third + HEIGHT + 18, duration(part * forMs), ['', 'm', 'e'][index]),
    ),
  ].join('\n');
}

/** The upper edges of the servers' shares, each on top of those before it. */
function stacked(traffic: Traffic, stepMs: number): number[][] {
  const edges: number[][] = [];
  let below: readonly number[] = new Array(STEPS).fill(0);
  for (const server of traffic.servers) {
    const counts = traffic.counts(server, stepMs);
    below = below.map((sum, step) => sum + (counts[step] ?? 0));
    edges.push([...below]);
  }
  return edges.map((edge) => edge.map((sum, step) => sum / Math.max(1, below[step] ?? 0)));
}
