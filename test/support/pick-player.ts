import { readFileSync } from 'node:fs';
import type { Environment } from '#src/core/environment.ts';
import type { Scheduler, SchedulerFactory } from '#src/schedulers/scheduler.ts';
import type { Server } from '#src/servers/server.ts';
import { makeServer } from './make-server.ts';

/** A server of a scenario, by HAProxy's keywords. */
export interface RecordedServer {
  readonly name: string;
  readonly id?: number;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly maxconn?: number;
  readonly disabled?: boolean;
}

/** What was done, and for a request which server of HAProxy's got it; `{ status: 503 }`: none. */
export type RecordedStep =
  | { readonly op: 'req'; readonly id: string; readonly hold?: boolean; readonly expect: string | { status: number } }
  | { readonly op: 'release'; readonly id: string }
  | { readonly op: 'cmd'; readonly cmd: string };

export interface RecordedScenario {
  readonly name: string;
  /** The lines of HAProxy's `backend` section. */
  readonly backend: readonly string[];
  readonly servers: readonly RecordedServer[];
  readonly steps: readonly RecordedStep[];
}

/**
 * Scenarios recorded from a real HAProxy with one thread. `haproxy-picks`: 3.5, the development version of 2026-08-21.
 * `haproxy-2.6-roundrobin`: 2.6.12; whole rounds, full servers, and commands before the first request.
 */
export function recordedScenarios(recording: 'haproxy-picks' | 'haproxy-2.6-roundrobin'): RecordedScenario[] {
  const file = new URL(`../fixtures/${recording}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as RecordedScenario[];
}

/** Servers and their schedulers, without sockets, time or queues: just enough of a pool to replay a scenario. */
export class PickPlayer {
  readonly #servers: Server[];
  readonly #allBackups: boolean;
  readonly #active: Scheduler;
  readonly #backups: Scheduler;
  readonly #held = new Map<string, Server>();

  constructor(scenario: RecordedScenario, factory: SchedulerFactory, environment: Environment) {
    this.#allBackups = scenario.backend.includes('option allbackups');
    this.#active = factory(environment);
    this.#backups = factory(environment);
    this.#servers = scenario.servers.map((recorded, index) => {
      const server = makeServer(recorded.id ?? index + 1, recorded);
      if (recorded.disabled) server.admin = 'maint';
      if (server.usable) this.#groupOf(server).add(server);
      return server;
    });
  }

  /** Name of the server that gets the request, or 503. It keeps its slot when it is given an id. */
  request(id: string | undefined): string | 503 {
    const server = this.#choose();
    if (server === undefined) return 503;
    server.active++;
    this.#groupOf(server).took?.(server);
    if (id === undefined) this.#free(server);
    else this.#held.set(id, server);
    return server.name;
  }

  release(id: string): void {
    const server = this.#held.get(id);
    if (server === undefined) return; // it was answered 503
    this.#held.delete(id);
    this.#free(server);
  }

  /** One of HAProxy's runtime commands: `disable server`, `enable server`, `set server … state`, `set server … weight`. */
  command(text: string): void {
    const [, verb, name, what, value = ''] = /^(\w+) server be\/(\S+)(?: (\w+) (\S+))?$/.exec(text) ?? [];
    const server = this.#servers.find((known) => known.name === name);
    if (server === undefined) throw new Error(`no such server: ${text}`);
    this.#change(server, () => {
      if (verb === 'disable') server.admin = 'maint';
      else if (verb === 'enable') server.admin = 'ready';
      else if (what === 'state' && (value === 'ready' || value === 'drain' || value === 'maint')) server.admin = value;
      else if (what === 'weight') server.weight = weightOf(value, server.settings.weight);
      else throw new Error(`not understood: ${text}`);
    });
  }

  #change(server: Server, change: () => void): void {
    const group = this.#groupOf(server);
    const { usable, effectiveWeight } = server;
    change();
    server.recalculate(0);
    if (usable && !server.usable) group.remove(server);
    else if (!usable && server.usable) group.add(server);
    else if (usable && effectiveWeight !== server.effectiveWeight) group.reweigh(server);
  }

  /** HAProxy: the active servers while any is usable, else the first usable backup, or with `allbackups` all of them. */
  #choose(): Server | undefined {
    const active = this.#servers.some((server) => server.usable && !server.backup);
    if (!active && !this.#allBackups) {
      const first = this.#servers.find((server) => server.usable);
      return first?.saturated ? undefined : first;
    }
    const picked = (active ? this.#active : this.#backups).pick({}, undefined);
    return this.#servers.find((server) => server === picked);
  }

  #free(server: Server): void {
    server.active--;
    this.#groupOf(server).freed?.(server);
  }

  #groupOf(server: Server): Scheduler {
    return server.backup ? this.#backups : this.#active;
  }
}

/** `'20'`, or `'50%'` of the weight the server was declared with. */
function weightOf(text: string, declared: number): number {
  return text.endsWith('%') ? Math.min(256, Math.floor((declared * Number.parseInt(text, 10)) / 100)) : Number(text);
}
