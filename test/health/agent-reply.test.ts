import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AgentReply, agentResult, parseAgentReply, weightOf } from '#src/health/agent-reply.ts';

const NOTHING: Omit<AgentReply, 'words'> = {
  ...{ health: undefined, admin: undefined, weight: undefined, maxconn: undefined },
  ...{ description: '', unknown: undefined, warning: undefined },
};
const percent = (value: number): Partial<AgentReply> => ({ weight: { value, relative: true } });
const absolute = (value: number): Partial<AgentReply> => ({ weight: { value, relative: false } });

// HAProxy configuration manual, `agent-check`; tcpcheck.c:tcpcheck_agent_expect_reply
const table: readonly [line: string, reply: Partial<AgentReply>][] = [
  ['', {}],
  [' \t,, ', {}],
  ['up', { health: 'up' }],
  ['UP', { health: 'up' }],
  ['down', { health: 'down' }],
  ['Stopped', { health: 'stopped' }],
  ['fail', { health: 'fail' }],
  ['up down', { health: 'down' }],
  ['down,up', { health: 'up' }],
  ['ready', { admin: 'ready' }],
  ['drain\tMAINT', { admin: 'maint' }],
  ['ready up 50%', { admin: 'ready', health: 'up', ...percent(50) }],
  ['0%', percent(0)],
  ['250%', percent(250)],
  ['99999%', percent(25_600)],
  ['weight:75%', percent(75)],
  ['WEIGHT:75', absolute(75)],
  ['10% 20%', percent(20)],
  ['weight:10 20%', percent(20)],
  ['weight:256', absolute(256)],
  ['weight:257', { warning: "its weight '257' is none" }],
  ['weight:', { warning: "its weight '' is none" }],
  ['weight:-1', { warning: "its weight '-1' is none" }],
  ['weight:1x', { warning: "its weight '1x' is none" }],
  ['5%%', { warning: "its weight '5%%' is none" }],
  ['75', { unknown: '75' }],
  ['%', { unknown: '%' }],
  ['-5%', { unknown: '-5%' }],
  ['maxconn:30', { maxconn: 30 }],
  ['MaxConn:0', { maxconn: 0 }],
  ['maxconn:1 maxconn:2', { maxconn: 2 }],
  ['maxconn:', { warning: "its maxconn '' is none" }],
  ['maxconn:-1', { warning: "its maxconn '-1' is none" }],
  ['maxconn:99999999999999999999', { warning: "its maxconn '99999999999999999999' is none" }],
  ['weight:x maxconn:x', { warning: "its weight 'x' is none" }],
  ['hello up world', { health: 'up', unknown: 'hello' }],
  ['up;down', { unknown: 'up;down' }],
  ['down # disk full, 3 MB left', { health: 'down', description: 'disk full, 3 MB left' }],
  ['down #disk full', { health: 'down', description: 'disk full' }],
  ['#up', { description: 'up' }],
  ['up#down', { unknown: 'up#down' }],
  ['up # a # b', { health: 'up', description: 'a # b' }],
  ['up #', { health: 'up' }],
  ['u\0p', { unknown: 'u p' }],
  ['constructor __proto__', { unknown: 'constructor' }],
];
for (const [line, reply] of table) {
  test(`an agent that says ${JSON.stringify(line)}`, () => {
    const { words, ...read } = parseAgentReply(line);
    assert.deepEqual(read, { ...NOTHING, ...reply });
    assert.ok(line.replaceAll(/[\0\t ]+/g, ' ').includes(words), words);
  });
}

// declared weight, reply, weight
for (const [declared, line, weight] of [
  [100, '75%', 75],
  [3, '50%', 1],
  [3, '33%', 0],
  [200, '150%', 256],
  [1, '25600%', 256],
  [0, '100%', 0],
  [100, 'weight:7', 7],
] as const) {
  test(`'${line}' of a server declared with weight ${declared} gives it ${weight}`, () => {
    const { weight: said } = parseAgentReply(line);
    assert.ok(said);
    assert.equal(weightOf(said, declared), weight);
  });
}

for (const [line, result, description] of [
  ['up', 'passed L7OK', 'the agent says up'],
  ['up # warm', 'passed L7OK', 'the agent says up (warm)'],
  ['up what # warm', 'passed L7OK', "the agent says up what (warm; 'what' means nothing)"],
  ['Stopped', 'failed L7STS', 'the agent says Stopped'],
  ['fail what # disk full', 'failed L7STS', "the agent says fail what (disk full; 'what' means nothing)"],
  ['down weight:x', 'failed L7STS', "the agent says down weight:x (its weight 'x' is none)"],
  ['75%', 'neutral CHECKED', 'the agent says 75%'],
  ['drain  75% # note', 'neutral CHECKED', 'the agent says drain 75% (note)'],
  ['what', 'neutral CHECKED', "the agent says what ('what' means nothing)"],
  ['maxconn:x', 'neutral CHECKED', "the agent says maxconn:x (its maxconn 'x' is none)"],
  ['', 'neutral CHECKED', 'the agent says nothing'],
  ['# note', 'neutral CHECKED', 'the agent says nothing (note)'],
] as const) {
  test(`an agent that says '${line}' is ${result}: ${description}`, () => {
    const { reply, ...rest } = agentResult(parseAgentReply(line));
    assert.ok(reply);
    const [verdict = '', code = ''] = result.split(' ');
    assert.deepEqual(rest, { result: verdict, code, description });
  });
}

test('no line is too odd to be read, and what is told of it is short and on one line', () => {
  const parts = fc.constantFrom('up', 'down', ' ', ',', '#', '%', '9', 'weight:', 'maxconn:', 'maint', '\0', '\t', 'é');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(parts).map((all) => all.join('')),
      ),
      (line) => {
        const { description } = agentResult(parseAgentReply(line));
        assert.ok(description.length <= 200 && !/\p{Cc}/u.test(description), JSON.stringify(description));
      },
    ),
  );
});

test('16 KiB of anything are read in one go', () => {
  for (const part of [',', '#', ' #', '9%', '9', 'weight:', 'up,'])
    assert.ok(parseAgentReply(part.repeat(16_384 / part.length)));
});
