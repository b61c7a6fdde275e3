import { HeapItem, OrderedHeap } from '#src/core/ordered-heap.ts';
import { type DefaultServerOptions, Pool, type PoolOptions, type RequestContext } from '#src/index.ts';
import { seededRandom, VirtualClock } from '../support/virtual-clock.ts';
import type { Arrivals, Keys } from './arrivals.ts';
import type { Latency } from './latency.ts';
import { type Served, Traffic } from './traffic.ts';

/** How a server behaves. */
export interface Behaviour {
  readonly latency: Latency;
  /** So many of its requests fail, from 0 to 1, after this time. */
  readonly failing?: { readonly share: number; readonly afterMs: number };
}

/** What events may do. */
export interface World {
  readonly pool: Pool<unknown>;
  /** Has a server behave otherwise from now on; requests that it has go on as they were. */
  become(server: string, behaviour: Partial<Behaviour>): void;
}

/** Some traffic before a pool. */
export interface Scenario
  extends Pick<
    PoolOptions,
    'balance' | 'hashType' | 'hashKey' | 'hashBalanceFactor' | 'hashPreserveAffinity' | 'outlier'
  > {
  readonly seed: number;
  /** By name: how each behaves, and its options. */
  readonly servers: Readonly<Record<string, Behaviour & DefaultServerOptions>>;
  readonly arrivals: Arrivals;
  /** What requests ask for: their path, and the client's address. Default: never the same twice. */
  readonly keys?: Keys;
  /** Virtual: an hour of a hundred requests a second runs in some seconds. */
  readonly forMs: number;
  /** What happens, by the time in ms. */
  readonly events?: Readonly<Record<number, (world: World) => void>>;
}

/** Something that is due at its key. */
class Due extends HeapItem {
  readonly happen: () => void;

  constructor(happen: () => void) {
    super();
    this.happen = happen;
  }
}

/**
 * Plays traffic through a real pool on the virtual clock, without sockets: each request takes a lease and holds it for as long
 * as its server takes. The same scenario gives the same traffic; with another `balance` the same requests come, at the same
 * times where they do not wait for answers.
 */
export function simulate(scenario: Scenario): Traffic {
  const { seed, servers, arrivals, forMs, events = {} } = scenario;
  const clock = new VirtualClock({ seed });
  const behaviours = new Map(Object.entries(servers).map(([name, behaviour]) => [name, start(behaviour)]));
  const pool = new Pool<unknown>(optionsOf(scenario), clock);
  const faults: unknown[] = [];
  pool.on('sample:error', ({ error }) => faults.push(error));
  const agenda = new OrderedHeap<Due>();
  const served: Served[] = [];
  const refusedAt: number[] = [];
  let asked = 0;
  // A stream for each, so that none of them depends on what the others are used for.
  const [random, works, fails, wants] = [1, 2, 3, 4].map((stream) => seededRandom(seed * 8191 + stream));
  if (!random || !works || !fails || !wants) throw new Error('there are four streams');

  const later = (ms: number, what: () => void): void => agenda.push(new Due(what), clock.now() + ms);
  const ask = (then: () => void = () => undefined): void => {
    const at = clock.now();
    const [work, luck, want] = [works(), fails(), wants()];
    const key = scenario.keys?.(want) ?? asked;
    asked++;
    const lease = pool.tryAcquire(contextOf(key));
    const behaviour = behaviours.get(lease?.server.name ?? '');
    if (!lease || !behaviour) {
      refusedAt.push(at);
      then();
      return;
    }
    const { name: server, active: load } = lease.server;
    const ok = luck >= (behaviour.failing?.share ?? 0);
    const ms = ok || !behaviour.failing ? behaviour.serve(at, work) : behaviour.failing.afterMs;
    served.push({ at, key, server, ms, ok, load });
    later(ms, () => {
      lease.release({ ok });
      then();
    });
  };

  const world: World = {
    pool,
    become: (name, change) => {
      const now = behaviours.get(name);
      if (!now) throw new Error(`there is no server ${name}`);
      behaviours.set(name, { ...now, ...change, ...(change.latency && { serve: change.latency() }) });
    },
  };
  for (const [at, happen] of Object.entries(events)) later(Number(at), () => happen(world));
  arrivals({
    random,
    later: (ms, what) => {
      if (clock.now() + ms < forMs) later(ms, what);
    },
    ask,
  });
  // Behind the end nothing new comes, but what has come gets its answer.
  for (let due = agenda.first; due !== undefined; due = agenda.first) {
    agenda.remove(due);
    clock.advance(Math.max(0, due.key - clock.now()));
    due.happen();
  }
  if (faults.length > 0) throw new AggregateError(faults, 'a scheduler has failed');
  return new Traffic([...behaviours.keys()], forMs, served, refusedAt);
}

function start(behaviour: Behaviour) {
  return { ...behaviour, serve: behaviour.latency() };
}

function optionsOf({ servers, seed, arrivals, keys, forMs, events, ...balancing }: Scenario): PoolOptions {
  const declared = Object.entries(servers).map(([name, { latency, failing, ...options }], index) => ({
    ...options,
    name,
    address: `192.0.2.${index + 1}:80`,
  }));
  return { ...balancing, servers: declared };
}

/** A request for a key: everything that may be hashed differs by it. */
function contextOf(key: number): RequestContext {
  // Clients are spread over a network, and not one behind the other.
  const client = Math.imul(key, 0x9e3779b1) >>> 8;
  return {
    method: 'GET',
    url: `/item/${key}`,
    remoteAddress: `10.${client >>> 16}.${(client >>> 8) & 255}.${client & 255}`,
  };
}
