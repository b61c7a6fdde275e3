import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from '../support/config-faults.ts';

const A = '127.0.0.1:3001';
const of = (options: object): object => ({ servers: [{ address: A, ...options }] });
const http = (options: object): object => of({ check: { type: 'http', ...options } });

const TYPES =
  "'tcp', 'http', 'agent', 'redis', 'mysql', 'pgsql', 'smtp', 'ldap', 'ssl-hello', 'spop', 'grpc', 'external'";

/** What is written where it is no option, and all of what is said of it. */
const HINTS: readonly (readonly [options: object, ...faults: string[]])[] = [
  // what a server says, within its check
  [http({ url: '/' }), "servers[0].check.url: is not an option; did you mean 'uri'?"],
  [http({ path: '/' }), "servers[0].check.path: is not an option; did you mean 'uri'?"],
  [http({ status: 200 }), "servers[0].check.status: is not an option; did you mean expect: 'status 200'?"],
  [http({ host: 'a' }), 'servers[0].check.host: is not an option; did you mean headers: { Host: … }?'],
  ...(['inter', 'interval', 'rise', 'fall', 'port'] as const).map((key) => {
    const name = key === 'interval' ? 'inter' : key;
    return [
      http({ [key]: 1 }),
      `servers[0].check.${key}: is not an option; it is said by the server's option '${name}', beside 'check'`,
    ] as const;
  }),
  [
    http({ timeout: '1s' }),
    "servers[0].check.timeout: is not an option; it is said by the pool's option 'timeout': timeout: { check: … }",
  ],
  [
    { servers: [{ address: A, check: 'db' }], healthchecks: { db: { type: 'redis', inter: 1 } } },
    "healthchecks.db.inter: is not an option; it is said by the server's option 'inter', beside 'check'",
  ],
  [{ httpchk: { path: '/' } }, "httpchk.path: is not an option; did you mean 'uri'?"],
  [
    of({ check: '/healthz' }),
    `servers[0].check: "/healthz" is no name of a check; did you mean { type: 'http', uri: "/healthz" }?`,
  ],
  // what another check has
  [
    of({ check: { type: 'tcp', uri: '/' } }),
    "servers[0].check.uri: is not an option; it is of checks over HTTP: type: 'http'",
  ],
  [
    of({ check: { type: 'tcp', send: 'PING' } }),
    'servers[0].check.send: is not an option; it stands in a step: steps: [{ send: … }]',
  ],
  [
    of({ check: { type: 'grpc', serviceName: 'a' } }),
    "servers[0].check.serviceName: is not an option; did you mean 'service'?",
  ],
  [
    of({ check: { type: 'pgsql', user: 'a', password: 'b' } }),
    'servers[0].check.password: is not an option; the check logs in without one',
  ],
  [
    of({ check: { type: 'httpchk', uri: '/' } }),
    `servers[0].check.type: "httpchk" is not allowed; did you mean 'http'? allowed: ${TYPES}`,
  ],
  [
    of({ check: 'http', uri: '/' }),
    "servers[0].uri: is not an option; it stands in 'check': check: { type: …, uri: … }",
  ],
  // what a check needs
  [of({ check: { uri: '/' } }), `servers[0].check.type: is missing; allowed: ${TYPES}`],
  ...[{ send: { uri: '/' } }, { expect: 'status 200' }, { expect: '! hdr name a' }, { expect: { rstatus: '^2' } }].map(
    (step) =>
      [
        of({ check: { steps: [{ comment: 'a' }, step] } }),
        "servers[0].check.type: is missing; for steps with requests, or with expectations of statuses and fields, it is 'http'",
      ] as const,
  ),
  [
    http({ uri: '/', expect: 'status 200', steps: [{ send: {} }] }),
    "servers[0].check.uri: cannot stand beside 'steps': it goes into one, { send: { uri: … } }",
    "servers[0].check.expect: cannot stand beside 'steps': it goes into one, { expect: … }",
  ],
  [
    http({ expect: { status: 200, string: 'OK' } }),
    `servers[0].check.expect: {"status":200,"string":"OK"} has 'status' and 'string': for several expectations give an array of them, and among steps several steps`,
  ],
  [
    http({ steps: [{ send: {} }, { expect: ['status 200', 'string OK'] }] }),
    'servers[0].check.steps[1].expect: ["status 200","string OK"] is an array: for several expectations give an array of them, and among steps several steps',
  ],
  [
    of({ check: { steps: [{ expect: { string: 'a', binary: 'ff' } }] } }),
    `servers[0].check.steps[0].expect: {"string":"a","binary":"ff"} has 'string' and 'binary': for several expectations give several steps`,
  ],
  [http({ expect: 'rstatus ^(2' }), 'servers[0].check.expect: "^(2" is no regular expression: Unterminated group'],
  [
    http({ expect: { hdr: 'name a value -m reg [' } }),
    'servers[0].check.expect.hdr.value: "[" is no regular expression: Unterminated character class',
  ],
  [
    of({ check: { steps: [{ expect: 'rstring a**' }] } }),
    'servers[0].check.steps[0].expect.rstring: "a**" is no regular expression: Nothing to repeat',
  ],
  // at the pool, what is said of servers
  ...(['check', 'inter', 'rise', 'fall', 'observe', 'maxconn', 'agentCheck'] as const).map(
    (key) =>
      [
        { [key]: 1 },
        `${key}: is not an option; it is an option of servers; for all of them: defaultServer: { ${key}: … }`,
      ] as const,
  ),
  [
    { interval: '1s' },
    "interval: is not an option; did you mean 'inter'? It is an option of servers; for all of them: defaultServer: { inter: … }",
  ],
  [{ address: A }, 'address: is not an option; it is an option of a server: servers: [{ address: … }]'],
  [{ upstreams: [A] }, "upstreams: is not an option; did you mean 'servers'?"],
  [{ connectTimeout: 1 }, 'connectTimeout: is not an option; did you mean timeout: { connect: … }?'],
  [{ 'timeout check': 1 }, 'timeout check: is not an option; did you mean timeout: { check: … }?'],
  // at a server, what is said by the pool
  ...(['timeout', 'disableOn404', 'outlier', 'httpchk', 'stick'] as const).flatMap((key) => [
    [of({ [key]: {} }), `servers[0].${key}: is not an option; it is an option of the pool`] as const,
    [{ defaultServer: { [key]: {} } }, `defaultServer.${key}: is not an option; it is an option of the pool`] as const,
  ]),
  [of({ interval: '1s' }), "servers[0].interval: is not an option; did you mean 'inter'?"],
  [
    of({ 'check-timeout': 1 }),
    "servers[0].check-timeout: is not an option; it is the pool's option 'timeout': timeout: { check: … }",
  ],
  [of({ unhealthyThreshold: 3 }), "servers[0].unhealthyThreshold: is not an option; did you mean 'fall'?"],
  [of({ ssl: true }), 'servers[0].ssl: is not an option; TLS is spoken to an https: address'],
  [{ timeout: { request: '1s' } }, "timeout.request: is not an option; did you mean 'total'?"],
  // HAProxy's
  [of({ 'send-proxy': true }), 'servers[0].send-proxy: not supported (HAProxy: send-proxy)'],
  [
    { 'http-check': 'expect status 200' },
    "http-check: not supported (HAProxy: http-check): its rules are options of a check: { type: 'http', … }",
  ],
  // Envoy's
  [
    { outlier: { consecutive5xx: 5 } },
    "outlier.consecutive5xx: is not an option; did you mean 'consecutiveErrors'? It counts failures to answer, 502, 503 and 504",
  ],
  [
    { outlier: { base_ejection_time: '30s' } },
    "outlier.base_ejection_time: is not an option; did you mean 'baseEjection'?",
  ],
  [
    { outlier: { maxEjectionPercent: 10 } },
    "outlier.maxEjectionPercent: is not an option; did you mean 'maxEjected'? It is a percentage: '10%'",
  ],
  // persistence
  [{ 'stick-table': {} }, "stick-table: is not an option; did you mean 'stickTable'?"],
  [{ stickOn: 'src' }, "stickOn: is not an option; did you mean stick: ['on src']?"],
  [
    { 'stick store-request': 'src' },
    "stick store-request: is not an option; did you mean stick: ['store-request src']?",
  ],
  [{ stick: 'src' }, `stick: "src" is not allowed; allowed: an array of rules: ['on src']`],
  [{ stickTable: { type: 'ip', size: 1, ttl: '1m' } }, "stickTable.ttl: is not an option; did you mean 'expire'?"],
  [
    { stickTable: { type: 'ip', size: 1 }, stick: [{ match: 'src', unless: () => true }] },
    "stick[0].unless: is not an option; did you mean 'if', of what returns the opposite?",
  ],
  [{ cookie: { name: 'a', insert: true } }, "cookie.insert: is not an option; did you mean mode: 'insert'?"],
  [
    { cookie: { name: 'a', mode: 'insert', sameSite: 'Lax' } },
    "cookie.sameSite: is not an option; did you mean attr: 'SameSite=Lax'?",
  ],
  ...(['track-sc0', 'trackSc0', 'track_sc2'] as const).map(
    (key) =>
      [
        { httpRequest: [{ [key]: 'src' }] },
        `httpRequest[0].${key}: is not an option; did you mean 'track'? Rules behind it see the entry as context.tracked`,
      ] as const,
  ),
  [
    { httpResponse: [{ 'sc-inc-gpc0': 0, if: () => true }] },
    "httpResponse[0].sc-inc-gpc0: is not an option; did you mean call: ({ tracked }) => tracked.increment('gpc0')?",
  ],
  [
    { httpRequest: [{ deny: true, unless: () => true }] },
    "httpRequest[0].unless: is not an option; did you mean 'if', of what returns the opposite?",
  ],
  [
    { stickTable: { type: 'ip', size: 1 }, stick: [{ store: 'src' }] },
    "stick[0].store: is not an option; did you mean 'storeRequest' or 'storeResponse'?",
  ],
  ...(['optionPersist', 'option persist', 'option-redispatch'] as const).map(
    (key) =>
      [
        { [key]: true },
        `${key}: is not an option; did you mean '${key.slice(6).replace(/^[- ]/, '').toLowerCase()}'?`,
      ] as const,
  ),
  [
    { appsession: 'JSESSIONID len 52' },
    "appsession: not supported (HAProxy: appsession, which 1.6 has removed): stick: ['match req.cook(sid)', 'store-response res.cook(sid)'] with a 'stickTable' does the same",
  ],
  ...(['checkViaSocks4', 'check-pool-conn-name', 'checkSniAuto'] as const).map((key) => {
    const keyword = { checkViaSocks4: 'check-via-socks4', checkSniAuto: 'check-sni-auto' }[key as string] ?? key;
    return [of({ [key]: true }), `servers[0].${key}: not supported (HAProxy: ${keyword})`] as const;
  }),
  ...(['healthcheck', 'healthCheck'] as const).map(
    (key) =>
      [
        of({ [key]: 'web' }),
        `servers[0].${key}: not supported (HAProxy: healthcheck): did you mean 'check', an object or the name of one in the pool's 'healthchecks'?`,
      ] as const,
  ),
  // tracking
  [
    { servers: [{ address: A, name: 'a', check: true }, { address: A, name: 'b', track: 'api/a' }, A] },
    `servers[1].track: the pool has no server "api/a"; allowed: another server of this pool, by its name alone: 'a', 's3'`,
  ],
  [
    of({ track: 'api/a' }),
    'servers[0].track: the pool has no server "api/a"; allowed: another server of this pool, by its name alone: there is none',
  ],
];

test('what stands in the wrong place, or has another name elsewhere, is told where it belongs', () => {
  for (const [options, ...faults] of HINTS) assert.deepEqual(faultsOf(options), faults, JSON.stringify(options));
});

test('of many servers an error names ten', () => {
  const servers = Array.from({ length: 30 }, (_, index) => ({ address: A, name: `a${index}`, check: true }));
  const [fault = ''] = faultsOf({ servers: [...servers, { address: A, track: 'b' }] });
  assert.match(fault, /by its name alone: 'a0', .*'a9', …$/);
});
