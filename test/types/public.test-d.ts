import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import {
  ConfigError,
  type ErrorCode,
  EvenkeelError,
  type Lease,
  Pool,
  type PoolEvents,
  type PoolOptions,
  type RequestContext,
  type Scheduler,
  type ServerOptions,
  type TimeLimit,
} from '#src/index.ts';

/**
 * Tests of the public types: `npm run typecheck` is their run, and nothing else executes this file. What stands under
 * `@ts-expect-error` must not compile.
 */

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type IsAny<T> = 0 extends 1 & T ? true : false;
/** The keys whose value, or whose result when called, is `any`. */
type LooseKeys<T> = {
  [K in keyof T]-?: IsAny<T[K]> extends true
    ? K
    : NonNullable<T[K]> extends (...args: never) => infer Result
      ? IsAny<Awaited<Result>> extends true
        ? K
        : never
      : never;
}[keyof T];

declare function holds<_Claim extends true>(): void;

const servers = ['http://127.0.0.1:3001'];

// balance: HAProxy's phrase, a typed object, or a scheduler of one's own
new Pool({ servers, balance: 'roundrobin' });
new Pool({ servers, balance: 'leastconn' });
new Pool({ servers, balance: 'random' });
new Pool({ servers, balance: 'random(3)' });
new Pool({ servers, balance: { algorithm: 'random', draws: 3 } });
new Pool({ servers, balance: { algorithm: 'leastconn' } });
new Pool({ servers, balance: 'uri depth 2 len 40', hashType: 'consistent djb2 avalanche', hashBalanceFactor: 150 });
new Pool({ servers, balance: 'hdr(x-user) use_domain_only', hashType: { method: 'maglev', function: 'crc32' } });
new Pool({ servers, balance: 'url_param uid check_post', hashKey: 'addr-port' });
new Pool({ servers, balance: 'hash req.hdr(x-user),lower', hashPreserveAffinity: 'maxconn' });
new Pool({ servers, balance: { algorithm: 'sticky' } });
new Pool<{ readonly user: string }>({ servers, balance: { algorithm: 'hash', key: ({ request }) => request?.user } });
new Pool<{ readonly user: string }>({
  servers,
  useServer: ({ request }) => (request?.user === 'root' ? 'a' : undefined),
});
new Pool({ servers: [{ address: '127.0.0.1:1', guid: 'a-1', hashKey: 'guid' }] });
// @ts-expect-error an object only
new Pool({ servers, balance: 'sticky' });
new Pool({ servers, retryBudget: {}, hedge: {} });
new Pool({ servers, retryBudget: false, hedge: false });
new Pool({ servers, retryBudget: { ratio: 0.1, minPerSecond: 5 }, hedge: { after: 'p99.9', max: 2, budget: 0.1 } });
new Pool({ servers, hedge: { after: '50ms' } });
new Pool({ servers, outlier: false });
new Pool({ servers, outlier: { successRate: false, latency: {}, maxEjected: '20%', honorRetryAfter: { max: '10s' } } });
// @ts-expect-error a percentage
new Pool({ servers, outlier: { maxEjected: 0.1 } });
// @ts-expect-error an object
new Pool({ servers, outlier: true });
new Pool({ servers, hedge: { after: 50 } });
// @ts-expect-error false, or an object
new Pool({ servers, retryBudget: true });
// @ts-expect-error a quantile or a time
new Pool({ servers, hedge: { after: 'median' } });
// @ts-expect-error no such option
new Pool({ servers, hedge: { percentile: 95 } });
// @ts-expect-error no such function
new Pool({ servers, balance: 'uri', hashType: 'consistent md5' });
// @ts-expect-error the name is missing
new Pool({ servers, balance: { algorithm: 'url_param' } });
// @ts-expect-error a name, or undefined
new Pool({ servers, useServer: () => 5 });
// @ts-expect-error no such algorithm
new Pool({ servers, balance: 'fastest' });
// @ts-expect-error the number of draws is a number
new Pool({ servers, balance: 'random(many)' });
// @ts-expect-error leastconn takes no argument
new Pool({ servers, balance: 'leastconn(2)' });
// @ts-expect-error roundrobin has no draws
new Pool({ servers, balance: { algorithm: 'roundrobin', draws: 2 } });
// @ts-expect-error the option of random is called draws
new Pool({ servers, balance: { algorithm: 'random', count: 2 } });

