import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { OptionReader } from '#src/core/options.ts';
import { readBalance } from '#src/schedulers/index.ts';
import { PickPlayer, type RecordedScenario, recordedScenarios } from '../support/pick-player.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** The algorithms of the recordings that are played here. leastconn is not recorded: HAProxy breaks its ties at random. */
const PLAYED: ReadonlySet<string> = new Set(['roundrobin']);

const balanceOf = (scenario: RecordedScenario): string =>
  scenario.backend.find((line) => line.startsWith('balance '))?.slice('balance '.length) ?? '';

for (const [recording, count] of [
  ['haproxy-picks', 18],
  ['haproxy-2.6-roundrobin', 15],
] as const) {
  describe(`the same server as a real HAProxy at every request: ${recording}`, () => {
    const scenarios = recordedScenarios(recording).filter((scenario) => PLAYED.has(balanceOf(scenario)));
    test('every scenario is there', () => assert.equal(scenarios.length, count));
    for (const scenario of scenarios) {
      test(scenario.name, () => {
        const { factory } = readBalance(new OptionReader({ balance: balanceOf(scenario) }, 'pool'));
        const player = new PickPlayer(scenario, factory, new VirtualClock());
        scenario.steps.forEach((step, index) => {
          if (step.op === 'cmd') player.command(step.cmd);
          else if (step.op === 'release') player.release(step.id);
          else {
            const expected = typeof step.expect === 'string' ? step.expect : step.expect.status;
            assert.equal(player.request(step.hold ? step.id : undefined), expected, `step ${index}`);
          }
        });
      });
    }
  });
}
