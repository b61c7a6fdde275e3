import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { type OutlierSettings, readOutlier } from '#src/health/outlier-options.ts';
import { Outliers } from '#src/health/outliers.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

interface Watch {
  readonly clock: VirtualClock;
  readonly outliers: Outliers;
  readonly ill: Server;
  readonly told: string[];
}

/** Two servers, one of which is ejected after two errors in a row, for a second. */
function watch(options: object = {}): Watch {
  const clock = new VirtualClock();
  const outlier = { consecutiveErrors: 2, baseEjection: '1s', trials: 1, ...options };
  const settings = readOutlier(new OptionReader({ outlier }, '')) as OutlierSettings;
  const told: string[] = [];
  const outliers = new Outliers(clock, settings, {
    onChange: () => undefined,
    onEjected: (server, { cause }) => told.push(`${server.name} ${cause}`),
    onHalfOpen: () => undefined,
    onRestored: (server) => told.push(`${server.name} restored`),
  });
  const [ill, well] = [makeServer(1), makeServer(2)];
  outliers.add(ill);
  outliers.add(well);
  return { clock, outliers, ill, told };
}

const head = (status: number, headers: readonly string[] = []) => ({ status, headers });

test('an upgrade counts when the server agrees to it, and restores a server that is tried', () => {
  const { clock, outliers, ill, told } = watch();
  outliers.failed(ill, 0, 'x');
  assert.equal(outliers.responded(ill, 0, 1, head(101)), true);
  outliers.failed(ill, 0, 'x');
  assert.deepEqual(told, []);
  outliers.failed(ill, 0, 'x');
  clock.advance(1_000);
  outliers.took(ill);
  assert.ok(ill.ejected, 'one trial is all that it takes at one time');
  assert.equal(outliers.responded(ill, 1_000, 1_001, head(101)), true);
  assert.deepEqual([told, ill.ejected], [['s1 consecutive-errors', 's1 restored'], false]);
});

test('a 500 is no gateway error, but no way to pass a trial either', () => {
  const { clock, outliers, ill, told } = watch();
  for (let i = 0; i < 5; i++) assert.equal(outliers.responded(ill, 0, 1, head(500)), true);
  outliers.failed(ill, 0, 'x');
  assert.deepEqual(told, []);
  outliers.responded(ill, 0, 1, head(502));
  clock.advance(1_000);
  outliers.responded(ill, 1_000, 1_001, head(500));
  assert.deepEqual(told, ['s1 consecutive-errors', 's1 trial']);
});

test('a head that says no ill is followed by the end of the response', () => {
  const { outliers, ill } = watch({ honorRetryAfter: {} });
  for (const status of [200, 404, 429, 501]) assert.equal(outliers.responded(ill, 0, 1, head(status)), false);
  assert.equal(outliers.responded(ill, 0, 1, head(200, ['retry-after', '1'])), false);
  assert.equal(outliers.responded(ill, 0, 1, head(429, ['retry-after', '1'])), true);
});

test('a fault of our own, and a kept connection that was dead, count for nothing', () => {
  const { outliers, ill, told } = watch();
  for (let i = 0; i < 9; i++) {
    outliers.attemptFailed(ill, 0, 'local', false);
    outliers.attemptFailed(ill, 0, 'empty-response', true);
  }
  assert.deepEqual(told, []);
  outliers.attemptFailed(ill, 0, 'empty-response', false);
  outliers.attemptFailed(ill, 0, 'response-timeout', true);
  assert.deepEqual(told, ['s1 consecutive-errors']);
});

test('a word of the server makes no later ejection longer, and holds again when a trial hears it', () => {
  const { clock, outliers, ill, told } = watch({ honorRetryAfter: { max: '10s' } });
  outliers.responded(ill, 0, 1, head(503, ['retry-after', '2']));
  assert.equal(outliers.report(ill)?.ejectedForMs, 2_000);
  clock.advance(2_000);
  outliers.responded(ill, 2_000, 2_001, head(503, ['retry-after', '60']));
  assert.equal(outliers.report(ill)?.ejectedForMs, 10_000);
  clock.advance(10_000);
  outliers.failed(ill, 12_000, 'x');
  assert.equal(outliers.report(ill)?.ejectedForMs, 1_000);
  assert.deepEqual(told, ['s1 retry-after', 's1 retry-after', 's1 trial']);
});
