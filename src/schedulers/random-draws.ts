import type { RequestContext } from '../core/context.ts';
import type { Environment } from '../core/environment.ts';
import type { ServerView } from '../servers/server.ts';
import { type Algorithm, defineScheduler, type Scheduler } from './scheduler.ts';
import { WeightTree } from './weight-tree.ts';

/**
 * Draws servers at random, in proportion to weight, and takes the least loaded of those drawn.
 * Load is active requests over effective weight; on a tie the first drawn wins (HAProxy compares recent rates). Full
 * servers and the one to avoid are not drawn; one server may be drawn twice, unless draws are to be distinct.
 * Cost: O(draws × log n) a pick and O(log n) a change (a Fenwick tree of weights); nothing allocated.
 * @see HAProxy `balance random(<draws>)`, configuration manual 4.2
 * @see Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001
 */
export class RandomDraws implements Scheduler {
  readonly #draws: number;
  readonly #distinct: boolean;
  readonly #lighter: (a: ServerView, b: ServerView) => boolean;
  readonly #environment: Environment;
  readonly #slots = new Map<ServerView, number>();
  /** By slot: the weight that is in the sum. */
  readonly #known: number[] = [];
  #sumOfWeights = 0;
  /** Of all servers, full or not; a field, as a fraction that a getter returns may be allocated for. */
  averageWeight = 0;
  readonly #freeSlots: number[] = [];
  /** By slot. */
  readonly #servers: (ServerView | undefined)[] = [];
  /** By slot: the next in the chain of those passed over in this pick; -1 ends it. */
  readonly #behind: number[] = [];
  /** A server that is full weighs nothing until it is heard of again. */
  readonly #weights = new WeightTree();

  /**
   * @param distinct draws no server twice
   * @param lighter whether the first of two servers is to be preferred
   */
  constructor(
    draws: number,
    distinct: boolean,
    environment: Environment,
    lighter: (a: ServerView, b: ServerView) => boolean,
  ) {
    this.#draws = draws;
    this.#distinct = distinct;
    this.#environment = environment;
    this.#lighter = lighter;
  }

  has(server: ServerView): boolean {
    return this.#slots.has(server);
  }

  add(server: ServerView): void {
    const slot = this.#freeSlots.pop() ?? this.#servers.length;
    this.#slots.set(server, slot);
    this.#servers[slot] = server;
    this.#behind[slot] = -1;
    this.#known[slot] = 0;
    this.#weigh(server, slot);
  }

  remove(server: ServerView): void {
    const slot = this.#slots.get(server);
    if (slot === undefined) return;
    this.#slots.delete(server);
    this.#servers[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#weights.set(slot, 0);
    this.#sumOfWeights -= this.#known[slot] ?? 0;
    this.averageWeight = this.#sumOfWeights / this.#slots.size;
  }

  reweigh(server: ServerView): void {
    const slot = this.#slots.get(server);
    if (slot !== undefined) this.#weigh(server, slot);
  }

  took(server: ServerView): void {
    this.reweigh(server);
  }

  freed(server: ServerView): void {
    this.reweigh(server);
  }

  pick(_context: RequestContext, avoid: ServerView | undefined): ServerView | undefined {
    const weights = this.#weights;
    const avoidedSlot = avoid === undefined ? undefined : this.#slots.get(avoid);
    const avoidedWeight = avoidedSlot === undefined ? 0 : weights.weightOf(avoidedSlot);
    if (avoidedSlot !== undefined) weights.set(avoidedSlot, 0);
    let best: ServerView | undefined;
    let passedOver = -1;
    for (let draw = 0; draw < this.#draws && weights.total > 0; ) {
      const slot = weights.find(Math.floor(this.#environment.random() * weights.total));
      const drawn = this.#servers[slot];
      if (drawn === undefined) break; // only a `random` outside [0, 1) leads here
      const isFull = drawn.saturated;
      if (isFull || this.#distinct) {
        weights.set(slot, 0);
        this.#behind[slot] = passedOver;
        passedOver = slot;
      }
      if (isFull) continue;
      if (best === undefined || (drawn !== best && this.#lighter(drawn, best))) best = drawn;
      draw++;
    }
    while (passedOver !== -1) {
      const server = this.#servers[passedOver];
      if (server !== undefined) weights.set(passedOver, server.effectiveWeight);
      passedOver = this.#behind[passedOver] ?? -1;
    }
    if (avoidedSlot === undefined) return best;
    weights.set(avoidedSlot, avoidedWeight);
    return best ?? (avoid?.saturated ? undefined : avoid);
  }

  #weigh(server: ServerView, slot: number): void {
    this.#sumOfWeights += server.effectiveWeight - (this.#known[slot] ?? 0);
    this.#known[slot] = server.effectiveWeight;
    this.averageWeight = this.#sumOfWeights / this.#slots.size;
    this.#weights.set(slot, server.saturated ? 0 : server.effectiveWeight);
  }
}

/** By requests over weight. */
function lessLoaded(a: ServerView, b: ServerView): boolean {
  return a.active * b.effectiveWeight < b.active * a.effectiveWeight;
}

export const randomDraws: Algorithm = defineScheduler({
  readOptions: (read) => ({ draws: read.integer('draws', { default: 2, min: 1, max: 16 }) }),
  readPhrase: (rest) => {
    if (rest === '') return {};
    const draws = /^\((\d+)\)$/.exec(rest)?.[1];
    return draws === undefined ? undefined : { draws: Number(draws) };
  },
  create: ({ draws }, environment) => new RandomDraws(draws, false, environment, lessLoaded),
});
