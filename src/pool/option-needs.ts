import { OptionReader } from '../core/options.ts';
import type { CheckCatalogue } from '../health/index.ts';
import { isTurnedOn, refuseIdle } from '../health/option-needs.ts';
import type { CookieSettings } from '../persistence/cookie-options.ts';
import type { PoolOptions } from './options.ts';
import type { ResolvedServer } from './resolve-options.ts';

type Option = keyof PoolOptions;

/** Options about what binds requests to servers, and which of others they need one of. */
const OF_PERSISTENCE: readonly (readonly [option: Option, needs: readonly Option[]])[] = [
  ['persist', ['cookie', 'stick', 'useServer']],
  ['forcePersist', ['cookie', 'stick', 'useServer']],
  ['ignorePersist', ['cookie']],
];

/** Refuses options of the pool about persistence that do nothing without others. */
export function refuseIdlePersistence(read: OptionReader): void {
  for (const [option, needs] of OF_PERSISTENCE)
    if (isAsked(read.any(option)) && !needs.some((need) => read.has(need)))
      read.reject(option, `needs ${needs.map((need) => `'${need}'`).join(' or ')}`);
}

/**
 * Refuses a pool's cookie that stands for no server: it would keep nobody on a server, and take away what clients have under that
 * name. Servers that are added later are not known yet, so that nothing is refused where all of them are.
 */
export function refuseIdleCookie(
  read: OptionReader,
  servers: readonly ResolvedServer[],
  cookie: CookieSettings | undefined,
): void {
  if (!cookie?.mode || cookie.dynamic || servers.length === 0) return;
  if (servers.every((server) => server.cookie === undefined))
    read.reject(
      'cookie',
      "no server has a 'cookie', the value that stands for it: servers: [{ address: …, cookie: 'a' }, …]; or 'dynamic', which makes them",
    );
}

/**
 * Refuses options of the pool, and those of `defaultServer`, that are about checks which no server has. Servers that are added
 * later are not known yet, so that nothing is refused where all of them are.
 */
export function refuseIdleChecks(
  read: OptionReader,
  servers: readonly ResolvedServer[],
  { named, httpchk, used }: CheckCatalogue,
): void {
  if (servers.length === 0) return;
  refuseIdle(new OptionReader(read.any('defaultServer'), 'defaultServer', read.faults), servers);
  if (httpchk && !used.has(httpchk)) read.reject('httpchk', "is used by no server: give one 'check: true'");
  if (named.size > 0 && ![...named.values()].some((check) => used.has(check)))
    read.reject(
      'healthchecks',
      `is used by no server: give one check: ${[...named.keys()].map((name) => `'${name}'`).join(' or ')}`,
    );
  if (isTurnedOn(read, 'disableOn404') && !servers.some(({ check }) => check?.overHttp))
    read.reject(
      'disableOn404',
      "needs a server with a 'check' over HTTP: check: { type: 'http', … }, or 'httpchk' and 'check: true'",
    );
  if (!servers.some(({ check, agent }) => check ?? agent))
    for (const option of ['spreadChecks', 'maxSpreadChecks'] as const)
      if (read.has(option) && read.any(option) !== 0)
        read.reject(option, "needs a server with a 'check' or 'agentCheck'");
}

function isAsked(value: unknown): boolean {
  return value === true || typeof value === 'function';
}
