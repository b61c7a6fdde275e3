import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines, type Expiring } from '#src/core/deadlines.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

class Item implements Expiring {
  deadline: number;
  deadlineIndex = -1;
  readonly expiredAt: number[] = [];
  readonly #clock: VirtualClock;
  readonly #then: (item: Item) => void;

  constructor(clock: VirtualClock, deadline: number, then: (item: Item) => void) {
    this.#clock = clock;
    this.deadline = deadline;
    this.#then = then;
  }

  onDeadline(): void {
    this.expiredAt.push(this.#clock.now());
    this.#then(this);
  }
}

test('a deadline is kept to a hundredth of the shortest time-out, at best to 10 ms', () => {
  for (const [shortestMs, lateByMost] of [
    [100, 10],
    [5_000, 50],
    [60_000, 100],
    [Number.POSITIVE_INFINITY, 100],
  ] as const) {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock, shortestMs);
    const item = new Item(clock, 1_003, (expired) => deadlines.remove(expired));
    deadlines.add(item);
    clock.advance(5_000);
    const [at = 0] = item.expiredAt;
    assert.ok(at >= 1_003 && at <= 1_003 + lateByMost, `at ${at}`);
    assert.equal(item.expiredAt.length, 1);
  }
});

test('the timer holds the process, and runs only while something is watched', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, 1_000);
  assert.equal(clock.pending, 0);
  const item = new Item(clock, Number.POSITIVE_INFINITY, () => assert.fail('never expires'));
  deadlines.add(item);
  assert.deepEqual([clock.pending, clock.holding], [1, 1]);
  clock.advance(100_000);
  assert.equal(clock.pending, 1);
  deadlines.remove(item);
  deadlines.remove(item); // a second time is harmless
  clock.advance(10);
  assert.deepEqual([clock.pending, deadlines.size], [0, 0]);
});

test('items come, go, move and remove each other: each expires when due, and only while it is in', () => {
  const act = fc.record({
    at: fc.nat(990),
    kind: fc.constantFrom('add', 'remove', 'move'),
    item: fc.nat(9),
    inMs: fc.nat(300),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const clock = new VirtualClock();
      const deadlines = new Deadlines(clock, 1_000);
      const due = new Map<Item, number>(); // the naive model: what is in, and when it is due
      const items = Array.from(
        { length: 10 },
        (_, index) =>
          new Item(clock, 0, (item) => {
            const at = due.get(item);
            assert.ok(at !== undefined && at <= clock.now(), 'expired too early, or when it was out');
            const victim = items[(index + 3) % 10]; // every other one takes another with it
            for (const gone of index % 2 === 0 && victim ? [item, victim] : [item]) {
              deadlines.remove(gone);
              due.delete(gone);
            }
          }),
      );
      for (const { at, kind, item: index, inMs } of [...acts].sort((a, b) => a.at - b.at)) {
        clock.advance(Math.max(0, at - clock.now()));
        const item = items[index];
        if (!item) continue;
        if (kind === 'remove') {
          deadlines.remove(item);
          due.delete(item);
          continue;
        }
        item.deadline = clock.now() + inMs;
        if (kind === 'add' && !due.has(item)) deadlines.add(item);
        if (kind === 'add' || due.has(item)) due.set(item, item.deadline);
        assert.equal(deadlines.size, due.size);
      }
      clock.advance(1_000);
      assert.deepEqual([deadlines.size, due.size, clock.pending], [0, 0, 0]);
    }),
  );
});
