import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines, type Expiring } from '#src/core/deadlines.ts';
import type { Timer } from '#src/core/environment.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const LATE_BY_MOST = 10;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

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

/** Knows how many timers have been set, and cuts fractions off their time as Node does. */
class CountingClock extends VirtualClock {
  timersSet = 0;

  override setTimer(callback: () => void, ms: number, holdsProcess?: boolean): Timer {
    this.timersSet++;
    return super.setTimer(callback, Math.trunc(ms), holdsProcess);
  }
}

/** Time can go on with no timer firing, as in a process that is busy. */
class StallingClock extends VirtualClock {
  stalledUntil = 0;

  stall(ms: number): void {
    this.stalledUntil = this.now() + ms;
  }

  override now(): number {
    return Math.max(super.now(), this.stalledUntil);
  }

  override setTimer(callback: () => void, ms: number, holdsProcess?: boolean): Timer {
    return super.setTimer(callback, ms + this.now() - super.now(), holdsProcess);
  }
}

function assertKept(item: Item, deadline: number): void {
  const [at = Number.NaN, ...more] = item.expiredAt;
  assert.ok(at >= deadline && at <= deadline + LATE_BY_MOST, `due at ${deadline}, looked at at ${at}`);
  assert.deepEqual(more, []);
}

test('every limit is kept to 10 ms, whatever the time, and never cut short', () => {
  for (const start of [0, 1, 4_095.3, 17 * DAY + 0.9, 400 * DAY]) {
    const clock = new VirtualClock();
    clock.advance(start);
    const deadlines = new Deadlines(clock);
    const items: Item[] = [];
    for (let limitMs = 0.7; limitMs < 60 * DAY; limitMs *= 1.3) {
      const item = new Item(clock, start + limitMs, (expired) => deadlines.remove(expired));
      items.push(item);
      deadlines.add(item);
    }
    clock.advance(60 * DAY);
    for (const item of items) assertKept(item, item.deadline);
    assert.deepEqual([deadlines.size, clock.pending], [0, 0]);
  }
});

test('a deadline that has passed already is heard of soon, but not from within the call', () => {
  const clock = new VirtualClock();
  clock.advance(5_000);
  const deadlines = new Deadlines(clock);
  const [added, moved] = [1_000, Number.POSITIVE_INFINITY].map(
    (deadline) => new Item(clock, deadline, (expired) => deadlines.remove(expired)),
  ) as [Item, Item];
  deadlines.add(added);
  deadlines.add(moved);
  deadlines.moveTo(moved, 2_000);
  assert.deepEqual([added.expiredAt, moved.expiredAt], [[], []]);
  clock.advance(LATE_BY_MOST);
  assert.deepEqual([added.expiredAt.length, moved.expiredAt.length], [1, 1]);
});

test('an item that never expires holds the process as any other', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  assert.equal(clock.pending, 0);
  const item = new Item(clock, Number.POSITIVE_INFINITY, () => assert.fail('never expires'));
  deadlines.add(item);
  assert.deepEqual([clock.pending, clock.holding], [1, 1]);
  clock.advance(100 * DAY);
  assert.deepEqual([clock.pending, clock.holding], [1, 1]);
  deadlines.remove(item);
  deadlines.remove(item); // a second time is harmless
  assert.deepEqual([clock.pending, deadlines.size], [0, 0]);
});

test('the process is free within 100 ms of the last item’s end, however far its deadline was', () => {
  for (const heldMs of [0, 50, 99, 100, 101, 5_000]) {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    const item = new Item(clock, HOUR, () => assert.fail('is gone before'));
    deadlines.add(item);
    clock.advance(heldMs);
    assert.equal(clock.holding, 1);
    deadlines.remove(item);
    clock.advance(100);
    assert.equal(clock.pending, 0, `held for ${heldMs} ms`);
  }
});

test('a limit of an hour wakes the process a few times, not all the time', () => {
  const clock = new CountingClock();
  clock.advance(12_345_678);
  const deadlines = new Deadlines(clock);
  const item = new Item(clock, clock.now() + HOUR, (expired) => deadlines.remove(expired));
  deadlines.add(item);
  clock.advance(2 * HOUR);
  assertKept(item, item.deadline);
  assert.ok(clock.timersSet <= 6, `${clock.timersSet} timers`);
});

test('100,000 in flight, touched all the time, cost hardly a timer; and all expire when due', () => {
  const clock = new CountingClock();
  const deadlines = new Deadlines(clock);
  const items = Array.from({ length: 100_000 }, () => new Item(clock, 0, (expired) => deadlines.remove(expired)));
  const touch = (item: Item): void => deadlines.moveTo(item, clock.now() + HOUR);
  for (const [index, item] of items.entries()) {
    if (index % 1_000 === 0) clock.advance(10);
    item.deadline = clock.now() + HOUR;
    deadlines.add(item);
  }
  for (let minute = 0; minute < 240; minute++) {
    clock.advance(60_000);
    for (const item of items) touch(item);
  }
  assert.ok(clock.timersSet < 50, `${clock.timersSet} timers in four hours`);
  clock.advance(HOUR - 1);
  assert.equal(deadlines.size, 100_000);
  clock.advance(1 + LATE_BY_MOST);
  assert.equal(deadlines.size, 0);
  for (const item of items) assertKept(item, item.deadline);
});

