/**
 * The same server as a real HAProxy at every request. `haproxy-picks.json`: 3.5, the development version of 2026-08-21, one
 * thread. `haproxy-2.6-roundrobin.json`: 2.6.12; whole rounds, full servers, and commands before the first request. More
 * files of that form are played where `PICKS` names them: `PICKS=a.json,b.json node --test test/schedulers/recorded-picks.test.ts`.
 */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PickPlayer, recordedScenarios } from '../support/pick-player.ts';

const fixture = (name: string): URL => new URL(`../fixtures/${name}.json`, import.meta.url);
const more = (process.env['PICKS'] ?? '').split(',').filter((file) => file !== '');

const RECORDINGS: readonly (readonly [file: URL, scenarios: number | undefined])[] = [
  [fixture('haproxy-picks'), 77],
  [fixture('haproxy-2.6-roundrobin'), 15],
  ...more.map((file) => [pathToFileURL(resolve(file)), undefined] as const),
];

for (const [file, count] of RECORDINGS) {
  const name = file.pathname.split('/').at(-1);
  describe(`the same server as a real HAProxy at every request: ${name}`, () => {
    const scenarios = recordedScenarios(file);
    if (count !== undefined) test('every scenario is there', () => assert.equal(scenarios.length, count));
    for (const scenario of scenarios) {
      test(scenario.name, () => {
        const player = new PickPlayer(scenario);
        scenario.steps.forEach((step, index) => {
          const got = player.play(step);
          if (step.op !== 'req') return;
          const expected = typeof step.expect === 'string' ? step.expect : step.expect.status;
          assert.equal(got, expected, `step ${index}: ${JSON.stringify(step)}`);
        });
      });
    }
  });
}
