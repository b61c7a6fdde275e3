import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { CONTENDERS, TARGETS, type Target } from './contenders.ts';
import { versionOf } from './program.ts';
import type { Row } from './rounds.ts';
import { SCENARIOS } from './scenarios.ts';

/** Everything one run found out. */
export interface Results {
  readonly rows: readonly Row[];
  /** Contenders that did not take part, with the reason. */
  readonly skipped: ReadonlyMap<string, string>;
  readonly origin: string;
  readonly load: string;
  /** Cores given to contender, servers and load; `undefined` where cores cannot be chosen. */
  readonly pinned: { proxy: number; origin: number; load: number } | undefined;
  readonly rounds: number;
  readonly seconds: number | undefined;
  /** Processes that ran on average in the minute before: other work disturbs the figures. */
  readonly loadBefore: number;
}

/** The results as Markdown that is as readable in a terminal. */
export function report(results: Results): string {
  return [
    ratios(results),
    ...SCENARIOS.flatMap(({ name }) => table(name, results)),
    conditions(results),
    ...absent(results),
  ].join('\n\n');
}

function ratios({ rows }: Results): string {
  const lines = TARGETS.flatMap((target) => {
    const ratio = ratioOf(target, rows);
    const title = SCENARIOS.find(({ name }) => name === target.scenario)?.title ?? target.scenario;
    const wanted = `${target.atMost ? 'at most' : 'at least'} ${target.times.toFixed(1)}`;
    const claim = target.atMost
      ? `CPU a request of ${target.of}, over ${target.over}`
      : `requests per CPU second of ${target.of}, over ${target.over}`;
    if (ratio === undefined) return [[claim, title, wanted, 'not measured', '', '']];
    const reached = target.atMost ? ratio.value <= target.times : ratio.value >= target.times;
    const spread = `${ratio.least.toFixed(2)} to ${ratio.most.toFixed(2)}`;
    return [[claim, title, wanted, ratio.value.toFixed(2), spread, reached ? 'reached' : 'not reached']];
  });
  return `### Ratios\n\n${grid(['what', 'scenario', 'target', 'ratio of medians', 'by round', ''], lines)}`;
}

/** The ratio of the medians, and the least and the greatest of the ratios round by round. */
function ratioOf(target: Target, rows: readonly Row[]): { value: number; least: number; most: number } | undefined {
  const find = (name: string): Row | undefined =>
    rows.find((row) => row.contender === name && row.scenario === target.scenario && row.fault === undefined);
  const of = find(target.of);
  const over = find(target.over);
  if (of === undefined || over === undefined) return undefined;
  const [upper, lower] = target.atMost ? [of, over] : [over, of];
  const each = upper.rounds.map((round, i) => round.cpuMicros / (lower.rounds[i]?.cpuMicros ?? Number.NaN));
  return { value: upper.cpuMicros / lower.cpuMicros, least: Math.min(...each), most: Math.max(...each) };
}

function table(scenario: string, { rows }: Results): string[] {
  const measured = rows.filter((row) => row.scenario === scenario);
  const { title, clients } = SCENARIOS.find(({ name }) => name === scenario) ?? { title: scenario, clients: 0 };
  if (measured.length === 0) return [];
  const lines = CONTENDERS.flatMap(({ name, title }) => {
    const row = measured.find(({ contender }) => contender === name);
    if (row === undefined) return [];
    if (row.fault !== undefined) return [[title, `invalid: ${row.fault}`, '', '', '', '', '']];
    return [
      [
        title,
        row.cpuMicros.toFixed(row.cpuMicros < 100 ? 1 : 0),
        Math.round(row.requestsPerSecond).toLocaleString('en'),
        `${(row.busy * 100).toFixed(0)} %`,
        row.p50Ms.toFixed(1),
        row.p99Ms.toFixed(1),
        (row.rssBytes / 1_048_576).toFixed(0),
      ],
    ];
  });
  const heads = ['', 'CPU µs a request', 'requests/s', 'core used', 'p50 ms', 'p99 ms', 'RSS MiB'];
  return [`### ${title}, ${clients} clients\n\n${grid(heads, lines)}`];
}

function conditions({ rows, origin, load, pinned, rounds, seconds, loadBefore }: Results): string {
  const lengths = seconds ?? [...new Set(SCENARIOS.map((scenario) => scenario.seconds))].toSorted().join(' or ');
  const places =
    pinned === undefined
      ? 'processes not bound to cores'
      : pinned.origin === pinned.load
        ? 'the contender alone on one core, servers and load together on another'
        : 'contender, servers and load each on a core of its own';
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return [
    '### Conditions of this run',
    '',
    `- ${new Date().toISOString().slice(0, 10)}; ${cpus().length} cores, ${model}; ${places}.`,
    `- Node.js ${process.versions.node}; servers: ${origin}; load: ${load}.`,
    `- Medians of ${rounds} alternations of ${lengths} s; load average of the machine before the run: ${loadBefore.toFixed(1)}.`,
    `- ${versions()}.`,
    ...(disturbed(rows)
      ? ['- **Other work ran on the machine meanwhile: run it again when the machine is quiet.**']
      : []),
  ].join('\n');
}

/** A proxy in Node.js always fills its core with short answers, if it gets the core. */
function disturbed(rows: readonly Row[]): boolean {
  const inNode = CONTENDERS.filter(({ program }) => program === undefined).map(({ name }) => name);
  return rows.some(
    ({ contender, scenario, busy }) => scenario === 'small' && busy < 0.85 && inNode.includes(contender),
  );
}

function absent({ skipped }: Results): string[] {
  const lines = CONTENDERS.flatMap(({ name, title }) =>
    skipped.has(name) ? [`- ${title}: ${skipped.get(name)}`] : [],
  );
  return lines.length > 0 ? [`### Skipped\n\n${lines.join('\n')}`] : [];
}

function versions(): string {
  const packages = [...new Set(CONTENDERS.flatMap((plan) => plan.packages))];
  const programs = CONTENDERS.flatMap(({ program }) => (program ? [`${program.binary} ${versionOf(program)}`] : []));
  return [...packages.map((name) => `${name} ${packageVersion(name)}`), ...programs].join(', ');
}

function packageVersion(name: string): string {
  const folder = name === 'evenkeel' ? '../..' : `../../node_modules/${name}`;
  const manifest: unknown = JSON.parse(readFileSync(new URL(`${folder}/package.json`, import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '?';
}

/** A Markdown table with its columns aligned. */
function grid(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = heads.map((head, i) => Math.max(3, head.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => `${'-'.repeat(width + 1)}${i === 0 ? '-' : ':'}`).join('|')}|`;
  return [row(heads), rule, ...lines.map(row)].join('\n');
}

const BEGIN = '<!-- npm run bench: begin -->';
const END = '<!-- npm run bench: end -->';

/** Puts a report between the marks of a page, whose other words stay as they are. */
export function inserted(page: string, text: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page has no lines "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`;
}
