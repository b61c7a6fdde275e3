/**
 * What HAProxy made of cookies, played over sockets against a pool: the server that is asked and what it sees, what its client
 * gets, and both pairs of log flags are the same, but for what `docs/haproxy-differences.md` explains.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { CookieDifferences } from '../support/cookie-differences.ts';
import { CookieOrigin } from '../support/cookie-origin.ts';
import { recordedCookies } from '../support/cookie-record.ts';
import { PoolCookiePlayer } from '../support/pool-cookie-player.ts';

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-cookies-'));
const origin = new CookieOrigin();
const differences = new CookieDifferences();

describe('the same as HAProxy', () => {
  before(() => origin.listen(join(folder, 'origin')));
  after(async () => {
    await origin.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const scenario of recordedCookies()) {
    // Its cookies are made from addresses, which are others here.
    if (scenario.name === 'dynamic') continue;
    test(scenario.name, async (t) => {
      const player = await PoolCookiePlayer.start(scenario, origin, folder);
      t.after(() => player.stop());
      for (const [at, request] of scenario.requests.entries()) {
        const carried = await player.play(request);
        const same = isDeepStrictEqual(carried, request.expect);
        const expected = same ? carried : { ...request.expect, ...differences.explained(request, carried.server) };
        assert.deepEqual(carried, expected, `request ${at}: ${JSON.stringify(request)}`);
      }
    });
  }

  test('each difference is one that happens', () => assert.deepEqual(differences.unmet, []));
});
