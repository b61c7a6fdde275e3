import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, type ConfigFault } from '#src/core/errors.ts';
import { OptionReader, show } from '#src/core/options.ts';

/** What is said of the faults that a reading finds: `path: message`. */
function faultsOf(raw: unknown, use: (read: OptionReader) => void): string[] {
  const read = new OptionReader(raw, 'pool');
  use(read);
  return read.faults.map(({ path, message }) => `${path}: ${message}`);
}

test('an absent option and one that is undefined have the default; null is wrong', () => {
  for (const raw of [undefined, {}, { retries: undefined }]) {
    const read = new OptionReader(raw, 'pool');
    assert.equal(read.integer('retries', { default: 3 }), 3);
    read.rejectUnknown();
    read.throwFaults();
  }
  assert.deepEqual(
    faultsOf({ retries: null }, (read) => read.integer('retries', { default: 3, max: 9 })),
    ['pool.retries: null is not allowed; allowed: an integer from 0 to 9'],
  );
});

test('each kind of option names what it allows', () => {
  const cases: [(read: OptionReader) => unknown, unknown, RegExp][] = [
    [
      (read) => read.integer('x', { default: 1, min: 1 }),
      1.5,
      /^1\.5 is not allowed; allowed: an integer of at least 1$/,
    ],
    [(read) => read.integer('x', { default: 1, min: 1 }), '1', /^"1" is not allowed/],
    [(read) => read.integer('x', { default: 1, min: 0, max: 9 }), 10, /allowed: an integer from 0 to 9$/],
    [(read) => read.number('x', { default: 0.5, max: 1 }), 1.5, /^1\.5 is not allowed; allowed: a number from 0 to 1$/],
    [(read) => read.number('x', { default: 1 }), Number.NaN, /allowed: a number of at least 0$/],
    [(read) => read.number('x', { default: 1 }), Number.POSITIVE_INFINITY, /allowed: a number of at least 0$/],
    [(read) => read.durationMs('x', { default: 1, min: 1 }), '0ms', /a duration .* of at least 1 ms$/],
    [(read) => read.durationMs('x', { default: 1, max: 10 }), '1s', /at most 10 ms$/],
    [(read) => read.bytes('x', { default: 1 }), '1xb', /a size .* of at least 0 bytes$/],
    [(read) => read.boolean('x', { default: true }), 'true', /allowed: true or false$/],
    [(read) => read.string('x', { default: '' }), '', /allowed: a string that is not empty$/],
    [(read) => read.oneOf('x', ['a', 'b'], { default: 'a' }), 'c', /allowed: 'a', 'b'$/],
    [(read) => read.function('x'), {}, /allowed: a function$/],
    [(read) => read.list('x'), {}, /allowed: an array$/],
    [(read) => read.object('x'), [], /^\[\] is not an object$/],
  ];
  for (const [use, value, message] of cases) {
    const [fault = ''] = faultsOf({ x: value }, use);
    assert.match(fault.replace('pool.x: ', ''), message);
  }
});

test('every fault of all readers that share a list comes in one error', () => {
  const faults: ConfigFault[] = [];
  const pool = new OptionReader({ retries: -1, timeout: { connect: 'soon' }, colour: 'red' }, '', faults);
  pool.integer('retries', { default: 3 });
  pool.object('timeout').durationMs('connect', { default: 5 });
  pool.rejectUnknown();
  assert.throws(
    () => pool.throwFaults(),
    (error) =>
      error instanceof ConfigError &&
      error.message.startsWith('3 options are wrong:\n') &&
      error.faults.map(({ path }) => path).join() === 'retries,timeout.connect,colour' &&
      error.faults[0]?.value === -1,
  );
});

test('an unknown key is a fault; one in HAProxy’s or another spelling names ours', () => {
  const faults = faultsOf(
    { 'http-reuse': 'never', POOL_MAX_CONN: 1, httpreuse: 1, nonsense: 1, gone: undefined },
    (read) => {
      read.any('httpReuse');
      read.any('poolMaxConn');
      read.rejectUnknown();
    },
  );
  assert.deepEqual(faults, [
    "pool.http-reuse: is not an option; did you mean 'httpReuse'?",
    "pool.POOL_MAX_CONN: is not an option; did you mean 'poolMaxConn'?",
    "pool.httpreuse: is not an option; did you mean 'httpReuse'?",
    'pool.nonsense: is not an option',
  ]);
});

test('a hint is given for a key in any spelling, before one that looks like it', () => {
  const faults = faultsOf({ 'check-time_out': 1, intre: 1, interval: 1, nonsense: 1 }, (read) => {
    read.any('inter');
    read.rejectUnknown({ checkTimeout: 'it is elsewhere', interval: 'it is inter', intre: 'it is a hint' });
  });
  assert.deepEqual(faults, [
    'pool.check-time_out: is not an option; it is elsewhere',
    'pool.intre: is not an option; it is a hint',
    'pool.interval: is not an option; it is inter',
    'pool.nonsense: is not an option',
  ]);
});

test('what is inherited from a prototype is no option', () => {
  const read = new OptionReader(Object.create({ retries: 99 }), 'pool');
  assert.equal(read.integer('retries', { default: 3 }), 3);
  assert.equal(read.any('toString'), undefined);
});

test('a value is shown short and on one line, whatever it is', () => {
  const circular: { self?: unknown } = {};
  circular.self = circular;
  const cases: [unknown, string][] = [
    ['a\nb', '"a\\nb"'],
    ['x'.repeat(100), `"${'x'.repeat(56)}...`],
    [() => 1, 'a function'],
    [Symbol('s'), 'Symbol(s)'],
    [10n, '10'],
    [Number.NaN, 'NaN'],
    [undefined, 'undefined'],
    [circular, 'an object'],
  ];
  for (const [value, text] of cases) assert.equal(show(value), text);
});
