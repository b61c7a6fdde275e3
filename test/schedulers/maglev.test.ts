import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { avalanche, sdbm } from '#src/hashing/functions.ts';
import { maglevBuilder, tooManyForMaglev } from '#src/schedulers/maglev.ts';
import { buildMaglev, MAX_MAGLEV_SERVERS, type MaglevEntry, maglevSize } from '#src/schedulers/maglev-table.ts';
import { TableMemory } from '#src/schedulers/table-memory.ts';
import { parseAddress } from '#src/servers/address.ts';
import { type HashKey, Server } from '#src/servers/server.ts';
import { makeServer, serverSettings } from '../support/make-server.ts';
import { GroupView, SchedulerGroup } from '../support/scheduler-group.ts';

/** The paper's pseudocode of section 3.4, with whole permutations; a server sits out rounds that its weight does not give it. */
function naiveMaglev(entries: readonly MaglevEntry[], size: number): number[] {
  const heaviest = Math.max(...entries.map(({ weight }) => weight));
  const permutations = entries.map(({ offsetHash, skipHash }) => {
    const [offset, skip] = [offsetHash % size, (skipHash % (size - 1)) + 1];
    return Array.from({ length: size }, (_, j) => (offset + j * skip) % size);
  });
  const table = new Array<number>(size).fill(-1);
  const taken = entries.map(() => 0);
  for (let round = 1; ; round++)
    for (const [i, { weight }] of entries.entries()) {
      // A turn in the first round, and then weight / heaviest of one a round.
      const turns = Math.min(round, Math.floor((round * weight) / heaviest) + 1);
      if ((taken[i] as number) >= turns) continue;
      taken[i] = (taken[i] as number) + 1;
      const place = permutations[i]?.find((candidate) => table[candidate] === -1);
      if (place === undefined) return table;
      table[place] = entries[i]?.index ?? -1;
      if (!table.includes(-1)) return table;
    }
}

interface Settings {
  readonly id?: number;
  readonly weight?: number;
  readonly hashKey?: HashKey;
  readonly guid?: string;
}

function serverAt(host: string, { id = 1, weight = 1, hashKey, guid }: Settings = {}): Server {
  const address = parseAddress(`${host}:80`);
  assert.ok(address);
  return new Server(id, host, address, serverSettings({ weight, hashKey, guid }));
}

const hosts = (count: number): string[] => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

function groupOf(servers: readonly Server[]): SchedulerGroup {
  const group = new SchedulerGroup({ balance: 'uri', hashType: 'maglev' });
  group.add(...servers);
  return group;
}

const URLS = Array.from({ length: 20_000 }, (_, n) => `/${n}`);
const ownersOf = (group: SchedulerGroup): (string | undefined)[] => URLS.map((url) => group.pick({ url })?.name);

/** Places by server. */
function placesOf(servers: readonly Server[]): number[] {
  const view = new GroupView();
  view.servers.push(...servers);
  const counts = servers.map(() => 0);
  for (const index of maglevBuilder(view)(servers, new TableMemory())) counts[index] = (counts[index] as number) + 1;
  return counts;
}

/** How many of the keys have another owner; to compare the lists would take long where they differ. */
const movedOf = (before: readonly unknown[], after: readonly unknown[]): number =>
  before.filter((owner, index) => owner !== after[index]).length;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

test('a table is the one of the paper, whatever was in its memory', () => {
  const memory = new TableMemory();
  const hash = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const weight = fc.oneof(fc.constant(16), fc.integer({ min: 1, max: 4_096 }));
  const entry = fc.record({ offsetHash: fc.oneof(hash, fc.nat(3)), skipHash: fc.oneof(hash, fc.nat(3)), weight });
  const size = fc.constantFrom(3, 31, 101, 257);
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 9 }), size, (shuffled, size) => {
      const entries = shuffled.map((each, place) => ({ ...each, index: shuffled.length - 1 - place }));
      const table = Array.from(buildMaglev(entries, size, memory));
      assert.deepEqual(table, naiveMaglev(entries, size));
      if (entries.length <= size) assert.equal(new Set(table).size, entries.length, 'each has a place');
    }),
    { numRuns: 200 },
  );
});

test('a group looks a hash up in the table of its servers', () => {
  const servers = hosts(5).map((host, index) => serverAt(host, { weight: 1 + index }));
  const group = groupOf(servers);
  const table = maglevBuilder(group.view)(servers, new TableMemory());
  assert.equal(table.length, 65_537);
  for (const url of URLS.slice(0, 2_000))
    assert.equal(group.pick({ url }), servers[table[(avalanche(sdbm(url)) >>> 0) % 65_537] as number]);
});

describe('sizes', () => {
  test('are primes of at least 128 places a server', () => {
    const isPrime = (n: number): boolean => {
      for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
      return true;
    };
    let before = 0;
    for (const servers of [
      1,
      2,
      512,
      513,
      1_024,
      1_025,
      2_048,
      2_049,
      4_095,
      5_000,
      10_000,
      20_000,
      MAX_MAGLEV_SERVERS,
    ]) {
      const size = maglevSize(servers);
      assert.ok(size >= 128 * servers && size >= before && isPrime(size), `${size} for ${servers}`);
      before = size;
    }
  });

  test('depend on how many servers are declared, whoever of them is down', () => {
    const servers = hosts(600).map((host) => serverAt(host));
    const view = new GroupView();
    const build = maglevBuilder(view);
    const memory = new TableMemory();
    const lengthFor = (usable: readonly Server[]): number => build(usable, memory).length;
    assert.equal(lengthFor([]), 0);
    view.servers.push(...servers);
    for (const usable of [600, 512, 1]) assert.equal(lengthFor(servers.slice(0, usable)), 131_101);
    assert.equal(lengthFor([]), 0);
  });

  test('end: more servers are told to use another method', () => {
    const declared = new Array(MAX_MAGLEV_SERVERS).fill({ weight: 1, backup: false });
    assert.equal(tooManyForMaglev(declared), undefined);
    assert.match(tooManyForMaglev([...declared, declared[0]]) ?? '', /at most 32768 servers; 'map-based' has no limit/);
  });
});

