import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HashRing } from '#src/schedulers/hash-ring.ts';
import { seededRandom } from '../support/virtual-clock.ts';

interface Node {
  /** Unsigned. */
  readonly key: number;
  readonly owner: number;
}

/** The same thing as a sorted array. */
class NaiveRing {
  readonly nodes: Node[] = [];

  insert(key: number, owner: number): void {
    const place = this.nodes.findIndex((node) => node.key > key >>> 0);
    this.nodes.splice(place === -1 ? this.nodes.length : place, 0, { key: key >>> 0, owner });
  }

  remove(key: number, owner: number): void {
    const place = this.#find(key, owner);
    if (place !== -1) this.nodes.splice(place, 1);
  }

  /** Index of the node nearest to a hash: HAProxy lb_chash.c, over integers without end. */
  nearest(hash: number): number {
    const { length } = this.nodes;
    const next = this.#from(hash);
    const before = (next + length - 1) % length;
    const distance = (from: number, to: number): number => (to - from + 2 ** 32) % 2 ** 32;
    const behind = distance((this.nodes[before] as Node).key, hash >>> 0);
    const ahead = distance(hash >>> 0, (this.nodes[next] as Node).key);
    return behind <= ahead ? before : next;
  }

  /** Index of the node behind one that may be gone. */
  behind(key: number, owner: number): number {
    const place = this.#find(key, owner);
    return place === -1 ? this.#from(key) : (place + 1) % this.nodes.length;
  }

  #from(key: number): number {
    return Math.max(
      0,
      this.nodes.findIndex((node) => node.key >= key >>> 0),
    );
  }

  #find(key: number, owner: number): number {
    return this.nodes.findIndex((node) => node.key === key >>> 0 && node.owner === owner);
  }
}

/** The ring stands at this node, and goes on from there as the array does. */
function assertStandsAt(ring: HashRing, naive: NaiveRing, index: number, steps: number): void {
  const { nodes } = naive;
  for (let i = index, left = steps; ; left--) {
    assert.equal(ring.key | 0, ring.key, 'keys are signed');
    assert.deepEqual({ key: ring.key >>> 0, owner: ring.owner }, nodes[i], `node ${i} of ${nodes.length}`);
    if (left === 0) return;
    i = (i + 1) % nodes.length;
    assert.equal(ring.advance(), i === 0);
  }
}

/** Keys: signed integers of 32 bits, from as many places as the name says. */
const KEYS: readonly (readonly [name: string, key: fc.Arbitrary<number>])[] = [
  ['all keys', fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  ['few keys, told apart by their upper bits', fc.nat(15).map((bits) => bits << 28)],
  ['few keys near the seam', fc.integer({ min: -6, max: 6 })],
  ['the bounds of the signed and of the unsigned', fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 1 - 2 ** 31)],
  ['one key', fc.constant(-5)],
];

for (const [name, key] of KEYS)
  describe(name, () => {
    const owner = fc.nat(5);
    const node = fc.tuple(key, owner);
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('insert' as const), node }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove' as const), node, any: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('insertAll' as const), nodes: fc.array(node) }) },
    );
    // As far from one node as from the next is where ties are.
    const between = fc.tuple(key, key).map(([a, b]) => Math.floor(((a >>> 0) + (b >>> 0)) / 2) | 0);
    const looks = fc.array(fc.oneof(key, key, between, fc.integer()), { minLength: 1, maxLength: 5 });

    test('whatever is put in and taken out, it is a sorted array', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 150, size: 'max' }), looks, (steps, hashes) => {
          const ring = new HashRing();
          const naive = new NaiveRing();
          for (const step of steps) {
            if (step.kind === 'insertAll') {
              const { nodes } = step;
              ring.insertAll(
                Int32Array.from(nodes, ([key]) => key),
                Uint32Array.from(nodes, ([, owner]) => owner),
              );
              for (const [key, owner] of nodes) naive.insert(key, owner);
            } else if (step.kind === 'insert') {
              ring.insert(...step.node);
              naive.insert(...step.node);
            } else {
              const known = naive.nodes[(step.node[0] >>> 0) % naive.nodes.length];
              const [key, owner] = step.any || !known ? step.node : [known.key | 0, known.owner];
              ring.remove(key, owner);
              naive.remove(key, owner);
            }
            assert.equal(ring.size, naive.nodes.length);
            const [hash = 0] = hashes;
            assert.equal(ring.seek(hash), ring.size > 0);
            if (ring.size > 0) assertStandsAt(ring, naive, naive.nearest(hash), 1);
          }
          for (const hash of hashes) {
            assert.equal(ring.seek(hash), ring.size > 0);
            if (ring.size > 0) assertStandsAt(ring, naive, naive.nearest(hash), ring.size + 1);
            for (const owner of [0, 5, 6]) {
              assert.equal(ring.seekBehind(hash, owner), ring.size > 0);
              if (ring.size > 0) assertStandsAt(ring, naive, naive.behind(hash, owner), 2);
            }
          }
          for (const { key, owner } of naive.nodes) {
            ring.seekBehind(key | 0, owner);
            assertStandsAt(ring, naive, naive.behind(key, owner), 1);
          }
        }),
        { numRuns: 150 },
      );
    });
  });

