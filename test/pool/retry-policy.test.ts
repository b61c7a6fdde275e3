import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OptionReader } from '#src/core/options.ts';
import { type RetrySettings, readRetries } from '#src/pool/retry-options.ts';
import {
  type Circumstances,
  decideRetry,
  type FailedAttempt,
  goesElsewhere,
  type RetryDecision,
  turnAroundMs,
} from '#src/pool/retry-policy.ts';

const DEFAULTS: RetrySettings = {
  retries: 3,
  retryOn: new Set(['conn-failure', 'empty-response']),
  statuses: new Set(),
  redispatch: 1,
};

/** A GET that could not be connected. */
const REFUSED: FailedAttempt = {
  reason: 'conn-failure',
  sent: 'nothing',
  onReusedConnection: false,
  idempotent: true,
  replayable: true,
  retries: 0,
  l7RetryDisabled: false,
};

test('whether a failed attempt is made again', () => {
  const once = { idempotent: false };
  const empty = { reason: 'empty-response', sent: 'head' } as const;
  const reused = { ...empty, onReusedConnection: true };
  const on503 = { statuses: new Set([503]) };
  const disabled = { l7RetryDisabled: true };
  const cases: [
    what: string,
    attempt: Partial<FailedAttempt>,
    decision: RetryDecision,
    settings?: Partial<RetrySettings>,
  ][] = [
    ['no connection', {}, 'retry'],
    ['no connection, POST: nothing has been sent', { ...once }, 'retry'],
    ['no connection, though a part of the body is gone', { replayable: false }, 'retry'],
    ['no connection, and no retry left', { retries: 3 }, 'give-up'],
    ['no connection, at the last retry', { retries: 2 }, 'retry'],
    ['no retries at all', {}, 'give-up', { retries: 0 }],
    ['not what is to be tried again', {}, 'give-up', { retryOn: new Set(['empty-response']) }],
    ['nothing is to be tried again', {}, 'give-up', { retryOn: new Set() }],

    ['no answer', empty, 'retry'],
    ['no answer, body sent and kept', { ...empty, sent: 'body' }, 'retry'],
    ['no answer, body sent and gone', { ...empty, sent: 'body', replayable: false }, 'give-up'],
    ['no answer, POST: it may have run', { ...empty, ...once }, 'give-up'],
    ['no answer, not to be tried again', empty, 'give-up', { retryOn: new Set(['conn-failure']) }],

    ['a kept connection had died: the same server, over a new one', reused, 'fresh'],
    ['… which costs no retry', { ...reused, retries: 3 }, 'fresh'],
    ['… nor asks whether retries are wanted', reused, 'fresh', { retries: 0, retryOn: new Set() }],
    ['… but never sends a POST twice', { ...reused, ...once }, 'give-up'],
    ['… nor half a body', { ...reused, replayable: false }, 'give-up'],
    ['a kept connection, and a slow server', { ...reused, reason: 'response-timeout' }, 'give-up'],

    ['junk, by default', { ...empty, reason: 'junk-response' }, 'give-up'],
    ['junk', { ...empty, reason: 'junk-response' }, 'retry', { retryOn: new Set(['junk-response']) }],
    ['too slow', { ...empty, reason: 'response-timeout' }, 'retry', { retryOn: new Set(['response-timeout']) }],
    ['our own fault', { ...empty, reason: 'local' }, 'give-up'],

    ['a status, by default', { ...empty, reason: 503 }, 'give-up'],
    ['a status', { ...empty, reason: 503 }, 'retry', on503],
    ['another status', { ...empty, reason: 502 }, 'give-up', on503],
    ['a status, to a POST', { ...empty, ...once, reason: 503 }, 'give-up', on503],
    ['a status, to a POST whose body was not asked for', { ...once, reason: 503 }, 'retry', on503],
    ['a status, body sent and gone', { ...empty, reason: 503, sent: 'body', replayable: false }, 'give-up', on503],
    ['a status, and no retry left', { ...empty, reason: 503, retries: 3 }, 'give-up', on503],
    ['a status over a kept connection', { ...reused, reason: 503 }, 'retry', on503],

    ['a rule forbids it: no connection', disabled, 'retry'],
    ['a rule forbids it: no answer', { ...empty, ...disabled }, 'give-up'],
    ['a rule forbids it: a status', { ...disabled, reason: 503 }, 'give-up', on503],
    ['a rule forbids it: a kept connection had died under the request', { ...reused, ...disabled }, 'give-up'],
    ['a rule forbids it: a kept connection was dead', { ...reused, ...disabled, sent: 'nothing' }, 'fresh'],
  ];
  for (const [what, attempt, decision, settings] of cases)
    assert.equal(decideRetry({ ...REFUSED, ...attempt }, { ...DEFAULTS, ...settings }), decision, what);
});

