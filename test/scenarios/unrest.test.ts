import assert from 'node:assert/strict';
import { test } from 'node:test';
import { held } from '../../benchmarks/soak/unrest/reckoning.ts';
import { playUnrest } from '../../benchmarks/soak/unrest/unrest.ts';

for (const engine of ['http1', 'http-proxy-3'] as const)
  test(`clients of all kinds before servers that fail in all ways: nothing is lost, repeated or left behind, ${engine}`, async () => {
    const { scene, after, left } = await playUnrest({ seconds: 3, seed: 1, clients: [16, 48], engine });
    const { ledger, posts } = scene;
    assert.deepEqual(ledger.faults, []);
    assert.deepEqual(posts.repeated, []);
    assert.deepEqual([held(after.stats), held(left.stats), left.timers, left.cut], [0, 0, 0, 0]);
    assert.deepEqual(left.warnings, []);
    assert.ok(ledger.shares.answered > 0);
  });
