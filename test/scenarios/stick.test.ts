/**
 * What HAProxy made of stick tables, stick rules and rules that track, recorded by `npm run record:stick` and played over sockets
 * against a pool: the server that is asked, what its client gets, and every entry of every table are the same after each step, but
 * for what `docs/haproxy-differences.md` explains.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { PoolStickPlayer } from '../support/pool-stick.ts';
import { StickDifferences } from '../support/stick-differences.ts';
import { StickOrigin } from '../support/stick-origin.ts';
import { recordedSticks } from '../support/stick-record.ts';

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-stick-'));
const origin = new StickOrigin();
const differences = new StickDifferences();
const scenarios = recordedSticks();

describe('the same as HAProxy', () => {
  before(() => origin.listen(join(folder, 'origin')));
  after(async () => {
    await origin.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [index, scenario] of scenarios.entries())
    test(scenario.name, async (t) => {
      const player = await PoolStickPlayer.start(scenario, origin, folder, `p${index}`);
      t.after(() => player.stop());
      for (const [at, step] of scenario.steps.entries()) {
        const came = await player.play(step);
        const same = isDeepStrictEqual(came, step.expect);
        const expected = same ? came : differences.explained(scenario, step);
        assert.deepEqual(came, expected, `step ${at}: ${JSON.stringify(step)}`);
      }
      assert.deepEqual(player.faults, [], 'no rule has failed');
    });

  test('in hundreds of requests; and each difference is one that happens', () => {
    const requests = scenarios.flatMap(({ steps }) => steps.filter((step) => 'ask' in step));
    assert.ok(requests.length > 700);
    assert.deepEqual(differences.unmet, []);
  });
});
