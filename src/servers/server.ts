import type { Address } from './address.ts';
import { effectiveMaxconn, effectiveWeight, type PoolLoad, type SlotLimits } from './effective.ts';

/** What an operator, or the server's agent, wants of it. HAProxy: `set server <b>/<s> state`. */
export type AdminState = 'ready' | 'drain' | 'maint';

/**
 * What health says of a server. HAProxy's SRV_ST_*: `stopped` is down; `starting` is up and warming (slow start);
 * `stopping` is up but takes no new balanced request (NOLB).
 */
export type OperationalState = 'stopped' | 'starting' | 'running' | 'stopping';

/** What a server's place among hashes is made from. HAProxy: `hash-key`. */
export type HashKey = 'id' | 'id32' | 'guid' | 'addr' | 'addr-port';

/** The options of a server, resolved, that the rooms below `pool/` share. */
export interface ServerSettings extends SlotLimits {
  readonly weight: number;
  /** Most requests that may wait for it; 0 is no limit. */
  readonly maxqueue: number;
  readonly backup: boolean;
  readonly slowstartMs: number;
  readonly hashKey?: HashKey | undefined;
  readonly guid?: string | undefined;
}

/**
 * What a scheduler may know of a server. Read-only: each fact has one writer elsewhere.
 */
export interface ServerView {
  readonly id: number;
  readonly name: string;
  readonly address: Address;
  /** Weight as an operator set it, 0..256. */
  readonly weight: number;
  /** Weight as it was declared. */
  readonly declaredWeight: number;
  /** What schedulers reckon with: weight × 16, less during slow start. */
  readonly effectiveWeight: number;
  /** Requests (or leases) that hold a slot now. */
  readonly active: number;
  /** Slots it has now; 0 is no limit. */
  readonly maxconn: number;
  /** Requests that wait for it, and for no other. */
  readonly queued: number;
  /** No slot is free. */
  readonly saturated: boolean;
  /** No more may wait for it. */
  readonly queueFull: boolean;
  /** It has a slot free, or a place in a queue whose length is limited. */
  readonly acceptsMore: boolean;
  readonly backup: boolean;
  /** What its place among hashes is made from; `undefined`: not said. */
  readonly hashKey: HashKey | undefined;
  readonly guid: string | undefined;
}

/** Hears what requests show of a server's health. */
export interface RequestObserver {
  connectionFailed(): void;
  /** A response's head came, with this status. */
  responded(status: number): void;
  /** It was connected to, but no valid response came. @param counts `false` where it may not be the server's fault */
  noResponse(counts: boolean): void;
  /** Work under a lease has ended. */
  worked(ok: boolean): void;
}

const IDLE: PoolLoad = { current: 0, fullconn: 0 };

/** Counters of a server, named as the columns of HAProxy's `show stat`. */
export class ServerCounters {
  /** Requests and leases it was given. */
  stot = 0;
  /** Times it was chosen by balancing, without those that a retry sent to it again. */
  lbtot = 0;
  /** Most requests at one time. */
  smax = 0;
  /** Most requests that waited for it at one time. */
  qmax = 0;
  /** Bytes of request bodies sent to it. */
  bin = 0;
  /** Bytes of response bodies got from it. */
  bout = 0;
  /** Attempts that could not connect. */
  econ = 0;
  /** Attempts that ended without a whole valid response. */
  eresp = 0;
  /** Retries on the same server. */
  wretr = 0;
  /** Retries that left it for another server. */
  wredis = 0;
  /** Hedges sent to it, and those of them that answered first. */
  hedges = 0;
  hedgesWon = 0;
  cli_abrt = 0;
  srv_abrt = 0;
  /** Connections made. */
  connect = 0;
  /** Requests sent over a connection that had served before. */
  reuse = 0;
  /** Checks passed. */
  chkpass = 0;
  /** Checks failed while it was still considered up. */
  chkfail = 0;
  /** Times it went down, by checks or into maintenance. */
  chkdown = 0;
  /** Times that errors of requests reached `errorLimit`. */
  hanafail = 0;
  /** Responses by class; index 0 counts what is none of 1xx to 5xx. */
  readonly hrsp: [number, number, number, number, number, number] = [0, 0, 0, 0, 0, 0];

