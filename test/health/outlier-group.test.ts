/** Who counts as ejected, counted as servers change, beside counting all of them each time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OptionReader } from '#src/core/options.ts';
import { type OutlierSettings, readOutlier } from '#src/health/outlier-options.ts';
import { Outliers } from '#src/health/outliers.ts';
import { Server } from '#src/servers/server.ts';
import { makeServer } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function outliersOf(clock: VirtualClock, options: object): Outliers {
  const settings = readOutlier(new OptionReader({ outlier: options }, '')) as OutlierSettings;
  const events = { onChange: () => undefined, onEjected: () => undefined, onHalfOpen: () => undefined };
  return new Outliers(clock, settings, { ...events, onRestored: () => undefined });
}

type Change =
  | { readonly what: 'operational'; readonly to: Server['operational'] }
  | { readonly what: 'admin'; readonly to: Server['admin'] }
  | { readonly what: 'weight'; readonly to: number }
  | { readonly what: 'fails' | 'works' | 'removed' }
  | { readonly what: 'time'; readonly ms: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    what: fc.constant('operational' as const),
    to: fc.constantFrom(
      'running' as const,
      'running' as const,
      'starting' as const,
      'stopped' as const,
      'stopping' as const,
    ),
  }),
  fc.record({
    what: fc.constant('admin' as const),
    to: fc.constantFrom('ready' as const, 'drain' as const, 'maint' as const),
  }),
  fc.record({ what: fc.constant('weight' as const), to: fc.constantFrom(0, 1, 5) }),
  { weight: 6, arbitrary: fc.record({ what: fc.constantFrom('fails' as const, 'fails' as const, 'works' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('removed' as const) }) },
  fc.record({ what: fc.constant('time' as const), ms: fc.constantFrom(1, 1000, 5000) }),
);

test('whatever happens to servers, as many are ejected, and as few count as such, as if all were counted anew', () => {
  const share = fc.constantFrom('0%', '10%', '29%', '50%', '100%');
  const steps = fc.array(fc.record({ at: fc.nat(), change }), { maxLength: 80 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), share, share, steps, (size, maxEjected, panicThreshold, all) => {
      const clock = new VirtualClock();
      const outliers = outliersOf(clock, {
        consecutiveErrors: 1,
        baseEjection: '1s',
        trials: 1,
        maxEjected,
        panicThreshold,
      });
      const servers = Array.from({ length: size }, (_, index) => makeServer(index + 1, { backup: index % 3 === 2 }));
      for (const server of servers) outliers.add(server);
      const isOut = (server: Server): boolean => outliers.report(server)?.breaker !== 'closed';
      for (const { at, change } of all) {
        const server = servers[at % servers.length];
        if (!server) break;
        const group = servers.filter(({ backup }) => backup === server.backup);
        const able = group.filter(({ fit }) => fit);
        const most = Math.min(
          able.length - 1,
          Math.max(1, Math.floor((able.length * Number.parseInt(maxEjected, 10)) / 100)),
        );
        const may = server.fit && able.filter(isOut).length < most;
        const was = outliers.report(server);
        switch (change.what) {
          case 'operational':
            server.operational = change.to;
            outliers.serverChanged(server);
            break;
          case 'admin':
            server.admin = change.to;
            outliers.serverChanged(server);
            break;
          case 'weight':
            server.weight = change.to;
            server.recalculate(clock.now());
            outliers.serverChanged(server);
            break;
          case 'fails':
            outliers.failed(server, clock.now(), 'x');
            if (was?.breaker === 'closed') assert.equal(isOut(server), may);
            break;
          case 'works':
            outliers.succeeded(server, clock.now(), 1);
            break;
          case 'removed':
            servers.splice(servers.indexOf(server), 1);
            outliers.remove(server);
            break;
          case 'time':
            clock.advance(change.ms);
        }
        const panics = [false, true].map((backup) => {
          const those = servers.filter((each) => each.backup === backup);
          const inService = those.filter(
            ({ admin, weight, operational }) => admin === 'ready' && weight > 0 && operational !== 'stopping',
          );
          const left = inService.filter((each) => each.fit && !isOut(each));
          return those.some(isOut) && left.length < (inService.length * Number.parseInt(panicThreshold, 10)) / 100;
        });
        assert.equal(outliers.panics, panics.includes(true));
        for (const each of servers)
          assert.equal(
            each.ejected,
            outliers.report(each)?.breaker === 'open' && !panics[Number(each.backup)],
            each.name,
          );
      }
      outliers.stop();
    }),
    { numRuns: 2000 },
  );
});

/** Counts how often it is looked at. */
class CountingServer extends Server {
  looks = 0;

  override get fit(): boolean {
    this.looks++;
    return super.fit;
  }
}

test('4,095 servers that go down while some are ejected are looked at a few times each', () => {
  const clock = new VirtualClock();
  const outliers = outliersOf(clock, { consecutiveErrors: 1 });
  const servers = Array.from({ length: 4095 }, (_, index) => {
    const { id, name, address, settings } = makeServer(index + 1);
    return new CountingServer(id, name, address, settings);
  });
  for (const server of servers) outliers.add(server);
  for (const server of servers.slice(0, 10)) outliers.failed(server, clock.now(), 'x');
  assert.ok(servers[9]?.ejected && !servers[10]?.ejected);
  for (const server of servers) server.looks = 0;
  for (const server of servers) {
    server.operational = 'stopped';
    outliers.serverChanged(server);
  }
  const looks = servers.reduce((sum, server) => sum + server.looks, 0);
  assert.ok(looks <= 5 * servers.length, `${looks} looks`);
  assert.deepEqual([outliers.panics, servers[9]?.ejected], [true, false]);
  outliers.stop();
});