new Pool({
  servers,
  balance: (environment) => {
    holds<Same<ReturnType<typeof environment.now>, number>>();
    let only: Parameters<Scheduler['add']>[0] | undefined;
    return {
      add: (server) => {
        only = server;
      },
      remove: () => {},
      reweigh: () => {},
      pick: (context, avoid) => {
        holds<Same<typeof context.method, string | undefined>>();
        holds<IsAny<typeof avoid> extends true ? false : true>();
        return only?.saturated ? undefined : only;
      },
    };
  },
});
// @ts-expect-error a scheduler must be able to pick
new Pool({ servers, balance: () => ({ add: () => {}, remove: () => {}, reweigh: () => {} }) });

// servers: addresses, or objects; keywords of the wrong type or name are errors
new Pool({ servers: [{ address: 'unix:/run/app.sock', name: 'a', id: 7, weight: 50, maxconn: 200, backup: true }] });
new Pool({ servers, defaultServer: { inter: '2s', rise: 2, fall: 3, slowstart: '10s', weight: 2, maxconn: 10 } });
// @ts-expect-error a server needs an address
new Pool({ servers: [{ name: 'a' }] });
// @ts-expect-error a weight is a number
new Pool({ servers: [{ address: 'http://127.0.0.1:1', weight: '50' }] });
// @ts-expect-error HAProxy's keyword is maxconn
new Pool({ servers: [{ address: 'http://127.0.0.1:1', maxConn: 50 }] });
// @ts-expect-error an address is of one server
new Pool({ servers, defaultServer: { address: 'http://127.0.0.1:1' } });
// @ts-expect-error no such option
new Pool({ servers, stickyness: true });

// durations and sizes
const limits = ['500ms', '2s', '1.5s', '1m', '1h', '1d', 250, 'infinite', Number.POSITIVE_INFINITY] as const;
for (const limit of limits) new Pool({ servers, timeout: { connect: limit, server: limit } });
// @ts-expect-error there is no unit x
new Pool({ servers, timeout: { connect: '5x' } });
// @ts-expect-error a unit needs a number
new Pool({ servers, timeout: { connect: 's' } });
// @ts-expect-error a number in a string needs a unit
new Pool({ servers, timeout: { connect: '250' } });
// @ts-expect-error no such time limit
new Pool({ servers, timeout: { conect: '5s' } });
for (const size of [65_536, '64kb', '1mb', 'infinite'] as const) new Pool({ servers, bufferBody: size });
// @ts-expect-error a size is no duration
new Pool({ servers, bufferBody: '5s' });

