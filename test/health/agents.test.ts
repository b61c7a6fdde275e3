import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAIL, ManualBench, ManualCheck, PASS } from './bench.ts';

function setUp(checked: boolean): { bench: ManualBench; check: ManualCheck; agent: ManualCheck; ask(): void } {
  const bench = new ManualBench();
  const [check, agent] = [new ManualCheck(), new ManualCheck(true)];
  const ask = (): void => bench.clock.advance(2000);
  return { bench, check: checked ? check : agent, agent, ask };
}

test('the agent takes the server down at once, and only with its leave does the check bring it up', () => {
  const { bench, check, agent, ask } = setUp(true);
  const server = bench.add({ check, agent: { check: agent, interMs: 1000 } });
  ask();
  check.end(PASS);
  agent.say('down # disk full');
  assert.equal(bench.monitor.status(server), 'DOWN (agent)');
  ask();
  check.end(PASS);
  assert.equal(bench.monitor.status(server), 'DOWN (agent)');
  agent.say('75%');
  assert.equal(bench.monitor.status(server), 'DOWN (agent)', 'no word of health');
  ask();
  agent.end(FAIL);
  assert.equal(bench.monitor.status(server), 'DOWN (agent)');
  ask();
  agent.say('up');
  assert.equal(bench.monitor.status(server), 'UP');
  assert.deepEqual(bench.heard().slice(0, 5), [
    's1 L7OK',
    's1 running > stopped: Layer7 wrong status: the agent says down (disk full) (L7STS) after 1 failed agent check',
    's1 agent L7STS: the agent says down (disk full)',
    'decided',
    's1 L7OK',
  ]);
  assert.deepEqual([server.counters.chkfail, server.counters.chkdown], [0, 1], 'the agent is no check that failed');
});

test('an up of the agent does not outdo the check', () => {
  const { bench, check, agent, ask } = setUp(true);
  const server = bench.add({ check, agent: { check: agent, interMs: 1000 } });
  ask();
  check.end(FAIL);
  agent.say('up');
  assert.equal(bench.monitor.status(server), 'DOWN');
});

test('an agent that cannot be reached takes nothing down, and comes again after its own interval', () => {
  const { bench, agent } = setUp(false);
  const server = bench.add({ agent: { check: agent, interMs: 700 }, fastinterMs: 10, downinterMs: 10 });
  assert.equal(bench.monitor.undecided, 1);
  for (let count = 0; count < 4; count++) {
    bench.clock.advance(count === 0 ? 1 : 700);
    agent.end({ ...FAIL, code: 'L7TOUT' });
  }
  assert.deepEqual(agent.beganAt, [1, 701, 1401, 2101]);
  assert.equal(bench.monitor.status(server), 'no check');
  assert.equal(bench.monitor.undecided, 0);
});

test('words of administration outdo the operator, and in maintenance the agent is still asked', () => {
  const { bench, check, agent, ask } = setUp(true);
  const server = bench.add({ check, agent: { check: agent, interMs: 1000 } });
  ask();
  agent.say('maint # backup');
  assert.deepEqual([bench.monitor.status(server), check.running], ['MAINT', false]);
  ask();
  agent.say('drain');
  assert.equal(bench.monitor.status(server), 'DRAIN (agent)');
  ask();
  agent.say('up');
  assert.equal(bench.monitor.status(server), 'DRAIN (agent)', 'up is a word of health alone');
  bench.monitor.setAdmin(server, 'maint');
  ask();
  assert.deepEqual([agent.running, check.running], [true, false]);
  agent.say('ready up');
  assert.equal(bench.monitor.status(server), 'UP 1/3');
  assert.deepEqual(
    bench.heard().filter((line) => line.includes('>>')),
    [
      's1 ready >> maint: its agent says maint',
      's1 maint >> drain: its agent says drain',
      's1 drain >> maint: set by an operator',
      's1 maint >> ready: its agent says ready',
    ],
  );
});

test('a weight that the pool refuses is told, and the other words count all the same', () => {
  const { bench, agent, ask } = setUp(false);
  const server = bench.add({ weight: 10, agent: { check: agent, interMs: 1000 } });
  ask();
  agent.say('50% maxconn:7');
  assert.deepEqual([server.weight, server.limits.maxconn], [5, 7]);
  bench.refusal = "allowed: 0 and 10: 'static-rr' is static";
  bench.heard();
  ask();
  agent.say('20% maxconn:8');
  ask();
  agent.say('20% down');
  assert.deepEqual([server.weight, server.limits.maxconn], [5, 8]);
  const refused = "the weight 2 is refused; allowed: 0 and 10: 'static-rr' is static";
  assert.deepEqual(bench.heard(), [
    `s1 agent CHECKED: the agent says 20% maxconn:8 (${refused})`,
    `s1 running > stopped: Layer7 wrong status: the agent says 20% down (${refused}) (L7STS) after 1 failed agent check`,
    `s1 agent L7STS: the agent says 20% down (${refused})`,
  ]);
});

test('a server that is removed or a monitor that stops asks no more', () => {
  for (const end of ['remove', 'stop'] as const) {
    const { bench, agent, ask } = setUp(false);
    const server = bench.add({ agent: { check: agent, interMs: 1000 }, disabled: true });
    ask();
    assert.equal(agent.running, true);
    if (end === 'stop') bench.monitor.stop();
    else bench.monitor.remove(server);
    assert.deepEqual([agent.running, bench.clock.pending], [false, 0]);
  }
});

test('a limit is not set at a server that whoever heard of its weight has removed', () => {
  const { bench, agent, ask } = setUp(false);
  const server = bench.add({ agent: { check: agent, interMs: 1000 } });
  bench.onWeight = () => bench.monitor.remove(server);
  ask();
  agent.say('50% maxconn:7 down');
  assert.deepEqual([server.limits.maxconn, bench.heard(), bench.clock.pending], [0, ['decided'], 0]);
});
