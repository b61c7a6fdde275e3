import type { Hints } from '../core/options.ts';
import type { PoolOptions, ServerOptions, TimeoutOptions } from './options.ts';

/** What other programs call options of a server. */
const SERVER_OPTIONS_ELSEWHERE: Readonly<Record<string, keyof ServerOptions>> = {
  ...{ url: 'address', host: 'address', hostname: 'address' },
  ...{ interval: 'inter', checkInterval: 'inter', checkInter: 'inter', period: 'inter' },
  ...{ healthyThreshold: 'rise', successThreshold: 'rise', unhealthyThreshold: 'fall', failureThreshold: 'fall' },
  ...{ healthCheck: 'check', agent: 'agentCheck', maxConnections: 'maxconn', maxRequests: 'maxconn' },
};

/** Options of the pool that are sought at a server. */
const SOUGHT_AT_SERVERS: readonly (keyof PoolOptions)[] = [
  ...([
    'timeout',
    'httpchk',
    'healthchecks',
    'externalCheck',
    'disableOn404',
    'spreadChecks',
    'maxSpreadChecks',
  ] as const),
  ...([
    'balance',
    'hashType',
    'retries',
    'retryOn',
    'redispatch',
    'retryBudget',
    'hedge',
    'outlier',
    'fullconn',
  ] as const),
  ...([
    'stick',
    'stickTable',
    'tables',
    'persist',
    'dynamicCookieKey',
    'allbackups',
    'httpReuse',
    'changeOrigin',
  ] as const),
  ...(['forwardfor', 'errorfiles', 'httpRequest', 'httpResponse', 'priority', 'useServer', 'engine'] as const),
];

/** Of keys at a server, or in `defaultServer`. */
export const SERVER_HINTS: Hints = {
  ...Object.fromEntries(SOUGHT_AT_SERVERS.map((name) => [name, 'it is an option of the pool'])),
  ...Object.fromEntries(
    Object.entries(SERVER_OPTIONS_ELSEWHERE).map(([key, name]) => [key, `did you mean '${name}'?`]),
  ),
  ...Object.fromEntries(
    ['checkTimeout', 'timeoutCheck'].map((key) => [key, "it is the pool's option 'timeout': timeout: { check: … }"]),
  ),
  ...Object.fromEntries(['ssl', 'tls'].map((key) => [key, 'TLS is spoken to an https: address'])),
  outlierDetection: "it is the pool's option 'outlier'",
  ...Object.fromEntries(
    [...['uri', 'method', 'headers', 'body', 'expect', 'steps'], ...['user', 'service', 'command']].map((key) => [
      key,
      `it stands in 'check': check: { type: …, ${key}: … }`,
    ]),
  ),
};

/** Time limits by other names. */
const TIMEOUTS_ELSEWHERE: Readonly<Record<string, keyof TimeoutOptions>> = {
  ...{
    response: 'server',
    read: 'server',
    upstream: 'server',
    request: 'total',
    health: 'check',
    healthCheck: 'check',
  },
  ...{ websocket: 'tunnel', idle: 'tunnel' },
};

/** Of keys of `timeout`. */
export const TIMEOUT_HINTS: Hints = Object.fromEntries(
  Object.entries(TIMEOUTS_ELSEWHERE).map(([key, name]) => [key, `did you mean '${name}'?`]),
);

const TIMEOUTS: readonly (keyof TimeoutOptions)[] = [
  'connect',
  'queue',
  'server',
  'client',
  'tunnel',
  'check',
  'total',
];

const STICK_RULES: Readonly<Record<string, string>> = {
  ...{ stickOn: "['on src']", stickMatch: "['match src']" },
  ...{ stickStoreRequest: "['store-request src']", stickStoreResponse: "['store-response res.cook(sid)']" },
};

/** What HAProxy switches on by `option`. */
const OPTION_KEYWORDS: readonly (keyof PoolOptions)[] = [
  ...(['persist', 'redispatch', 'checkcache', 'httpchk', 'allbackups', 'forwardfor', 'forwarded'] as const),
  ...(['externalCheck', 'spreadChecks'] as const),
];

/** Of keys of a rule. */
export const RULE_HINTS: Hints = {
  ...Object.fromEntries(
    ['track-sc', 'track-sc0', 'track-sc1', 'track-sc2'].map((key) => [
      key,
      "did you mean 'track'? Rules behind it see the entry as context.tracked",
    ]),
  ),
  ...Object.fromEntries(
    ['sc-inc-gpc', 'sc-inc-gpc0', 'sc-inc-gpc1', 'sc-add-gpc'].map((key) => [
      key,
      "did you mean call: ({ tracked }) => tracked.increment('gpc0')?",
    ]),
  ),
  ...Object.fromEntries(
    ['sc-set-gpt', 'sc-set-gpt0'].map((key) => [key, "did you mean call: ({ tracked }) => tracked.mark('gpt0', 1)?"]),
  ),
  unless: "did you mean 'if', of what returns the opposite?",
};

/**
 * Of keys of the pool.
 * @param ofServers the names of all options that `defaultServer` may have
 */
export function poolHints(ofServers: readonly string[]): Hints {
  const atServers = (name: string): string => `an option of servers; for all of them: defaultServer: { ${name}: … }`;
  return {
    ...Object.fromEntries(
      Object.entries(SERVER_OPTIONS_ELSEWHERE).map(([key, name]) => [
        key,
        `did you mean '${name}'? It is ${atServers(name)}`,
      ]),
    ),
    ...Object.fromEntries(ofServers.map((name) => [name, `it is ${atServers(name)}`])),
    ...Object.fromEntries(
      ['address', 'id', 'guid', 'track', 'url', 'host', 'hostname'].map((name) => [
        name,
        'it is an option of a server: servers: [{ address: … }]',
      ]),
    ),
    ...Object.fromEntries(
      TIMEOUTS.flatMap((name) =>
        [`${name}Timeout`, `timeout${name}`].map((key) => [key, `did you mean timeout: { ${name}: … }?`]),
      ),
    ),
    ...Object.fromEntries(Object.entries(STICK_RULES).map(([key, rule]) => [key, `did you mean stick: ${rule}?`])),
    ...Object.fromEntries(OPTION_KEYWORDS.map((name) => [`option${name}`, `did you mean '${name}'?`])),
    ...Object.fromEntries(
      ['upstream', 'upstreams', 'backends', 'targets'].map((key) => [key, "did you mean 'servers'?"]),
    ),
    ...Object.fromEntries(['algorithm', 'strategy', 'policy'].map((key) => [key, "did you mean 'balance'?"])),
    ...{ maxRetries: "did you mean 'retries'?", retry: "did you mean 'retries'?" },
    ...{ outlierDetection: "did you mean 'outlier'?", requestTimeout: 'did you mean timeout: { total: … }?' },
  };
}
