import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from '#src/health/retry-after.ts';

test('Retry-After is read as seconds, or as a date from that of the response', () => {
  const date = ['Date', 'Fri, 31 Dec 1999 23:59:00 GMT'];
  for (const [headers, ms] of [
    [[], undefined],
    [['retry-after', '2'], 2_000],
    [['x', 'y', 'Retry-After', ' 120 '], 120_000],
    [['retry-after', '0'], undefined],
    [['retry-after', '-1'], undefined],
    [['retry-after', '1.5'], undefined],
    [['retry-after', '4294967296'], 4_294_967_296_000],
    [['retry-after', '9'.repeat(400)], Number.POSITIVE_INFINITY],
    [['retry-after', 'soon'], undefined],
    [['retry-after', ''], undefined],
    [[...date, 'retry-after', 'Fri, 31 Dec 1999 23:59:59 GMT'], 59_000],
    [[...date, 'retry-after', 'Fri, 31 Dec 1999 23:58:59 GMT'], undefined],
    [[...date, 'retry-after', '3000-01'], undefined],
    [['retry-after', 'Fri, 31 Dec 1999 23:59:59 GMT'], undefined],
  ] as const)
    assert.equal(retryAfterMs(headers), ms, headers.join(' '));
});
