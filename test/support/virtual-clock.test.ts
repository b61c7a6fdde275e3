import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

test('time stands still until it is advanced, and timers fire in order, each at its own time', () => {
  const clock = new VirtualClock();
  const fired: [string, number][] = [];
  clock.setTimer(() => fired.push(['late', clock.now()]), 30);
  clock.setTimer(() => fired.push(['first', clock.now()]), 10);
  clock.setTimer(() => fired.push(['second', clock.now()]), 10);
  assert.equal(clock.pending, 3);
  clock.advance(29);
  assert.deepEqual(fired, [
    ['first', 10],
    ['second', 10],
  ]);
  assert.equal(clock.now(), 29);
  assert.equal(clock.pending, 1);
  clock.advance(1);
  assert.deepEqual(fired.at(-1), ['late', 30]);
  assert.equal(clock.pending, 0);
});

test('a timer set by a timer fires in the same advance when it comes due', () => {
  const clock = new VirtualClock();
  let ticks = 0;
  const again = (): void => {
    ticks++;
    clock.setTimer(again, 100);
  };
  clock.setTimer(again, 100);
  clock.advance(3_600_000);
  assert.equal(ticks, 36_000);
  assert.equal(clock.pending, 1);
});

test('a cancelled timer does not fire, and a second cancel, or one after it fired, does nothing', () => {
  const clock = new VirtualClock();
  let fired = 0;
  const cancelled = clock.setTimer(() => fired++, 10, true);
  const kept = clock.setTimer(() => fired++, 10, true);
  assert.equal(clock.holding, 2);
  cancelled.cancel();
  cancelled.cancel();
  assert.deepEqual([clock.pending, clock.holding], [1, 1]);
  clock.advance(10);
  kept.cancel();
  assert.deepEqual([fired, clock.pending, clock.holding], [1, 0, 0]);
});

test('no delay waits less than 1 ms, none longer than setTimeout can', () => {
  const clock = new VirtualClock();
  const fired: number[] = [];
  for (const ms of [0, -5, Number.NaN, Number.POSITIVE_INFINITY]) clock.setTimer(() => fired.push(clock.now()), ms);
  clock.advance(2_147_483_647);
  assert.deepEqual(fired, [1, 1, 1, 2_147_483_647]);
});

test('an error in a timer comes out of advance, and the clock can go on', () => {
  const clock = new VirtualClock();
  let fired = 0;
  clock.setTimer(() => {
    throw new Error('from the timer');
  }, 5);
  clock.setTimer(() => fired++, 6);
  assert.throws(() => clock.advance(10), /from the timer/);
  assert.equal(clock.now(), 5);
  clock.advance(10);
  assert.deepEqual([fired, clock.now()], [1, 15]);
});

test('the clock refuses to be moved by its own timers, backwards, or for ever', () => {
  const clock = new VirtualClock();
  clock.setTimer(() => clock.advance(1), 1);
  assert.throws(() => clock.advance(1), /must not move the clock/);
  assert.throws(() => clock.advance(-1), RangeError);
  assert.throws(() => clock.advance(Number.POSITIVE_INFINITY), RangeError);
});

test('advanceAsync lets promise callbacks run between timers, and fires the timers they set', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms));
  const walker = async (name: string, ms: number): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await sleep(ms);
      seen.push(`${name}@${clock.now()}`);
    }
  };
  const both = Promise.all([walker('slow', 30), walker('quick', 20)]);
  await clock.advanceAsync(90);
  await both;
  assert.deepEqual(seen, ['quick@20', 'slow@30', 'quick@40', 'slow@60', 'quick@60', 'slow@90']);
  assert.equal(clock.now(), 90);
});

test('the same seed gives the same numbers, spread over [0, 1)', () => {
  const [a, b, other] = [new VirtualClock({ seed: 7 }), new VirtualClock({ seed: 7 }), seededRandom(8)];
  const numbers = Array.from({ length: 10_000 }, () => a.random());
  assert.deepEqual(
    numbers,
    Array.from({ length: 10_000 }, () => b.random()),
  );
  assert.notEqual(numbers[0], other());
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  assert.ok(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
});

test('any run of sets, cancels and advances fires what a sorted list would', () => {
  const step = fc.oneof(
    fc.record({ set: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ cancel: fc.nat() }),
    fc.record({ advance: fc.integer({ min: 0, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const clock = new VirtualClock();
      const fired: number[] = [];
      const expected: number[] = [];
      const timers: { cancel(): void }[] = [];
      let model: { id: number; at: number }[] = [];
      for (const what of steps) {
        if ('set' in what) {
          const id = timers.length;
          timers.push(clock.setTimer(() => fired.push(id), what.set));
          model.push({ id, at: clock.now() + what.set });
        } else if ('cancel' in what) {
          const id = timers.length === 0 ? -1 : what.cancel % timers.length;
          timers[id]?.cancel();
          model = model.filter((timer) => timer.id !== id);
        } else {
          const end = clock.now() + what.advance;
          const due = model.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.id - b.id);
          expected.push(...due.map((timer) => timer.id));
          model = model.filter((timer) => timer.at > end);
          clock.advance(what.advance);
        }
        assert.equal(clock.pending, model.length);
      }
      assert.deepEqual(fired, expected);
    }),
  );
});

test('timers that outlive a thousand cancelled ones still fire in order', () => {
  const clock = new VirtualClock();
  const fired: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const at = 1 + ((i * 7919) % 1000); // every time from 1 to 1000 once, in no order
    const timer = clock.setTimer(() => fired.push(at), at);
    if (at % 50 !== 0) timer.cancel();
  }
  assert.equal(clock.pending, 20);
  clock.advance(1000);
  assert.deepEqual(
    fired,
    Array.from({ length: 20 }, (_, i) => 50 * (i + 1)),
  );
});
