import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dialer } from '#src/connections/dial.ts';
import type { CheckResult, HealthCheck, Probe } from '#src/health/health-check.ts';
import { Monitor } from '#src/health/monitor.ts';
import type { MonitorSettings, StateChange } from '#src/health/monitor-events.ts';
import type { HealthSettings } from '#src/health/settings.ts';
import { parseAddress } from '#src/servers/address.ts';
import { Server } from '#src/servers/server.ts';
import { serverSettings } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { healthSettings } from './bench.ts';

type Step = 'pass' | 'fail' | 'neutral' | 'conditional';

const RESULTS: Readonly<Record<Step, CheckResult>> = {
  pass: { result: 'passed', code: 'L4OK', description: '' },
  fail: { result: 'failed', code: 'L4CON', description: 'connection refused' },
  neutral: { result: 'neutral', code: 'CHECKED', description: '' },
  conditional: { result: 'conditional', code: 'L7OKC', status: 404, description: 'status 404' },
};

/** A check that gives what the test says, `takesMs` after it began. */
class ScriptedCheck implements HealthCheck {
  readonly probes: Probe[] = [];
  /** When each check began. */
  readonly beganAt: number[] = [];
  running = 0;
  cancelled = 0;
  #script: Step[];
  readonly #takesMs: number;

  constructor(script: string, takesMs = 0) {
    this.#script = script.split(' ') as Step[];
    this.#takesMs = takesMs;
  }

  /** From now on. */
  now(script: string): void {
    this.#script = script.split(' ') as Step[];
  }

