import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, type ConfigFault } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import { ALGORITHMS, type Balance, type BalanceOption, readBalance } from '#src/schedulers/index.ts';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import { makeServer } from '../support/make-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ownScheduler: Scheduler = {
  add: () => undefined,
  remove: () => undefined,
  reweigh: () => undefined,
  pick: () => undefined,
};

function read(balance: unknown): Balance & { faults: readonly ConfigFault[] } {
  const reader = new OptionReader(balance === undefined ? {} : { balance }, 'pool');
  const balanced = readBalance(reader);
  reader.rejectUnknown();
  return { ...balanced, faults: reader.faults };
}

describe('what may be written', () => {
  const rows: [BalanceOption | undefined, string, number | undefined][] = [
    [undefined, 'roundrobin', 4095],
    ['roundrobin', 'roundrobin', 4095],
    ['leastconn', 'leastconn', undefined],
    ['random', 'random', undefined],
    ['random(3)', 'random', undefined],
    ['random(16)', 'random', undefined],
    [{ algorithm: 'roundrobin' }, 'roundrobin', 4095],
    [{ algorithm: 'leastconn' }, 'leastconn', undefined],
    [{ algorithm: 'random' }, 'random', undefined],
    [{ algorithm: 'random', draws: 1 }, 'random', undefined],
    [() => ownScheduler, 'custom', undefined],
  ];
  for (const [option, name, maxServers] of rows)
    test(`${typeof option === 'function' ? 'a function' : JSON.stringify(option)} is ${name}`, () => {
      const { faults, ...balance } = read(option);
      assert.deepEqual(faults, []);
      assert.equal(balance.name, name);
      assert.equal(balance.maxServers, maxServers);
      const scheduler = balance.factory(new VirtualClock());
      const server = makeServer(1);
      scheduler.add(server);
      assert.equal(scheduler.pick({}, undefined), option === undefined || name !== 'custom' ? server : undefined);
    });

  test('random(N) draws N servers', () => {
    for (const [option, draws] of [
      ['random', 2],
      ['random(1)', 1],
      [{ algorithm: 'random', draws: 7 }, 7],
    ] as const) {
      let drawn = 0;
      const clock = new VirtualClock();
      const random = (): number => {
        drawn++;
        return clock.random();
      };
      const scheduler = read(option).factory({ now: () => 0, setTimer: clock.setTimer.bind(clock), random });
      scheduler.add(makeServer(1));
      scheduler.add(makeServer(2));
      scheduler.pick({}, undefined);
      assert.equal(drawn, draws);
    }
  });
});

describe('what may not', () => {
  const faultOf = (option: unknown): ConfigFault => {
    const { faults, name } = read(option);
    assert.equal(faults.length, 1, JSON.stringify(faults));
    assert.equal(name === 'roundrobin' || name === 'random', true);
    const [fault] = faults;
    assert.ok(fault);
    return fault;
  };

  for (const option of [
    'static-rr',
    'first',
    'source',
    'uri',
    'uri depth 2',
    'url_param uid',
    'hdr(host)',
    'hash req.hdr(x-user),lower',
    'rdp-cookie(name)',
    'sticky',
    { algorithm: 'uri', depth: 2 },
  ])
    test(`${JSON.stringify(option)} is named as HAProxy's and not supported`, () => {
      const fault = faultOf(option);
      assert.equal(fault.path, 'pool.balance');
      assert.deepEqual(fault.value, option);
      assert.match(fault.message, /^not supported \(HAProxy: balance [a-z_-]+\)$/);
    });

  for (const option of [
    '',
    'round-robin',
    'roundrobin()',
    'roundrobin ',
    'leastconn 2',
    'random()',
    'random(x)',
    'random(-1)',
    'random(2',
    'LEASTCONN',
    'constructor',
    'hasOwnProperty',
    5,
    true,
    null,
    [],
    ['roundrobin'],
    {},
    { algorithm: 7 },
    { algorithm: 'constructor' },
    { algorithm: '__proto__' },
  ])
    test(`${JSON.stringify(option)} is told what is allowed`, () => {
      const fault = faultOf(option);
      assert.equal(fault.path, 'pool.balance');
      for (const name of Object.keys(ALGORITHMS)) assert.ok(fault.message.includes(`'${name}'`));
      assert.match(fault.message, /a function \(environment\) => Scheduler/);
    });

  for (const [option, value] of [
    ['random(0)', 0],
    ['random(17)', 17],
    [{ algorithm: 'random', draws: 1.5 }, 1.5],
    [{ algorithm: 'random', draws: '2' }, '2'],
  ] as const)
    test(`${JSON.stringify(option)} is told the range of draws`, () => {
      const fault = faultOf(option);
      assert.equal(fault.path, 'pool.balance.draws');
      assert.equal(fault.value, value);
      assert.match(fault.message, /an integer from 1 to 16/);
    });

  test('an unknown option of an algorithm', () => {
    const fault = faultOf({ algorithm: 'roundrobin', draws: 2 });
    assert.equal(fault.path, 'pool.balance.draws');
    assert.equal(fault.message, 'is not an option');
  });

  for (const made of [undefined, null, 'roundrobin', {}, { ...ownScheduler, pick: 1 }, { ...ownScheduler, took: 1 }])
    test(`a function that returns ${JSON.stringify(made)} is a ConfigError`, () => {
      const { factory, faults } = read(() => made);
      assert.deepEqual(faults, []);
      assert.throws(
        () => factory(new VirtualClock()),
        (error) => error instanceof ConfigError && error.faults[0]?.path === 'balance',
      );
    });
});

test('TypeScript knows a wrong phrase', () => {
  const accepted: BalanceOption[] = ['roundrobin', 'random(2)', { algorithm: 'random', draws: 2 }, () => ownScheduler];
  // @ts-expect-error no such algorithm
  accepted.push('round-robin');
  // @ts-expect-error draws is a number
  accepted.push('random(two)');
  // @ts-expect-error roundrobin has no options
  accepted.push({ algorithm: 'roundrobin', draws: 2 });
  // @ts-expect-error not a scheduler
  accepted.push(() => ({}));
  assert.equal(accepted.length, 8);
});
