import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setPatientTimer } from '#src/core/patient-timer.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

test('a process that was held up has a moment more for what it has had no time to see', () => {
  const clock = new VirtualClock();
  let late = 0;
  const heldUp = { ...clock, now: () => clock.now() + late, setTimer: clock.setTimer.bind(clock), random: () => 0 };
  const told: string[] = [];
  setPatientTimer(heldUp, () => told.push('one'), 50);
  clock.advance(49);
  assert.equal(told.length, 0);
  late = 4;
  clock.advance(1);
  assert.deepEqual(told, ['one'], 'in time, or nearly');

  late = 0;
  setPatientTimer(heldUp, () => told.push('two'), 50);
  setPatientTimer(heldUp, () => told.push('never'), 50).cancel();
  const gone = setPatientTimer(heldUp, () => told.push('never'), 50);
  late = 30;
  clock.advance(50);
  assert.deepEqual(told, ['one']);
  gone.cancel();
  clock.advance(5);
  assert.deepEqual(told, ['one', 'two'], 'not for ever');
});
