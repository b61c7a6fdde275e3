import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthSettings } from '#src/health/settings.ts';
import type { RequestObserver, Server } from '#src/servers/server.ts';
import { FAIL, ManualBench, ManualCheck, NOT_FOUND, PASS } from './bench.ts';

interface Watched {
  readonly bench: ManualBench;
  readonly check: ManualCheck;
  readonly server: Server;
  readonly observer: RequestObserver;
}

/** A server at full health, with rise 2 and fall 3, whose next check is 2 s away. */
function watched(settings: Partial<HealthSettings>): Watched {
  const bench = new ManualBench();
  const check = new ManualCheck();
  const server = bench.add({ check, observe: 'layer7', errorLimit: 3, ...settings });
  bench.clock.advance(1);
  check.end(PASS);
  bench.heard();
  const { observer } = server;
  assert.ok(observer);
  return { bench, check, server, observer };
}

// HAProxy check.c:__health_adjust
for (const [onError, status, afterFailedCheck] of [
  ['fastinter', 'UP', 'UP 2/3'],
  ['fail-check', 'UP 2/3', 'UP 1/3'],
  ['sudden-death', 'UP 1/3', 'DOWN'],
  ['mark-down', 'DOWN', 'DOWN'],
] as const) {
  test(`errorLimit errors in a row with onError '${onError}': ${status}, after a failed check ${afterFailedCheck}`, () => {
    const { bench, check, server, observer } = watched({ onError, fastinterMs: 300 });
    observer.responded(503);
    observer.noResponse(true);
    assert.equal(bench.monitor.status(server), 'UP');
    observer.connectionFailed();
    assert.equal(bench.monitor.status(server), status);
    assert.equal(server.counters.hanafail, 1);
    bench.clock.advance(300);
    assert.equal(check.running, true, 'the next check comes after fastinter');
    check.end(FAIL);
    assert.equal(bench.monitor.status(server), afterFailedCheck);
  });
}

test('sudden-death with one failure left is death', () => {
  const { bench, check, server, observer } = watched({ onError: 'sudden-death', errorLimit: 1 });
  bench.clock.advance(2000);
  check.end(FAIL);
  bench.clock.advance(2000);
  check.end(FAIL);
  assert.equal(bench.monitor.status(server), 'UP 1/3');
  observer.responded(500);
  assert.equal(bench.monitor.status(server), 'DOWN');
});

test('the change says what the requests met', () => {
  const { bench, observer } = watched({ onError: 'mark-down', errorLimit: 2 });
  observer.responded(500);
  observer.responded(503);
  const what = '2 requests in a row failed, the last: status 503';
  assert.deepEqual(bench.heard(), [`s1 running > stopped: Health analyze: ${what} (HANA)`, `s1 HANA: ${what}`]);
});

test('without fastinter the schedule stays; with it, one interval is short, and an earlier check is not put off', () => {
  const stays = watched({ onError: 'fastinter', errorLimit: 1 });
  stays.bench.clock.advance(1500);
  stays.observer.responded(500);
  stays.bench.clock.advance(499);
  assert.equal(stays.check.running, false);
  stays.bench.clock.advance(1);
  assert.equal(stays.check.running, true);

  const hurries = watched({ onError: 'fastinter', errorLimit: 1, fastinterMs: 300 });
  hurries.bench.clock.advance(1900);
  hurries.observer.responded(500);
  hurries.bench.clock.advance(100);
  hurries.check.end(PASS);
  hurries.bench.clock.advance(1999);
  assert.equal(hurries.check.running, false, 'one round, no more');
  hurries.bench.clock.advance(1);
  hurries.observer.responded(500);
  hurries.check.end(PASS);
  hurries.bench.clock.advance(300);
  assert.equal(hurries.check.running, true, 'the round that follows the check under way');
});

for (const [observe, what, verdict] of [
  ['layer4', (observer: RequestObserver) => observer.connectionFailed(), 'error'],
  ['layer4', (observer: RequestObserver) => observer.responded(503), 'ok'],
  ['layer4', (observer: RequestObserver) => observer.noResponse(true), 'ok'],
  ['layer4', (observer: RequestObserver) => observer.worked(false), 'error'],
  ['layer7', (observer: RequestObserver) => observer.connectionFailed(), 'error'],
  ['layer7', (observer: RequestObserver) => observer.responded(499), 'ok'],
  ['layer7', (observer: RequestObserver) => observer.responded(500), 'error'],
  ['layer7', (observer: RequestObserver) => observer.responded(501), 'ok'],
  ['layer7', (observer: RequestObserver) => observer.responded(502), 'error'],
  ['layer7', (observer: RequestObserver) => observer.responded(504), 'error'],
  ['layer7', (observer: RequestObserver) => observer.responded(505), 'ok'],
  ['layer7', (observer: RequestObserver) => observer.responded(506), 'error'],
  ['layer7', (observer: RequestObserver) => observer.noResponse(true), 'error'],
  ['layer7', (observer: RequestObserver) => observer.noResponse(false), 'nothing'],
  ['layer7', (observer: RequestObserver) => observer.worked(false), 'error'],
  ['layer7', (observer: RequestObserver) => observer.worked(true), 'ok'],
] as const) {
  test(`observe '${observe}' takes ${String(what).replace(/.*=> observer\./, '')} for ${verdict}`, () => {
    const { server, observer } = watched({ observe, errorLimit: 2, onError: 'fastinter' });
    observer.connectionFailed();
    what(observer);
    assert.equal(server.counters.hanafail, verdict === 'error' ? 1 : 0);
    observer.connectionFailed();
    assert.equal(server.counters.hanafail, verdict === 'ok' ? 0 : 1);
  });
}

