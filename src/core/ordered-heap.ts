/** What an `OrderedHeap` keeps; its fields belong to the heap. */
export class HeapItem {
  key = 0;
  /** Rank among equal keys. */
  arrival = 0;
  /** Index in the heap; -1 while it is in none. */
  place = -1;
}

/**
 * A binary heap: least key first, and among equal keys first come, first served. An item is in one heap at most.
 * Cost: O(log n) a change, O(1) for the first; nothing is allocated but when the heap grows past its largest size.
 */
export class OrderedHeap<T extends HeapItem> {
  /** Never shrinks, so that taking and putting back costs no allocation; vacated places hold `undefined`. */
  readonly #items: (T | undefined)[] = [];
  #size = 0;
  #arrivals = 0;

  get size(): number {
    return this.#size;
  }

  /** The item with the least key, of equal ones the one that has waited longest. */
  get first(): T | undefined {
    return this.#items[0];
  }

  has(item: T): boolean {
    return this.#items[item.place] === item;
  }

  /** Puts an item in, behind those of the same key. */
  push(item: T, key: number): void {
    item.key = key;
    item.arrival = this.#arrivals++;
    this.#insert(item);
  }

  /** Puts an item that was removed back to where it was: same key, same rank among equals. */
  restore(item: T): void {
    this.#insert(item);
  }

  /** Takes an item out, wherever in the heap it stands. */
  remove(item: T): void {
    const place = item.place;
    const last = this.#items[--this.#size] as T;
    this.#items[this.#size] = undefined;
    item.place = -1;
    if (last === item) return;
    if (place > 0 && precedes(last, this.#items[(place - 1) >> 1] as T)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  #insert(item: T): void {
    this.#rise(item, this.#size++);
  }

  #rise(item: T, from: number): void {
    const items = this.#items;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = items[above] as T;
      if (!precedes(item, parent)) break;
      items[place] = parent;
      parent.place = place;
      place = above;
    }
    items[place] = item;
    item.place = place;
  }

  #sink(item: T, from: number): void {
    const items = this.#items;
    const size = this.#size;
    let place = from;
    for (let below = 2 * place + 1; below < size; below = 2 * place + 1) {
      let child = items[below] as T;
      if (below + 1 < size) {
        const right = items[below + 1] as T;
        if (precedes(right, child)) {
          child = right;
          below++;
        }
      }
      if (!precedes(child, item)) break;
      items[place] = child;
      child.place = place;
      place = below;
    }
    items[place] = item;
    item.place = place;
  }
}

/** Whether one has its turn before another. */
export function precedes(a: HeapItem, b: HeapItem): boolean {
  return a.key < b.key || (a.key === b.key && a.arrival < b.arrival);
}
