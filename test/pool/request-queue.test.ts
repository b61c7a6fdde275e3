import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { priorityFrom } from '#src/pool/priority.ts';
import { queueKey, RequestQueue, Waiter } from '#src/pool/request-queue.ts';

const OWNER = { forced: false, onTurn: () => {}, onRefused: () => {}, chooseAnew: () => assert.fail('not asked') };

const priority = fc.record({ class: fc.integer({ min: -3, max: 3 }), offset: fc.integer({ min: -50, max: 50 }) });

test('lower classes first, then by arrival plus offset, then by arrival, whoever leaves in between', () => {
  const steps = fc.array(fc.record({ leave: fc.boolean(), which: fc.nat(), priority, passes: fc.nat(9) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (history) => {
      const queue = new RequestQueue(undefined);
      const model: { waiter: Waiter; class: number; time: number; arrival: number }[] = [];
      let now = 0;
      for (const [arrival, step] of history.entries()) {
        now += step.passes / 4; // several in a millisecond
        if (step.leave && model.length > 0) {
          const [gone] = model.splice(step.which % model.length, 1);
          if (gone) queue.leave(gone.waiter);
        } else {
          const waiter = new Waiter(OWNER, queueKey(step.priority, now), now, now, () => {});
          waiter.arrival = arrival;
          queue.enter(waiter);
          const { class: rank, offset } = step.priority;
          model.push({ waiter, class: rank, time: Math.floor(now) + offset, arrival });
        }
        assert.equal(queue.size, model.length);
      }
      model.sort((a, b) => a.class - b.class || a.time - b.time || a.arrival - b.arrival);
      for (const { waiter } of model) {
        assert.equal(queue.first, waiter);
        queue.leave(waiter);
        assert.equal(waiter.queue, undefined);
      }
      assert.equal(queue.first, undefined);
    }),
  );
});

test('a class counts for more than any time, after years too', () => {
  const years = 10 * 365 * 86_400_000;
  assert.ok(queueKey({ class: -1, offset: 524_287 }, years) < queueKey({ class: 0, offset: -524_287 }, 0));
  assert.ok(queueKey({ class: 2_046, offset: 524_287 }, years) < queueKey({ class: 2_047, offset: -524_287 }, 0));
  assert.notEqual(queueKey({ class: 2_047, offset: 0 }, years), queueKey({ class: 2_047, offset: 1 }, years));
});

test('a priority out of range, or none at all, is refused', () => {
  assert.deepEqual(priorityFrom({ offset: -524_287 }, 'p'), { offset: -524_287 });
  assert.throws(
    () => priorityFrom({ class: 2_048 }, 'p'),
    /^TypeError: p.class: 2048 is not allowed; allowed: an integer/,
  );
  assert.throws(() => priorityFrom({ offset: Number.NaN }, 'p'), /p.offset: NaN is not allowed/);
  assert.throws(() => priorityFrom(5, 'p'), /p: 5 is not an object/);
  assert.throws(() => priorityFrom({ klass: 1 }, 'p'), /p.klass: is not an option/);
});
