/** One thing that was promised, as it stood before and after, and whether it was kept. */
export interface Line {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly promised: string;
  readonly kept: boolean;
}

const MEBIBYTE = 1_048_576;

/** What one part of the soak has found. */
export class Findings {
  readonly title: string;
  readonly #lines: Line[] = [];

  constructor(title: string) {
    this.title = title;
  }

  get kept(): boolean {
    return this.#lines.every((line) => line.kept);
  }

  /** A figure for the reader, which nothing was promised of. */
  say(what: string, before: number | string, after: number | string): void {
    this.#add(what, before, after, '', true);
  }

  /** Must be no more than `most` in the end. */
  atMost(what: string, before: number | string, after: number, most: number): void {
    this.#add(what, before, after, `at most ${most.toLocaleString('en')}`, after <= most);
  }

  /** Must be no less than `least` in the end. */
  atLeast(what: string, after: number, least: number): void {
    this.#add(what, '', after, `at least ${least.toLocaleString('en')}`, after >= least);
  }

  /** Memory: must have grown by no more than `mebibytes`. */
  growth(what: string, before: number, after: number, mebibytes: number): void {
    const show = (bytes: number): string => (bytes / MEBIBYTE).toFixed(1);
    const grown = (after - before) / MEBIBYTE;
    this.#add(what, show(before), show(after), `at most ${mebibytes.toFixed(1)} more`, grown <= mebibytes);
  }

  /** Must be empty. */
  none(what: string, faults: readonly string[]): void {
    this.#add(what, '', faults.length, 'none', faults.length === 0);
    this.examples(faults);
  }

  /** The first few, in words. */
  examples(faults: readonly string[]): void {
    for (const fault of faults.slice(0, 5)) this.#add(`  ${fault}`, '', '', '', true);
  }

  #add(what: string, before: number | string, after: number | string, promised: string, kept: boolean): void {
    const show = (value: number | string): string => (typeof value === 'number' ? value.toLocaleString('en') : value);
    this.#lines.push({ what, before: show(before), after: show(after), promised, kept });
  }

  toString(): string {
    const rows = this.#lines.map(({ what, before, after, promised, kept }) => [
      what,
      before,
      after,
      promised,
      promised === '' ? '' : kept ? 'kept' : 'BROKEN',
    ]);
    const table = [['', 'before', 'after', 'promised', ''], ...rows];
    const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
    const lines = table.map((row) =>
      row
        .map((cell, column) =>
          column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    );
    return [`== ${this.title}`, ...lines].join('\n');
  }
}
