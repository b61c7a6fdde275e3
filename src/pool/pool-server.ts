import { ConfigError } from '../core/errors.ts';
import { show } from '../core/options.ts';
import type { Monitor } from '../health/monitor.ts';
import { MAX_WEIGHT } from '../servers/effective.ts';
import type { AdminState } from '../servers/server.ts';
import { serverStatus } from '../servers/status.ts';
import type { BackendServer } from './backend-server.ts';
import type { PoolCore } from './pool-core.ts';

/** A weight: 0 to 256, or a percentage of the weight that was configured. */
export type Weight = number | `${number}%`;

const STATES: readonly AdminState[] = ['ready', 'drain', 'maint'];
const HEALTHS = ['up', 'stopping', 'down'] as const;

/** One server of a pool: what it is, how it is, and what an operator may do with it. Changes hold from the next pick on. */
export class PoolServer {
  readonly #backend: BackendServer;
  readonly #core: PoolCore;
  readonly #monitor: Monitor;

  /** @internal */
  constructor(backend: BackendServer, core: PoolCore, monitor: Monitor) {
    this.#backend = backend;
    this.#core = core;
    this.#monitor = monitor;
  }

  /** Unique name in its pool. */
  get name(): string {
    return this.#backend.name;
  }
  /** Unique number in its pool. */
  get id(): number {
    return this.#backend.id;
  }
  /** `http://host:port`, `https://host:port` or `unix:/path`. */
  get url(): string {
    return this.#backend.address.url;
  }
  /** Host name or IP address; `localhost` for a unix socket. */
  get host(): string {
    return this.#backend.address.host;
  }
  /** TCP port; 0 for a unix socket. */
  get port(): number {
    return this.#backend.address.port;
  }
  /** Path of its unix socket. */
  get socketPath(): string | undefined {
    return this.#backend.address.socketPath;
  }
  get backup(): boolean {
    return this.#backend.backup;
  }
  /** 0 to 256. */
  get weight(): number {
    return this.#backend.weight;
  }
  /** Requests and leases it has now. */
  get active(): number {
    return this.#backend.active;
  }
  /** Requests and leases that wait for it, and for no other. */
  get queued(): number {
    return this.#backend.queued;
  }
  /** State in HAProxy's words: `UP`, `UP 1/3`, `DOWN`, `MAINT`, `no check` … */
  get state(): string {
    return serverStatus(this.#backend, this.#monitor.report(this.#backend));
  }
  /** Whether it may be chosen. */
  get usable(): boolean {
    return this.#backend.usable;
  }

  /**
   * Changes its weight. HAProxy: `set server <b>/<s> weight`.
   * @param weight 0 to 256, or a percentage of the configured weight; with a static algorithm (`static-rr`, and hashes with
   * `hashType: 'map-based'`) only 0 and the configured weight
   * @throws {ConfigError} for anything else
   */
  setWeight(weight: Weight): void {
    const server = this.#backend;
    const to = readWeight(weight, server.settings.weight);
    const { balance } = this.#core.options;
    if (balance.static && to !== 0 && to !== server.settings.weight)
      throw wrong(
        'weight',
        weight,
        `0, '0%', ${server.settings.weight} and '100%': '${balance.name}' is static, and lays out its turns once`,
      );
    const from = server.weight;
    if (to === from) return;
    if (to > from) {
      const servers = this.#core.balancer.servers.map((known) => ({
        backup: known.backup,
        weight: known === server ? to : known.weight,
      }));
      const refusal = balance.refuse(servers);
      if (refusal !== undefined) throw new ConfigError([{ path: 'weight', value: weight, message: refusal }]);
    }
    server.weight = to;
    server.recalculate(this.#core.environment.now());
    this.#core.serverChanged(server);
    this.#core.emit('server:weight', { server: server.name, from, to });
  }

  /**
   * `drain` takes no new work and is still checked; `maint` also stops the checks and closes idle connections; `ready` undoes
   * either. Work in flight goes on, but for `maint` with `onMarkedDown`. HAProxy: `set server <b>/<s> state`.
   * @throws {ConfigError} for another word
   */
  setState(state: AdminState): void {
    if (!STATES.includes(state)) throw wrong('state', state, STATES.map(show).join(', '));
    const server = this.#backend;
    const from = server.admin;
    if (state === from) return;
    server.admin = state;
    if (state === 'maint') {
      this.#monitor.pause(server);
      server.connections.clear();
    } else if (from === 'maint') this.#monitor.resume(server);
    server.recalculate(this.#core.environment.now());
    this.#core.serverChanged(server);
    this.#core.emit('server:state', { server: server.name, from, to: state });
    if (state === 'maint') this.#core.markedDown(server);
    else if (from === 'maint') this.#core.markedUp(server);
  }

  /**
   * Overrules its checks until the next verdict. HAProxy: `set server <b>/<s> health`.
   * @throws {ConfigError} for another word
   */
  setHealth(health: 'up' | 'stopping' | 'down'): void {
    if (!HEALTHS.includes(health)) throw wrong('health', health, HEALTHS.map(show).join(', '));
    this.#monitor.setHealth(this.#backend, health);
  }
}

function readWeight(weight: unknown, configured: number): number {
  if (typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 && weight <= MAX_WEIGHT) return weight;
  const percent = typeof weight === 'string' ? /^(\d{1,5})%$/.exec(weight) : null;
  const to = percent ? Math.floor((configured * Number(percent[1])) / 100) : -1;
  if (to >= 0 && to <= MAX_WEIGHT) return to;
  throw wrong(
    'weight',
    weight,
    `an integer from 0 to ${MAX_WEIGHT}, or a percentage of the configured weight that gives at most ${MAX_WEIGHT}: '50%'`,
  );
}

function wrong(path: string, value: unknown, allowed: string): ConfigError {
  return new ConfigError([{ path, value, message: `${show(value)} is not allowed; allowed: ${allowed}` }]);
}
