import type { RequestContext } from '../core/context.ts';
import { avalanche } from '../hashing/functions.ts';
import { MAX_WEIGHT, WEIGHT_SCALE } from '../servers/effective.ts';
import type { ServerView } from '../servers/server.ts';
import type { ReadHash } from './hash-inputs.ts';
import { nodeBase } from './hash-key.ts';
import { HashRing } from './hash-ring.ts';
import type { HashPreserveAffinity, HashSettings } from './hash-type.ts';
import type { DeclaredServer, PoolView, Scheduler } from './scheduler.ts';

/** Most nodes on a ring: 64 MiB. */
const MAX_NODES = 4_000_000;

/** A server on the ring, by number. */
interface Owner {
  readonly server: ServerView;
  readonly number: number;
  readonly base: number;
  /** Nodes it has on the ring. */
  nodes: number;
  /** Most nodes it ever had. */
  most: number;
  /** Nodes it is to have: its effective weight, or none. */
  wanted: number;
  /** It is in the list of those whose nodes are to change. */
  changing: boolean;
  /** Effective weights of the usable servers declared before it. */
  before: number;
}

/**
 * Each server has 16 nodes per unit of weight on a ring of hashes, and a request goes to the node nearest to its own hash. A
 * server that comes or goes moves only its own share of the keys. With a balance factor, a server whose load is above so many
 * percent of the average is passed over for the next on the ring.
 * Cost: O(1) on average for a pick; a change costs the nodes of that server at the next pick.
 * @see HAProxy `hash-type consistent`, `hash-balance-factor`, `hash-preserve-affinity`; lb_chash.c
 * @see Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018
 */
export class ConsistentHash implements Scheduler {
  readonly #read: ReadHash;
  readonly #readsAlways: boolean;
  readonly #pool: PoolView;
  readonly #balanceFactor: number;
  readonly #affinity: HashPreserveAffinity;
  readonly #ring = new HashRing();
  readonly #owners = new Map<ServerView, Owner>();
  readonly #byNumber: (Owner | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #changing: Owner[] = [];
  /** Sum of the effective weights, worked out when it is needed. */
  #total = 0;
  #totalIsStale = true;
  /** The node at which the walk of requests without a hash stands. */
  #walkKey = 0;
  #walkServer: ServerView | undefined = undefined;

  /** @param readsAlways also where one server is all there is */
  constructor(read: ReadHash, readsAlways: boolean, settings: HashSettings, pool: PoolView) {
    this.#read = read;
    this.#readsAlways = readsAlways;
    this.#pool = pool;
    this.#balanceFactor = settings.balanceFactor;
    this.#affinity = settings.preserveAffinity;
  }

  add(server: ServerView): void {
    let owner = this.#owners.get(server);
    if (!owner) {
      const number = this.#freeNumbers.pop() ?? this.#byNumber.length;
      owner = { server, number, base: nodeBase(server), nodes: 0, most: 0, wanted: 0, changing: false, before: 0 };
      this.#owners.set(server, owner);
      this.#byNumber[number] = owner;
    }
    this.#want(owner, server.effectiveWeight);
  }

  remove(server: ServerView): void {
    const owner = this.#owners.get(server);
    if (owner) this.#want(owner, 0);
  }

  reweigh(server: ServerView): void {
    const owner = this.#owners.get(server);
    if (owner && owner.wanted > 0) this.#want(owner, server.effectiveWeight);
  }

  pick(context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    if (this.#changing.length > 0) this.#change();
    // HAProxy does not look at the request where one server is all there is.
    const hash = this.#readsAlways || this.#owners.size !== 1 ? this.#read(context) : 0;
    return hash === undefined ? this.#walk(avoid) : this.#at(hash, avoid);
  }

  peek(context: RequestContext): ServerView | undefined {
    const [key, server] = [this.#walkKey, this.#walkServer];
    const picked = this.pick(context, undefined);
    this.#walkKey = key;
    this.#walkServer = server;
    return picked;
  }

  #want(owner: Owner, nodes: number): void {
    if (owner.wanted === nodes) return;
    // Where the walk stands at a node of this server, changes are made one by one, as in HAProxy.
    const walksHere = owner.server === this.#walkServer;
    if (walksHere) this.#change();
    this.#note(owner, nodes);
    if (walksHere) this.#change();
  }

  #note(owner: Owner, nodes: number): void {
    owner.wanted = nodes;
    this.#totalIsStale = true;
    if (owner.changing) return;
    owner.changing = true;
    this.#changing.push(owner);
  }

