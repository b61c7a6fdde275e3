import type { WriteStream } from 'node:tty';

/** Where lines go: a terminal, a pipe or a file. What only a terminal has is optional. */
export interface LineStream extends Pick<NodeJS.WritableStream, 'write' | 'on'> {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  readonly writableLength?: number;
  hasColors?(): boolean;
}

/** Draws lines no longer than `columns` and no more than `rows`. */
export type View = (size: { readonly columns: number; readonly rows: number; readonly colors: boolean }) => string[];

/** A reader that stands still is not waited for: what would make more wait than this is left out. */
const MOST_WAITING_BYTES = 256 * 1024;
const REDRAW_MS = 1000;

/**
 * Writes lines, each with its time. On a terminal a view may stand below the last line; it is drawn again in place once
 * a second.
 */
export class Screen {
  readonly live: boolean;
  readonly #stream: LineStream;
  #view: View | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  /** Lengths of the view's lines as they stand on the terminal. */
  #drawn: readonly number[] = [];

  constructor(stream: LineStream, { term = process.env['TERM'] }: { readonly term?: string | undefined } = {}) {
    this.#stream = stream;
    this.live = stream.isTTY === true && term !== 'dumb';
    stream.on('error', () => {}); // the reader has left: work goes on without it
    if (this.live) {
      writeWithoutWaiting(stream);
      stream.on('resize', () => this.#redraw());
    }
  }

  line(text: string): void {
    const now = new Date();
    this.#write(
      this.live ? `${this.#erase()}${timeOf(now)} ${text}\n${this.#draw()}` : `${now.toISOString()} ${text}\n`,
    );
  }

  /** Shows a view from now on; without a terminal it does nothing. */
  show(view: View): void {
    if (!this.live) return;
    this.#view = view;
    this.#timer ??= setInterval(() => this.#redraw(), REDRAW_MS).unref();
    this.#redraw();
  }

  /** Leaves the view as it stands. */
  stop(): void {
    clearInterval(this.#timer);
    this.#redraw();
    this.#view = undefined;
    this.#drawn = [];
  }

  #redraw(): void {
    if (this.#view) this.#write(this.#erase() + this.#draw());
  }

  /** To the place where the view begins. A terminal made narrower meanwhile has broken its longer lines. */
  #erase(): string {
    const { columns } = this.#size();
    const rows = this.#drawn.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / columns)), 0);
    this.#drawn = [];
    return rows === 0 ? '' : `\x1b[${rows}A\r\x1b[J`;
  }

  #draw(): string {
    if (!this.#view) return '';
    const { columns, rows } = this.#size();
    // One column and one row stay free: a terminal may break a full line, and scrolls when the last one ends.
    const lines = this.#view({ columns: columns - 1, rows: rows - 1, colors: this.#stream.hasColors?.() ?? false });
    this.#drawn = lines.map((line) => printedLength(line));
    return lines.map((line) => `${line}\n`).join('');
  }

  #size(): { columns: number; rows: number } {
    return { columns: Math.max(this.#stream.columns || 80, 2), rows: Math.max(this.#stream.rows || 24, 2) };
  }

  #write(text: string): void {
    if ((this.#stream.writableLength ?? 0) < MOST_WAITING_BYTES) this.#stream.write(text);
  }
}

/**
 * Node writes to a terminal synchronously: one that is stopped (Ctrl-S) would stop every request with it. There is no
 * public way to turn that off; without the private one, all works but this.
 */
function writeWithoutWaiting(stream: LineStream | WriteStream): void {
  const handle: unknown = '_handle' in stream ? stream._handle : undefined;
  if (typeof handle !== 'object' || handle === null || !('setBlocking' in handle)) return;
  if (typeof handle.setBlocking === 'function') handle.setBlocking(false);
}

function printedLength(line: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  return line.replace(/\x1b\[\d*m/g, '').length;
}

function timeOf(now: Date): string {
  return [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
