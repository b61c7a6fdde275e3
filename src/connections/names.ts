import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Environment } from '../core/environment.ts';

const MEMORY_MS = 5_000;
/** A pool may have as many servers by name as `roundrobin` can bear: 4,095. */
const MAX_NAMES = 8_192;

type Waiter = Parameters<LookupFunction>[2];
type LookupOptions = Parameters<LookupFunction>[1];

interface Waiting {
  readonly callback: Waiter;
  readonly all: boolean;
}

/**
 * Names looked up for connections, with a memory of 5 s. The system looks up a few at a time and cannot be told to stop, so
 * that each name is asked for once at a time, however many wait for it and however often they give up.
 */
export class Names {
  readonly #environment: Environment;
  readonly #known = new LRUCache<string, { readonly addresses: dns.LookupAddress[]; readonly until: number }>({
    max: MAX_NAMES,
  });
  /** Lookups under way, and who waits for them. */
  readonly #pending = new Map<string, Set<Waiting>>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * As `dns.lookup`, for `net.connect`.
   * @returns gives up: nothing is kept of the callback, and it is not called
   */
  lookup(name: string, options: LookupOptions, callback: Waiter): () => void {
    const key = `${name} ${options.family ?? 0} ${options.hints ?? 0}`;
    const waiting = { callback, all: options.all === true };
    const known = this.#known.get(key);
    if (known && known.until > this.#environment.now()) {
      process.nextTick(answer, waiting, null, known.addresses);
      return () => {};
    }
    const others = this.#pending.get(key);
    if (others) {
      others.add(waiting);
      return () => others.delete(waiting);
    }
    const waiters = new Set([waiting]);
    this.#pending.set(key, waiters);
    dns.lookup(name, { ...options, all: true }, (error, addresses) => {
      this.#pending.delete(key);
      if (!error) this.#known.set(key, { addresses, until: this.#environment.now() + MEMORY_MS });
      for (const one of waiters) answer(one, error, addresses);
    });
    return () => waiters.delete(waiting);
  }
}

function answer({ callback, all }: Waiting, error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]): void {
  if (error) callback(error, '');
  else if (all) callback(null, addresses);
  else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 0);
}