// checks
new Pool({ servers, defaultServer: { check: true } });
new Pool({ servers, defaultServer: { check: 'tcp' } });
new Pool({ servers, defaultServer: { check: { type: 'http', uri: '/healthz', expect: 'status 200-299' } } });
new Pool({ servers, defaultServer: { check: { type: 'http', expect: ['status 200', 'string OK', '! string no'] } } });
new Pool({ servers, defaultServer: { check: async (server, { signal }) => server.weight > 0 && !signal.aborted } });
new Pool({ servers, healthchecks: { db: { type: 'tcp' } }, defaultServer: { check: 'db' } });
new Pool({ servers, defaultServer: { check: true }, httpchk: 'OPTIONS /x HTTP/1.0' });
new Pool({ servers, defaultServer: { check: 'redis' } });
new Pool({ servers, defaultServer: { check: { type: 'mysql', user: 'haproxy', client: 'post-80' } } });
new Pool({ servers, healthchecks: { mail: { type: 'smtp', hello: 'EHLO' } }, defaultServer: { check: 'mail' } });
new Pool({ servers, externalCheck: true, defaultServer: { check: { type: 'external', command: '/bin/check' } } });
// @ts-expect-error a check of PostgreSQL needs a user
new Pool({ servers, defaultServer: { check: { type: 'pgsql' } } });
new Pool({
  servers,
  defaultServer: {
    check: { steps: [{ connect: { port: 81 } }, { send: 'PING' }, { expect: '! string -ERR' }, { comment: 'last' }] },
  },
});
new Pool({
  servers,
  defaultServer: { check: { steps: [{ expect: { rstring: /^220/, okStatus: 'L7OKC', minRecv: 0 } }] } },
});
// @ts-expect-error text and bytes cannot both be meant
new Pool({ servers, defaultServer: { check: { steps: [{ expect: { string: 'a', binary: 'ff', size: 1 } }] } } });
new Pool({
  servers,
  defaultServer: {
    check: {
      type: 'http',
      steps: [{ send: { uri: '/a' } }, { expect: { hdr: { name: /^x-/, value: { beg: 'm' } } } }],
    },
  },
});
new Pool({
  servers,
  defaultServer: { check: { type: 'http', expect: ['! rstatus ^5', { rstring: /^OK/, minRecv: 2 }] } },
});
new Pool({
  servers,
  defaultServer: {
    check: {
      steps: [
        { setVar: { a: 1, at: ({ server }) => server.address.port } },
        { send: ({ server, vars }) => `${server.name} ${String(vars['a'])}` },
        {
          expect: { string: ({ answer }) => Buffer.from(answer?.body ?? ''), onError: 'none', onSuccess: () => 'well' },
        },
        { unsetVar: ['a'] },
      ],
    },
  },
});
new Pool({
  servers,
  httpchk: {
    uri: ({ server }) => `/${server.name}`,
    headers: { 'x-id': [({ server }) => String(server.id), 'fixed'] },
    body: () => new Uint8Array(2),
    expect: { hdr: { name: 'x-id', value: { beg: ({ server }) => server.name } } },
  },
  defaultServer: { check: true },
});
// @ts-expect-error a function must answer at once
new Pool({ servers, defaultServer: { check: { steps: [{ send: async () => 'PING' }] } } });
// @ts-expect-error a target is a text
new Pool({ servers, defaultServer: { check: { type: 'http', uri: () => 7 } } });
// @ts-expect-error a check over HTTP sends no bytes of your own
new Pool({ servers, defaultServer: { check: { type: 'http', steps: [{ send: 'GET /' }] } } });
new Pool({ servers, defaultServer: { check: { type: 'agent', port: 9999, addr: '10.0.0.1', send: 'state\n' } } });
new Pool({ servers: [{ address: 'a:1', agentCheck: true, agentPort: 9999 }], spreadChecks: 10, disableOn404: true });
new Pool({ servers: [{ address: 'a:1', check: true, observe: 'layer7', errorLimit: 5, onError: 'mark-down' }] });
new Pool({
  servers: [
    { address: 'a:1', name: 'a', check: true },
    { address: 'a:2', track: 'a' },
  ],
});
// @ts-expect-error an agent listens somewhere
new Pool({ servers, defaultServer: { check: { type: 'agent' } } });
// @ts-expect-error a server tracks another; all cannot
new Pool({ servers, defaultServer: { track: 'a' } });
// @ts-expect-error no such consequence
new Pool({ servers, defaultServer: { check: true, observe: 'layer7', onError: 'shutdown' } });
// @ts-expect-error no such type of check
new Pool({ servers, defaultServer: { check: { type: 'icmp' } } });
// @ts-expect-error a check over TCP has no uri
new Pool({ servers, defaultServer: { check: { type: 'tcp', uri: '/' } } });
// @ts-expect-error no such thing to expect
new Pool({ servers, defaultServer: { check: { type: 'http', expect: 'code 200' } } });
// @ts-expect-error a status is a number
new Pool({ servers, defaultServer: { check: { type: 'http', expect: 'status ok' } } });

