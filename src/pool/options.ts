import type { HttpReuse } from '../connections/connection-pool.ts';
import type { RequestContext } from '../core/context.ts';
import type { Duration, Size } from '../core/units.ts';
import type { HttpProxyOptions } from '../forward/http-proxy-options.ts';
import type { HealthchecksOption, HttpchkOption } from '../health/index.ts';
import type { OutlierOptions } from '../health/outlier-options.ts';
import type { HealthOptions } from '../health/settings.ts';
import type { CookieOption } from '../persistence/cookie-options.ts';
import type { StickRule, TablesOption } from '../persistence/stick-options.ts';
import type { StickTableOptions, StickTablePhrase } from '../persistence/stick-table-options.ts';
import type { Table } from '../persistence/table.ts';
import type { HashPreserveAffinity, HashTypeOption } from '../schedulers/hash-type.ts';
import type { BalanceOption } from '../schedulers/index.ts';
import type { HashKey } from '../servers/server.ts';
import type { ErrorFilesOption } from './answers.ts';
import type { HedgeOptions } from './hedging.ts';
import type { Pool } from './pool.ts';
import type { Priority } from './priority.ts';
import type { RetryBudgetOptions } from './retry-budget.ts';
import type { RetryOn, RetryOnPhrase } from './retry-options.ts';
import type { RequestRule, ResponseRule } from './rules.ts';
import type { TlsOptions } from './tls-options.ts';

/** Options of one server that may also stand in `defaultServer`. */
export interface DefaultServerOptions extends HealthOptions, TlsOptions {
  /** Share of the traffic, 0..256; 0 takes none. Default: 1. HAProxy: `weight`. */
  readonly weight?: number;
  /** Most requests and leases at one time; 0 is no limit. Default: 0. HAProxy: `maxconn`. */
  readonly maxconn?: number;
  /** Its limit while the pool is idle; it grows to `maxconn` as the pool fills up to `fullconn`, which must be given. Default: as `maxconn`. HAProxy: `minconn`. */
  readonly minconn?: number;
  /** Most requests that may wait for it and for no other; 0 is no limit. Default: 0. HAProxy: `maxqueue`. */
  readonly maxqueue?: number;
  /** Counts connections against `maxconn`, and not requests alone: for a new one the oldest idle one is closed. Needs `maxconn`. Default: false. HAProxy: `strict-maxconn`. */
  readonly strictMaxconn?: boolean;
  /** Takes traffic only while no other server can. Default: false. HAProxy: `backup`. */
  readonly backup?: boolean;
  /** Starts in maintenance. Default: false. HAProxy: `disabled`. */
  readonly disabled?: boolean;
  /** Time over which a server that came up is given its full weight and `maxconn`. Default: 0. HAProxy: `slowstart`. */
  readonly slowstart?: Duration;
  /** What becomes of its requests and tunnels when it goes down or into maintenance: `shutdown-sessions` cuts them. Default: `none`. HAProxy: `on-marked-down`. */
  readonly onMarkedDown?: 'none' | 'shutdown-sessions';
  /** What becomes of the requests and tunnels of backups when this server, which is none, comes up: `shutdown-backup-sessions` cuts them. Default: `none`. HAProxy: `on-marked-up`. */
  readonly onMarkedUp?: 'none' | 'shutdown-backup-sessions';
  /** What stands for it in the pool's `cookie`: printable ASCII without blanks and `" , ; \`, nor `|` (with `prefix`: `~`). Default: none; with `dynamic` made from its address. HAProxy: `cookie`. */
  readonly cookie?: string;
  /** Sends clients here themselves: GET and HEAD are answered with 302, and this before their target as the `Location`: `scheme://host…` or `/…`; `/` puts nothing there. Default: none. HAProxy: `redir`. */
  readonly redir?: string;
  /** Stick tables are not told of it: clients that it served are balanced anew. Needs the pool's `stick`. Default: false. HAProxy: `non-stick`. */
  readonly nonStick?: boolean;
  /** What its place among hashes is made from. Default: the pool's. HAProxy: `hash-key`. */
  readonly hashKey?: HashKey;
  /** Most idle connections kept; -1 is no limit, 0 keeps none. Default: -1. HAProxy: `pool-max-conn`. */
  readonly poolMaxConn?: number;
  /** Idle connections kept above the estimated need. Default: 0. HAProxy: `pool-low-conn`. */
  readonly poolLowConn?: number;
  /** Time between two purges of idle connections; 0 keeps none. Default: 5s. HAProxy: `pool-purge-delay`. */
  readonly poolPurgeDelay?: Duration;
  /** Requests a connection may carry after its first; -1 is no limit. Default: -1. HAProxy: `max-reuse`. */
  readonly maxReuse?: number;
}

