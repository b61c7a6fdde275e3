/** Which failed attempts speak against their server, and which against this machine or nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvenkeelError } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import type { FailureReason } from '#src/core/outcome.ts';
import { type OutlierSettings, readOutlier } from '#src/health/outlier-options.ts';
import { Outliers } from '#src/health/outliers.ts';
import { showFailure } from '#src/pool/failure-evidence.ts';
import type { RequestObserver } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** What is heard of an attempt that failed so: by `outlier`, and by `observe`. */
function heard(reason: FailureReason, onReusedConnection: boolean, systemError?: string): string[] {
  const settings = readOutlier(new OptionReader({ outlier: { consecutiveErrors: 1 } }, '')) as OutlierSettings;
  const told: string[] = [];
  const outliers = new Outliers(new VirtualClock(), settings, {
    onChange: () => undefined,
    onEjected: ({ name }) => void told.push(`${name} ejected`),
    onHalfOpen: () => assert.fail(),
    onRestored: () => assert.fail(),
  });
  const [server, other] = [makeServer(1), makeServer(2)];
  outliers.add(server);
  outliers.add(other);
  server.observer = {
    connectionFailed: () => void told.push('no connection'),
    noResponse: (counts) => void told.push(counts ? 'no response' : 'a dead kept connection'),
    responded: () => assert.fail(),
    worked: () => assert.fail(),
  } satisfies RequestObserver;
  const cause = systemError === undefined ? undefined : Object.assign(new Error('x'), { code: systemError });
  const error = new EvenkeelError('EK_CONNECT', { cause });
  showFailure(server, outliers, 0, { kind: 'failed', reason, sent: 'nothing', onReusedConnection, error });
  return told;
}

test('what a server has failed to do counts', () => {
  for (const [reason, observed] of [
    ['conn-failure', 'no connection'],
    ['empty-response', 'no response'],
    ['junk-response', 'no response'],
    ['response-timeout', 'no response'],
  ] as const)
    for (const error of [undefined, 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EHOSTUNREACH'])
      assert.deepEqual(heard(reason, false, error), ['s1 ejected', observed], `${reason} ${error}`);
});

test('what this machine has run out of, or did itself, counts for nothing', () => {
  for (const error of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EADDRINUSE'])
    assert.deepEqual(heard('conn-failure', false, error), [], error);
  assert.deepEqual(heard('local', false), []);
});

test('a kept connection that the server had closed is no error, and a silent one is', () => {
  assert.deepEqual(heard('empty-response', true, 'ECONNRESET'), ['a dead kept connection']);
  assert.deepEqual(heard('response-timeout', true), ['s1 ejected', 'no response']);
});
