import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { type LineStream, Screen, type View } from '#src/bin/screen.ts';

/** A terminal of `columns` × `rows` that obeys what a screen uses: line feeds, cursor up, erase to the end. */
class Terminal extends EventEmitter {
  readonly isTTY: boolean = true;
  columns: number;
  rows: number;
  writableLength = 0;
  written = '';
  #lines: string[] = [''];
  #row = 0;

  constructor(columns = 40, rows = 10) {
    super();
    this.columns = columns;
    this.rows = rows;
  }

  get stream(): LineStream {
    return this as unknown as LineStream;
  }

  hasColors(): boolean {
    return false;
  }

  write(text: string): boolean {
    this.written += text;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what a terminal reads
    for (const [token] of text.matchAll(/\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+/g)) this.#obey(token);
    return true;
  }

  /** What can be seen, with what has scrolled away, without the times. */
  get shown(): string[] {
    return this.#lines
      .map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))
      .filter((line, i, all) => line !== '' || i < all.length - 1);
  }

  #obey(token: string): void {
    if (token.startsWith('\x1b[') && token.endsWith('A')) {
      this.#row = Math.max(this.#row - Number.parseInt(token.slice(2), 10), this.#lines.length - this.rows, 0);
    } else if (token === '\x1b[J') this.#lines = [...this.#lines.slice(0, this.#row), ''];
    else if (token === '\n') {
      this.#row++;
      this.#lines[this.#row] ??= '';
    } else if (token !== '\r') {
      assert.ok(token.length <= this.columns, `a line of ${token.length} breaks`);
      this.#lines[this.#row] = token;
    }
  }
}

test('without a terminal each line has its date and time, and there is no view', () => {
  const pipe = Object.assign(new Terminal(), { isTTY: false });
  const screen = new Screen(pipe.stream);
  screen.show(() => ['view']);
  screen.line('one');
  screen.line('two');
  screen.stop();
  const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
  assert.match(pipe.written, new RegExp(`^${time} one\n${time} two\n$`));
});

test('a terminal that cannot move its cursor gets lines only', () => {
  assert.equal(new Screen(new Terminal().stream, { term: 'dumb' }).live, false);
  assert.equal(new Screen(new Terminal().stream, { term: 'xterm' }).live, true);
});

test('the view stays below the lines, and is drawn again in place', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const terminal = new Terminal();
  const screen = new Screen(terminal.stream, { term: 'xterm' });
  let count = 0;
  screen.line('first');
  screen.show(() => [`view ${++count}`, 'its end']);
  assert.deepEqual(terminal.shown, ['first', 'view 1', 'its end']);
  t.mock.timers.tick(1000);
  assert.deepEqual(terminal.shown, ['first', 'view 2', 'its end']);
  screen.line('second');
  assert.deepEqual(terminal.shown, ['first', 'second', 'view 3', 'its end']);
  screen.stop();
  screen.line('third');
  t.mock.timers.tick(5000);
  assert.deepEqual(terminal.shown, ['first', 'second', 'view 4', 'its end', 'third']);
});

test('a view that shrinks or grows leaves nothing behind', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const terminal = new Terminal();
  const screen = new Screen(terminal.stream, { term: 'xterm' });
  let lines = ['a', 'b', 'c'];
  screen.show(() => lines);
  for (lines of [['a'], ['a', 'b', 'c', 'd'], [], ['z']]) {
    t.mock.timers.tick(1000);
    assert.deepEqual(terminal.shown, lines);
  }
  screen.stop();
});

test('a view is told the room that there is, less what keeps lines whole; a resize draws it at once', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const terminal = new Terminal(40, 10);
  const screen = new Screen(terminal.stream, { term: 'xterm' });
  const view: View = ({ columns, rows }) => [`${columns} x ${rows}`, '-'.repeat(columns)];
  screen.show(view);
  assert.deepEqual(terminal.shown, ['39 x 9', '-'.repeat(39)]);
  terminal.written = '';
  terminal.columns = 13;
  terminal.rows = 5;
  terminal.emit('resize');
  // 39 columns stand on three lines of 13 now: four lines to go up.
  assert.ok(terminal.written.startsWith('\x1b[4A\r\x1b[J12 x 4\n'), JSON.stringify(terminal.written));
  screen.stop();
});

test('a terminal without a size is taken for 80 x 24', () => {
  const screen = new Screen(new Terminal(0, 0).stream, { term: 'xterm' });
  let size: unknown;
  screen.show((given) => {
    size = given;
    return [];
  });
  screen.stop();
  assert.deepEqual(size, { columns: 79, rows: 23, colors: false });
});

test('what a reader that stands still would not read is not kept', () => {
  const terminal = new Terminal();
  const screen = new Screen(terminal.stream, { term: 'dumb' });
  terminal.writableLength = 1_000_000;
  screen.line('lost');
  terminal.writableLength = 0;
  screen.line('seen');
  assert.doesNotMatch(terminal.written, /lost/);
  assert.match(terminal.written, /seen/);
});

test('a reader that has left is no reason to end', () => {
  const terminal = new Terminal();
  new Screen(terminal.stream, { term: 'dumb' }).line('before');
  assert.doesNotThrow(() => terminal.emit('error', new Error('EPIPE')));
});