test('requests that come and go set no timer each, with or without tunnels beside them', () => {
  for (const tunnels of [0, 100]) {
    const clock = new CountingClock();
    const deadlines = new Deadlines(clock);
    for (let i = 0; i < tunnels; i++) deadlines.add(new Item(clock, HOUR, () => assert.fail('is not due')));
    for (let i = 0; i < 10_000; i++) {
      const item = new Item(clock, clock.now() + 5_000, () => assert.fail('is gone before'));
      deadlines.add(item);
      deadlines.moveTo(item, clock.now() + 60_000);
      clock.advance(0.5);
      deadlines.remove(item);
      clock.advance(0.5);
    }
    // One in 100 ms at most: without tunnels, when the wheel is empty at its end; with them, in 4.5 s.
    assert.ok(clock.timersSet <= 102, `${clock.timersSet} timers in 10 s`);
  }
});

test('no timer is set that is not needed', () => {
  const clock = new CountingClock();
  clock.advance(0.3);
  const deadlines = new Deadlines(clock);
  const counted = (acts: () => void): number => {
    const before = clock.timersSet;
    acts();
    return clock.timersSet - before;
  };
  const short = (): Item => new Item(clock, clock.now() + 50.5, (item) => deadlines.remove(item));
  const firedOnce = (): void => {
    const item = short();
    deadlines.add(item);
    clock.advance(70);
    assertKept(item, item.deadline);
  };
  assert.equal(counted(firedOnce), 1, 'when nothing is left, the timer is not set again');
  const retried = new Item(clock, clock.now() + 500, (item) => {
    deadlines.remove(item);
    deadlines.add(short());
  });
  deadlines.add(retried);
  clock.advance(450);
  assert.equal(
    counted(() => clock.advance(100)),
    1,
    'what comes at a deadline is slept for with the rest',
  );
  assert.equal(
    counted(() => clock.advance(100)),
    0,
  );
  assert.equal(deadlines.size, 0);
  deadlines.add(new Item(clock, clock.now() + HOUR, () => assert.fail('is not due')));
  clock.advance(20 * 60_000);
  assert.equal(counted(firedOnce), 2, 'after a long sleep: for what has come, and for what was there');
});

test('what comes late in a long sleep, and looks nearer than it is to a wheel that is behind, does not put off what is next', () => {
  const clock = new VirtualClock();
  clock.advance(31_900);
  const deadlines = new Deadlines(clock);
  const items = [33_400, 65_030].map((deadline) => new Item(clock, deadline, (item) => deadlines.remove(item)));
  const [first, second] = items as [Item, Item];
  deadlines.add(first);
  clock.advance(600);
  deadlines.add(second);
  clock.advance(HOUR);
  for (const item of items) assertKept(item, item.deadline);
});

test('what takes long at one deadline makes the next no later than it must be', () => {
  const clock = new StallingClock();
  const deadlines = new Deadlines(clock);
  const slow = new Item(clock, 100, (item) => {
    deadlines.remove(item);
    clock.stall(5_000);
  });
  const later = [5_500, 3_000].map((deadline) => new Item(clock, deadline, (item) => deadlines.remove(item)));
  for (const item of [slow, ...later]) deadlines.add(item);
  clock.advance(20_000);
  const [next, missed] = later as [Item, Item];
  assertKept(next, 5_500);
  assertKept(missed, (slow.expiredAt[0] as number) + 5_000);
});

test('what comes while the timer is overdue does not hide what is due', () => {
  for (const [start, stalledUntil] of [
    [320, 600],
    [320.5, 560.2], // less than a millisecond overdue
  ] as const) {
    const clock = new StallingClock();
    clock.advance(start);
    const deadlines = new Deadlines(clock);
    const items = [560, stalledUntil + 380].map(
      (deadline) => new Item(clock, deadline, (item) => deadlines.remove(item)),
    ) as [Item, Item];
    deadlines.add(items[0]);
    clock.advance(150);
    clock.stall(stalledUntil - clock.now());
    deadlines.add(items[1]); // far enough for a slot that begins before the first one's deadline
    clock.advance(2_000);
    assertKept(items[0], stalledUntil);
    assertKept(items[1], items[1].deadline);
  }
});

