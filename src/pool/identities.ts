import { ConfigError } from '../core/errors.ts';
import type { BackendServer } from './backend-server.ts';

/** Ids for servers as they are declared: the place in the list, or the next number that is free. HAProxy: proxy_finalize. */
export function declaredIds(servers: readonly { readonly id: number | undefined }[]): number[] {
  const taken = new Set(servers.map(({ id }) => id));
  let next = 1;
  return servers.map((server) => {
    if (server.id === undefined) next = freeFrom(taken, next);
    const id = server.id ?? next;
    taken.add(id);
    next++;
    return id;
  });
}

export function freeFrom(taken: ReadonlySet<number | undefined>, first: number): number {
  let id = first;
  while (taken.has(id)) id++;
  return id;
}

/** Names and ids given by default may clash with given ones. */
export function refuseTwins(servers: readonly BackendServer[]): void {
  const names = new Set<string>();
  const ids = new Set<number>();
  for (const { name, id } of servers) {
    if (names.has(name))
      throw new ConfigError([
        { path: 'servers', value: name, message: `the name ${JSON.stringify(name)} is given to two servers` },
      ]);
    if (ids.has(id))
      throw new ConfigError([{ path: 'servers', value: id, message: `the id ${id} is given to two servers` }]);
    names.add(name);
    ids.add(id);
  }
}