test('a check that passes begins the count anew; so does the limit', () => {
  const { bench, check, server, observer } = watched({ onError: 'fastinter', errorLimit: 2 });
  observer.responded(500);
  bench.clock.advance(2000);
  check.end(PASS);
  observer.responded(500);
  assert.equal(server.counters.hanafail, 0);
  observer.responded(500);
  observer.responded(500);
  assert.equal(server.counters.hanafail, 1);
});

test('nobody looks at requests of a server without a check, nor after its removal', () => {
  const bench = new ManualBench();
  assert.equal(bench.add({ observe: 'layer7' }).observer, undefined);
  assert.equal(bench.add({ check: new ManualCheck() }).observer, undefined);
  const { server, bench: other } = watched({});
  other.monitor.remove(server);
  assert.equal(server.observer, undefined);
});

test('disableOn404: a server that is up and answers 404 takes no new work; one that is down fails its check', () => {
  const bench = new ManualBench();
  const check = new ManualCheck();
  const server = bench.add({ check, disableOn404: true });
  const seen: string[] = [];
  for (const result of [PASS, NOT_FOUND, NOT_FOUND, FAIL, NOT_FOUND, PASS, FAIL, FAIL, FAIL, NOT_FOUND, PASS, PASS]) {
    bench.clock.advance(seen.length === 0 ? 1 : 2000);
    check.end(result);
    seen.push(bench.monitor.status(server));
  }
  const up = ['UP', 'NOLB', 'NOLB', 'NOLB 2/3', 'NOLB', 'UP', 'UP 2/3', 'UP 1/3'];
  assert.deepEqual(seen, [...up, 'DOWN', 'DOWN', 'DOWN 1/2', 'UP']);
  assert.ok(bench.heard().includes('s1 L7OKC: status 404, no new requests'));
});

test('disableOn404 goes before any other meaning of a 404, but for that of a function', () => {
  for (const [code, status] of [
    ['L7RSP', 'NOLB'],
    ['L6RSP', 'NOLB'],
    ['L4CON', 'NOLB'],
    ['PROCERR', 'DOWN'],
  ] as const) {
    const bench = new ManualBench();
    const check = new ManualCheck();
    const server = bench.add({ check, disableOn404: true });
    bench.clock.advance(1);
    check.end({ ...NOT_FOUND, code });
    assert.equal(bench.monitor.status(server), status, code);
  }
});

test('without disableOn404 a 404 is what the check says it is', () => {
  const bench = new ManualBench();
  const check = new ManualCheck();
  const server = bench.add({ check });
  bench.clock.advance(1);
  check.end(NOT_FOUND);
  assert.equal(bench.monitor.status(server), 'DOWN');
});

test('spreadChecks makes every interval up to so much shorter or longer', () => {
  const bench = new ManualBench({ spreadChecks: 50 });
  const check = new ManualCheck();
  bench.add({ check, interMs: 1000 });
  bench.clock.advance(1);
  const gaps: number[] = [];
  for (let count = 0; count < 200; count++) {
    check.end(PASS);
    const endedAt = bench.clock.now();
    bench.clock.advance(1500);
    gaps.push((check.beganAt.at(-1) ?? 0) - endedAt);
  }
  assert.ok(Math.min(...gaps) >= 500 && Math.max(...gaps) <= 1500, `${Math.min(...gaps)} to ${Math.max(...gaps)}`);
  assert.ok(Math.min(...gaps) < 550 && Math.max(...gaps) > 1450, `${Math.min(...gaps)} to ${Math.max(...gaps)}`);
});

test('maxSpreadChecks is the longest time over which first checks are spread, agents among them', () => {
  const bench = new ManualBench({ maxSpreadChecksMs: 400 });
  const checks = [1, 2, 3].map(() => new ManualCheck());
  const agent = new ManualCheck(true);
  const [first, ...others] = checks.map((check, index) =>
    bench.server({ check, agent: index === 0 ? { check: agent, interMs: 2000 } : undefined }),
  );
  assert.ok(first);
  bench.monitor.start([first, ...others]);
  bench.clock.advance(5000);
  assert.deepEqual(
    [checks[0], agent, checks[1], checks[2]].map((check) => check?.beganAt[0]),
    [1, 100, 200, 300],
  );
});
