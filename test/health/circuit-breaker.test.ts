import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CircuitBreaker } from '#src/health/circuit-breaker.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const SETTINGS = { baseEjectionMs: 100, maxEjectionMs: 350, trials: 2 };

/** The same, by what has happened so far: nothing is kept that can be looked up in the past. */
class NaiveBreaker {
  readonly past: { readonly at: number; readonly what: 'open' | 'close'; readonly forMs: number }[] = [];
  /** Trials since it was half-open, in order: what became of each. */
  trials: ('running' | 'passed' | 'ended')[] = [];
  factor = 0;

  state(now: number): 'closed' | 'open' | 'half-open' {
    const last = this.past.at(-1);
    if (last?.what !== 'open') return 'closed';
    return now < last.at + last.forMs ? 'open' : 'half-open';
  }

  admits(now: number): boolean {
    const running = this.trials.filter((trial) => trial === 'running').length;
    return this.state(now) === 'closed' || (this.state(now) === 'half-open' && running < SETTINGS.trials);
  }

  open(now: number): number {
    if (this.factor * SETTINGS.baseEjectionMs < SETTINGS.maxEjectionMs) this.factor++;
    const forMs = Math.min(this.factor * SETTINGS.baseEjectionMs, SETTINGS.maxEjectionMs);
    this.past.push({ at: now, what: 'open', forMs });
    this.trials = [];
    return forMs;
  }
}

type Step =
  | { readonly do: 'open' | 'take' | 'pass' | 'fail' | 'leave' | 'rest' }
  | { readonly do: 'wait'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.constantFrom<Step>(
      ...(['open', 'take', 'take', 'pass', 'pass', 'fail', 'leave', 'rest'] as const).map((what) => ({ do: what })),
    ),
    fc.integer({ min: 1, max: 200 }).map((ms): Step => ({ do: 'wait', ms })),
  ),
  { maxLength: 60 },
);

test('a breaker goes through its states as a naive one does, whatever happens in whatever order', () => {
  fc.assert(
    fc.property(steps, (run) => {
      const clock = new VirtualClock();
      const naive = new NaiveBreaker();
      const breaker = new CircuitBreaker(clock, SETTINGS, () => undefined);
      for (const step of run) {
        const now = clock.now();
        const state = naive.state(now);
        const running = naive.trials.indexOf('running');
        if (step.do === 'wait') clock.advance(step.ms);
        else if (step.do === 'open' || step.do === 'fail') {
          // A trial fails, or what was watched meanwhile says so.
          if (step.do === 'open' ? state === 'closed' : running !== -1) assert.equal(breaker.open(), naive.open(now));
        } else if (step.do === 'take') {
          breaker.took();
          if (state === 'half-open') naive.trials.push('running');
        } else if (step.do === 'rest') {
          breaker.rest();
          if (state === 'closed') naive.factor = Math.max(0, naive.factor - 1);
        } else if (running !== -1) {
          naive.trials[running] = step.do === 'pass' ? 'passed' : 'ended';
          const enough = naive.trials.filter((trial) => trial === 'passed').length >= SETTINGS.trials;
          if (step.do === 'pass') assert.equal(breaker.pass(), enough);
          breaker.freed();
          if (step.do === 'pass' && enough) {
            breaker.close();
            naive.past.push({ at: now, what: 'close', forMs: 0 });
            naive.trials = [];
          }
        }
        const at = clock.now();
        assert.equal(breaker.state, naive.state(at));
        assert.equal(breaker.admits, naive.admits(at));
        const last = naive.past.at(-1);
        assert.equal(breaker.ejectedForMs, naive.state(at) === 'open' && last ? last.at + last.forMs - at : undefined);
        assert.equal(breaker.ejections, naive.past.filter(({ what }) => what === 'open').length);
        assert.equal(clock.pending, naive.state(at) === 'open' ? 1 : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test('the time of an ejection grows with each, to a limit, and shrinks with each calm interval', () => {
  const clock = new VirtualClock();
  const breaker = new CircuitBreaker(clock, SETTINGS, () => undefined);
  const times = [1, 2, 3, 4, 5].map(() => breaker.open());
  assert.deepEqual(times, [100, 200, 300, 350, 350]);
  breaker.close();
  for (let i = 0; i < 3; i++) breaker.rest();
  assert.deepEqual([breaker.remembers, breaker.open()], [true, 200]);
  breaker.close();
  for (let i = 0; i < 9; i++) breaker.rest();
  assert.deepEqual([breaker.remembers, breaker.open()], [false, 100]);
});

test('a time that the server asks for is taken as it is, and makes no other longer', () => {
  const breaker = new CircuitBreaker(new VirtualClock(), SETTINGS, () => undefined);
  assert.deepEqual([breaker.open(777), breaker.open(3), breaker.open()], [777, 3, 100]);
});

test('only attempts that began in the present state say something of it', () => {
  const clock = new VirtualClock();
  const breaker = new CircuitBreaker(clock, SETTINGS, () => undefined);
  assert.ok(breaker.concerns(0));
  clock.advance(10);
  breaker.open();
  assert.ok(!breaker.concerns(20));
  clock.advance(100);
  assert.deepEqual([breaker.state, breaker.concerns(109), breaker.concerns(110)], ['half-open', false, true]);
  clock.advance(10);
  breaker.close();
  assert.deepEqual([breaker.concerns(119), breaker.concerns(120)], [false, true]);
});
