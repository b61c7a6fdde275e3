import { parseAddress } from '#src/servers/address.ts';
import { Server } from '#src/servers/server.ts';

/** A server at an address where nothing listens, for tests that never connect. Defaults are a pool's. */
export function makeServer(
  id: number,
  settings: { name?: string; weight?: number; maxconn?: number; backup?: boolean } = {},
): Server {
  const address = parseAddress('127.0.0.1:1');
  if (address === undefined) throw new Error('not an address');
  const { name = `s${id}`, weight = 1, maxconn = 0, backup = false } = settings;
  return new Server(id, name, address, { weight, maxconn, backup, slowstartMs: 0 });
}