// choices among words
new Pool({ servers, retryOn: 'conn-failure', httpReuse: 'aggressive', engine: 'http-proxy-3', redispatch: true });
new Pool({ servers, retryOn: ['conn-failure', 'empty-response'], redispatch: 1 });
new Pool({ servers, retryOn: 'conn-failure 503 response-timeout' });
new Pool({ servers, retryOn: ['all-retryable-errors', 425, '429'], maxBufferedBytes: '8mb' });
new Pool({ servers, retryOn: 503 });
// @ts-expect-error 200 is no failure
new Pool({ servers, retryOn: [200] });
// @ts-expect-error not one of HAProxy's words
new Pool({ servers, retryOn: 'conn-failure-503 504' });
// @ts-expect-error nothing behind it is one
new Pool({ servers, retryOn: 'conn-failure 5xx' });
// @ts-expect-error HAProxy's word is conn-failure
new Pool({ servers, retryOn: ['connect-failure'] });
// @ts-expect-error no such mode
new Pool({ servers, httpReuse: 'sometimes' });
// @ts-expect-error no such engine
new Pool({ servers, engine: 'undici' });

// header rules: one action each
new Pool({ servers, httpRequest: [{ setHeader: ['x-env', 'prod'] }, { delHeader: 'x-role' }] });
new Pool({
  servers,
  httpRequest: [
    { addHeader: ['x-a', (context) => context.url], if: ({ method, url }) => method.length + url.length > 9 },
  ],
});
new Pool({
  servers,
  httpResponse: [{ call: ({ response }) => void (response.headers['x-via'] = `${response.status}`) }],
});
// @ts-expect-error a field has a name and a value
new Pool({ servers, httpRequest: [{ setHeader: ['x-env'] }] });
// @ts-expect-error no such action
new Pool({ servers, httpRequest: [{ header: ['x-env', 'prod'] }] });
// @ts-expect-error a condition is a function
new Pool({ servers, httpRequest: [{ delHeader: 'x-role', if: true }] });

// rules that answer, and that treat a request
new Pool({
  servers,
  httpRequest: [
    { deny: 403, if: ({ url }) => url === '/x' },
    { deny: { status: 401, headers: { 'www-authenticate': 'Basic' } } },
    { tarpit: true },
    { return: ({ url }) => (url === '/x' ? { status: 404, body: 'no' } : undefined) },
    { redirect: '/login' },
    { redirect: { prefix: ({ url }) => `https://x${url}`, code: 308, dropQuery: true } },
    { setTimeout: { server: '2m', tarpit: ({ method }) => (method === 'GET' ? 5 : undefined) } },
    { setPriority: { class: -1, offset: 5 } },
    { setPriority: ({ headers }) => ({ class: headers['x-vip'] ? -1 : 0 }) },
    { disableL7Retry: true },
  ],
  httpResponse: [
    { deny: 502, if: ({ response }) => response.status === 200 },
    { return: ({ response }) => ({ status: response.status }) },
    { redirect: ({ response }) => String(response.headers['x-to']) },
  ],
  monitorUri: '/healthz',
  monitorFail: (pool) => pool.stats().state === 'DOWN',
  timeout: { tarpit: '10s' },
});
// @ts-expect-error a status is a number
new Pool({ servers, httpRequest: [{ deny: '403' }] });
// @ts-expect-error no such way of redirecting
new Pool({ servers, httpRequest: [{ redirect: { to: '/x' } }] });
// @ts-expect-error 300 redirects nobody
new Pool({ servers, httpRequest: [{ redirect: { location: '/x', code: 300 } }] });
// @ts-expect-error a duration has a unit
new Pool({ servers, httpRequest: [{ setTimeout: { server: '2x' } }] });
// @ts-expect-error responses are not held up
new Pool({ servers, httpResponse: [{ tarpit: true }] });
// @ts-expect-error it is on, or not there
new Pool({ servers, httpRequest: [{ disableL7Retry: false }] });

