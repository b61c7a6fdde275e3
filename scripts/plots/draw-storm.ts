import type { StormReport } from '../../test/simulation/retry-storm.ts';
import { curve, escaped, HEIGHT, panel, STYLE, text } from './svg.ts';

/** A column of a plot of a retry storm. */
export interface StormScene {
  readonly title: string;
  readonly report: StormReport;
}

/** What all columns have in common. */
export interface StormAxes {
  readonly seconds: number;
  /** Top of the axis. */
  readonly mostPerSecond: number;
  readonly trigger: { readonly fromMs: number; readonly toMs: number };
}

const STEP_WIDTH = 4;
const LEFT = 58;
const GAP = 58;
const TOP = 92;
const LINES = [
  ['requests', 'l3'],
  ['attempts', 'l0'],
  ['answered', 'l2'],
] as const;

/** An SVG of runs side by side: requests, attempts and answers in each second, and when the trigger was. */
export function drawStorm(title: string, description: string, scenes: readonly StormScene[], axes: StormAxes): string {
  const width = axes.seconds * STEP_WIDTH;
  const pageWidth = LEFT + scenes.length * width + (scenes.length - 1) * GAP + 18;
  const pageHeight = TOP + HEIGHT + 32;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${pageWidth} ${pageHeight}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escaped(title)}</title>`,
    `<desc id="d">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect width="${pageWidth}" height="${pageHeight}" rx="6" class="o"/>`,
    text(16, 30, title, 'h t'),
    ...LINES.map(([name, line], index) => {
      const x = pageWidth - 290 + 95 * index;
      return `<path class="c ${line}" d="M${x} 26h20"/>${text(x + 25, 30, name)}`;
    }),
    ...scenes.map((scene, index) => drawScene(scene, LEFT + index * (width + GAP), width, axes)),
    '</svg>',
    '',
  ].join('\n');
}

function drawScene(
  { title, report }: StormScene,
  x: number,
  width: number,
  { seconds, mostPerSecond, trigger }: StormAxes,
): string {
  const xAt = (ms: number): number => x + (ms / 1_000) * STEP_WIDTH;
  return [
    text(x, TOP - 30, title, 'h'),
    panel(x, TOP, width, 'a second', [0, 0.5, 1], (height) => String(height * mostPerSecond)),
    ...[trigger.fromMs, trigger.toMs].map((ms) => `<path class="c p q" d="M${xAt(ms)} ${TOP}v${HEIGHT}"/>`),
    ...LINES.map(([name, line]) => {
      const heights = report[name].slice(0, seconds).map((count) => count / mostPerSecond);
      return `<path class="c ${line}" d="${curve(heights, x, TOP, STEP_WIDTH)}"/>`;
    }),
    ...[0, 0.5, 1].map((part, index) =>
      text(x + part * width, TOP + HEIGHT + 18, `${part * seconds} s`, ['', 'm', 'e'][index]),
    ),
  ].join('\n');
}