describe('shares', () => {
  test('of ten equal servers are within 2 % of a tenth', () => {
    const places = placesOf(hosts(10).map((host) => serverAt(host)));
    assert.equal(sum(places), 65_537);
    for (const count of places) assert.ok(Math.abs(count / 6_553.7 - 1) < 0.02, `${places}`);
  });

  test('are in proportion to weight', () => {
    for (const weights of [[1, 2, 3, 4], [1, 256], [100, 50, 25, 1], [7], new Array(40).fill(3)]) {
      const places = placesOf(hosts(weights.length).map((host, i) => serverAt(host, { weight: weights[i] as number })));
      assert.equal(sum(places), 65_537);
      for (const [index, count] of places.entries()) {
        const share = (65_537 * (weights[index] as number)) / sum(weights);
        assert.ok(Math.abs(count - share) <= 0.02 * share + 1, `${count} instead of ${share}`);
      }
    }
  });

  test('follow a weight that changes', () => {
    const [light, ...others] = hosts(4).map((host) => serverAt(host)) as [Server, ...Server[]];
    const group = groupOf([light, ...others]);
    const share = (): number => ownersOf(group).filter((name) => name === light.name).length / URLS.length;
    for (const [weight, expected] of [
      [1, 1 / 4],
      [3, 1 / 2],
      [27, 9 / 10],
      [1, 1 / 4],
    ] as const) {
      group.setWeight(light, weight);
      assert.ok(Math.abs(share() - expected) < 0.02, `${share()} at weight ${weight}`);
    }
  });

  test('of servers with one key are even, too, and stay where they are when the last of them goes', () => {
    const twins = hosts(10).map((host) => serverAt(host, { hashKey: 'guid', guid: 'same' }));
    for (const count of placesOf(twins)) assert.ok(Math.abs(count - 6_553.7) < 1, `${count}`);
    const group = groupOf(twins);
    const before = ownersOf(group);
    group.remove(twins[9] as Server);
    const moved = movedOf(before, ownersOf(group)) / URLS.length;
    assert.ok(moved < 0.15, `${moved} moved, a tenth of them its own`);
  });
});

describe('who moves', () => {
  const ten = (): Server[] => hosts(10).map((host, index) => serverAt(host, { id: index + 1 }));

  test('nobody, when servers are listed in another order and have other ids', () => {
    const before = ownersOf(groupOf(ten()));
    const shuffled = hosts(10).map((_host, index, all) =>
      serverAt(all[(index * 7 + 3) % 10] as string, { id: 50 - index }),
    );
    assert.equal(movedOf(before, ownersOf(groupOf(shuffled))), 0);
  });

  test('nobody, when one with a key changes its address; most, when the key is another', () => {
    const keyed = (prefix: string, guid: string): Server[] =>
      Array.from({ length: 5 }, (_, i) => serverAt(`${prefix}${i}.example`, { hashKey: 'guid', guid: `${guid}${i}` }));
    const indexes = (servers: Server[]): number[] => {
      const group = groupOf(servers);
      return URLS.map((url) => servers.indexOf(group.pick({ url }) as Server));
    };
    const before = indexes(keyed('a', 'x'));
    assert.equal(movedOf(before, indexes(keyed('b', 'x'))), 0);
    const moved = movedOf(before, indexes(keyed('a', 'y'))) / URLS.length;
    assert.ok(Math.abs(moved - 0.8) < 0.05, `${moved} moved, where a fifth stays by chance`);
  });

  test('the keys of one that goes, and at most 5 % of the others; all come back with it', () => {
    const servers = ten();
    const group = groupOf(servers);
    const before = ownersOf(group);
    for (const gone of [servers[0], servers[5], servers[9]] as Server[]) {
      group.remove(gone);
      const heirs = new Map<string | undefined, number>();
      let moved = 0;
      ownersOf(group).forEach((owner, index) => {
        assert.notEqual(owner, gone.name);
        if (before[index] === gone.name) heirs.set(owner, (heirs.get(owner) ?? 0) + 1);
        else if (owner !== before[index]) moved++;
      });
      const own = before.filter((owner) => owner === gone.name).length;
      assert.ok(moved <= 0.05 * (URLS.length - own), `${moved} of ${URLS.length - own} moved`);
      assert.equal(heirs.size, 9);
      for (const count of heirs.values()) assert.ok(Math.abs((9 * count) / own - 1) < 0.3, `${[...heirs.values()]}`);
      group.add(gone);
      assert.equal(movedOf(before, ownersOf(group)), 0);
    }
  });
});

test('a full server keeps its keys, a retry goes elsewhere, and a request without a key takes the next turn', () => {
  const [a, b] = [makeServer(1, { maxconn: 1 }), makeServer(2, { maxconn: 1 })];
  const group = groupOf([a, b]);
  const owner = group.pick({ url: '/' }) as Server;
  const other = owner === a ? b : a;
  group.take(owner);
  assert.equal(group.pick({ url: '/' }), owner);
  assert.equal(group.pick({ url: '/' }, owner), other);
  for (let i = 0; i < 5; i++) assert.equal(group.pick({}), other);
});
