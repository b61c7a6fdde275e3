import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEVER, TICK_MS, TimerWheel } from '#src/core/timer-wheel.ts';

/** The handles that have come up. They are taken out. */
function due(wheel: TimerWheel): number[] {
  const handles: number[] = [];
  for (let handle = wheel.nextDue(); handle !== 0; handle = wheel.nextDue()) {
    handles.push(handle);
    wheel.give(handle);
  }
  return handles;
}

test('an entry lies in a slot that comes up before its deadline, the more finely the nearer', () => {
  const now = 1_000_000;
  for (const [inMs, atMostEarly] of [
    [0, 0],
    [400, 0],
    [5_000, 512],
    [60_000, 32_768],
    [3_600_000, 2_097_152],
    [100 * 86_400_000, 100 * 86_400_000],
  ] as const) {
    const wheel = new TimerWheel(now);
    const handle = wheel.take();
    const deadline = now + inMs;
    wheel.file(handle, { deadline });
    const at = wheel.comesUpAt(handle);
    assert.ok(at > now && at >= deadline - atMostEarly && at <= deadline + TICK_MS, `${inMs}: ${at - now}`);
    assert.equal(wheel.next(), at);
    wheel.advance(at - 1);
    assert.deepEqual(due(wheel), []);
    wheel.advance(at);
    assert.equal(wheel.next(), at + TICK_MS, 'something is left to be seen to');
    assert.deepEqual(due(wheel), [handle]);
    assert.equal(wheel.next(), NEVER);
  }
});

test('the wheel knows when it must be looked at next, to the tick, wherever it stands', () => {
  for (let from = 0; from < 130; from++)
    for (const ticks of [1, 2, 63, 64, 65, 127, 128, 129, 4_095, 4_096, 4_097, 4_160, 4_161, 8_192, 262_144, 266_305]) {
      const now = from * TICK_MS;
      const wheel = new TimerWheel(now);
      const handle = wheel.take();
      wheel.file(handle, { deadline: now + ticks * TICK_MS });
      assert.equal(wheel.next(), wheel.comesUpAt(handle), `${ticks} ticks from ${from}`);
      assert.ok(wheel.next() > now && wheel.next() <= now + ticks * TICK_MS);
    }
});

test('what never comes is in no slot', () => {
  const wheel = new TimerWheel(0);
  const handle = wheel.take();
  wheel.file(handle, { deadline: Number.POSITIVE_INFINITY });
  assert.deepEqual([wheel.comesUpAt(handle), wheel.next()], [NEVER, NEVER]);
  wheel.advance(1e12);
  assert.equal(wheel.nextDue(), 0);
  wheel.give(handle);
});

test('a clock whose zero lies ahead, or half a year back', () => {
  for (const now of [-1e10, 20e9, 2 ** 50]) {
    const wheel = new TimerWheel(now);
    const [near, far] = [wheel.take(), wheel.take()];
    wheel.file(near, { deadline: now + 100 });
    wheel.file(far, { deadline: now + 100_000 });
    wheel.advance(now + 100 + TICK_MS);
    assert.deepEqual(due(wheel), [near]);
    wheel.advance(now + 100_000);
    assert.deepEqual(due(wheel), [far]);
  }
});

test('grows with its entries, loses none of them by it, and gives the memory back', () => {
  const wheel = new TimerWheel(0);
  const { capacity } = wheel;
  const handles = new Set<number>();
  for (let i = 0; i < 5_000; i++) {
    const handle = wheel.take();
    handles.add(handle);
    wheel.file(handle, { deadline: i * 100 });
  }
  assert.equal(handles.size, 5_000);
  assert.ok(wheel.capacity > 5_000);
  const [first = 0] = handles;
  assert.equal(wheel.comesUpAt(first), TICK_MS);
  wheel.advance(1e9);
  assert.deepEqual(new Set(due(wheel)), handles);
  wheel.shrink();
  assert.equal(wheel.capacity, capacity);
  const handle = wheel.take();
  wheel.file(handle, { deadline: 1e9 + 50 });
  wheel.advance(1e9 + 50 + TICK_MS);
  assert.deepEqual(due(wheel), [handle]);
});
