import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Row, tableLines } from '#src/bin/table.ts';

const ROOMY = { columns: 120, rows: 40, colors: false };

function row(name: string, given: Partial<Row> = {}): Row {
  return {
    name,
    address: `http://${name}:80`,
    state: 'UP',
    weight: 1,
    active: 0,
    requestsPerSecond: 0,
    errors: 0,
    lastCheck: 'L7OK 200 in 3 ms',
    ...given,
  };
}

const ROWS = [
  row('a', { requestsPerSecond: 12.34, weight: 256, active: 3 }),
  row('b', { state: 'DOWN 1/2', errors: 17, requestsPerSecond: 1234.5, lastCheck: 'L4CON in 0 ms' }),
];

test('a wide terminal shows all', () => {
  assert.deepEqual(tableLines('headline', ROWS, ROOMY), [
    'headline',
    'SERVER  STATE     WEIGHT  ACTIVE  REQ/S  ERRORS  LAST CHECK        ADDRESS',
    'a       UP           256       3   12.3       0  L7OK 200 in 3 ms  http://a:80',
    'b       DOWN 1/2       1       0   1235      17  L4CON in 0 ms     http://b:80',
  ]);
});

test('a narrow one shows what matters most', () => {
  const titles = (columns: number): string | undefined => tableLines('', ROWS, { ...ROOMY, columns })[1];
  assert.equal(titles(70), 'SERVER  STATE     WEIGHT  ACTIVE  REQ/S  ERRORS  LAST CHECK');
  assert.equal(titles(50), 'SERVER  STATE     WEIGHT  ACTIVE  REQ/S  ERRORS');
  assert.equal(titles(45), 'SERVER  STATE     ACTIVE  REQ/S  ERRORS');
  assert.equal(titles(35), 'SERVER  STATE     REQ/S  ERRORS');
  assert.equal(titles(25), 'SERVER  STATE     REQ/S');
  assert.equal(titles(20), 'SERVER  STATE');
  assert.equal(titles(8), 'SERVER …');
});

test('a short one shows the servers in trouble first, and counts the others', () => {
  const rows = [row('a'), row('b'), row('c', { state: 'DOWN' }), row('d', { state: 'UP 1/3' }), row('e')];
  const names = (height: number): string[] =>
    tableLines('headline', rows, { ...ROOMY, rows: height })
      .slice(2)
      .map((line) => line.split('  ')[0] ?? '');
  assert.deepEqual(names(7), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(names(6), ['a', 'c', 'd', 'and 2 more']);
  assert.deepEqual(names(4), ['c', 'and 4 more, 1 of them not UP']);
  assert.deepEqual(names(3), ['and 5 more, 2 of them not UP']);
  assert.deepEqual(names(2), []);
});

test('colours mark the state, and change nothing else', () => {
  const colored = tableLines('headline', ROWS, { ...ROOMY, colors: true });
  assert.ok(colored[2]?.includes('\x1b[32mUP      \x1b[0m'), JSON.stringify(colored[2]));
  assert.ok(colored[3]?.includes('\x1b[31mDOWN 1/2\x1b[0m'), JSON.stringify(colored[3]));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  const plain = colored.map((line) => line.replaceAll(/\x1b\[\d+m/g, ''));
  assert.deepEqual(plain, tableLines('headline', ROWS, ROOMY));
});

test('it keeps within any terminal, and writes nothing that moves the cursor', () => {
  const anyRow = fc.record({
    name: fc.string({ unit: 'binary' }),
    address: fc.string({ unit: 'binary' }),
    state: fc.constantFrom('UP', 'UP 1/3', 'DOWN', 'DOWN 1/2', 'MAINT', 'no check'),
    weight: fc.nat(256),
    active: fc.nat(),
    requestsPerSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
    errors: fc.nat(),
    lastCheck: fc.string(),
  });
  fc.assert(
    fc.property(
      fc.string(),
      fc.array(anyRow, { maxLength: 12 }),
      fc.nat(150),
      fc.nat(12),
      (headline, rows, columns, height) => {
        const size = { columns: columns + 1, rows: height + 1, colors: false };
        const lines = tableLines(headline, rows, size);
        assert.ok(lines.length <= size.rows, `${lines.length} lines`);
        for (const line of lines) {
          assert.ok(line.length <= size.columns, `${line.length} columns`);
          assert.match(line, /^[\x20-\x7e]*…?$/);
        }
      },
    ),
  );
});
