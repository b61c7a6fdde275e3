import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TurnEnd } from '#src/core/turn-end.ts';

test('what was put off comes once, in order, after everything else of the turn', async () => {
  const turnEnd = new TurnEnd();
  const seen: string[] = [];
  const note = (name: string) => ({ onTurnEnd: () => void seen.push(name) });
  turnEnd.add(note('first'));
  process.nextTick(() => {
    seen.push('tick');
    turnEnd.add(note('third'));
  });
  turnEnd.add(note('second'));
  assert.deepEqual(seen, []);
  await nextTurn();
  assert.deepEqual(seen, ['tick', 'first', 'second', 'third']);
  await nextTurn();
  assert.equal(seen.length, 4);
});

test('what is put off at the end of a turn waits for the next one', async () => {
  const turnEnd = new TurnEnd();
  const seen: string[] = [];
  turnEnd.add({
    onTurnEnd() {
      seen.push('this turn');
      turnEnd.add({ onTurnEnd: () => void seen.push('next turn') });
    },
  });
  turnEnd.add({ onTurnEnd: () => void seen.push('this turn, too') });
  await nextTurn();
  assert.deepEqual(seen, ['this turn', 'this turn, too']);
  await nextTurn();
  assert.deepEqual(seen, ['this turn', 'this turn, too', 'next turn']);
});
