import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration, parseSize } from '#src/core/units.ts';

test('a duration is milliseconds, or a number with a unit', () => {
  const cases: [unknown, number | undefined][] = [
    [0, 0],
    [250, 250],
    ['250ms', 250],
    ['2s', 2_000],
    ['1.5s', 1_500],
    ['1m', 60_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['infinite', Number.POSITIVE_INFINITY],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [-1, undefined],
    [Number.NaN, undefined],
    ['', undefined],
    ['5', undefined], // HAProxy would take milliseconds; in JavaScript it is more likely a mistake
    ['5 s', undefined],
    ['-5s', undefined],
    ['1e3ms', undefined],
    ['5S', undefined],
    ['5us', undefined],
    ['5constructor', undefined],
    ['Infinity', undefined],
    [null, undefined],
    [true, undefined],
    [5n, undefined],
  ];
  for (const [value, ms] of cases) assert.equal(parseDuration(value), ms, String(value));
});

test('a size is a whole number of bytes, or a number with a unit', () => {
  const cases: [unknown, number | undefined][] = [
    [65_536, 65_536],
    ['10b', 10],
    ['64kb', 65_536],
    ['1.5kb', 1_536],
    ['1mb', 1_048_576],
    ['2gb', 2_147_483_648],
    ['infinite', Number.POSITIVE_INFINITY],
    [0.5, undefined],
    ['0.3b', undefined],
    ['64', undefined],
    ['64KB', undefined],
    ['64k', undefined],
    [-1, undefined],
    [{}, undefined],
  ];
  for (const [value, bytes] of cases) assert.equal(parseSize(value), bytes, String(value));
});