// R: the framework's own request, wherever a function of the user's sees one
interface MyRequest {
  readonly user: { readonly id: string };
}
const typed = new Pool<MyRequest>({
  servers,
  clientAddress: ({ request, socket }) => request?.user.id ?? socket?.remoteAddress ?? '',
  httpRequest: [{ setHeader: ['x-user', ({ request }) => request?.user.id] }],
  httpResponse: [{ call: ({ request }) => void request?.user.id, if: ({ request }) => request?.user.id === 'admin' }],
});
typed.acquire({ request: { user: { id: 'a' } } });
typed.tryAcquire({ url: '/' });
// @ts-expect-error not what this pool's request is
typed.acquire({ request: { name: 'a' } });
// @ts-expect-error without R it is an IncomingMessage, which has no user
new Pool({ servers, clientAddress: ({ request }) => request.user.id });
holds<Same<RequestContext<MyRequest>['request'], MyRequest | undefined>>();
holds<Same<RequestContext['request'], unknown>>();

// an IncomingMessage is a context
const pool = new Pool({ servers });
declare const incoming: IncomingMessage;
pool.acquire(incoming);

// plugging in
http.createServer(pool.middleware()).listen(0);
const middleware = pool.middleware({ onUnavailable: 'next', errorHandler: 'answer', stripPrefix: false });
declare const response: ServerResponse;
middleware(incoming, response, (error?: unknown) => void error);
typed.middleware({ rewriteUrl: (url, request) => `/${request.user.id}${url}` });
// @ts-expect-error what the framework's request does not have
typed.middleware({ rewriteUrl: (url, request) => `/${request.name}${url}` });
pool.attach(http.createServer(), { path: '/', authorize: ({ headers }) => headers.authorization !== undefined });
pool.attach(https.createServer(), { authorize: async () => ({ status: 401 }) });
pool.attach(http2.createSecureServer());
http2.createServer(pool.middleware());
http.createServer().on('upgrade', pool.upgradeHandler({ path: '/ws' }));
// @ts-expect-error answer or next
pool.middleware({ onUnavailable: 'ignore' });
// @ts-expect-error a refusal is an object with a status
pool.upgradeHandler({ authorize: () => 401 });

// leases
const lease = await pool.acquire({ url: '/' }, { signal: AbortSignal.abort(), timeout: '1s', avoid: ['a'] });
holds<Same<typeof lease, Lease>>();
holds<Same<typeof lease.server.url, string>>();
holds<Same<typeof lease.server.port, number>>();
holds<Same<typeof lease.setCookie, readonly string[]>>();
lease.release();
lease.release({ ok: false, error: new Error('from the call') });
{
  using scoped = await pool.acquire();
  scoped.server.host satisfies string;
}
// @ts-expect-error ok is a boolean
lease.release({ ok: 'yes' });
// @ts-expect-error servers to avoid are names
await pool.acquire({}, { avoid: [1] });
holds<Same<ReturnType<typeof pool.tryAcquire>, Lease | undefined>>();
const answer = await pool.run({}, async ({ server }) => server.port, { retry: true });
holds<Same<typeof answer, number>>();

// servers at run time
pool.server('a').setWeight(20);
pool.server('a').setWeight('50%');
pool.server('a').setState('drain');
pool.server('a').setHealth('stopping');
pool.addServer({ address: 'http://127.0.0.1:3002' }).name satisfies string;
const removed = await pool.removeServer('a', { graceMs: 30_000 });
holds<Same<typeof removed.cut, number>>();
const closed = await pool.close({ graceMs: 10_000 });
holds<Same<typeof closed.cut, number>>();
holds<Same<typeof closed.leaked, number>>();
await pool.ready({ timeout: '5s' });
// @ts-expect-error a percentage ends in %
pool.server('a').setWeight('50');
// @ts-expect-error HAProxy's word is maint
pool.server('a').setState('maintenance');
// @ts-expect-error no such health
pool.server('a').setHealth('sick');
// @ts-expect-error what a server is cannot be assigned
pool.server('a').weight = 3;