  run(probe: Probe, onResult: (result: CheckResult) => void): () => void {
    this.probes.push(probe);
    this.beganAt.push(probe.environment.now());
    this.running++;
    assert.equal(this.running, 1, 'a check never overlaps itself');
    const step = (this.#script.length > 1 ? this.#script.shift() : this.#script[0]) ?? 'pass';
    const timer = probe.environment.setTimer(() => {
      this.running--;
      onResult(RESULTS[step]);
    }, this.#takesMs);
    return () => {
      timer.cancel();
      this.running--;
      this.cancelled++;
    };
  }
}

interface Setup {
  readonly slowstartMs?: number;
  readonly weight?: number;
  readonly maxconn?: number;
  readonly admin?: 'maint' | 'ready';
}

const target = { address: parseAddress('127.0.0.1:1') ?? assert.fail(), tls: undefined };

const POOL: MonitorSettings = { name: 'pool', spreadChecks: 0, maxSpreadChecksMs: Number.POSITIVE_INFINITY };

/** One monitor on a virtual clock; what it told, in words, with the time. */
class Bench {
  readonly clock = new VirtualClock();
  readonly told: string[] = [];
  readonly monitor: Monitor;
  onStateChange: ((server: Server, change: StateChange) => void) | undefined;
  #id = 0;

  constructor() {
    this.monitor = new Monitor(POOL, this.clock, new Dialer(this.clock), {
      onStateChange: (server, change) => {
        this.told.push(`${this.clock.now()} ${server.name} ${change.from} > ${change.to}: ${change.reason}`);
        this.onStateChange?.(server, change);
      },
      onCheck: (server, { code }, ms) => this.told.push(`${this.clock.now()} ${server.name} ${code} in ${ms} ms`),
      onAdminChange: () => {},
      onAgentWeight: () => undefined,
      onAgentMaxconn: () => {},
      onWeightChange: (server) => this.told.push(`${this.clock.now()} ${server.name} weighs ${server.effectiveWeight}`),
      onFunctionFault: () => {},
      onDecided: () => this.told.push(`${this.clock.now()} decided`),
    });
  }

  server({ slowstartMs = 0, weight = 1, maxconn = 0, admin = 'ready' }: Setup = {}): Server {
    const id = ++this.#id;
    const server = new Server(id, `s${id}`, target.address, serverSettings({ weight, maxconn, slowstartMs }));
    server.admin = admin;
    return server;
  }

  status(server: Server): string {
    return this.monitor.status(server);
  }

  /** What was told of changes of state since the last time. */
  changes(): string[] {
    return this.told.splice(0).filter((line) => line.includes(' > '));
  }
}

function settings(check: HealthCheck | undefined, more: Partial<HealthSettings> = {}): HealthSettings {
  return healthSettings({ check, ...more });
}

test('a fresh server is up, and one failed check takes it down; then rise successes are needed', () => {
  const bench = new Bench();
  const server = bench.server();
  bench.monitor.add(server, settings(new ScriptedCheck('fail pass fail pass pass fail fail pass fail')));
  assert.equal(bench.status(server), 'UP 1/3');
  const seen: string[] = [];
  for (let i = 0; i < 12; i++) {
    bench.clock.advance(i === 0 ? 2 : 2001);
    seen.push(bench.status(server));
  }
  assert.deepEqual(seen, [
    'DOWN',
    'DOWN 1/2',
    'DOWN',
    'DOWN 1/2',
    'UP',
    'UP 2/3',
    'UP 1/3',
    'UP',
    'UP 2/3',
    'UP 1/3',
    'DOWN',
    'DOWN',
  ]);
  assert.deepEqual(bench.changes(), [
    '2 s1 running > stopped: Layer4 connection problem: connection refused (L4CON) after 1 failed check',
    '8006 s1 stopped > running: Layer4 check passed (L4OK) after 2 passed checks',
    '20012 s1 running > stopped: Layer4 connection problem: connection refused (L4CON) after 3 failed checks',
  ]);
  // chkfail counts the failures of a server that was not at 0: 1 + (1 of DOWN 1/2) + 2 + 3.
  const { chkpass, chkfail, chkdown } = server.counters;
  assert.deepEqual([chkpass, chkfail, chkdown], [4, 7, 2]);
});

for (const [initState, script, states] of [
  ['none', 'fail', ['running', 'stopped']],
  ['up', 'fail', ['running', 'stopped']],
  ['fully-up', 'fail', ['running', 'running', 'running', 'stopped']],
  ['down', 'pass', ['stopped', 'running']],
  ['fully-down', 'pass', ['stopped', 'stopped', 'running']],
] as const) {
  test(`initState '${initState}' and checks that ${script}: ${states.join(', ')}`, () => {
    const bench = new Bench();
    const server = bench.server();
    bench.monitor.add(server, settings(new ScriptedCheck(script), { initState }));
    const seen: string[] = [server.operational];
    for (let i = 1; i < states.length; i++) {
      bench.clock.advance(i === 1 ? 2 : 2001);
      seen.push(server.operational);
    }
    assert.deepEqual(seen, states);
  });
}

test('the next check starts one interval after the end of the last: inter, fastinter or downinter', () => {
  const bench = new Bench();
  const check = new ScriptedCheck('pass pass fail fail fail fail pass pass pass', 100);
  const paces = { interMs: 2000, fastinterMs: 500, downinterMs: 10_000 };
  bench.monitor.add(bench.server(), settings(check, paces));
  bench.clock.advance(40_000);
  const gaps = check.beganAt.slice(1).map((at, index) => at - (check.beganAt[index] ?? 0) - 100);
  // full, full, 2/3, 1/3, down, down, 1/2 on its way up, full, full
  assert.deepEqual(gaps.slice(0, 9), [2000, 2000, 500, 500, 10_000, 10_000, 500, 2000, 2000]);
  assert.ok(check.probes.every(({ answerMs }) => answerMs === undefined));
  assert.deepEqual(
    check.probes.slice(0, 7).map(({ connectMs }) => connectMs),
    [500, 2000, 2000, 500, 500, 10_000, 10_000],
    'without timeout.check the interval of the present state is the limit',
  );
});

test('with timeout.check a probe is given both limits', () => {
  const bench = new Bench();
  const check = new ScriptedCheck('pass');
  bench.monitor.add(bench.server(), settings(check, { timeoutCheckMs: 300, timeoutConnectMs: 1000 }));
  bench.clock.advance(1);
  assert.deepEqual([check.probes[0]?.connectMs, check.probes[0]?.answerMs], [1000, 300]);
});

test('the first checks of a starting pool are spread, and each server has its verdict when its own has ended', () => {
  const bench = new Bench();
  const checks = [1, 2, 3, 4].map(() => new ScriptedCheck('pass', 10));
  const unchecked = bench.server();
  const asleep = bench.server({ admin: 'maint' });
  const rows = checks.map((check) => [bench.server(), settings(check)] as const);
  bench.monitor.start([[unchecked, settings(undefined)], ...rows]);
  bench.monitor.add(asleep, settings(new ScriptedCheck('pass')));
  assert.equal(bench.monitor.undecided, 4, 'one without a check, or in maintenance, waits for no verdict');
  assert.equal(bench.status(unchecked), 'no check');
  assert.equal(bench.status(asleep), 'MAINT');
  bench.clock.advance(1509);
  assert.equal(bench.monitor.undecided, 1);
  bench.clock.advance(1);
  assert.deepEqual(
    checks.map(({ beganAt }) => beganAt[0]),
    [1, 500, 1000, 1500], // a timer waits at least 1 ms
  );
  assert.equal(bench.monitor.undecided, 0);
  assert.ok(bench.told.includes('1510 decided'));
});

test('removing or putting to maintenance the last undecided server decides', () => {
  const bench = new Bench();
  const [one, two] = [bench.server(), bench.server()];
  bench.monitor.start([
    [one, settings(new ScriptedCheck('pass', 100))],
    [two, settings(new ScriptedCheck('pass', 100))],
  ]);
  bench.monitor.remove(one);
  assert.equal(bench.monitor.undecided, 1);
  bench.monitor.setAdmin(two, 'maint');
  assert.deepEqual(bench.told, ['0 decided']);
  bench.monitor.setAdmin(two, 'maint');
  bench.monitor.remove(two);
  bench.monitor.remove(two);
  assert.equal(bench.monitor.undecided, 0);
  assert.equal(bench.clock.pending, 0);
});

test('a neutral result changes nothing, a conditional one stops new requests until a check passes', () => {
  const bench = new Bench();
  const server = bench.server();
  const check = new ScriptedCheck(
    'neutral neutral pass conditional neutral conditional fail pass conditional fail fail fail conditional conditional',
  );
  bench.monitor.add(server, settings(check));
  const seen: string[] = [];
  for (let i = 0; i < 14; i++) {
    bench.clock.advance(i === 0 ? 2 : 2001);
    seen.push(bench.status(server));
  }
  assert.deepEqual(seen, [
    ...['UP 1/3', 'UP 1/3', 'UP', 'NOLB', 'NOLB', 'NOLB', 'NOLB 2/3', 'UP', 'NOLB'],
    ...['NOLB 2/3', 'NOLB 1/3', 'DOWN', 'DOWN 1/2', 'NOLB'],
  ]);
  const conditional = 'Layer7 check conditionally passed: status 404 (L7OKC)';
  assert.deepEqual(
    bench.changes().map((change) => change.replace(/^\d+ s1 /, '')),
    [
      `running > stopping: ${conditional} after 1 such check`,
      'stopping > running: Layer4 check passed (L4OK) after 1 passed check',
      `running > stopping: ${conditional} after 1 such check`,
      'stopping > stopped: Layer4 connection problem: connection refused (L4CON) after 3 failed checks',
      `stopped > stopping: ${conditional} after 2 such checks`,
    ],
  );
});

test('maintenance stops the checks; leaving it takes initState anew and checks at once', () => {
  const bench = new Bench();
  const server = bench.server();
  const check = new ScriptedCheck('pass', 50);
  bench.monitor.add(server, settings(check, { initState: 'fully-up' }));
  bench.clock.advance(2060);
  assert.equal(check.running, 1);
  bench.monitor.setAdmin(server, 'maint');
  assert.deepEqual(
    [bench.status(server), server.operational, check.running, check.cancelled],
    ['MAINT', 'stopped', 0, 1],
  );
  assert.equal(bench.clock.pending, 0);
  assert.equal(server.counters.chkdown, 1);
  bench.clock.advance(100_000);
  assert.equal(check.probes.length, 2);
  bench.monitor.setAdmin(server, 'ready');
  bench.monitor.setAdmin(server, 'ready');
  assert.equal(bench.status(server), 'UP');
  bench.clock.advance(1);
  assert.deepEqual([check.probes.length, check.running], [3, 1]);
  assert.deepEqual(bench.changes(), [], 'who asks for maintenance knows');
});

test('a server that leaves maintenance with initState fully-down must earn its place', () => {
  const bench = new Bench();
  const server = bench.server({ admin: 'maint' });
  bench.monitor.add(server, settings(new ScriptedCheck('pass'), { initState: 'fully-down' }));
  bench.monitor.setAdmin(server, 'ready');
  assert.equal(bench.status(server), 'DOWN');
  bench.clock.advance(2002);
  assert.equal(bench.status(server), 'DOWN 1/2');
  bench.clock.advance(2001);
  assert.equal(bench.status(server), 'UP');
});

test('an unchecked server follows maintenance too', () => {
  const bench = new Bench();
  const server = bench.server();
  bench.monitor.add(server, settings(undefined));
  bench.monitor.setAdmin(server, 'maint');
  assert.equal(server.operational, 'stopped');
  bench.monitor.setAdmin(server, 'ready');
  assert.equal(server.operational, 'running');
  assert.equal(bench.clock.pending, 0);
});

test('slow start: a server that comes up grows each second to its whole weight and limit', () => {
  const bench = new Bench();
  const server = bench.server({ slowstartMs: 4000, weight: 10, maxconn: 100 });
  const check = new ScriptedCheck('fail fail pass');
  bench.monitor.start([[server, settings(check)]]);
  assert.deepEqual([server.operational, server.effectiveWeight], ['running', 160], 'never at the start of a process');
  bench.clock.advance(4004);
  assert.equal(server.operational, 'stopped');
  bench.clock.advance(2001);
  bench.told.length = 0;
  assert.equal(server.operational, 'starting');
  const seen: [number, number][] = [];
  for (let second = 0; second < 5; second++) {
    seen.push([server.effectiveWeight, server.maxconn]);
    bench.clock.advance(1000);
  }
  // HAProxy: w = (16 × seconds + 4) / 4, at least 1, of 16; maxconn 100 × elapsed / 4000 ms
  assert.deepEqual(seen, [
    [10, 1],
    [50, 25],
    [90, 50],
    [130, 75],
    [160, 100],
  ]);
  assert.equal(server.operational, 'running');
  assert.deepEqual(
    bench.told.filter((line) => !line.includes('L4OK')),
    [
      '7005 s1 weighs 50',
      '8005 s1 weighs 90',
      '9005 s1 weighs 130',
      '10005 s1 weighs 160',
      '10005 s1 starting > running: slow start is over',
    ],
  );
});

test('slow start tells of each change, though another weight meanwhile makes it as it was before', () => {
  const bench = new Bench();
  const server = bench.server({ slowstartMs: 16_000, weight: 3 });
  bench.monitor.add(server, settings(undefined));
  bench.clock.advance(1000);
  server.weight = 2;
  server.recalculate(bench.clock.now());
  assert.equal(server.effectiveWeight, 4);
  bench.clock.advance(1000);
  assert.deepEqual(
    bench.told.filter((line) => line.includes('weighs')),
    ['1000 s1 weighs 6', '2000 s1 weighs 6'],
  );
});

test('slow start ends with the server: down, stopping or maintenance', () => {
  for (const end of ['down', 'stopping', 'maintenance'] as const) {
    const bench = new Bench();
    const server = bench.server({ slowstartMs: 60_000 });
    bench.monitor.add(server, settings(undefined));
    assert.deepEqual([server.operational, server.effectiveWeight, bench.clock.pending], ['starting', 1, 1]);
    if (end === 'maintenance') bench.monitor.setAdmin(server, 'maint');
    else bench.monitor.setHealth(server, end);
    assert.equal(bench.clock.pending, 0);
    assert.equal(server.effectiveWeight, 16);
  }
});

test('slow start is not thrown off by timers that fire a little early', () => {
  const bench = new Bench();
  const early = {
    now: () => bench.clock.now(),
    random: () => 0,
    setTimer: (callback: () => void, ms: number) => bench.clock.setTimer(callback, ms > 1 ? ms - 0.6 : ms),
  };
  const weights: number[] = [];
  const monitor = new Monitor(POOL, early, new Dialer(early), {
    onStateChange: () => {},
    onAdminChange: () => {},
    onCheck: () => {},
    onAgentWeight: () => undefined,
    onAgentMaxconn: () => {},
    onWeightChange: (server) => weights.push(server.effectiveWeight),
    onFunctionFault: () => {},
    onDecided: () => {},
  });
  const server = bench.server({ slowstartMs: 3000 });
  monitor.add(server, settings(undefined));
  bench.clock.advance(3010);
  assert.deepEqual([server.operational, weights], ['running', [6, 11, 16]]);
});

test('an operator overrules the checks until they say otherwise', () => {
  const bench = new Bench();
  const server = bench.server();
  const check = new ScriptedCheck('pass');
  bench.monitor.add(server, settings(check));
  bench.clock.advance(2);
  bench.monitor.setHealth(server, 'down');
  assert.equal(bench.status(server), 'DOWN');
  bench.clock.advance(2001);
  assert.equal(bench.status(server), 'DOWN 1/2');
  bench.monitor.setHealth(server, 'up');
  bench.monitor.setHealth(server, 'up');
  assert.equal(bench.status(server), 'UP');
  check.now('neutral pass');
  bench.monitor.setHealth(server, 'stopping');
  assert.equal(bench.status(server), 'NOLB');
  bench.clock.advance(2001);
  assert.equal(bench.status(server), 'NOLB');
  bench.clock.advance(2001);
  assert.equal(bench.status(server), 'UP', 'a check that passes ends it');
  assert.deepEqual(
    bench.changes().map((line) => line.replace(/^\d+ /, '')),
    [
      's1 running > stopped: set by an operator',
      's1 stopped > running: set by an operator',
      's1 running > stopping: set by an operator',
      's1 stopping > running: Layer4 check passed (L4OK) after 1 passed check',
    ],
  );
  bench.monitor.setAdmin(server, 'maint');
  bench.monitor.setHealth(server, 'up');
  assert.equal(server.operational, 'stopped', 'nothing in maintenance');
});

test('the report tells the last check and whether one runs', () => {
  const bench = new Bench();
  const server = bench.server();
  bench.monitor.add(server, settings(new ScriptedCheck('fail', 70)));
  const before = bench.monitor.report(server);
  assert.deepEqual(
    [before?.health, before?.rise, before?.fall, before?.last, before?.checking],
    [2, 2, 3, undefined, false],
  );
  bench.clock.advance(1);
  assert.equal(bench.monitor.report(server)?.checking, true);
  bench.clock.advance(70);
  const report = bench.monitor.report(server);
  assert.deepEqual([report?.last?.code, report?.lastDurationMs, report?.checking], ['L4CON', 70, false]);
  assert.deepEqual(bench.told, [
    '71 s1 running > stopped: Layer4 connection problem: connection refused (L4CON) after 1 failed check',
    '71 s1 L4CON in 70 ms',
    '71 decided',
  ]);
});

test('stop ends every check and timer, and nothing starts again', () => {
  const bench = new Bench();
  const checks = [1, 2, 3].map(() => new ScriptedCheck('pass', 5000));
  const servers = checks.map(() => bench.server({ slowstartMs: 30_000 }));
  for (const [index, server] of servers.entries()) bench.monitor.add(server, settings(checks[index]));
  bench.clock.advance(10);
  assert.ok(checks.every(({ running }) => running === 1));
  bench.monitor.stop();
  assert.ok(checks.every(({ running }) => running === 0));
  for (const server of servers) {
    bench.monitor.setAdmin(server, 'maint');
    bench.monitor.setAdmin(server, 'ready');
    bench.monitor.setHealth(server, 'down');
  }
  assert.equal(bench.clock.pending, 0);
});

test('a listener may remove, pause or stop from within any call', () => {
  for (const act of ['remove', 'pause', 'stop'] as const) {
    const bench = new Bench();
    const server = bench.server();
    bench.onStateChange = () => {
      if (act === 'pause') bench.monitor.setAdmin(server, 'maint');
      else if (act === 'stop') bench.monitor.stop();
      else bench.monitor.remove(server);
    };
    bench.monitor.add(server, settings(new ScriptedCheck('fail')));
    bench.clock.advance(10_000);
    assert.equal(bench.clock.pending, 0);
    assert.equal(bench.monitor.undecided, 0);
    if (act === 'remove') assert.equal(bench.told.filter((line) => line.includes('L4CON in')).length, 0);
  }
});

test('no timer of a monitor keeps the process alive', () => {
  const bench = new Bench();
  bench.monitor.add(bench.server({ slowstartMs: 1000 }), settings(new ScriptedCheck('pass')));
  assert.equal(bench.clock.pending, 2);
  assert.equal(bench.clock.holding, 0);
});

test('4,095 servers are checked at an even pace', () => {
  const bench = new Bench();
  const perSecond = new Map<number, number>();
  const check: HealthCheck = {
    run(probe, onResult) {
      const second = Math.floor(probe.environment.now() / 1000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
      const timer = probe.environment.setTimer(() => onResult(RESULTS.pass), 3);
      return () => timer.cancel();
    },
  };
  bench.monitor.start(Array.from({ length: 4095 }, () => [bench.server(), settings(check)] as const));
  bench.clock.advance(60_000);
  assert.equal(bench.monitor.undecided, 0);
  const counts = [...perSecond.values()];
  assert.ok(
    Math.max(...counts) - Math.min(...counts) < 50,
    `${Math.min(...counts)} to ${Math.max(...counts)} a second`,
  );
  bench.monitor.stop();
  assert.equal(bench.clock.pending, 0);
});
