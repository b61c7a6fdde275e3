/**
 * Scenarios by chance, played by the HAProxy that is installed here and over sockets by a pool: the same server, status and
 * entries of all tables after every step. `SEED=7` plays others than those of every day, `SCENARIOS=300` more of them. Left out
 * is what `stick.test.ts` explains.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findHaproxy, versionOf } from '../support/haproxy-process.ts';
import { LiveStick } from '../support/live-stick.ts';
import { PoolStickPlayer } from '../support/pool-stick.ts';
import { randomStick } from '../support/random-stick.ts';
import { StickOrigin } from '../support/stick-origin.ts';

const SEED = Number(process.env['SEED'] ?? 1);
const COUNT = Number(process.env['SCENARIOS'] ?? 20);

const haproxy = process.env['CI'] === undefined ? findHaproxy() : undefined;
if (haproxy === undefined)
  test('stick tables as the HAProxy that is installed', (t) =>
    t.skip('no haproxy, or CI: scenarios/stick.test.ts is enough there'));
else
  describe(`stick tables as HAProxy ${versionOf(haproxy)} has them: SEED=${SEED}`, () => {
    const scenarios = Array.from({ length: COUNT }, (_, index) => randomStick(SEED * 1009 + index));
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-stick-'));
    const origin = new StickOrigin();
    let live: LiveStick | undefined;
    before(async () => {
      await origin.listen(join(folder, 'origin'));
      live = await LiveStick.start(haproxy, scenarios);
    });
    after(async () => {
      await live?.stop();
      await origin.close();
      rmSync(folder, { recursive: true, force: true });
    });
    for (const [index, { name }] of scenarios.entries())
      test(name, async (t) => {
        assert.ok(live);
        const recorded = await live.record(index);
        const player = await PoolStickPlayer.start(recorded, origin, folder, `p${index}`);
        t.after(() => player.stop());
        for (const [at, step] of recorded.steps.entries()) {
          const came = await player.play(step);
          assert.deepEqual(came, step.expect, `step ${at}: ${JSON.stringify(step)}`);
        }
        assert.deepEqual(player.faults, [], 'no rule has failed');
      });
  });