// events
pool.on('server:down', ({ server, reason }) => {
  holds<Same<typeof server, string>>();
  holds<Same<typeof reason, string>>();
});
pool.on('request', (event) => {
  holds<Same<typeof event.server, string | undefined>>();
  holds<Same<typeof event.status, number>>();
  holds<Same<typeof event.redispatched, boolean>>();
  holds<Same<typeof event.hedges, number>>();
  event.flags satisfies string;
  // @ts-expect-error a payload is read-only
  event.status = 200;
});
pool.once('close', ({ cut, leaked }) => cut + leaked);
// @ts-expect-error no such event
pool.on('server:upp', () => {});
// @ts-expect-error no such field
pool.on('server:up', ({ host }) => host);

// errors
const error = new EvenkeelError('EK_NO_SERVER');
holds<Same<typeof error.timeout, TimeLimit | undefined>>();
holds<Same<Parameters<PoolEvents['request']>[0]['error'], EvenkeelError | undefined>>();
holds<Same<typeof error.code, ErrorCode>>();
holds<Same<typeof error.status, number>>();
if (error.code === 'EK_QUEUE_FULL') error.server satisfies string | undefined;
// @ts-expect-error no such code
if (error.code === 'EK_FULL') throw error;
declare const thrown: unknown;
if (thrown instanceof ConfigError) for (const { path, message } of thrown.faults) `${path}${message}` satisfies string;

// snapshots are plain and read-only
const stats = pool.stats();
holds<Same<NonNullable<(typeof stats.servers)['a']>['breaker'], 'closed' | 'open' | 'half-open'>>();
holds<Same<ReturnType<typeof pool.explain>['chosen'], string | undefined>>();
pool.on('server:ejected', ({ cause, forMs }) => {
  holds<Same<typeof cause, 'consecutive-errors' | 'success-rate' | 'latency' | 'retry-after' | 'trial'>>();
  holds<Same<typeof forMs, number>>();
});
stats.servers['b']?.state satisfies string | undefined;
stats.servers['b']?.active satisfies number | undefined;
// @ts-expect-error a snapshot cannot be written to
stats.servers['b'] = stats.servers['a'];

// no `any` where users look, and the test would see one
holds<
  Same<LooseKeys<{ loose: ReturnType<typeof JSON.parse>; parse: typeof JSON.parse; tight: number }>, 'loose' | 'parse'>
>();
holds<Same<LooseKeys<Pool>, never>>();
holds<Same<LooseKeys<Lease>, never>>();
holds<Same<LooseKeys<PoolOptions>, never>>();
holds<Same<LooseKeys<ServerOptions>, never>>();
holds<Same<LooseKeys<RequestContext>, never>>();
holds<Same<LooseKeys<typeof stats>, never>>();
type Payloads = { [K in keyof PoolEvents]: Parameters<PoolEvents[K]>[0] };
type LoosePayloads = { [K in keyof Payloads]: LooseKeys<Payloads[K]> }[keyof Payloads];
holds<Same<LooseKeys<Payloads>, never>>();
holds<Same<LoosePayloads, never>>();

// Both functions are asked of contexts that acquire() is given, which may have no fields.
new Pool({
  forcePersist: ({ headers }) => headers?.['x-test'] === '1',
  ignorePersist: ({ url }) => url?.endsWith('.png') ?? false,
});
// @ts-expect-error there may be none
new Pool({ forcePersist: ({ headers }: RequestContext) => headers['x-test'] === '1' });
