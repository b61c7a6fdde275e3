/** Height of a panel. */
export const HEIGHT = 84;

interface Colours {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly grid: string;
  readonly servers: readonly string[];
}

const LIGHT: Colours = {
  paper: '#ffffff',
  ink: '#1f2328',
  faint: '#59636e',
  grid: '#d1d9e0',
  servers: ['#d55e00', '#0072b2', '#009e73', '#b07aa1'],
};
const DARK: Colours = {
  paper: '#0d1117',
  ink: '#f0f6fc',
  faint: '#9198a1',
  grid: '#3d444d',
  servers: ['#ff8c42', '#4493f8', '#3fb98a', '#d2a8c8'],
};

function colourRules({ paper, ink, faint, grid, servers }: Colours): string {
  const ofServers = servers.map((colour, index) => `.f${index}{fill:${colour}}.l${index}{stroke:${colour}}`).join('');
  return `.o{fill:${paper}}text{fill:${faint}}.h{fill:${ink}}.g{stroke:${grid}}.p{stroke:${ink}}${ofServers}`;
}

/** With paper of its own, as the page that shows it may be light or dark and not say so. */
export const STYLE: string = [
  'text{font:12px system-ui,sans-serif}.h{font-weight:600}.t{font-size:16px}.e{text-anchor:end}.m{text-anchor:middle}',
  '.c,.g{fill:none;stroke-width:1.5;stroke-linejoin:round}.g{stroke-width:1}.q{stroke-dasharray:3 2}',
  colourRules(LIGHT),
  `@media(prefers-color-scheme:dark){${colourRules(DARK)}}`,
].join('');

/** A heading, and an axis with its lines. */
export function panel(
  x: number,
  y: number,
  width: number,
  title: string,
  ticks: readonly number[],
  label: (height: number) => string,
): string {
  const heights = ticks.map((tick) => rounded(y + HEIGHT * (1 - tick)));
  return [
    text(x, y - 8, title),
    `<path class="g" d="${heights.map((height) => `M${x} ${height}h${width}`).join('')}"/>`,
    ...ticks.map((tick, index) => text(x - 6, (heights[index] ?? 0) + 4, label(tick), 'e')),
  ].join('\n');
}

/** A line through the middle of each step. What is too high for the panel is cut off at its top. */
export function curve(heights: readonly number[], x: number, y: number, stepWidth: number): string {
  const points = heights.map((height) => rounded(y + HEIGHT * (1 - Math.min(1, Math.max(0, height)))));
  const steps = points.slice(1).map((point, index) => {
    const rise = rounded(point - (points[index] ?? 0));
    return `${stepWidth}${rise < 0 ? '' : ' '}${rise}`;
  });
  return `M${x + stepWidth / 2} ${points[0]}l${steps.join(' ')}`;
}

export function text(x: number, y: number, content: string, name: string = ''): string {
  return `<text x="${x}" y="${y}"${name ? ` class="${name}"` : ''}>${escaped(content)}</text>`;
}

export function duration(ms: number): string {
  if (ms === 0) return '0';
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toPrecision(2))} s`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
