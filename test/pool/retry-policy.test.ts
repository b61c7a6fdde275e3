import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RetrySettings } from '#src/pool/resolve-options.ts';
import { decideRetry, type FailedAttempt, type RetryDecision } from '#src/pool/retry-policy.ts';

const DEFAULTS: RetrySettings = { retries: 3, retryOn: new Set(['conn-failure', 'empty-response']), redispatch: 1 };

/** A GET that could not be connected. */
const REFUSED: FailedAttempt = {
  reason: 'conn-failure',
  sent: 'nothing',
  onReusedConnection: false,
  idempotent: true,
  replayable: true,
  retries: 0,
};

test('whether a failed attempt is made again, and where', () => {
  const once = { idempotent: false };
  const empty = { reason: 'empty-response', sent: 'head' } as const;
  const cases: [
    what: string,
    attempt: Partial<FailedAttempt>,
    decision: RetryDecision,
    settings?: Partial<RetrySettings>,
  ][] = [
    ['no connection', {}, 'other'],
    ['no connection, POST: nothing has been sent', { ...once }, 'other'],
    ['no connection, though a part of the body is gone', { replayable: false }, 'other'],
    ['no connection, and no retry left', { retries: 3 }, 'give-up'],
    ['no connection, at the last retry', { retries: 2 }, 'other'],
    ['no retries at all', {}, 'give-up', { retries: 0 }],
    ['not what is to be tried again', {}, 'give-up', { retryOn: new Set(['empty-response']) }],
    ['nothing is to be tried again', {}, 'give-up', { retryOn: new Set() }],

    ['no answer', empty, 'other'],
    ['no answer, body sent and kept', { ...empty, sent: 'body' }, 'other'],
    ['no answer, body sent and gone', { ...empty, sent: 'body', replayable: false }, 'give-up'],
    ['no answer, POST: it may have run', { ...empty, ...once }, 'give-up'],
    ['no answer, not to be tried again', empty, 'give-up', { retryOn: new Set(['conn-failure']) }],

    ['a kept connection had died: the same server, over a new one', { ...empty, onReusedConnection: true }, 'fresh'],
    ['… which costs no retry', { ...empty, onReusedConnection: true, retries: 3 }, 'fresh'],
    [
      '… nor asks whether retries are wanted',
      { ...empty, onReusedConnection: true },
      'fresh',
      { retries: 0, retryOn: new Set() },
    ],
    ['… but never sends a POST twice', { ...empty, ...once, onReusedConnection: true }, 'give-up'],
    ['… nor half a body', { ...empty, replayable: false, onReusedConnection: true }, 'give-up'],
    [
      'a kept connection, and a slow server',
      { ...empty, reason: 'response-timeout', onReusedConnection: true },
      'give-up',
    ],

    ['junk, by default', { ...empty, reason: 'junk-response' }, 'give-up'],
    ['junk', { ...empty, reason: 'junk-response' }, 'other', { retryOn: new Set(['junk-response']) }],
    ['too slow', { ...empty, reason: 'response-timeout' }, 'other', { retryOn: new Set(['response-timeout']) }],
    ['our own fault', { ...empty, reason: 'local' }, 'give-up'],
  ];
  for (const [what, attempt, decision, settings] of cases)
    assert.equal(decideRetry({ ...REFUSED, ...attempt }, { ...DEFAULTS, ...settings }), decision, what);
});

test('redispatch: another server at every Nth retry, or counted from the last', () => {
  const whereOf = (redispatch: number, retries = 4): string =>
    Array.from({ length: retries }, (_, done) =>
      decideRetry({ ...REFUSED, retries: done }, { ...DEFAULTS, retries, redispatch }),
    ).join(' ');
  assert.equal(whereOf(1), 'other other other other');
  assert.equal(whereOf(2), 'same other same other');
  assert.equal(whereOf(3), 'same same other same');
  assert.equal(whereOf(0), 'same same same same');
  // HAProxy: conn_retries % (max_retries + 1 + interval) == 0
  assert.equal(whereOf(-1), 'same same same other');
  assert.equal(whereOf(-2), 'same same other same');
  assert.equal(whereOf(-3), 'same other same other');
  assert.equal(whereOf(-5), 'same same same same');
});
