import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONDITIONAL, FAIL, ManualBench, ManualCheck, PASS } from './bench.ts';

test('a chain follows its end: down, up, no new work, and each warms up at its own pace', () => {
  const bench = new ManualBench();
  const check = new ManualCheck();
  const [a, of] = bench.server({ name: 'a', check });
  const b = bench.server({ name: 'b', tracks: a, slowstartMs: 3000 });
  const c = bench.server({ name: 'c', tracks: b[0] });
  bench.monitor.start([c, b, [a, of]]);
  const states = (): string[] =>
    [a, b[0], c[0]].map((server) => `${server.operational} ${bench.monitor.status(server)}`);
  assert.deepEqual(states(), ['running UP 1/3', 'running UP 1/3', 'running UP 1/3']);
  assert.equal(bench.monitor.undecided, 1, 'a server that tracks waits for no verdict of its own');
  bench.clock.advance(1);
  check.end(FAIL);
  assert.deepEqual(states(), ['stopped DOWN', 'stopped DOWN', 'stopped DOWN']);
  const why = 'Layer4 connection problem: connection refused (L4CON) after 1 failed check';
  assert.deepEqual(bench.heard(), [
    `a running > stopped: ${why}`,
    `b running > stopped: it tracks a: ${why}`,
    `c running > stopped: it tracks b: ${why}`,
    'a L4CON: connection refused',
    'decided',
  ]);
  bench.clock.advance(2000);
  check.end(PASS);
  assert.deepEqual(states(), ['stopped DOWN 1/2', 'stopped DOWN 1/2', 'stopped DOWN 1/2']);
  bench.clock.advance(2000);
  check.end(PASS);
  assert.deepEqual(states(), ['running UP', 'starting UP', 'running UP']);
  bench.clock.advance(3000);
  assert.equal(b[0].operational, 'running');
  check.end(CONDITIONAL);
  assert.deepEqual(states(), ['stopping NOLB', 'stopping NOLB', 'stopping NOLB']);
});

test('commands are inherited beside those of the server itself, and both must be undone', () => {
  const bench = new ManualBench();
  const a = bench.add({ name: 'a', check: new ManualCheck() });
  const b = bench.add({ name: 'b', tracks: a });
  const c = bench.add({ name: 'c', tracks: b });
  const states = (): string[] => [a, b, c].map((server) => bench.monitor.status(server));
  bench.monitor.setAdmin(a, 'maint');
  assert.deepEqual(states(), ['MAINT', 'MAINT (via api/a)', 'MAINT (via api/b)']);
  assert.deepEqual(
    bench.heard().filter((line) => line.includes('>>')),
    [
      'a ready >> maint: set by an operator',
      'b ready >> maint: it tracks a: set by an operator',
      'c ready >> maint: it tracks b: set by an operator',
    ],
  );
  bench.monitor.setAdmin(b, 'maint');
  bench.monitor.setAdmin(a, 'ready');
  assert.deepEqual(states(), ['UP 1/3', 'MAINT', 'MAINT (via api/b)']);
  bench.monitor.setAdmin(b, 'drain');
  assert.deepEqual(states(), ['UP 1/3', 'DRAIN 1/3', 'DRAIN 1/3']);
  bench.monitor.setAdmin(a, 'drain');
  bench.monitor.setAdmin(b, 'ready');
  assert.deepEqual(states(), ['DRAIN 1/3', 'DRAIN 1/3', 'DRAIN 1/3'], 'b still inherits it');
  bench.monitor.setAdmin(a, 'ready');
  assert.deepEqual(states(), ['UP 1/3', 'UP 1/3', 'UP 1/3']);
});

test('who leaves maintenance is as the server it tracks; a target down when it is ready again keeps it down', () => {
  const bench = new ManualBench();
  const check = new ManualCheck();
  const a = bench.add({ name: 'a', check, initState: 'fully-down' });
  const b = bench.add({ name: 'b', tracks: a, disabled: true });
  assert.equal(bench.monitor.status(b), 'MAINT');
  bench.monitor.setAdmin(b, 'ready');
  assert.equal(bench.monitor.status(b), 'DOWN');
  for (let passed = 0; passed < 2; passed++) {
    bench.clock.advance(2000);
    check.end(PASS);
  }
  assert.equal(bench.monitor.status(b), 'UP');
  bench.monitor.setAdmin(a, 'maint');
  bench.monitor.setAdmin(a, 'ready');
  assert.deepEqual([bench.monitor.status(a), bench.monitor.status(b)], ['DOWN', 'DOWN']);
});

test("an operator's word of a server's health is for the one that is tracked", () => {
  const bench = new ManualBench();
  const a = bench.add({ name: 'a', check: new ManualCheck() });
  const b = bench.add({ name: 'b', tracks: a });
  bench.monitor.setHealth(b, 'down');
  assert.equal(b.operational, 'running');
  bench.monitor.setHealth(a, 'stopping');
  assert.equal(bench.monitor.status(b), 'NOLB');
});

test('4,095 servers that track each other in a row follow within one turn', () => {
  const bench = new ManualBench();
  const first = bench.server({ check: new ManualCheck() });
  const rows = [first];
  for (let count = 1; count < 4095; count++) rows.push(bench.server({ tracks: rows.at(-1)?.[0] ?? assert.fail() }));
  bench.monitor.start(rows.toReversed());
  const [server] = first;
  const [last] = rows.at(-1) ?? assert.fail();
  assert.equal(bench.monitor.status(last), 'UP 1/3');
  bench.monitor.setHealth(server, 'down');
  assert.deepEqual([last.operational, bench.monitor.status(last)], ['stopped', 'DOWN']);
  bench.monitor.setAdmin(server, 'maint');
  assert.equal(last.standing, 'maint');
  bench.monitor.setAdmin(server, 'drain');
  assert.deepEqual([last.standing, bench.monitor.status(last)], ['drain', 'DRAIN 1/3']);
  bench.monitor.remove(last);
  bench.monitor.setAdmin(server, 'ready');
  assert.equal(last.standing, 'drain', 'one that was removed follows no more');
});
