import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BitSet } from '#src/schedulers/bit-set.ts';

/** Around the bounds of one word, of one word of words, and of three levels. */
const SIZES = [1, 2, 31, 32, 33, 1_023, 1_024, 1_025, 4_095, 32_768, 40_000];

/** The same thing as a sorted array. */
class NaiveSet {
  #members: number[] = [];

  get members(): readonly number[] {
    return this.#members;
  }

  set(member: number, present: boolean): void {
    this.#members = this.#members.filter((other) => other !== member);
    if (!present) return;
    this.#members.push(member);
    this.#members.sort((a, b) => a - b);
  }

  next(from: number): number {
    return this.#members.find((member) => member >= from) ?? -1;
  }
}

for (const size of SIZES)
  describe(`${size} numbers`, () => {
    const inside = fc.oneof(
      fc.nat(size - 1),
      fc.nat(size - 1).map((number) => Math.min(size - 1, number & ~31)), // first of a word
      fc.constantFrom(0, size - 1),
    );
    const step = fc.record({ kind: fc.constantFrom('add', 'add', 'delete'), one: fc.boolean(), member: inside });

    test('whatever comes and goes, the next one from anywhere is that of a sorted array', () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), fc.array(inside, { maxLength: 10 }), (steps, looks) => {
          const set = new BitSet(size);
          const naive = new NaiveSet();
          for (const { kind, one, member } of steps) {
            // Half of the deletions are of members, which a number at random rarely is.
            const which = kind === 'delete' && one ? (naive.members[member % naive.members.length] ?? member) : member;
            set[kind as 'add' | 'delete'](which);
            naive.set(which, kind === 'add');
            assert.equal(set.has(which), kind === 'add');
            for (const from of [0, which, which + 1, ...looks]) assert.equal(set.next(from), naive.next(from));
          }
          for (const from of [...looks, ...naive.members])
            assert.equal(set.has(from), naive.members.includes(from), `${from}`);
        }),
        { numRuns: 100 },
      );
    });

    test('every number may be a member, and none is when all have gone', () => {
      const set = new BitSet(size);
      assert.equal(set.size, size);
      assert.equal(set.next(0), -1);
      for (let member = 0; member < size; member++) set.add(member);
      for (let from = 0; from < size; from++) assert.equal(set.next(from), from);
      for (let member = 0; member < size; member++) {
        set.delete(member);
        assert.equal(set.next(0), member + 1 < size ? member + 1 : -1);
      }
    });

    test('beyond the end there is none', () => {
      const set = new BitSet(size);
      set.add(size - 1);
      assert.equal(set.next(size - 1), size - 1);
      for (const beyond of [size, size + 1, size + 31, size + 32, size + 1_024, 2 * size + 33, 100_000_000])
        assert.equal(set.next(beyond), -1, `from ${beyond}`);
    });
  });

test('a member that is added twice goes at once, and one that is not there goes without effect', () => {
  const set = new BitSet(2_000);
  set.add(1_500);
  set.add(1_500);
  set.delete(7);
  assert.equal(set.next(0), 1_500);
  set.delete(1_500);
  assert.equal(set.next(0), -1);
  set.delete(1_500);
  set.add(1_501);
  assert.equal(set.next(0), 1_501);
});
