import type { PoolOptions } from '#src/index.ts';
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

/** After this long the pool must have seen that a server is fit: `rise` checks, each late by as much as the process is busy. */
export const SETTLED_MS = 1_000;

/** How the soak's pool is set up, in one place. The seed says how it balances. */
export function poolOptions(
  servers: readonly { readonly name: string; readonly address: string }[],
  random: () => number,
): PoolOptions {
  return {
    servers: servers.map(({ name, address }) => ({ name, address })),
    ...oneOf(random, BALANCES),
    defaultServer: {
      check: { type: 'http', uri: '/check/0', expect: 'status 200' },
      inter: 100,
      rise: 2,
      fall: 3,
      poolPurgeDelay: '1s',
    },
    retries: RETRIES,
    retryOn: ['conn-failure', 'empty-response', 'junk-response', 'response-timeout'],
    timeout: { connect: 1_000, server: 1_000, client: 5_000, tunnel: 5_000, serverFin: 1_000, clientFin: 1_000 },
  };
}
