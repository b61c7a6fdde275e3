import { parseAddress } from '#src/servers/address.ts';
import { Server, type ServerSettings } from '#src/servers/server.ts';

/** A server's settings, a pool's defaults but for those given. */
export function serverSettings(given: Partial<ServerSettings> = {}): ServerSettings {
  const { maxconn = 0 } = given;
  return { weight: 1, maxconn, minconn: maxconn, maxqueue: 0, backup: false, slowstartMs: 0, ...given };
}

/** A server at an address where nothing listens, for tests that never connect. Defaults are a pool's. */
export function makeServer(id: number, settings: Partial<ServerSettings> & { name?: string } = {}): Server {
  const address = parseAddress('127.0.0.1:1');
  if (address === undefined) throw new Error('not an address');
  const { name = `s${id}`, ...given } = settings;
  return new Server(id, name, address, serverSettings(given));
}
