import { loadedMaxconn, type PoolLoad, type SlotLimits } from '../servers/effective.ts';
import type { BackendServer } from './backend-server.ts';

/** Servers whose limits are alike, and the slots that each of them has, warm, under the present load. */
interface Group extends SlotLimits {
  readonly servers: Set<BackendServer>;
  slots: number;
}

/**
 * How busy the pool is, and the servers whose slots depend on it: those with a `minconn`. They are looked at again only when
 * the load passes a step, once for all that are alike.
 * @see HAProxy `minconn`, `fullconn`; queue.c:srv_dynamic_maxconn
 */
export class DynamicLimits implements PoolLoad {
  readonly fullconn: number;
  current = 0;
  readonly #groups = new Map<string, Group>();
  readonly #onChange: (server: BackendServer) => void;

  /** @param onChange the slots of a server may have become more, or fewer */
  constructor(fullconn: number, onChange: (server: BackendServer) => void) {
    this.fullconn = fullconn;
    this.#onChange = onChange;
  }

  add(server: BackendServer): void {
    const { minconn, maxconn } = server.limits;
    if (minconn === maxconn) return;
    const key = `${minconn} ${maxconn}`;
    let group = this.#groups.get(key);
    if (!group)
      this.#groups.set(
        key,
        (group = { minconn, maxconn, servers: new Set(), slots: loadedMaxconn(server.limits, this) }),
      );
    group.servers.add(server);
  }

  remove(server: BackendServer): void {
    for (const [key, { servers }] of this.#groups)
      if (servers.delete(server) && servers.size === 0) this.#groups.delete(key);
  }

  /** A request or lease has come, to be served or to wait. */
  enter(): void {
    this.current++;
    if (this.#groups.size > 0) this.#look();
  }

  /** It has ended. */
  leave(): void {
    this.current--;
    if (this.#groups.size > 0) this.#look();
  }

  #look(): void {
    for (const group of this.#groups.values()) {
      const slots = loadedMaxconn(group, this);
      if (slots === group.slots) continue;
      group.slots = slots;
      for (const server of group.servers) this.#onChange(server);
    }
  }
}