  countResponse(status: number): void {
    const digit = Math.floor(status / 100);
    this.hrsp[digit >= 1 && digit <= 5 ? (digit as 1 | 2 | 3 | 4 | 5) : 0]++;
  }
}

/** One backend server: its facts, its slots and its counters. */
export class Server implements ServerView {
  readonly id: number;
  readonly name: string;
  readonly address: Address;
  readonly settings: ServerSettings;
  readonly backup: boolean;
  readonly hashKey: HashKey | undefined;
  readonly guid: string | undefined;
  readonly counters: ServerCounters = new ServerCounters();

  // Written by pool/, for an operator or the server's agent.
  weight: number;
  limits: SlotLimits;
  /** The server whose state it follows. */
  tracks: Server | undefined = undefined;
  /** It has been removed from its pool. */
  removed = false;

  // Written by health/.
  operational: OperationalState = 'running';
  /** When it came up, on the environment's clock, while it is `starting`. */
  startedAt: number | undefined = undefined;
  /** Its own commands: HAProxy's FMAINT and FDRAIN. `standing` is what holds. */
  admin: AdminState = 'ready';
  /** Commands of the server that it tracks: HAProxy's IMAINT and IDRAIN. */
  inheritedMaint = false;
  inheritedDrain = false;
  /** `undefined`: nobody wants to know. */
  observer: RequestObserver | undefined = undefined;
  /** Live traffic has shown it to be worse than the others, which are used in its place. */
  ejected = false;

  // Written by pool/ at each slot taken or freed, and by servers/ when a fact above changed.
  active = 0;
  queued = 0;
  effectiveWeight: number;
  /** Slots it has now; 0 is no limit. */
  maxconn: number;
  readonly #load: PoolLoad;

  /** @param load how busy its pool is */
  constructor(id: number, name: string, address: Address, settings: ServerSettings, load: PoolLoad = IDLE) {
    this.id = id;
    this.name = name;
    this.address = address;
    this.settings = settings;
    this.backup = settings.backup;
    this.hashKey = settings.hashKey;
    this.guid = settings.guid;
    this.weight = settings.weight;
    this.limits = settings;
    this.#load = load;
    this.maxconn = effectiveMaxconn(settings, load, 0, undefined);
    this.effectiveWeight = effectiveWeight(this.weight, 0, undefined);
  }

  get declaredWeight(): number {
    return this.settings.weight;
  }

  /** What holds of all commands, its own and those it inherits. */
  get standing(): AdminState {
    if (this.admin === 'maint' || this.inheritedMaint) return 'maint';
    return this.draining ? 'drain' : 'ready';
  }

  /** It is told to drain, be it in maintenance too or not. */
  get draining(): boolean {
    return this.admin === 'drain' || this.inheritedDrain;
  }

  get saturated(): boolean {
    return this.maxconn !== 0 && this.active >= this.maxconn;
  }

  get queueFull(): boolean {
    const { maxqueue } = this.settings;
    return maxqueue !== 0 && this.queued >= maxqueue;
  }

  get acceptsMore(): boolean {
    return this.maxconn === 0 || this.active + this.queued < this.maxconn + this.settings.maxqueue;
  }

  /** It takes balanced requests. */
  get usable(): boolean {
    return this.fit && !this.ejected;
  }

  /** It could take balanced requests. HAProxy: srv_currently_usable. */
  get fit(): boolean {
    return (
      this.effectiveWeight !== 0 &&
      this.standing === 'ready' &&
      (this.operational === 'running' || this.operational === 'starting') &&
      !this.removed
    );
  }

  /** It takes requests that belong to it, whatever its weight, draining or not, backup or not. HAProxy: srv_currently_usable without them. */
  get acceptsPersistent(): boolean {
    return this.operational !== 'stopped' && this.standing !== 'maint' && !this.removed;
  }

  /** Works out the effective weight and limit anew. */
  recalculate(now: number): void {
    const warmForMs =
      this.operational === 'starting' && this.startedAt !== undefined ? now - this.startedAt : undefined;
    this.effectiveWeight = effectiveWeight(this.weight, this.settings.slowstartMs, warmForMs);
    this.maxconn = effectiveMaxconn(this.limits, this.#load, this.settings.slowstartMs, warmForMs);
  }
}