/** The only active server, up, of a request that any server may have. */
const ALONE: Circumstances = { retry: 1, serverIsUp: true, persistent: false, activeServers: 1, hashes: false };

test('rules b and c: another server at every Nth retry, or counted from the last', () => {
  const whereOf = (redispatch: number, retries = 4): string =>
    Array.from({ length: retries }, (_, done) =>
      goesElsewhere({ ...ALONE, retry: done + 1 }, { ...DEFAULTS, retries, redispatch }) ? 'other' : 'same',
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

test('rules a and d: a server that is not up is left at once, and one that nothing binds to', () => {
  const last = { ...DEFAULTS, redispatch: -1 };
  const cases: [what: string, circumstances: Partial<Circumstances>, elsewhere: boolean][] = [
    ['the only server', {}, false],
    ['it went down, or is starting', { serverIsUp: false }, true],
    ['it went down, and the request belongs there', { serverIsUp: false, persistent: true }, true],
    ['there are others', { activeServers: 2 }, true],
    ['there are others, and the request belongs there', { activeServers: 2, persistent: true }, false],
    ['there are others, and a hash leads there', { activeServers: 2, hashes: true }, false],
    ['backups only', { activeServers: 0 }, false],
  ];
  for (const [what, circumstances, elsewhere] of cases)
    assert.equal(goesElsewhere({ ...ALONE, ...circumstances }, last), elsewhere, what);
});

test('as HAProxy decides it, whatever comes together', () => {
  const anything = fc.record({
    retry: fc.integer({ min: 1, max: 100 }),
    serverIsUp: fc.boolean(),
    persistent: fc.boolean(),
    activeServers: fc.nat(3),
    hashes: fc.boolean(),
  });
  fc.assert(
    fc.property(anything, fc.integer({ min: -100, max: 100 }), fc.nat(100), (seen, redispatch, retries) => {
      // stream.h:stream_choose_redispatch
      const { retry, serverIsUp, persistent, activeServers, hashes } = seen;
      const interval = redispatch < 0 ? retries + 1 + redispatch : redispatch;
      const expected =
        redispatch !== 0 &&
        (!serverIsUp || (interval > 0 && retry % interval === 0) || (!persistent && activeServers > 1 && !hashes));
      assert.equal(goesElsewhere(seen, { ...DEFAULTS, retries, redispatch }), expected);
    }),
  );
});

test('the turn-around is a second, or less where less is given to connect', () => {
  assert.deepEqual(
    [turnAroundMs(5_000), turnAroundMs(250), turnAroundMs(Number.POSITIVE_INFINITY)],
    [1_000, 250, 1_000],
  );
});

test('retryOn: words, statuses, an array or a phrase of them; what is named replaces the default', () => {
  const all = ['conn-failure', 'empty-response', 'junk-response', 'response-timeout', 500, 502, 503, 504];
  const cases: [retryOn: unknown, named: unknown[]][] = [
    [undefined, ['conn-failure', 'empty-response']],
    ['none', []],
    [['none'], []],
    ['junk-response', ['junk-response']],
    [503, [503]],
    ['503', [503]],
    [' conn-failure  503 response-timeout ', ['conn-failure', 'response-timeout', 503]],
    [
      ['429', 429, 'conn-failure', 'conn-failure'],
      ['conn-failure', 429],
    ],
    ['0rtt-rejected', []],
    ['all-retryable-errors', all],
    ['all-retryable-errors 425', [...all, 425]],
    ['401 403 404 408 421 425 429 500 501 502 503 504', [401, 403, 404, 408, 421, 425, 429, 500, 501, 502, 503, 504]],
  ];
  for (const [value, named] of cases) {
    const read = new OptionReader({ retryOn: value }, '');
    const { retryOn, statuses } = readRetries(read);
    read.throwFaults();
    assert.deepEqual(new Set<unknown>([...retryOn, ...statuses]), new Set(named), String(value));
  }
});
