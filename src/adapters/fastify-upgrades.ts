import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Arrival } from '../core/exchange.ts';
import type { MountPath } from './mount-path.ts';
import { claim, placeOf, type UpgradeListener } from './node-http.ts';
import { protocolOf, readAsRequest, responseOn } from './upgrade-socket.ts';

/** Leads a request through an application's router and hooks. */
type Route = (request: IncomingMessage, response: ServerResponse) => void;

/** What is being upgraded, while the application's hooks look at it. */
const upgrades = new WeakMap<object, NonNullable<Arrival['upgrade']>>();

/** The upgrade that a request asks for; `undefined` for an ordinary request. */
export function upgradeOf(request: object): Arrival['upgrade'] {
  return upgrades.get(request);
}

/**
 * The upgrades of one server: those below a mounted path go through the application's router as requests do, on a response
 * of their own; without other listeners all others are the plain requests that they would be if nobody listened.
 */
export class ServerUpgrades {
  readonly #server: EventEmitter;
  readonly #route: Route;
  readonly #mounts = new Set<MountPath>();

  private constructor(server: EventEmitter, route: Route) {
    this.#server = server;
    this.#route = route;
    claim(this.#listener, (url) => Math.max(-1, ...[...this.#mounts].map((mount) => mount.coverage(url))));
  }

  /** The one of this server, however often we are mounted. */
  static of(server: EventEmitter, route: Route): ServerUpgrades {
    let known = servers.get(server);
    if (!known) servers.set(server, (known = new ServerUpgrades(server, route)));
    return known;
  }

  add(mount: MountPath): void {
    // First of all listeners: another that routes upgrades too must find that the socket is taken.
    if (this.#mounts.size === 0) this.#server.prependListener('upgrade', this.#listener);
    this.#mounts.add(mount);
  }

  remove(mount: MountPath): void {
    this.#mounts.delete(mount);
    if (this.#mounts.size === 0) this.#server.removeListener('upgrade', this.#listener);
  }

  readonly #listener: UpgradeListener = (request, socket, head) => {
    socket.on('error', ignore);
    const place = placeOf(this.#server, 'upgrade', this.#listener, request.url ?? '/');
    if (place === 'leave') return;
    const protocol = place === 'take' ? protocolOf(request) : undefined;
    if (protocol === undefined && readAsRequest(this.#server, request, socket, head)) return;
    const response = responseOn(request, socket);
    if (!response) return;
    if (protocol !== undefined) upgrades.set(request, { protocol, socket, head });
    this.#route(request, response);
  };
}

const servers = new WeakMap<EventEmitter, ServerUpgrades>();

function ignore(): void {}
