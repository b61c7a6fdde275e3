import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeapItem, OrderedHeap } from '#src/core/ordered-heap.ts';

type Operation =
  | { readonly kind: 'push'; readonly item: number; readonly key: number }
  | { readonly kind: 'remove' | 'restore'; readonly item: number };

const ITEMS = 24;
const item = fc.nat(ITEMS - 1);
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), item, key: fc.nat(5) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('remove' as const, 'restore' as const), item }) },
  ),
  { maxLength: 200 },
);

/** The same thing as a sorted array. */
class NaiveQueue {
  readonly #rows: { item: HeapItem; key: number; arrival: number }[] = [];
  readonly #former = new Map<HeapItem, { item: HeapItem; key: number; arrival: number }>();
  #arrivals = 0;

  get items(): HeapItem[] {
    return this.#rows.map((row) => row.item);
  }

  knows(item: HeapItem): boolean {
    return this.#former.has(item);
  }

  push(item: HeapItem, key: number): void {
    this.#put({ item, key, arrival: this.#arrivals++ });
  }

  restore(item: HeapItem): void {
    const row = this.#former.get(item);
    if (row !== undefined) this.#put(row);
  }

  remove(item: HeapItem): void {
    const index = this.#rows.findIndex((row) => row.item === item);
    this.#rows.splice(index, 1);
  }

  #put(row: { item: HeapItem; key: number; arrival: number }): void {
    this.#former.set(row.item, row);
    this.#rows.push(row);
    this.#rows.sort((a, b) => a.key - b.key || a.arrival - b.arrival);
  }
}

test('whatever is put in, taken out and put back, it comes out by key and then by arrival', () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const heap = new OrderedHeap();
      const naive = new NaiveQueue();
      const items = Array.from({ length: ITEMS }, () => new HeapItem());
      for (const step of steps) {
        const item = items[step.item];
        assert.ok(item);
        if (step.kind === 'push') {
          if (heap.has(item)) continue;
          heap.push(item, step.key);
          naive.push(item, step.key);
        } else if (step.kind === 'restore') {
          if (heap.has(item) || !naive.knows(item)) continue;
          heap.restore(item);
          naive.restore(item);
        } else if (heap.has(item)) {
          heap.remove(item);
          naive.remove(item);
        }
        assert.equal(heap.size, naive.items.length);
        assert.equal(heap.first, naive.items[0]);
      }
      const left: HeapItem[] = [];
      for (let first = heap.first; first !== undefined; first = heap.first) {
        left.push(first);
        heap.remove(first);
        assert.ok(!heap.has(first));
      }
      assert.deepEqual(
        left.map((item) => items.indexOf(item)),
        naive.items.map((item) => items.indexOf(item)),
      );
    }),
    { numRuns: 500 },
  );
});

test('an item of one heap is not in another', () => {
  const [one, other] = [new OrderedHeap(), new OrderedHeap()];
  const [a, b] = [new HeapItem(), new HeapItem()];
  one.push(a, 1);
  other.push(b, 1);
  assert.ok(one.has(a) && !one.has(b) && other.has(b) && !other.has(a));
});