/** One server. */
export interface ServerOptions extends DefaultServerOptions {
  /** `http://host:port`, `https://host:port`, `host:port` (carried as http) or `unix:/path`. */
  readonly address: string;
  /** Unique in its pool. Default: `s` and the server's id. */
  readonly name?: string;
  /** Unique number, 1 to 2147483647. Default: its place among `servers`, or the next that is free; added later, the lowest that is free. HAProxy: `id`. */
  readonly id?: number;
  /** Unique name for `hashKey: 'guid'`: 1 to 127 letters, digits and `-_:.`. Default: none. HAProxy: `guid`. */
  readonly guid?: string;
  /** Name of a server of the pool whose state and commands it follows, in place of checks of its own. Default: none. HAProxy: `track`. */
  readonly track?: string;
}

/** Time limits. `Infinity` is none. */
export interface TimeoutOptions {
  /** To connect to a server, TLS included. Default: 5s. HAProxy: `timeout connect`. */
  readonly connect?: Duration;
  /** In queues, for a server with a free slot. Default: as `connect`. HAProxy: `timeout queue`. */
  readonly queue?: Duration;
  /** Without a word from the server, while waiting for its answer or in the middle of it. Default: 60s. HAProxy: `timeout server`. */
  readonly server?: Duration;
  /** Without a word from the client while it sends a body, or without it taking any of the answer. Default: 60s. HAProxy: `timeout client`. */
  readonly client?: Duration;
  /** Without a byte either way in an upgraded connection. Default: 1h. HAProxy: `timeout tunnel`. */
  readonly tunnel?: Duration;
  /** The same once the client has ended its side. Default: 30s. HAProxy: `timeout server-fin`. */
  readonly serverFin?: Duration;
  /** The same once the server has ended its side. Default: 30s. HAProxy: `timeout client-fin`. */
  readonly clientFin?: Duration;
  /** How long a rule's `tarpit` makes a client wait. Default: as `connect`. HAProxy: `timeout tarpit`. */
  readonly tarpit?: Duration;
  /** For all of a request, from its arrival to the end of its response: queues, attempts and bodies; upgraded connections aside. Default: Infinity. */
  readonly total?: Duration;
  /** For what stick tables ask of another machine, before a server is chosen without. Default: 50ms. */
  readonly stick?: Duration;
  /** For the answer to a health check, once connected. Default: the check's interval. HAProxy: `timeout check`. */
  readonly check?: Duration;
}

/** `forwardfor` as an object. */
export interface ForwardForOptions {
  /** Addresses and networks of clients for which nothing is added: `'127.0.0.1'`, `'10.0.0.0/8'`. */
  readonly except?: string | readonly string[];
  /** Name of the field. Default: `x-forwarded-for`. */
  readonly header?: string;
  /** Adds nothing where the client has sent the field. Default: false. */
  readonly ifNone?: boolean;
}

/** `forwarded` as an object: which parameters to send (RFC 7239). */
export interface ForwardedOptions {
  readonly proto?: boolean;
  readonly host?: boolean;
  readonly by?: boolean;
  readonly for?: boolean;
}

/** HAProxy's words behind `option forwardfor`. */
export type ForwardForPhrase = `except ${string}` | `header ${string}` | 'if-none' | `if-none ${string}`;

/** HAProxy's words behind `option forwarded`. */
export type ForwardedPhrase =
  | ForwardedWord
  | `${ForwardedWord} ${ForwardedWord}`
  | `${ForwardedWord} ${ForwardedWord} ${string}`;

type ForwardedWord = 'proto' | 'host' | 'by' | 'for';