  /** Brings the ring up to date with all changes since the last pick. */
  #change(): void {
    const ring = this.#ring;
    let more = 0;
    for (const owner of this.#changing) {
      owner.changing = false;
      // The last ones go, as in HAProxy; for more than it ever had all go, to come back behind nodes of the same key.
      const stay = owner.wanted > owner.most ? 0 : owner.wanted;
      while (owner.nodes > stay) this.#removeNode(owner, --owner.nodes);
      owner.most = Math.max(owner.most, owner.wanted);
      more += owner.wanted - owner.nodes;
    }
    if (more > ring.size) this.#insertAll(more);
    else
      for (const owner of this.#changing)
        while (owner.nodes < owner.wanted) ring.insert(nodeKey(owner.base, owner.nodes++), owner.number);
    for (const owner of this.#changing) if (owner.wanted === 0) this.#forget(owner);
    this.#changing.length = 0;
  }

  /** The walk goes on from the node behind. HAProxy: chash_skip_node. */
  #removeNode(owner: Owner, node: number): void {
    const ring = this.#ring;
    const key = nodeKey(owner.base, node);
    if (owner.server === this.#walkServer && key === this.#walkKey) {
      ring.seekBehind(key, owner.number);
      const isLast = ring.size === 1;
      this.#walkKey = isLast ? 0 : ring.key;
      this.#walkServer = isLast ? undefined : this.#byNumber[ring.owner]?.server;
    }
    ring.remove(key, owner.number);
  }

  #insertAll(more: number): void {
    const keys = new Int32Array(more);
    const owners = new Uint32Array(more);
    let at = 0;
    for (const owner of this.#changing)
      for (; owner.nodes < owner.wanted; at++) {
        keys[at] = nodeKey(owner.base, owner.nodes++);
        owners[at] = owner.number;
      }
    this.#ring.insertAll(keys, owners);
  }

  #forget(owner: Owner): void {
    this.#owners.delete(owner.server);
    this.#byNumber[owner.number] = undefined;
    this.#freeNumbers.push(owner.number);
  }

  #at(hash: number, avoid: ServerView | undefined): ServerView | undefined {
    const ring = this.#ring;
    if (!ring.seek(hash)) return undefined;
    let owner = this.#byNumber[ring.owner] as Owner;
    let laps = 0;
    while (laps < 2 && (owner.server === avoid || this.#passesOver(owner))) {
      if (ring.advance()) laps++;
      if (laps < 2) owner = this.#byNumber[ring.owner] as Owner;
    }
    // None fits: HAProxy takes the one that the walk has ended at, we another than that to be avoided.
    for (let left = ring.size; owner.server === avoid && left > 0; left--) {
      owner = this.#byNumber[ring.owner] as Owner;
      ring.advance();
    }
    return owner.server;
  }

  /** HAProxy: chash_server_is_eligible. */
  #passesOver(owner: Owner): boolean {
    const { saturated, queueFull } = owner.server;
    if (saturated && (this.#affinity === 'maxconn' || (this.#affinity === 'maxqueue' && queueFull))) return true;
    if (this.#balanceFactor === 0) return false;
    if (this.#totalIsStale) this.#addUp();
    const slots = Math.ceil(((this.#pool.served + 1) * this.#balanceFactor) / 100);
    const each = Math.floor(slots / this.#total);
    const rest = slots % this.#total;
    const { before, wanted } = owner;
    const shareOfRest =
      Math.floor(((before + wanted) * rest) / this.#total) - Math.floor((before * rest) / this.#total);
    return owner.server.active >= Math.max(1, wanted * each + shareOfRest);
  }

  #addUp(): void {
    this.#totalIsStale = false;
    this.#total = 0;
    for (const server of this.#pool.servers) {
      const owner = this.#owners.get(server);
      if (!owner) continue;
      owner.before = this.#total;
      this.#total += owner.wanted;
    }
  }

  /** Node by node round the ring, past full servers. HAProxy: lb_chash.c:chash_get_next_server. */
  #walk(avoid: ServerView | undefined): ServerView | undefined {
    const ring = this.#ring;
    const stands = this.#walkServer && this.#owners.get(this.#walkServer);
    if (!ring.seekBehind(this.#walkKey, stands?.number ?? -1)) return undefined;
    let avoided = false;
    for (let left = ring.size; left > 0; left--) {
      const { server } = this.#byNumber[ring.owner] as Owner;
      if (!server.saturated) {
        this.#walkKey = ring.key;
        this.#walkServer = server;
        if (server !== avoid) return server;
        avoided = true;
      }
      ring.advance();
    }
    if (avoided) return avoid;
    this.#walkKey = 0; // where all are full, the next walk begins at the first node
    this.#walkServer = undefined;
    return undefined;
  }
}

function nodeKey(base: number, node: number): number {
  return avalanche((base + node) | 0);
}

/** Why these servers are too heavy for a ring. */
export function tooManyNodes(declared: readonly DeclaredServer[]): string | undefined {
  for (const backup of [false, true]) {
    let nodes = 0;
    for (const server of declared) if (server.backup === backup) nodes += server.weight * WEIGHT_SCALE;
    if (nodes > MAX_NODES)
      return (
        `hashType 'consistent' holds at most ${MAX_NODES} nodes, ${WEIGHT_SCALE} per unit of weight: these weights make ` +
        `${nodes}; give smaller weights (they range to ${MAX_WEIGHT}, and 1 is enough), or use hashType: 'maglev'`
      );
  }
  return undefined;
}
