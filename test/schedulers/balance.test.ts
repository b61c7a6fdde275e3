import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, type ConfigFault } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import { ALGORITHMS, type Balance, type BalanceOption, readBalance } from '#src/schedulers/index.ts';
import type { Scheduler } from '#src/schedulers/scheduler.ts';
import { makeServer } from '../support/make-server.ts';
import { GroupView, SchedulerGroup } from '../support/scheduler-group.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ownScheduler: Scheduler = {
  add: () => undefined,
  remove: () => undefined,
  reweigh: () => undefined,
  pick: () => undefined,
};

function read(balance: unknown, hashing: object = {}): Balance & { faults: readonly ConfigFault[] } {
  const reader = new OptionReader(balance === undefined ? hashing : { balance, ...hashing }, 'pool');
  const balanced = readBalance(reader);
  reader.rejectUnknown();
  return { ...balanced, faults: reader.faults };
}

describe('what may be written', () => {
  const rows: [BalanceOption | undefined, string][] = [
    [undefined, 'roundrobin'],
    ['roundrobin', 'roundrobin'],
    ['static-rr', 'static-rr'],
    ['leastconn', 'leastconn'],
    ['first', 'first'],
    ['random', 'random'],
    ['random(3)', 'random'],
    ['random(16)', 'random'],
    ['source', 'source'],
    ['uri', 'uri'],
    ['uri whole', 'uri'],
    ['uri len 5 depth 2', 'uri'],
    ['uri path-only', 'uri'],
    ['url_param uid', 'url_param'],
    ['url_param uid check_post', 'url_param'],
    ['hdr(x-user)', 'hdr'],
    ['hdr(host) use_domain_only', 'hdr'],
    ['hash req.hdr(x-user),lower', 'hash'],
    ['rdp-cookie', 'rdp-cookie'],
    ['rdp-cookie(msts)', 'rdp-cookie'],
    ['peak-ewma', 'peak-ewma'],
    [{ algorithm: 'roundrobin' }, 'roundrobin'],
    [{ algorithm: 'leastconn' }, 'leastconn'],
    [{ algorithm: 'random' }, 'random'],
    [{ algorithm: 'random', draws: 1 }, 'random'],
    [{ algorithm: 'uri', whole: true, pathOnly: true, len: 1, depth: 1 }, 'uri'],
    [{ algorithm: 'url_param', name: 'uid', checkPost: true }, 'url_param'],
    [{ algorithm: 'hdr', name: 'Host', useDomainOnly: true }, 'hdr'],
    [{ algorithm: 'hash', key: 'src' }, 'hash'],
    [{ algorithm: 'hash', key: ({ url }) => url }, 'hash'],
    [{ algorithm: 'rdp-cookie', name: 'msts' }, 'rdp-cookie'],
    [{ algorithm: 'sticky' }, 'sticky'],
    [{ algorithm: 'peak-ewma', decay: '5s' }, 'peak-ewma'],
    [() => ownScheduler, 'custom'],
  ];
  for (const [option, name] of rows)
    test(`${typeof option === 'function' ? 'a function' : JSON.stringify(option)} is ${name}`, () => {
      const { faults, ...balance } = read(option);
      assert.deepEqual(faults, []);
      assert.equal(balance.name, name);
      const view = new GroupView();
      const scheduler = balance.factory(new VirtualClock(), view);
      const server = makeServer(1);
      view.servers.push(server);
      scheduler.add(server);
      assert.equal(scheduler.pick({}, undefined), name !== 'custom' ? server : undefined);
    });

  test('what the phrase of an algorithm says is what its object says', () => {
    const same: [BalanceOption, BalanceOption][] = [
      ['uri whole', { algorithm: 'uri', whole: true }],
      ['uri depth 2 len 7', { algorithm: 'uri', len: 7, depth: 2 }],
      ['url_param k', { algorithm: 'url_param', name: 'k' }],
      ['hdr(X-K)', { algorithm: 'hdr', name: 'x-k' }],
      ['hdr(host) use_domain_only', { algorithm: 'hdr', name: 'host', useDomainOnly: true }],
      ['hash req.hdr(x-k)', { algorithm: 'hash', key: 'req.hdr(x-k)' }],
    ];
    for (const [phrase, object] of same) {
      const [one, other] = [phrase, object].map((balance) => {
        const group = new SchedulerGroup({ balance, hashType: 'consistent djb2' });
        group.add(...Array.from({ length: 9 }, (_, index) => makeServer(index + 1)));
        const urls = ['/a/b/c?k=1&l=2', '/a/b/d?k=2', '/a/c/d?m=3', '/', '/x?k=1'];
        return urls.map((url, n) => group.pick({ url, headers: { 'x-k': `k${n}`, host: `h.d${n}.example` } })?.name);
      });
      assert.deepEqual(one, other, String(phrase));
    }
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
      const environment = { now: () => 0, setTimer: clock.setTimer.bind(clock), random };
      const scheduler = read(option).factory(environment, new GroupView());
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

  test("'sticky' is said to be something else than a Node developer means", () => {
    const fault = faultOf('sticky');
    assert.equal(fault.path, 'pool.balance');
    assert.match(fault.message, /\{ algorithm: 'sticky' \}.*'cookie', or 'stick' rules/);
  });

  for (const [balance, path, message] of [
    ['hash req.hdr(x-user),lowr', 'pool.balance.key', /column 17.*lower/],
    ['hash nonesuch', 'pool.balance.key', /column 1/],
    ['hash req.hdr(x', 'pool.balance.key', /column/],
    [{ algorithm: 'hash' }, 'pool.balance.key', /is missing; allowed: a sample, .* or a function/],
    [{ algorithm: 'hash', key: 5 }, 'pool.balance.key', /5 is not allowed/],
    [{ algorithm: 'uri', depth: 0 }, 'pool.balance.depth', /at least 1/],
    [{ algorithm: 'url_param' }, 'pool.balance.name', /is missing/],
    [{ algorithm: 'url_param', name: 'a b' }, 'pool.balance.name', /"a b" is not allowed/],
    [{ algorithm: 'hdr', name: 'x y' }, 'pool.balance.name', /"x y" is not allowed/],
    [{ algorithm: 'peak-ewma', decay: 'soon' }, 'pool.balance.decay', /a duration/],
    [{ algorithm: 'static-rr', weight: 3 }, 'pool.balance.weight', /is not an option/],
  ] as const)
    test(`${JSON.stringify(balance)}: what is wrong, and where`, () => {
      const { faults } = read(balance);
      assert.deepEqual(
        faults.map((fault) => fault.path),
        [path],
      );
      assert.match(faults[0]?.message ?? '', message);
    });

  for (const [hashing, path, message] of [
    [{ hashType: 'ring' }, 'hashType', /"ring" is not allowed.*'map-based', 'consistent', 'maglev'/],
    [{ hashType: 'consistent md5' }, 'hashType', /'sdbm', 'djb2', 'wt6', 'crc32', 'none'/],
    [{ hashType: 'consistent djb2 avalanche twice' }, 'hashType', /is not allowed/],
    [{ hashType: { method: 'consistent', seed: 1 } }, 'hashType', /is not allowed/],
    [{ hashType: ['consistent'] }, 'hashType', /is not allowed/],
    [{ hashType: 'consistent', hashBalanceFactor: 100 }, 'hashBalanceFactor', /from 101 to 65535/],
    [{ hashBalanceFactor: 150 }, 'hashBalanceFactor', /needs hashType: 'consistent'/],
    [{ hashPreserveAffinity: 'maxconn' }, 'hashPreserveAffinity', /needs hashType: 'consistent'/],
    [{ hashType: 'consistent', hashPreserveAffinity: 'never' }, 'hashPreserveAffinity', /'always', 'maxconn'/],
    [{ balance: 'leastconn', hashType: 'consistent' }, 'hashType', /needs a 'balance' that hashes/],
  ] as const)
    test(`${JSON.stringify(hashing)}: what is wrong, and where`, () => {
      const { faults } = read('balance' in hashing ? hashing.balance : 'uri', hashing);
      assert.deepEqual(
        faults.map((fault) => fault.path),
        [`pool.${path}`],
      );
      assert.match(faults[0]?.message ?? '', message);
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
      for (const name of Object.keys(ALGORITHMS)) assert.ok(fault.message.includes(name));
      assert.match(fault.message, /a function \(environment, pool\) => Scheduler/);
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
        () => factory(new VirtualClock(), new GroupView()),
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
  // @ts-expect-error depth is a number
  accepted.push('uri depth two');
  // @ts-expect-error an object only
  accepted.push('sticky');
  // @ts-expect-error roundrobin has no options
  accepted.push({ algorithm: 'roundrobin', draws: 2 });
  // @ts-expect-error not a scheduler
  accepted.push(() => ({}));
  assert.equal(accepted.length, 10);
});
