import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ClientRequest } from '#src/core/exchange.ts';
import { BodyMemory } from '#src/forward/body-memory.ts';
import { type BodySink, RequestBody } from '#src/forward/body-replay.ts';

/** A client's message that says what a test has it say. */
class Source extends EventEmitter {
  readableFlowing: boolean | null = null;
  readonly rawTrailers: string[] = [];

  resume(): void {
    this.readableFlowing = true;
  }

  pause(): void {
    this.readableFlowing = false;
  }

  say(bytes: number): void {
    if (this.readableFlowing) this.emit('data', Buffer.alloc(bytes, 'x'));
  }
}

class Sink implements BodySink {
  bytes = 0;
  ended = false;

  onRequestBody(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    return true;
  }
  onRequestEnd(): void {
    this.ended = true;
  }
  onRequestBroken(): void {
    this.ended = true;
  }
}

function bodyOf(source: Source, limit: number, memory: BodyMemory): RequestBody {
  return RequestBody.from(source as unknown as ClientRequest, 'chunked', limit, memory);
}

test('what is held is counted, and a body that finds no room is not held', () => {
  const memory = new BodyMemory(100);
  const [first, second] = [new Source(), new Source()];
  const [one, other] = [bodyOf(first, 80, memory), bodyOf(second, 80, memory)];
  one.start(new Sink());
  other.start(new Sink());
  first.say(60);
  assert.deepEqual([memory.used, one.replayable], [60, true]);
  second.say(30);
  assert.deepEqual([memory.used, other.replayable], [90, true]);
  second.say(30); // within its own limit, and beyond that of all
  assert.deepEqual([memory.used, one.replayable, other.replayable], [60, true, false]);
  first.say(30); // beyond its own
  assert.deepEqual([memory.used, one.replayable], [0, false]);
  one.forget();
  other.forget();
  assert.equal(memory.used, 0);
});

test('what was peeked at is held whatever the limits say, until it is of no use', () => {
  const memory = new BodyMemory(10);
  const source = new Source();
  const body = bodyOf(source, 0, memory);
  let peeked = false;
  body.peek(50, () => (peeked = true));
  source.say(30);
  source.say(30);
  assert.deepEqual([peeked, memory.used, body.heldText.length, body.replayable], [true, 60, 60, true]);
  const sink = new Sink();
  body.start(sink);
  assert.equal(sink.bytes, 60);
  source.say(1);
  assert.deepEqual([memory.used, body.replayable, sink.bytes], [0, false, 61]);
});

test('a peek that is given up leaves nothing to hold or to wait for', () => {
  const memory = new BodyMemory(100);
  const source = new Source();
  const body = bodyOf(source, 100, memory);
  body.peek(50, () => assert.fail('nobody waits for it'));
  source.say(30);
  let exceeded = false;
  body.drain(40, () => (exceeded = true));
  assert.equal(memory.used, 0);
  source.say(30);
  assert.equal(exceeded, false);
  source.say(30);
  assert.equal(exceeded, true);
});

test('bodies without a source are nobody’s memory, and stay', () => {
  for (const body of [RequestBody.none, RequestBody.empty, RequestBody.of(Buffer.from('abc'))]) {
    body.forget();
    assert.equal(body.replayable, true);
  }
});

test('whatever is done with bodies, in whatever order, memory is as it should be', () => {
  const act = fc.oneof(
    fc.record({ what: fc.constant('say' as const), bytes: fc.nat(60) }),
    fc.record({ what: fc.constantFrom('start', 'stop', 'resume', 'peek', 'forget', 'drain', 'end', 'break') }),
  );
  const acts = fc.array(fc.tuple(fc.nat(2), act), { maxLength: 40 });
  fc.assert(
    fc.property(acts, fc.nat(100), fc.nat(150), (steps, limit, all) => {
      const memory = new BodyMemory(all);
      const sources = [new Source(), new Source(), new Source()];
      const bodies = sources.map((source) => bodyOf(source, limit, memory));
      let peeked = false;
      for (const [index, step] of steps) {
        const [source, body] = [sources[index] as Source, bodies[index] as RequestBody];
        peeked ||= step.what === 'peek';
        if (step.what === 'say') source.say('bytes' in step ? step.bytes : 0);
        else if (step.what === 'start') body.start(new Sink());
        else if (step.what === 'peek') body.peek(50, () => {});
        else if (step.what === 'drain') body.drain(70, () => {});
        else if (step.what === 'end') source.emit('end');
        else if (step.what === 'break') source.emit('aborted');
        else if (step.what === 'stop') body.stop();
        else if (step.what === 'resume') body.resume();
        else body.forget();
        const held = bodies.reduce((sum, known) => sum + known.heldText.length, 0);
        assert.equal(memory.used, held);
        if (!peeked) assert.ok(held <= all);
      }
      for (const body of bodies) body.forget();
      assert.equal(memory.used, 0);
    }),
  );
});