test('of two nodes equally near it is the one before', () => {
  const ring = new HashRing();
  ring.insert(100, 1);
  ring.insert(200, 2);
  for (const [hash, owner] of [
    [100, 1],
    [149, 1],
    [150, 1],
    [151, 2],
    [200, 2],
    [-(2 ** 31), 2], // half round the ring from 0
    [0, 1],
  ] as const) {
    assert.ok(ring.seek(hash));
    assert.equal(ring.owner, owner, `${hash}`);
  }
});

test('the order of equal keys is that in which they came, and outlives every new layout', () => {
  const ring = new HashRing();
  const random = seededRandom(31);
  for (let owner = 0; owner < 50; owner++) ring.insert(7, owner);
  for (let i = 0; i < 5_000; i++) ring.insert((random() * 2 ** 32) | 0, 99);
  ring.insertAll(Int32Array.of(7, 7), Uint32Array.of(50, 51));
  for (let owner = 0; owner < 50; owner += 2) ring.remove(7, owner);
  const expected = [...Array.from({ length: 25 }, (_, i) => 2 * i + 1), 50, 51];
  assert.ok(ring.seekBehind(7, 0)); // it is gone: the first of that key
  for (const owner of expected) {
    assert.deepEqual([ring.key, ring.owner], [7, owner]);
    ring.advance();
  }
  assert.equal(ring.owner, 99);
});

test('it grows by one node at a time to 100,000 and shrinks to none, in order and in little memory', () => {
  const random = seededRandom(32);
  const ring = new HashRing();
  const keys = Int32Array.from({ length: 100_000 }, () => (random() * 2 ** 32) | 0);
  let most = 0;
  keys.forEach((key, index) => {
    ring.insert(key, index);
    if (index >= 1_000) most = Math.max(most, ring.bytes / ring.size);
  });
  assert.equal(ring.size, 100_000);
  assert.ok(ring.bytes <= 16 * ring.size, `${ring.bytes / ring.size} bytes a node`);
  assert.ok(most <= 32, `${most} bytes a node while it grew`);

  const sorted = Uint32Array.from(keys).sort();
  const inOrder = (): number[] => {
    assert.ok(ring.seekBehind(0, -1));
    const found: number[] = [];
    do found.push(ring.key >>> 0);
    while (!ring.advance());
    return found;
  };
  assert.deepEqual(inOrder(), Array.from(sorted));

  for (let index = 0; index < 98_000; index++) ring.remove(keys[index] as number, index);
  const left = Uint32Array.from(keys.subarray(98_000)).sort();
  assert.deepEqual(inOrder(), Array.from(left));
  assert.ok(ring.bytes <= 16 * ring.size, `${ring.bytes / ring.size} bytes a node after most have gone`);

  for (let index = 98_000; index < 100_000; index++) ring.remove(keys[index] as number, index);
  assert.equal(ring.size, 0);
  assert.ok(!ring.seek(0) && !ring.seekBehind(0, 0));
  assert.ok(ring.bytes < 1_000, `${ring.bytes} bytes for none`);
  ring.insert(1, 1);
  assert.ok(ring.seek(-1));
  assert.equal(ring.owner, 1);
});

test('100,000 nodes at once take at most 16 bytes each, and are those put in one by one', () => {
  const random = seededRandom(33);
  const keys = Int32Array.from({ length: 100_000 }, () => (random() * 2 ** 32) | 0);
  const [whole, single] = [new HashRing(), new HashRing()];
  whole.insertAll(
    keys,
    Uint32Array.from(keys, (_key, index) => index),
  );
  keys.forEach((key, index) => {
    single.insert(key, index);
  });
  assert.ok(whole.bytes <= 16 * whole.size, `${whole.bytes / whole.size} bytes a node`);
  for (let i = 0; i < 20_000; i++) {
    const hash = (random() * 2 ** 32) | 0;
    whole.seek(hash);
    single.seek(hash);
    assert.equal(whole.owner, single.owner);
  }
});
