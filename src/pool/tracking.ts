import { ConfigError, type ConfigFault } from '../core/errors.ts';
import { show } from '../core/options.ts';
import type { Server } from '../servers/server.ts';
import type { BackendServer } from './backend-server.ts';

/**
 * Finds the servers that others track.
 * @param servers those that are new
 * @param pathOf where the options of one stand
 * @throws {ConfigError} for one that is not there, that has nothing to follow, or that follows itself in the end
 */
export function linkTracks(
  servers: readonly BackendServer[],
  all: readonly BackendServer[],
  pathOf: (server: BackendServer) => string,
): void {
  const trackers = servers.filter(({ track }) => track !== undefined);
  for (const server of trackers) server.tracks = all.find(({ name }) => name === server.track);
  const faults: ConfigFault[] = [];
  for (const server of trackers) {
    const message = wrongWith(server, all);
    if (message !== undefined) faults.push({ path: `${pathOf(server)}.track`, value: server.track, message });
  }
  if (faults.length > 0) throw new ConfigError(faults);
}

/** Names of servers that an error tells. */
const MOST_NAMES = 10;

function wrongWith(server: BackendServer, all: readonly BackendServer[]): string | undefined {
  const target = server.tracks as BackendServer | undefined;
  if (!target) {
    const others = all.filter((other) => other !== server).map(({ name }) => `'${name}'`);
    const allowed = others.length > MOST_NAMES ? `${others.slice(0, MOST_NAMES).join(', ')}, …` : others.join(', ');
    const what = `the pool has no server ${show(server.track)}; allowed: another server of this pool, by its name alone`;
    return `${what}: ${allowed || 'there is none'}`;
  }
  const seen = new Set<Server>([server]);
  for (let next: Server | undefined = target; next; next = next.tracks) {
    if (next === server)
      return `${server.name} would track itself${target === server ? '' : `, by way of ${target.name}`}`;
    // A loop further on is told of by those that it is made of.
    if (seen.has(next)) return undefined;
    seen.add(next);
  }
  if (target.track !== undefined || target.health.check || target.health.agent) return undefined;
  return `${target.name} has no check, no agent and tracks no other server: there is nothing to follow`;
}

/** @throws {ConfigError} for a server that others track: nobody would know any more how they are */
export function refuseWhileTracked(server: BackendServer, all: readonly BackendServer[]): void {
  const trackers = all.filter(({ tracks }) => tracks === server).map(({ name }) => name);
  if (trackers.length === 0) return;
  const message = `cannot be removed while it is tracked; remove first: ${trackers.join(', ')}`;
  throw new ConfigError([{ path: 'removeServer', value: server.name, message }]);
}
