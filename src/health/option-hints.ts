import type { Hints } from '../core/options.ts';
import type { CheckType } from './index.ts';

/** What a server says of its checks, whatever they are, and how else that is called. */
const OF_THE_SERVER: Readonly<Record<string, string>> = {
  ...{ inter: 'inter', interval: 'inter', period: 'inter', periodSeconds: 'inter' },
  ...{ fastinter: 'fastinter', downinter: 'downinter', rise: 'rise', fall: 'fall', initState: 'initState' },
  ...{ healthyThreshold: 'rise', successThreshold: 'rise', unhealthyThreshold: 'fall', failureThreshold: 'fall' },
  ...{ port: 'port', addr: 'addr', host: 'addr', observe: 'observe', onError: 'onError', errorLimit: 'errorLimit' },
  ...{
    ssl: 'checkSsl',
    tls: 'checkSsl',
    sni: 'checkSni',
    alpn: 'checkAlpn',
    proto: 'checkProto',
    sendProxy: 'checkSendProxy',
  },
};

const OF_ANY_CHECK: Hints = {
  ...Object.fromEntries(
    Object.entries(OF_THE_SERVER).map(([key, name]) => [
      key,
      `it is said by the server's option '${name}', beside 'check'`,
    ]),
  ),
  ...Object.fromEntries(
    ['timeout', 'timeoutSeconds'].map((key) => [
      key,
      "it is said by the pool's option 'timeout': timeout: { check: … }",
    ]),
  ),
  disableOn404: 'it is an option of the pool',
};

/** What a check asks by one request. */
const OF_A_REQUEST = ['method', 'uri', 'version', 'headers', 'body', 'expect'] as const;

/** Of checks that do not speak HTTP. */
const NOT_OVER_HTTP: Hints = Object.fromEntries(
  [...OF_A_REQUEST, 'url', 'sendState'].map((key) => [key, "it is of checks over HTTP: type: 'http'"]),
);

const USER: Hints = {
  username: "did you mean 'user'?",
  password: 'the check logs in without one',
  database: 'the check logs in, and no more',
};

const IN_A_STEP: Hints = Object.fromEntries(
  ['send', 'sendBinary', 'expect', 'connect'].map((key) => [key, `it stands in a step: steps: [{ ${key}: … }]`]),
);

/** Of keys of a check, by its type. */
export const CHECK_HINTS: Readonly<Record<CheckType, Hints>> = {
  tcp: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, ...IN_A_STEP },
  http: {
    ...OF_ANY_CHECK,
    ...Object.fromEntries(['url', 'path', 'endpoint', 'target'].map((key) => [key, "did you mean 'uri'?"])),
    ...Object.fromEntries(
      ['status', 'statusCode', 'expectStatus', 'expectedStatus', 'statuses'].map((key) => [
        key,
        "did you mean expect: 'status 200'?",
      ]),
    ),
    ...{ string: 'did you mean expect: { string: … }?', rstring: 'did you mean expect: { rstring: … }?' },
    ...{ host: 'did you mean headers: { Host: … }?', send: 'it stands in a step: steps: [{ send: … }]' },
  },
  agent: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, host: "did you mean 'addr'?" },
  redis: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, ...IN_A_STEP },
  mysql: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, ...USER },
  pgsql: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, ...USER },
  smtp: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, ehlo: "did you mean hello: 'EHLO'?" },
  ldap: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP },
  'ssl-hello': { ...OF_ANY_CHECK, ...NOT_OVER_HTTP },
  spop: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP },
  grpc: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, serviceName: "did you mean 'service'?" },
  external: { ...OF_ANY_CHECK, ...NOT_OVER_HTTP, program: "did you mean 'command'?" },
};

/** Types of checks in HAProxy's words. */
const TYPES_IN_HAPROXY: Readonly<Record<string, CheckType>> = {
  ...{ 'tcp-check': 'tcp', httpchk: 'http', https: 'http', 'http-check': 'http', 'agent-check': 'agent' },
  ...{ 'redis-check': 'redis', 'mysql-check': 'mysql', 'pgsql-check': 'pgsql', postgres: 'pgsql', smtpchk: 'smtp' },
  ...{ 'ldap-check': 'ldap', 'ssl-hello-chk': 'ssl-hello', 'spop-check': 'spop', 'external-check': 'external' },
};

/** What to say of a type that is none, before what is allowed. */
export function typeHint(type: unknown): string {
  const meant = typeof type === 'string' && Object.hasOwn(TYPES_IN_HAPROXY, type) ? TYPES_IN_HAPROXY[type] : undefined;
  return meant === undefined ? '' : `did you mean '${meant}'? `;
}

/** What `steps` say each for itself. */
export const BESIDE_STEPS: Hints = Object.fromEntries(
  OF_A_REQUEST.map((key) => [
    key,
    `cannot stand beside 'steps': it goes into one, ${key === 'expect' ? '{ expect: … }' : `{ send: { ${key}: … } }`}`,
  ]),
);

/** Of keys of an expectation over HTTP. */
export const EXPECT_HINTS: Hints = {
  ...Object.fromEntries(['code', 'statuses'].map((key) => [key, "did you mean 'status'?"])),
  ...Object.fromEntries(['body', 'text', 'contains', 'includes'].map((key) => [key, "did you mean 'string'?"])),
  ...Object.fromEntries(['regex', 'pattern', 'matches'].map((key) => [key, "did you mean 'rstring'?"])),
  ...Object.fromEntries(['header', 'headers'].map((key) => [key, "did you mean 'hdr'?"])),
};

/** Of keys of `outlier`: the words of Envoy, and of Istio. */
export const OUTLIER_HINTS: Hints = {
  ...Object.fromEntries(
    ['consecutive5xx', 'consecutive5xxErrors', 'consecutiveGatewayFailure', 'consecutiveGatewayErrors'].map((key) => [
      key,
      "did you mean 'consecutiveErrors'? It counts failures to answer, 502, 503 and 504",
    ]),
  ),
  baseEjectionTime: "did you mean 'baseEjection'?",
  maxEjectionTime: "did you mean 'maxEjection'?",
  maxEjectionPercent: "did you mean 'maxEjected'? It is a percentage: '10%'",
  minHealthPercent: "did you mean 'panicThreshold'? It is a percentage: '50%'",
  healthyPanicThreshold: "did you mean 'panicThreshold'? It is a percentage: '50%'",
  successRateMinimumHosts: 'did you mean successRate: { minimumServers: … }?',
  successRateRequestVolume: 'did you mean successRate: { minimumRequests: … }?',
  successRateStdevFactor: 'did you mean successRate: { deviations: … }? It is 1.9, where Envoy says 1900',
};
