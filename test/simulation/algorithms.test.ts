import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { closedLoop, poisson, uniform, zipf } from './arrivals.ts';
import { constant, exponential, queueing } from './latency.ts';
import { type Scenario, simulate } from './simulate.ts';
import type { Traffic } from './traffic.ts';

/** Any will do: the bounds below hold for the seeds 1 to 20. */
const seed = 7;

type Balance = NonNullable<Scenario['balance']>;

/** Servers that are alike, s1 and so on. */
function servers(count: number, each: Scenario['servers'][string]): Scenario['servers'] {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index + 1}`, each]));
}

function between(value: number, least: number, most: number, what: string): void {
  assert.ok(value >= least && value <= most, `${what}: ${value}, expected ${least} to ${most}`);
}

test('leastconn sends a server four times as slow about a fifth of the traffic', () => {
  const traffic = simulate({
    seed,
    balance: 'leastconn',
    servers: { fast: { latency: constant(10) }, slow: { latency: constant(40) } },
    arrivals: poisson({ everyMs: 1 }), // busy enough that both always have work
    forMs: 10_000,
  });
  // Equal counts in progress mean equal rate × latency: 4 : 1, so 1/5. That they are whole numbers lifts it a little.
  between(traffic.share('slow'), 0.19, 0.25, 'share');
});

describe('one server of ten takes ten times as long', () => {
  const p99 = (balance: Balance): number =>
    simulate({
      seed,
      balance,
      servers: { ...servers(9, { latency: exponential(20) }), slow: { latency: exponential(200) } },
      arrivals: poisson({ everyMs: 2 }),
      forMs: 30_000,
    }).percentile(99);
  const peakEwma = p99('peak-ewma');

  test('with a tenth of the requests, it makes the tail of roundrobin: p99 is its own p90', () => {
    between(p99('roundrobin'), 400, 520, 'p99'); // 200 ms × ln 10 = 461 ms
  });

  test('peak-ewma gives it hardly anything, and p99 is near to that of the others', () => {
    between(peakEwma, 85, 130, 'p99'); // 20 ms × ln 100 = 92 ms
  });

  test('random(2) looks at requests in progress alone, and stands between', () => {
    between(p99('random'), 1.4 * peakEwma, 300, 'p99');
  });
});

test('a server that fails at once draws traffic to itself under leastconn, and not under peak-ewma', () => {
  const failures = (balance: Balance): number =>
    simulate({
      seed,
      balance,
      servers: {
        ...servers(9, { latency: exponential(50) }),
        broken: { latency: constant(1), failing: { share: 1, afterMs: 1 } },
      },
      arrivals: poisson({ everyMs: 2 }),
      forMs: 20_000,
    }).failures();
  between(failures('roundrobin'), 0.09, 0.11, 'roundrobin'); // one of ten
  between(failures('leastconn'), 0.5, 0.62, 'leastconn'); // it is nearly always idle, the others seldom
  between(failures('peak-ewma'), 0, 0.02, 'peak-ewma'); // hardly more than its first answer
});

test('random(2) has half the load of random(1) on the server that is worst off', () => {
  const peak = (draws: number): number =>
    simulate({
      seed,
      balance: { algorithm: 'random', draws },
      servers: servers(100, { latency: constant(1_000) }),
      arrivals: poisson({ everyMs: 2 }), // 500 in progress: 5 each
      forMs: 20_000,
    }).peak();
  // With one draw loads are Poisson: of mean 5, 14 and more comes once in 1,400 looks. With more, what a load exceeds the
  // average by is of the order of log log n (Mitzenmacher 2001).
  between(peak(1), 14, 21, 'one draw');
  between(peak(2), 7, 10, 'two draws');
  between(peak(3), 6, 9, 'three draws');
});

describe('a key that is asked for by 18 % of requests, and ten servers', () => {
  const keys = zipf({ keys: 1_000, exponent: 1.1 });
  const run = (options: Pick<Scenario, 'hashType' | 'hashBalanceFactor'>): Traffic =>
    simulate({
      seed,
      balance: 'uri',
      ...options,
      servers: servers(10, { latency: exponential(100) }),
      arrivals: poisson({ everyMs: 1 }), // 100 in progress: 10 each
      keys,
      forMs: 20_000,
    });
  const heaviest = (traffic: Traffic): number => {
    const loads = traffic.servers.map((server) => traffic.loads(server, traffic.forMs)[0] ?? 0);
    return Math.max(...loads) / (loads.reduce((sum, load) => sum + load) / loads.length);
  };
  const plain = run({ hashType: 'consistent' });
  const bounded = run({ hashType: 'consistent', hashBalanceFactor: 150 });

  test('its server has two to four times the average load, whatever leads there', () => {
    // A share of 0.18 is 1.8 of ten, and with it comes a tenth of all else: 2.6, and more where other hot keys are near.
    between(heaviest(run({ hashType: 'map-based' })), 2.2, 3.4, 'map-based');
    between(heaviest(run({ hashType: 'maglev' })), 2.2, 3.4, 'maglev');
    between(heaviest(plain), 3.3, 4, 'consistent'); // 16 nodes each make an uneven ring
  });

  test('hashBalanceFactor 150 holds it at one and a half times', () => {
    between(heaviest(bounded), 1.4, 1.53, 'load');
  });

  test('and the price is that a part of the requests finds no warm cache', () => {
    const homes = plain.homes();
    const elsewhere = bounded.served.filter(({ key, server }) => homes.get(key) !== server).length;
    // What is above 1.5 of 3.6 tenths, and what that pushes out of its own server in turn.
    between(elsewhere / bounded.served.length, 0.28, 0.38, 'share');
  });
});

describe('a server of ten goes', () => {
  /** Of the keys of the other nine, how many have another server than before. */
  const moved = (hashType: NonNullable<Scenario['hashType']>): number => {
    const traffic = simulate({
      seed,
      balance: 'uri',
      hashType,
      servers: servers(10, { latency: constant(1) }),
      arrivals: poisson({ everyMs: 1 }),
      keys: uniform({ keys: 2_000 }),
      forMs: 20_000,
      events: { 10000: ({ pool }) => pool.server('s2').setState('maint') },
    });
    const after = traffic.homes({ from: 10_000 });
    const kept = [...traffic.homes({ to: 10_000 })].filter(([key, server]) => server !== 's2' && after.has(key));
    return kept.filter(([key, server]) => after.get(key) !== server).length / kept.length;
  };

  test('with a ring, no other key moves', () => {
    assert.equal(moved('consistent'), 0);
  });

  test('with maglev, hardly any does', () => {
    between(moved('maglev'), 0, 0.01, 'moved'); // each place is taken by who comes first, and who came after may move
  });

  test('with a map, nine of ten do', () => {
    between(moved('map-based'), 0.85, 0.93, 'moved'); // hash % 9 is hash % 10 for one key in ten
  });
});

describe('requests of a minute, four servers, and one of them returns', () => {
  const back = 300_000;
  const run = (balance: Balance, slowstart: `${number}s`): Traffic =>
    simulate({
      seed,
      balance,
      servers: servers(4, { latency: exponential(60_000), slowstart }),
      arrivals: poisson({ everyMs: 50 }), // 1,200 in progress: 400 on each of three, then 300 on each of four
      forMs: back + 60_000,
      events: {
        0: ({ pool }) => pool.server('s4').setState('maint'),
        [back]: ({ pool }) => pool.server('s4').setState('ready'),
      },
    });
  const first10s = { from: back, to: back + 10_000 };

  test('under roundrobin it gets its quarter', () => {
    between(run('roundrobin', '0s').share('s4', first10s), 0.23, 0.27, 'share');
  });

  test('under leastconn it gets every request until it has as many as the others', () => {
    assert.equal(run('leastconn', '0s').share('s4', first10s), 1); // 300 at 20 a second: for 15 seconds
  });

  test('with a slow start, that flood is spread over its time', () => {
    // Steps of a 16th of its share, 19 requests or so each, one every four seconds: a quarter of the traffic, and a little.
    between(run('leastconn', '60s').share('s4', first10s), 0.25, 0.45, 'share');
    between(run('roundrobin', '60s').share('s4', first10s), 0.005, 0.06, 'share');
  });
});

describe('first', () => {
  const run = (everyMs: number): Traffic =>
    simulate({
      seed,
      balance: 'first',
      servers: servers(4, { latency: exponential(20), maxconn: 10 }),
      arrivals: poisson({ everyMs }),
      forMs: 10_000,
    });

  test('leaves all but the first server idle at low load', () => {
    assert.equal(run(20).share('s1'), 1); // 1 in progress, of 10 that fit
  });

  test('fills one server after another, each to its maxconn', () => {
    const traffic = run(2); // 10 in progress
    const [s1 = 0, s2 = 0, s3 = 0, s4 = 0] = traffic.servers.map((server) => traffic.share(server));
    // Erlang's formula, B(10, 10) = 0.21: what finds the first ten places taken.
    between(s2 + s3 + s4, 0.18, 0.25, 'what does not fit into the first');
    assert.ok(s1 > s2 && s2 > s3 && s3 > s4 && s4 === 0, `${s1}, ${s2}, ${s3}, ${s4}`);
    assert.equal(traffic.peak({ server: 's1' }), 10);
  });

  test('refuses what finds every server full, as nothing waits yet', () => {
    // 50 in progress, were there room for more than 40. Erlang's formula: B(40, 50) = 0.25.
    between(run(0.4).refused, 0.23, 0.27, 'share');
  });
});

describe('clients that wait for their answers', () => {
  const run = (balance: Balance, workers: number): Traffic =>
    simulate({
      seed,
      balance,
      servers: servers(4, { latency: queueing(workers, exponential(20)) }),
      arrivals: closedLoop({ clients: 40, pauseMs: 50 }),
      forMs: 20_000,
    });

  test('bring fewer requests when servers are slow', () => {
    // 40 clients, 70 ms a round: 571 a second. Where 4 workers do 200 a second at most, that is what comes.
    between(run('leastconn', 40).served.length / 20, 540, 600, 'requests a second');
    between(run('leastconn', 1).served.length / 20, 190, 215, 'requests a second');
  });

  test('get more of them answered where none waits beside an idle server', () => {
    const [even, blind] = [run('leastconn', 4), run('random(1)', 4)];
    assert.ok(even.served.length > 1.02 * blind.served.length, `${even.served.length}, ${blind.served.length}`);
    assert.ok(even.percentile(99) < blind.percentile(99), `${even.percentile(99)}, ${blind.percentile(99)}`);
  });
});

test('the same seed gives the same traffic, and another seed another', () => {
  const run = (seed: number): readonly unknown[] =>
    simulate({
      seed,
      balance: 'random',
      servers: servers(3, { latency: exponential(20) }),
      arrivals: poisson({ everyMs: 10 }),
      forMs: 1_000,
    }).served;
  assert.deepEqual(run(1), run(1));
  assert.notDeepEqual(run(1), run(2));
});
