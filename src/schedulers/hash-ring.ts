/** Nodes a bucket holds on average when the ring is laid out: few enough to be looked through, enough that few are empty. */
const NODES_PER_BUCKET = 8;

/** Turns a number of 32 bits into a signed one with the same order: V8 keeps those without allocating. */
const FLIP = 0x8000_0000 | 0;

/**
 * A ring of numbered nodes on the numbers of 32 bits. Keys are hashes, so their upper bits spread them evenly over buckets, in
 * each of which they stand in order; equal keys in the order in which they came. Keys are given as signed integers, and go round
 * as the unsigned ones of the same bits.
 *
 * Cost: O(1) on average for a look-up, an insertion and a removal; 10 to 15 bytes a node. Where all keys are equal, which only
 * servers with one `hashKey` bring about, O(n).
 */
export class HashRing {
  #size = 0;
  #shift = 31;
  /** By bucket: where its nodes stand, how many there are, and for how many there is room. */
  #start = new Uint32Array(2);
  #length = new Uint32Array(2);
  #room = new Uint32Array(2);
  /** Flipped. */
  #keys = new Int32Array(0);
  #owners = new Uint32Array(0);
  /** Nodes' places that belong to buckets. */
  #used = 0;
  /** Where `seek` and `advance` stand. */
  #bucket = 0;
  #index = 0;

  /** How many nodes there are. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory in use. */
  get bytes(): number {
    return 12 * this.#start.length + 8 * this.#keys.length;
  }

  /** Whose the node is that was gone to. */
  get owner(): number {
    return this.#owners[this.#index] as number;
  }