/** Options of a pool. @typeParam R the framework's own request, as functions of the user's see it */
export interface PoolOptions<R = unknown> {
  /** Name in messages. Default: `pool`. */
  readonly name?: string;
  /** How a server is chosen. Default: `roundrobin`. HAProxy: `balance`. */
  readonly balance?: BalanceOption<R>;
  /** Where hashes lead, and how they are made. Default: `map-based`, sdbm. HAProxy: `hash-type`. */
  readonly hashType?: HashTypeOption;
  /** What the servers' places among hashes are made from. Default: `id`; with `hashType: 'maglev'` the address. HAProxy: `hash-key`. */
  readonly hashKey?: HashKey;
  /** Most requests of a server, in percent of the average; 101..65535, 0 is no limit. Only with `hashType: 'consistent'`. Default: 0. HAProxy: `hash-balance-factor`. */
  readonly hashBalanceFactor?: number;
  /** When a server is passed over for being full: never, at its `maxconn`, or when its queue is full, too. Only with `hashType: 'consistent'`. Default: `always` stays. HAProxy: `hash-preserve-affinity`. */
  readonly hashPreserveAffinity?: HashPreserveAffinity;
  /** Names the server to use, before balancing is asked; `undefined` leaves it to that. One that is down is not used. Default: none. HAProxy: `use-server`. */
  readonly useServer?: (context: RequestContext<R>) => string | undefined;
  /** Keeps clients on their servers by a cookie. Default: none. HAProxy: `cookie`. */
  readonly cookie?: CookieOption;
  /** The key of `dynamic` cookies: the same at every pool that shares them. HAProxy: `dynamic-cookie-key`. */
  readonly dynamicCookieKey?: string;
  /** Sends clients to the server that they belong to even if it is down or in maintenance; only its failure sends them elsewhere. Needs `cookie`, `stick` or `useServer`. Default: false. HAProxy: `option persist`. */
  readonly persist?: boolean;
  /** Where it returns true, a request goes to the server that it belongs to even if that is down, and to no other; asked of contexts of `acquire`, too: `({ headers }) => headers?.['x-test'] === '1'`. Needs `cookie`, `stick` or `useServer`. Default: none. HAProxy: `force-persist`. */
  readonly forcePersist?: (context: RequestContext<R>) => boolean;
  /** Where it returns true, a request's cookie is not looked at, and none is set: `({ url }) => url?.endsWith('.png') ?? false`. `forcePersist` goes before it. Needs `cookie`. Default: none. HAProxy: `ignore-persist`. */
  readonly ignorePersist?: (context: RequestContext<R>) => boolean;
  /** Answers 502 in place of a response that sets a cookie and that a cache might keep. Default: false. HAProxy: `option checkcache`. */
  readonly checkcache?: boolean;
  /** The table that stick rules and `track` use where they name no other. Default: none. HAProxy: `stick-table`. */
  readonly stickTable?: StickTableOptions | StickTablePhrase | Table;
  /** More tables, by name; several pools may be given the same one. Default: none. HAProxy: `stick-table` of other backends. */
  readonly tables?: TablesOption;
  /** Keeps clients on their servers by tables. Default: none. HAProxy: `stick`. */
  readonly stick?: readonly StickRule<R>[];
  /** The servers; an address stands for a server with nothing else said. Default: none. HAProxy: `server`. */
  readonly servers?: readonly (string | ServerOptions)[];
  /** What holds for every server that does not say otherwise. HAProxy: `default-server`. */
  readonly defaultServer?: DefaultServerOptions;
  /** With no active server left, all backups share the traffic, not only the first. Default: false. HAProxy: `option allbackups`. */
  readonly allbackups?: boolean;
  /** Requests in the pool from which on a server with a `minconn` has its whole `maxconn`. Range: 1 and more. Default: none. HAProxy: `fullconn`. */
  readonly fullconn?: number;
  /** Most requests and leases in the pool, waiting ones too; more are refused with a 503 at once. Range: 1 and more, or `Infinity`. Default: `Infinity`. */
  readonly poolMaxRequests?: number | 'infinite';
  /** Most requests and calls of `acquire` that wait at one time; more are refused with a 503 at once. Range: 0 and more, or `Infinity`. Default: `Infinity`. */
  readonly poolMaxQueue?: number | 'infinite';
  /** Who is served first of those that wait: lower classes, and in a class by arrival plus offset. Asked only where a request has to wait; the rule `setPriority` goes before it. Default: in order of arrival. HAProxy: `http-request set-priority-class`, `set-priority-offset`. */
  readonly priority?: (context: RequestContext<R>) => Priority;
  /** Picks to skip at the start, so that many processes do not all begin with the first server. Default: 0. Range: 0..65535. */
  readonly startOffset?: number;
  /** Checks by name, for `check: 'name'`; where there are servers, one of them must be used. HAProxy: `healthcheck` sections. */
  readonly healthchecks?: HealthchecksOption;
  /** Lets checks run programs: `check: { type: 'external', … }`. Default: false. HAProxy: `external-check` of the section `global`. */
  readonly externalCheck?: boolean;
  /** The HTTP check of every server with `check: true`, of which there must be one where there are servers. HAProxy: `option httpchk`. */
  readonly httpchk?: HttpchkOption;
  /** A check of a server that is up answered by 404 means that it takes no new work. Needs a check over HTTP. Default: false. HAProxy: `http-check disable-on-404`. */
  readonly disableOn404?: boolean;
  /** How much shorter or longer than told the intervals between checks may be, in percent, 0..50. Default: 0. HAProxy: `spread-checks`. */
  readonly spreadChecks?: number;
  /** Longest time over which the first checks are spread. Default: Infinity. HAProxy: `max-spread-checks`. */
  readonly maxSpreadChecks?: Duration;
  /** Time limits. */
  readonly timeout?: TimeoutOptions;
  /** Field that tells servers how many milliseconds of `timeout.total` are left, and that a client may send to leave less: `x-request-timeout-ms`. Default: none. */
  readonly deadlineHeader?: string;
  /** Attempts after the first, 0..100. Default: 3. HAProxy: `retries`. */
  readonly retries?: number;
  /** What is tried again: kinds of failure, and statuses of responses. Default: `['conn-failure', 'empty-response']`. HAProxy: `retry-on`. */
  readonly retryOn?: RetryOn | RetryOnPhrase | readonly RetryOn[];
  /** Another server at every Nth retry, and wherever none is bound to one; `true` is HAProxy's -1 (the last retry), `false` or 0 never. Default: 1. HAProxy: `option redispatch`. */
  readonly redispatch?: boolean | number;
  /** Sends POST, PATCH and other methods that are not idempotent again, too. Default: false. */
  readonly retryNonIdempotent?: boolean;
  /** How many retries all requests may have together, so that they cannot multiply an outage. Default: false, no limit. */
  readonly retryBudget?: false | RetryBudgetOptions;
  /** Asks a second server for what one is slow to answer, if the request may be sent twice. Default: false. */
  readonly hedge?: false | HedgeOptions;
  /** Ejects servers that live traffic shows to be worse than the others, for a while. Default: false. */
  readonly outlier?: false | OutlierOptions;
  /** Bytes of a request's body that are kept to be sent again. Default: 64kb. */
  readonly bufferBody?: Size;
  /** Bytes of bodies that all requests together keep to be sent again; beyond it a request cannot be repeated. Default: 64mb. */
  readonly maxBufferedBytes?: Size;
  /** Who may use a kept connection. Default: `safe`. HAProxy: `http-reuse`. */
  readonly httpReuse?: HttpReuse;
  /** Adds the client's address to each request. Default: false. HAProxy: `option forwardfor`. */
  readonly forwardfor?: boolean | ForwardForPhrase | ForwardForOptions;
  /** Adds a `Forwarded` field (RFC 7239); `true` is proto and for. Default: false. HAProxy: `option forwarded`. */
  readonly forwarded?: boolean | ForwardedPhrase | ForwardedOptions;
  /** Sets `X-Forwarded-Proto` and `X-Forwarded-Host`. Default: neither. */
  readonly forwardedHeaders?: { readonly proto?: boolean; readonly host?: boolean };
  /** Sends the server's own name as `Host` in place of the client's. Default: false. */
  readonly changeOrigin?: boolean;
  /** The client's address, for `forwardfor` and `forwarded`, and as `src` for `stick`, `track` and `balance`. Default: that of its connection. */
  readonly clientAddress?: (request: RequestContext<R>) => string;
  /** Rules for requests, in order. HAProxy: `http-request`. */
  readonly httpRequest?: readonly RequestRule<R>[];
  /** Rules for responses, in order. HAProxy: `http-response`. */
  readonly httpResponse?: readonly ResponseRule<R>[];
  /** The target at which the pool itself answers GET and HEAD with 200 while it serves, before any rule: `/healthz`. Default: none. HAProxy: `monitor-uri`. */
  readonly monitorUri?: string;
  /** Makes that answer a 503 where it returns true. Default: none. HAProxy: `monitor fail`. */
  readonly monitorFail?: (pool: Pool<R>) => boolean;
  /** Answers in place of ours, by status. HAProxy: `errorfile`. */
  readonly errorfiles?: ErrorFilesOption<R>;
  /** `Retry-After` in answers to requests that found every server or queue full, or waited in vain, in whole seconds. Default: none; with `poolMaxRequests` or `poolMaxQueue` 1s. */
  readonly retryAfter?: Duration;
  /** What carries requests. Default: `http1`. */
  readonly engine?: 'http1' | 'http-proxy-3';
  /** Options for `engine: 'http-proxy-3'`, as http-proxy knows them. */
  readonly httpProxy?: HttpProxyOptions;
}
