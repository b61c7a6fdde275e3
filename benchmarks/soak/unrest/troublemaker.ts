import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from '#src/index.ts';
import { FAULTS } from '../../../test/support/fault-servers.ts';
import { between, drawn, oneOf } from './chance.ts';
import type { Crowd } from './crowd.ts';
import { RETRIES, serverOptions } from './pool-options.ts';
import type { RestlessServer } from './restless-server.ts';

/** What is done next, and how often. */
const ACTS = {
  fail: 20,
  stop: 8,
  recover: 24,
  storm: 1,
  drain: 5,
  maint: 5,
  weightless: 3,
  remove: 5,
  reinstate: 18,
  weigh: 10,
  crowd: 6,
} as const;

type Act = keyof typeof ACTS;

/** Time between two acts. */
const EVERY_MS = [30, 300] as const;

/** Servers that the operator may hold out of service at one time. */
const MOST_OUT = 2;

const FAULT_NAMES = Object.keys(FAULTS).filter((name) => name !== 'ok' && name !== 'refused');

/** Troubles servers, plays the operator of the pool, and has the crowd grow and shrink: the same for the same seed. */
export class Troublemaker {
  /** What was done, and how often. */
  readonly acts: Partial<Record<Act, number>> = {};
  /** Most requests that were seen waiting for a server. */
  mostQueued = 0;
  readonly #pool: Pool;
  readonly #servers: readonly RestlessServer[];
  readonly #crowd: Crowd;
  readonly #clients: readonly [least: number, most: number];
  readonly #random: () => number;

  constructor(
    pool: Pool,
    servers: readonly RestlessServer[],
    crowd: Crowd,
    clients: readonly [least: number, most: number],
    random: () => number,
  ) {
    this.#pool = pool;
    this.#servers = servers;
    this.#crowd = crowd;
    this.#clients = clients;
    this.#random = random;
  }

  /** Makes trouble for so long, then puts everything in order again and the crowd to rest. */
  async work(forMs: number): Promise<void> {
    this.#crowd.resize(between(this.#random, ...this.#clients));
    const endsAt = performance.now() + forMs;
    while (performance.now() < endsAt) {
      await delay(between(this.#random, ...EVERY_MS));
      await this.#act(drawn(this.#random, ACTS));
      this.mostQueued = Math.max(this.mostQueued, this.#pool.stats().queued);
    }
    await this.#makeGood();
    await this.#crowd.rest();
  }

  async #act(act: Act): Promise<void> {
    const random = this.#random;
    const well = this.#servers.filter((server) => !server.troubled);
    const serving = this.#servers.filter((server) => server.inService);
    // Drawn whether it is done or not: what comes later is the same for the same seed.
    const [healthy, present, fault, seen] = [
      oneOf(random, well),
      oneOf(random, serving),
      oneOf(random, FAULT_NAMES),
      random(),
    ];
    const mayFail = this.#servers.length - well.length < Math.min(RETRIES, this.#servers.length - 1);
    const mayLeave = this.#servers.length - serving.length < MOST_OUT;
    const sick = oneOf(
      random,
      this.#servers.filter((server) => server.troubled),
    );
    const absent = oneOf(
      random,
      this.#servers.filter((server) => !server.inService),
    );
    switch (act) {
      case 'fail':
        if (!healthy || !mayFail || fault === undefined) return;
        healthy.misbehave(fault, seen < 0.5);
        break;
      case 'stop':
        if (!healthy || !mayFail) return;
        await healthy.stop();
        break;
      case 'recover':
        if (!sick) return;
        await sick.recover();
        break;
      case 'storm':
        await this.#storm();
        break;
      case 'drain':
      case 'maint':
        if (!present || !mayLeave) return;
        present.inService = false;
        this.#pool.server(present.name).setState(act);
        break;
      case 'weightless':
        if (!present || !mayLeave) return;
        present.inService = false;
        this.#pool.server(present.name).setWeight(0);
        break;
      case 'remove':
        if (!present || !mayLeave) return;
        present.inService = false;
        await this.#pool.removeServer(present.name, { graceMs: between(random, 0, 300) });
        break;
      case 'reinstate':
        if (!absent) return;
        this.#reinstate(absent);
        break;
      case 'weigh':
        if (!present) return;
        this.#pool.server(present.name).setWeight(between(random, 1, 256));
        break;
      case 'crowd':
        this.#crowd.resize(between(random, ...this.#clients));
        break;
    }
    this.acts[act] = (this.acts[act] ?? 0) + 1;
  }

  /** All servers fail at once. */
  async #storm(): Promise<void> {
    for (const server of this.#servers) {
      const fault = oneOf(this.#random, FAULT_NAMES);
      if (server.troubled || fault === undefined) continue;
      if (this.#random() < 0.3) await server.stop();
      else server.misbehave(fault, this.#random() < 0.5);
    }
    await delay(between(this.#random, 50, 1_000));
    for (const server of this.#servers) await server.recover();
  }

  #reinstate(server: RestlessServer): void {
    const { name, address } = server;
    if (!this.#pool.hasServer(name)) this.#pool.addServer(serverOptions(name, address));
    const known = this.#pool.server(name);
    known.setState('ready');
    if (known.weight === 0) known.setWeight(1);
    server.inService = true;
  }

  async #makeGood(): Promise<void> {
    for (const server of this.#servers) {
      if (server.troubled) await server.recover();
      if (!server.inService) this.#reinstate(server);
    }
  }
}
