/** A table in Redis before a client that answers what it is told to, when it is told to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RedisClient, type RedisSubscriber, RedisTable, type RedisTableOptions } from '#src/redis/redis-table.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** A command that waits for its answer. */
interface Asked {
  readonly words: readonly string[];
  readonly answer: (value: unknown) => void;
}

class FakeClient implements RedisClient, RedisSubscriber {
  isReady = true;
  readonly asked: Asked[] = [];
  /** Why subscribing fails. */
  refusal: Error | undefined = undefined;
  subscriptions = 0;
  readonly #listeners = new Map<string, (value: never) => void>();
  #hear: (message: string) => void = () => {};

  sendCommand(words: string[]): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.asked.push({ words, answer: resolve });
    return promise;
  }

  duplicate(): this {
    return this;
  }

  async connect(): Promise<void> {
    this.tell('ready');
  }

  async subscribe(_channel: string, listener: (message: string) => void): Promise<void> {
    this.subscriptions++;
    if (this.refusal) throw this.refusal;
    this.#hear = listener;
  }

  on(event: string, listener: (value: never) => void): void {
    this.#listeners.set(event, listener);
  }

  destroy(): void {}

  tell(event: string): void {
    this.#listeners.get(event)?.(undefined as never);
  }

  news(key: string, version: number, server: string): void {
    this.#hear(`${key} ${version} ${server}`);
  }

  /** Answers the oldest command that waits. */
  answer(value: unknown): void {
    this.asked.shift()?.answer(value);
  }
}

async function tableOf(
  client: FakeClient,
  options: Partial<RedisTableOptions> = {},
): Promise<{ table: RedisTable; clock: VirtualClock }> {
  const clock = new VirtualClock();
  const table = new RedisTable({ client, name: 't', type: 'string', size: '1k', expire: '10m', ...options }, clock);
  await clock.settle();
  return { table, clock };
}

test('news of a removal that overtake an older answer count', async () => {
  const client = new FakeClient();
  const { table } = await tableOf(client);
  const found = table.lookup('k');
  client.news('k', 6, '');
  client.answer(['a', '5']);
  assert.equal(await found, undefined);
  assert.equal(table.recall('k'), undefined);
  const again = table.lookup('k');
  client.answer(['b', '7']);
  assert.equal(await again, 'b');
});

test('a subscription that failed is tried again with the next connection', async () => {
  const client = new FakeClient();
  client.refusal = new Error('the connection was lost');
  const { table, clock } = await tableOf(client);
  assert.equal(table.subscribed, false);
  client.refusal = undefined;
  client.tell('ready');
  await clock.settle();
  assert.equal(table.subscribed, true);
  client.tell('reconnecting');
  assert.equal(table.subscribed, false);
  client.tell('ready');
  await clock.settle();
  assert.equal(table.subscribed, true);
});

test('answers are read in whatever type the client gives them', async () => {
  const client = new FakeClient();
  const { table, clock } = await tableOf(client, { store: ['gpc0', 'gpc1'] });
  const found = table.lookup('k');
  client.answer([Buffer.from('a'), Buffer.from('5')]);
  assert.equal(await found, 'a');
  const tracking = table.track('k');
  tracking?.tracked.increment('gpc0');
  await clock.settle();
  tracking?.tracked.increment('gpc1');
  client.answer(['41', 7n]);
  await clock.settle();
  assert.deepEqual([tracking?.tracked.gpc0, tracking?.tracked.gpc1], [41, 8]);
});

test('an answer of another kind is as good as none', async () => {
  const client = new FakeClient();
  const { table, clock } = await tableOf(client, { store: ['gpc0'] });
  for (const [index, nonsense] of [null, 'OK', [], {}, [null], Symbol('none')].entries()) {
    const found = table.lookup(`k${index}`);
    client.answer(nonsense);
    assert.equal(await found, undefined);
    const tracking = table.track('k');
    tracking?.tracked.increment('gpc0');
    await clock.settle();
    client.answer(nonsense);
    await clock.settle();
    assert.equal(tracking?.tracked.gpc0, index + 1);
    tracking?.release();
  }
});
