/** One server, as the table shows it. */
export interface Row {
  readonly name: string;
  readonly address: string;
  /** In HAProxy's words: `UP`, `UP 1/3`, `DOWN` … */
  readonly state: string;
  readonly weight: number;
  readonly active: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
  readonly lastCheck: string;
}

interface Column {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly numeric?: true;
  /** Columns with the lowest go first where there is no room. */
  readonly worth: number;
  readonly widest?: number;
}

const GAP = '  ';
const COLUMNS: readonly Column[] = [
  { title: 'server', cell: (row) => row.name, worth: 8, widest: 24 },
  { title: 'state', cell: (row) => row.state, worth: 7 },
  { title: 'weight', cell: (row) => String(row.weight), numeric: true, worth: 3 },
  { title: 'active', cell: (row) => String(row.active), numeric: true, worth: 4 },
  { title: 'req/s', cell: (row) => rateInWords(row.requestsPerSecond), numeric: true, worth: 6 },
  { title: 'errors', cell: (row) => String(row.errors), numeric: true, worth: 5 },
  { title: 'last check', cell: (row) => row.lastCheck, worth: 2 },
  { title: 'address', cell: (row) => row.address, worth: 1, widest: 48 },
];

const RESET = '\x1b[0m';
const BOLD = '\x1b[1m';
const DIM = '\x1b[2m';
const RED = '\x1b[31m';
const GREEN = '\x1b[32m';
const YELLOW = '\x1b[33m';

/**
 * The table: a headline, the titles and a line for each server. Where it is too wide, the columns that matter least go;
 * where it is too long, servers in trouble are shown before others.
 */
export function tableLines(
  headline: string,
  rows: readonly Row[],
  size: { readonly columns: number; readonly rows: number; readonly colors: boolean },
): string[] {
  const paint = (style: string, text: string): string => (size.colors ? style + text + RESET : text);
  const first = paint(BOLD, clipped(printable(headline), size.columns));
  const room = size.rows - 2;
  if (room < 1 || rows.length === 0) return [first];
  const shown = rows.length <= room ? rows : mostUrgent(rows, room - 1);
  const rest = rows.filter((row) => !shown.includes(row));
  const cells = shown.map((row) => COLUMNS.map((column) => clipped(printable(column.cell(row)), column.widest ?? 40)));
  const columns = columnsThatFit(cells, size.columns);
  const line = (texts: readonly string[], stateStyle = ''): string => {
    const padded = columns.map(({ index, width, numeric }) =>
      numeric ? (texts[index] ?? '').padStart(width) : (texts[index] ?? '').padEnd(width),
    );
    const plain = padded.join(GAP).trimEnd();
    if (plain.length > size.columns) return clipped(plain, size.columns);
    if (stateStyle === '') return plain;
    const painted = padded.map((text, i) => (columns[i]?.title === 'state' ? paint(stateStyle, text) : text));
    return painted.join(GAP).trimEnd();
  };
  return [
    first,
    paint(DIM, line(COLUMNS.map(({ title }) => title.toUpperCase()))),
    ...shown.map((row, i) => line(cells[i] ?? [], colorOf(row.state))),
    ...(rest.length === 0 ? [] : [clipped(restInWords(rest), size.columns)]),
  ];
}

function columnsThatFit(
  cells: readonly (readonly string[])[],
  room: number,
): { index: number; width: number; title: string; numeric: boolean }[] {
  let columns = COLUMNS.map(({ title, numeric = false, worth }, index) => {
    const width = Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0));
    return { index, width, title, numeric, worth };
  });
  const total = (): number => columns.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length);
  while (columns.length > 2 && total() > room) {
    const least = Math.min(...columns.map(({ worth }) => worth));
    columns = columns.filter(({ worth }) => worth !== least);
  }
  return columns;
}

function mostUrgent(rows: readonly Row[], count: number): Row[] {
  const urgent = new Set([...rows.filter((row) => !isFine(row)), ...rows.filter(isFine)].slice(0, count));
  return rows.filter((row) => urgent.has(row));
}

function restInWords(rest: readonly Row[]): string {
  const troubled = rest.filter((row) => !isFine(row)).length;
  return `and ${rest.length} more${troubled === 0 ? '' : `, ${troubled} of them not UP`}`;
}

function isFine({ state }: Row): boolean {
  return state === 'UP' || state === 'no check';
}

function colorOf(state: string): string {
  if (state === 'UP') return GREEN;
  if (state.startsWith('DOWN')) return RED;
  return state === 'no check' ? '' : YELLOW;
}

function rateInWords(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
}

function clipped(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}

/** A unix socket's path may hold anything; what is not one column wide would break the lines. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