test('a shorter limit counts at once, a longer one when the old one would have passed', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const item = new Item(clock, HOUR, (expired) => deadlines.remove(expired));
  deadlines.add(item);
  clock.advance(60_000);
  deadlines.moveTo(item, 61_000);
  clock.advance(999);
  deadlines.moveTo(item, 90_000);
  item.deadline = 120_000;
  clock.advance(59_000);
  assert.deepEqual(item.expiredAt, []);
  clock.advance(HOUR);
  assertKept(item, 120_000);
  deadlines.moveTo(item, 5); // not watched: only the field
  assert.deepEqual([item.deadline, deadlines.size], [5, 0]);
});

test('one that throws keeps nobody else from being heard', () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const items = [0, 1, 2].map(
    (index) =>
      new Item(clock, 50, (item) => {
        deadlines.remove(item);
        if (index === 0) throw new Error('thrown');
      }),
  );
  for (const item of items) deadlines.add(item);
  assert.throws(() => clock.advance(1_000), /thrown/);
  clock.advance(LATE_BY_MOST);
  assert.deepEqual(
    items.map((item) => item.expiredAt.length),
    [1, 1, 1],
  );
  assert.deepEqual([deadlines.size, clock.pending], [0, 0]);
});

/** What the naive model knows of an item that is watched: when it is due, and since when it has been due then. */
interface Due {
  at: number;
  readonly since: number;
}

const ITEMS = 12;
const inMs = fc.oneof(
  fc.nat(30),
  fc.nat(1_200),
  fc.nat(70_000).map((ms) => ms + 0.25),
  fc.nat(3 * HOUR),
  fc.nat(60 * DAY),
  fc.constantFrom(16, 500, 5_000, 60_000, HOUR), // several in one slot
  fc.constant(Number.POSITIVE_INFINITY),
);
const change = fc.record({
  kind: fc.constantFrom('add', 'add', 'remove', 'moveTo', 'moveTo', 'assign'),
  item: fc.nat(ITEMS - 1),
  inMs,
});
const pass = fc.record({ kind: fc.constantFrom('advance', 'advance', 'advance', 'stall'), item: fc.constant(0), inMs });
const act = fc.oneof(change, pass);

test('items come, go and move, in between and at each other’s deadlines, as in a naive model', () => {
  fc.assert(
    fc.property(
      fc.nat(400 * DAY),
      fc.array(act, { maxLength: 80, size: 'max' }),
      fc.array(fc.array(fc.oneof({ weight: 9, arbitrary: change }, pass), { maxLength: 3 }), {
        minLength: ITEMS,
        maxLength: ITEMS,
      }),
      (start, acts, changesAtDeadline) => {
        const clock = new StallingClock();
        clock.advance(start);
        const deadlines = new Deadlines(clock);
        const lateAt = ({ at, since }: Due): number => Math.max(at, since, clock.stalledUntil) + LATE_BY_MOST;
        const due = new Map<Item, Due>();
        let budget = 100; // items that set each other off might never end
        const items = changesAtDeadline.map(
          (changes) =>
            new Item(clock, 0, (item) => {
              const now = clock.now();
              const expected = due.get(item);
              assert.ok(expected, 'it is not in');
              assert.ok(expected.at <= now, 'too early');
              assert.ok(now <= lateAt(expected), 'too late');
              deadlines.remove(item);
              due.delete(item);
              if (budget-- > 0) for (const next of changes) apply(next);
            }),
        );
        const apply = ({ kind, item: index, inMs: ms }: { kind: string; item: number; inMs: number }): void => {
          const item = items[index] as Item;
          const now = clock.now();
          const known = due.get(item);
          if (kind === 'stall') clock.stall(Math.min(ms, 1_000));
          else if (kind === 'add' && !known) {
            item.deadline = now + ms;
            deadlines.add(item);
            due.set(item, { at: item.deadline, since: now });
          } else if (kind === 'remove') {
            deadlines.remove(item);
            due.delete(item);
          } else if (kind === 'moveTo') {
            deadlines.moveTo(item, now + ms);
            if (known) due.set(item, { at: now + ms, since: now });
          } else if (kind === 'assign' && known) {
            item.deadline = Math.max(item.deadline, now + ms);
            known.at = item.deadline;
          }
        };
        for (const one of acts) {
          if (one.kind === 'advance') clock.advance(Math.min(one.inMs, 10 * DAY));
          else apply(one);
          const now = clock.now();
          for (const expected of due.values()) assert.ok(now <= lateAt(expected), 'it was not heard');
          assert.equal(deadlines.size, due.size);
          assert.equal(clock.pending, clock.holding);
          assert.ok(clock.pending === 1 || (clock.pending === 0 && due.size === 0), `${clock.pending} timers`);
        }
        for (const item of items) deadlines.remove(item);
        clock.advance(20 * HOUR); // more than it can have stalled
        assert.deepEqual([deadlines.size, clock.pending], [0, 0]);
      },
    ),
    { numRuns: 2_000 },
  );
});