  get key(): number {
    return (this.#keys[this.#index] as number) ^ FLIP;
  }

  /** Adds a node behind those of the same key. */
  insert(key: number, owner: number): void {
    if (this.#size >= 4 * NODES_PER_BUCKET * this.#start.length) this.#layOut(NO_KEYS, NO_OWNERS);
    let bucket = key >>> this.#shift;
    if (this.#length[bucket] === this.#room[bucket]) {
      this.#widen(bucket);
      bucket = key >>> this.#shift;
    }
    const keys = this.#keys;
    const owners = this.#owners;
    const start = this.#start[bucket] as number;
    const length = this.#length[bucket] as number;
    let place = start + length;
    const order = key ^ FLIP;
    for (; place > start && (keys[place - 1] as number) > order; place--) {
      keys[place] = keys[place - 1] as number;
      owners[place] = owners[place - 1] as number;
    }
    keys[place] = order;
    owners[place] = owner;
    this.#length[bucket] = length + 1;
    this.#size++;
  }

  /** Adds many nodes at once, in their order. */
  insertAll(keys: Int32Array, owners: Uint32Array): void {
    this.#layOut(keys, owners);
  }

  /** Takes a node out, if it is there. */
  remove(key: number, owner: number): void {
    const bucket = key >>> this.#shift;
    const end = (this.#start[bucket] as number) + (this.#length[bucket] as number);
    const order = key ^ FLIP;
    let place = this.#firstFrom(bucket, order);
    while (place < end && this.#keys[place] === order && this.#owners[place] !== owner) place++;
    if (place === end || this.#keys[place] !== order) return;
    this.#keys.copyWithin(place, place + 1, end);
    this.#owners.copyWithin(place, place + 1, end);
    this.#length[bucket] = end - 1 - (this.#start[bucket] as number);
    this.#size--;
    if (this.#size < this.#start.length >> 3) this.#layOut(NO_KEYS, NO_OWNERS);
  }

  /**
   * Goes to the node nearest to a hash, in whichever direction; of two equally near, the one before it.
   * @returns `false`: the ring is empty
   * @see HAProxy lb_chash.c:chash_get_server_hash
   */
  seek(hash: number): boolean {
    if (this.#size === 0) return false;
    this.#goFrom(hash);
    const bucket = this.#bucket;
    const index = this.#index;
    const ahead = (this.key - hash) >>> 0;
    this.#retreat();
    const behind = (hash - this.key) >>> 0;
    if (behind > ahead) {
      this.#bucket = bucket;
      this.#index = index;
    }
    return true;
  }

  /**
   * Goes to the node that follows a node, which may be gone by now.
   * @returns `false`: the ring is empty
   */
  seekBehind(key: number, owner: number): boolean {
    if (this.#size === 0) return false;
    this.#goFrom(key);
    const bucket = this.#bucket;
    const index = this.#index;
    while (this.key === key) {
      const found = this.owner === owner;
      const wrapped = this.advance();
      if (found) return true;
      if (wrapped) break;
    }
    this.#bucket = bucket;
    this.#index = index;
    return true;
  }

  /** Goes to the next node clockwise. @returns `true` when it came to the first one */
  advance(): boolean {
    const bucket = this.#bucket;
    if (++this.#index < (this.#start[bucket] as number) + (this.#length[bucket] as number)) return false;
    this.#bucket = this.#occupied(bucket, 1);
    this.#index = this.#start[this.#bucket] as number;
    return this.#bucket <= bucket;
  }

  #retreat(): void {
    if (this.#index > (this.#start[this.#bucket] as number)) {
      this.#index--;
      return;
    }
    this.#bucket = this.#occupied(this.#bucket, -1);
    this.#index = (this.#start[this.#bucket] as number) + (this.#length[this.#bucket] as number) - 1;
  }

  /** To the first node whose key is not below this one; behind the last one comes the first. */
  #goFrom(key: number): void {
    this.#bucket = key >>> this.#shift;
    this.#index = this.#firstFrom(this.#bucket, key ^ FLIP);
    if (this.#index < (this.#start[this.#bucket] as number) + (this.#length[this.#bucket] as number)) return;
    this.#bucket = this.#occupied(this.#bucket, 1);
    this.#index = this.#start[this.#bucket] as number;
  }

  /** The next bucket with nodes. */
  #occupied(bucket: number, step: 1 | -1): number {
    const last = this.#start.length - 1;
    let next = bucket;
    do next = (next + step) & last;
    while (this.#length[next] === 0);
    return next;
  }

  /** Place of the first node of a bucket whose flipped key is not below this one. */
  #firstFrom(bucket: number, order: number): number {
    const keys = this.#keys;
    let low = this.#start[bucket] as number;
    let high = low + (this.#length[bucket] as number);
    while (high - low > NODES_PER_BUCKET) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] as number) < order) low = middle + 1;
      else high = middle;
    }
    while (low < high && (keys[low] as number) < order) low++;
    return low;
  }

  /** Makes room in a bucket: behind all others, or where there is none by laying out anew. */
  #widen(bucket: number): void {
    const start = this.#start[bucket] as number;
    const length = this.#length[bucket] as number;
    const room = length + (length >> 1) + 2;
    if (this.#used + room > this.#keys.length) {
      this.#layOut(NO_KEYS, NO_OWNERS);
      return;
    }
    this.#keys.copyWithin(this.#used, start, start + length);
    this.#owners.copyWithin(this.#used, start, start + length);
    this.#start[bucket] = this.#used;
    this.#room[bucket] = room;
    this.#used += room;
  }

  /** Lays all nodes out anew, with more of them behind those that are there. */
  #layOut(moreKeys: Int32Array, moreOwners: Uint32Array): void {
    const before = { start: this.#start, length: this.#length, keys: this.#keys, owners: this.#owners };
    const size = this.#size + moreKeys.length;
    const bits = Math.max(1, Math.ceil(Math.log2(size / NODES_PER_BUCKET)));
    const buckets = 2 ** bits;
    const shift = 32 - bits;
    const length = new Uint32Array(buckets);
    const each = (visit: (key: number, owner: number) => void): void => {
      for (let bucket = 0; bucket < before.start.length; bucket++) {
        const start = before.start[bucket] as number;
        const end = start + (before.length[bucket] as number);
        for (let i = start; i < end; i++) visit((before.keys[i] as number) ^ FLIP, before.owners[i] as number);
      }
      for (let i = 0; i < moreKeys.length; i++) visit(moreKeys[i] as number, moreOwners[i] as number);
    };
    each((key) => {
      length[key >>> shift] = (length[key >>> shift] as number) + 1;
    });
    const start = new Uint32Array(buckets);
    const room = new Uint32Array(buckets);
    let used = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      start[bucket] = used;
      room[bucket] = (length[bucket] as number) + 1;
      used += room[bucket] as number;
    }
    const keys = new Int32Array(used + (used >> 3) + NODES_PER_BUCKET);
    const owners = new Uint32Array(keys.length);
    length.fill(0);
    each((key, owner) => {
      const bucket = key >>> shift;
      const first = start[bucket] as number;
      let place = first + (length[bucket] as number);
      const order = key ^ FLIP;
      for (; place > first && (keys[place - 1] as number) > order; place--) {
        keys[place] = keys[place - 1] as number;
        owners[place] = owners[place - 1] as number;
      }
      keys[place] = order;
      owners[place] = owner;
      length[bucket] = (length[bucket] as number) + 1;
    });
    this.#size = size;
    this.#shift = shift;
    this.#start = start;
    this.#length = length;
    this.#room = room;
    this.#keys = keys;
    this.#owners = owners;
    this.#used = used;
  }
}

const NO_KEYS = new Int32Array(0);
const NO_OWNERS = new Uint32Array(0);
