import type { PoolOptions, ServerOptions } from '#src/index.ts';
import { oneOf } from './chance.ts';

/** Whose servers may be given any weight at run time. */
const BALANCES: readonly Pick<PoolOptions, 'balance' | 'hashType'>[] = [
  { balance: 'roundrobin' },
  { balance: 'leastconn' },
  { balance: 'random' },
  { balance: 'first' },
  { balance: 'uri', hashType: 'consistent' },
  { balance: 'peak-ewma' },
];

/** Attempts after the first. No more servers than this are in trouble at one time, storms apart. */
export const RETRIES = 3;

/** Far longer than this process is ever busy with something else, or checks and requests fail that should not. */
const LIMIT_MS = 1_000;

/** After this long the pool must have seen that a server is fit: a check that hangs to its limit, then those that pass. */
export const SETTLED_MS: number = 2 * LIMIT_MS;

/** Every second server takes so few requests at a time that queues build up, once others fail. */
const FEW = 6;

/** Most requests of one server at a time; 0 is no limit. */
export function maxconnOf(name: string): number {
  return Number(name.slice(1)) % 2 === 0 ? FEW : 0;
}

/** How one server is set up, at the start and whenever it is added again. */
export function serverOptions(name: string, address: string): ServerOptions {
  return { name, address, maxconn: maxconnOf(name) };
}

/** How the soak's pool is set up, in one place. The seed says how it balances. */
export function poolOptions(
  servers: readonly { readonly name: string; readonly address: string }[],
  random: () => number,
): PoolOptions {
  return {
    servers: servers.map(({ name, address }) => serverOptions(name, address)),
    ...oneOf(random, BALANCES),
    hedge: random() < 0.5 && { after: 'p95' },
    defaultServer: {
      check: { type: 'http', uri: '/check/0', expect: 'status 200' },
      inter: 100,
      rise: 2,
      fall: 3,
      poolPurgeDelay: '1s',
    },
    retries: RETRIES,
    retryOn: 'all-retryable-errors',
    timeout: {
      connect: LIMIT_MS,
      server: LIMIT_MS,
      check: LIMIT_MS,
      serverFin: LIMIT_MS,
      clientFin: LIMIT_MS,
      queue: 5 * LIMIT_MS,
      client: 5 * LIMIT_MS,
      tunnel: 5 * LIMIT_MS,
    },
  };
}
