import type { ConnectionPoolSettings } from '../connections/connection-pool.ts';
import type { TlsSettings } from '../connections/dial.ts';
import type { RequestContext } from '../core/context.ts';
import type { ConfigFault } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import type { ExchangeTimeouts } from '../forward/forwarder.ts';
import type { HttpProxySettings } from '../forward/http-proxy-options.ts';
import { readHttpProxyOptions } from '../forward/http-proxy-options.ts';
import { type CheckCatalogue, readCheckCatalogue } from '../health/index.ts';
import { isTurnedOn, refuseIdle } from '../health/option-needs.ts';
import { type OutlierSettings, readOutlier } from '../health/outlier-options.ts';
import { type CheckSettings, readCheckSettings, refuseBesideTrack, TRACKING } from '../health/settings.ts';
import type { ForwardingOptions } from '../http1/request-head.ts';
import { type CookieSettings, readCookie, readServerCookie } from '../persistence/cookie-options.ts';
import { readStick, readTables, type StickSettings, type TableSources } from '../persistence/stick-options.ts';
import { type Balance, readBalance } from '../schedulers/index.ts';
import { ADDRESS_FORMS, type Address, parseAddress } from '../servers/address.ts';
import { MAX_WEIGHT } from '../servers/effective.ts';
import type { HashKey, ServerSettings } from '../servers/server.ts';
import { type Answers, readAnswers } from './answers.ts';
import { readForwarding } from './forwarding-options.ts';
import { type HedgeSettings, readHedge } from './hedging.ts';
import { type MonitorSettings, readMonitor } from './monitor-uri.ts';
import { NOT_SUPPORTED_BY_POOL, NOT_SUPPORTED_BY_SERVER, NOT_SUPPORTED_TIMEOUTS } from './not-supported.ts';
import { poolHints, SERVER_HINTS, TIMEOUT_HINTS } from './option-hints.ts';
import { refuseIdleChecks, refuseIdleCookie, refuseIdlePersistence } from './option-needs.ts';
import type { PoolOptions } from './options.ts';
import type { Priority } from './priority.ts';
import { type RetryBudgetSettings, readRetryBudget } from './retry-budget.ts';
import { type RetrySettings, readRetries } from './retry-options.ts';
import { readRedir } from './rule-redirect.ts';
import { type CompiledRules, type RequestRuleContext, type ResponseRuleContext, readRules } from './rules.ts';
import { readTls } from './tls-options.ts';
import { readDeadlineHeader } from './total-limit.ts';

/** A server's options, read. */
export interface ResolvedServer extends CheckSettings, ServerSettings {
  readonly id: number | undefined;
  readonly name: string | undefined;
  /** Name of the server that it follows. */
  readonly track: string | undefined;
  readonly address: Address;
  readonly disabled: boolean;
  readonly tls: TlsSettings | undefined;
  /** How checks speak TLS where they do so themselves; as `tls` where that is given. */
  readonly checkTls: TlsSettings | undefined;
  readonly connections: ConnectionPoolSettings;
  readonly onMarkedDown: 'none' | 'shutdown-sessions';
  readonly onMarkedUp: 'none' | 'shutdown-backup-sessions';
  readonly cookie: string | undefined;
  readonly redir: string | undefined;
  readonly nonStick: boolean;
}

/** Time limits of one request, in milliseconds; `Infinity` is none. */
export interface RequestTimeouts extends ExchangeTimeouts {
  readonly queueMs: number;
  readonly tarpitMs: number;
  readonly totalMs: number;
}

/** A pool's options, read: nothing past here looks at what the user wrote. */
export interface ResolvedPool {
  readonly name: string;
  readonly balance: Balance;
  readonly useServer: ((context: RequestContext) => string | undefined) | undefined;
  readonly cookie: CookieSettings | undefined;
  readonly persist: boolean;
  readonly forcePersist: ((context: RequestContext) => boolean) | undefined;
  readonly ignorePersist: ((context: RequestContext) => boolean) | undefined;
  readonly checkcache: boolean;
  readonly tables: TableSources;
  readonly stick: readonly StickSettings[];
  readonly servers: readonly ResolvedServer[];
  readonly allbackups: boolean;
  readonly fullconn: number | undefined;
  readonly poolMaxRequests: number;
  readonly poolMaxQueue: number;
  readonly priority: ((context: RequestContext) => Priority) | undefined;
  readonly startOffset: number;
  readonly timeouts: RequestTimeouts;
  readonly timeoutCheckMs: number | undefined;
  readonly timeoutStickMs: number;
  readonly disableOn404: boolean;
  readonly spreadChecks: number;
  readonly maxSpreadChecksMs: number;
  readonly deadlineHeader: string | undefined;
  readonly retry: RetrySettings;
  readonly retryBudget: RetryBudgetSettings | undefined;
  readonly hedge: HedgeSettings | undefined;
  readonly outlier: OutlierSettings | undefined;
  readonly retryNonIdempotent: boolean;
  readonly bufferBody: number;
  readonly maxBufferedBytes: number;
  readonly forwarding: ForwardingOptions;
  readonly clientAddress: ((request: RequestContext) => string) | undefined;
  readonly requestRules: CompiledRules<RequestRuleContext> | undefined;
  readonly responseRules: CompiledRules<ResponseRuleContext> | undefined;
  readonly answers: Answers;
  readonly monitor: MonitorSettings | undefined;
  readonly engine: 'http1' | 'http-proxy-3';
  readonly httpProxy: HttpProxySettings;
  /** Reads the options of one more server, as `servers` are read. */
  readonly readServer: (raw: unknown, path: string, faults: ConfigFault[]) => ResolvedServer | undefined;
}

/** Options of the pool's that the reading of a server's depends on. */
interface SharedByServers {
  readonly httpReuse: ConnectionPoolSettings['httpReuse'];
  readonly catalogue: CheckCatalogue;
  readonly fullconn: number | undefined;
  readonly cookie: CookieSettings | undefined;
  /** It may be wrong: then `cookie` is undefined all the same. */
  readonly hasCookie: boolean;
  readonly sticks: boolean;
}

/** Server options that cannot be defaults. */
const OF_ONE_SERVER: readonly string[] = ['address', 'name', 'id', 'guid', 'track'];

/** Idle connections that a pool keeps by default, in the server options' words. */
const LONGEST_MS = 2_147_483_647;

/**
 * Reads all options of a pool.
 * @throws {ConfigError} that lists every fault
 */
export function resolvePoolOptions(options: PoolOptions<never>): ResolvedPool {
  const read = new OptionReader(options, '');
  read.notSupported(NOT_SUPPORTED_BY_POOL);
  const shared: SharedByServers = {
    httpReuse: read.oneOf('httpReuse', ['never', 'safe', 'aggressive', 'always'], { default: 'safe' }),
    catalogue: readCheckCatalogue(read),
    fullconn: read.integer('fullconn', { default: undefined, min: 1 }),
    cookie: readCookie(read),
    hasCookie: read.has('cookie'),
    sticks: read.has('stick'),
  };
  const defaults = read.any('defaultServer');
  const { inherited, ofServers } = checkDefaults(defaults, shared, read.faults);
  const hashKey = readHashKey(read);
  const readServer = serverReader({ ...(hashKey && { hashKey }), ...inherited }, shared);
  const balance = readBalance(read);
  const servers: ResolvedServer[] = [];
  const list = read.list('servers', 'an array of addresses and server options') ?? [];
  for (const [index, raw] of list.entries()) {
    const server = readServer(raw, `servers[${index}]`, read.faults);
    if (server) servers.push(server);
  }
  findTwins(servers, read);
  const refusal = balance.refuse(servers);
  if (refusal !== undefined) read.reject('servers', refusal);
  // What has faults might have needed anything.
  if (read.faults.length === 0) {
    refuseIdleChecks(read, servers, shared.catalogue);
    refuseIdleCookie(read, servers, shared.cookie);
  }
  refuseIdlePersistence(read);
  const poolMaxRequests = readCount(read, 'poolMaxRequests', 1);
  const poolMaxQueue = readCount(read, 'poolMaxQueue', 0);
  const sheds = Math.min(poolMaxRequests, poolMaxQueue) < Number.POSITIVE_INFINITY;
  const tables = readTables(read);
  const resolved: ResolvedPool = {
    name: read.string('name', { default: 'pool' }),
    balance,
    useServer: read.function<(context: RequestContext) => string | undefined>('useServer'),
    cookie: shared.cookie,
    persist: read.boolean('persist', { default: false }),
    forcePersist: read.function<(context: RequestContext) => boolean>('forcePersist'),
    ignorePersist: read.function<(context: RequestContext) => boolean>('ignorePersist'),
    checkcache: read.boolean('checkcache', { default: false }),
    tables,
    stick: readStick(read, tables),
    servers,
    allbackups: read.boolean('allbackups', { default: false }),
    fullconn: shared.fullconn,
    poolMaxRequests,
    poolMaxQueue,
    priority: read.function<(context: RequestContext) => Priority>('priority'),
    startOffset: read.integer('startOffset', { default: 0, min: 0, max: 65_535 }),
    ...readTimeouts(read.object('timeout')),
    disableOn404: read.boolean('disableOn404', { default: false }),
    spreadChecks: read.number('spreadChecks', { default: 0, min: 0, max: 50 }),
    maxSpreadChecksMs: read.durationMs('maxSpreadChecks', { default: Number.POSITIVE_INFINITY, min: 1 }),
    deadlineHeader: readDeadlineHeader(read),
    retry: readRetries(read),
    retryBudget: readRetryBudget(read),
    hedge: readHedge(read),
    outlier: readOutlier(read),
    retryNonIdempotent: read.boolean('retryNonIdempotent', { default: false }),
    bufferBody: read.bytes('bufferBody', { default: 65_536 }),
    maxBufferedBytes: read.bytes('maxBufferedBytes', { default: 67_108_864 }),
    forwarding: readForwarding(read),
    clientAddress: read.function<(request: RequestContext) => string>('clientAddress'),
    requestRules: readRules<RequestRuleContext>(read, 'httpRequest', tables),
    responseRules: readRules<ResponseRuleContext>(read, 'httpResponse', tables),
    answers: readAnswers(read, sheds),
    monitor: readMonitor(read),
    engine: read.oneOf('engine', ['http1', 'http-proxy-3'], { default: 'http1' }),
    httpProxy: readHttpProxyOptions(read.object('httpProxy')),
    readServer,
  };
  if (read.has('httpProxy') && resolved.engine !== 'http-proxy-3')
    read.reject('httpProxy', "needs engine: 'http-proxy-3'");
  read.rejectUnknown(poolHints(ofServers));
  read.throwFaults();
  return resolved;
}

function serverReader(inherited: object, shared: SharedByServers): ResolvedPool['readServer'] {
  return (raw, path, faults) => {
    const before = faults.length;
    const given: unknown = typeof raw === 'string' ? { address: raw } : raw;
    const own = new OptionReader(given, path, faults);
    if (faults.length > before) return undefined;
    const read = new OptionReader(
      typeof given === 'object' && given !== null ? { ...inherited, ...withoutUndefined(given) } : {},
      path,
      faults,
    );
    const address = read.read('address', undefined, ADDRESS_FORMS, parseAddress);
    if (address === undefined && !read.has('address')) read.reject('address', `is missing; allowed: ${ADDRESS_FORMS}`);
    const settings = readSettings(read, own, address?.tls ?? true, shared);
    if (settings.connections.maxOpen === 0)
      read.reject('strictMaxconn', 'needs a maxconn: the most connections to the server');
    const id = read.integer('id', { default: undefined, min: 1, max: 2_147_483_647 });
    const name = read.string('name', {
      default: undefined,
      allowed: 'letters, digits and -_.: (at most 255)',
      test: /^[\w.:-]{1,255}$/,
    });
    const guid = read.string('guid', {
      default: undefined,
      allowed: 'letters, digits and -_:. (at most 127)',
      test: /^[\w.:-]{1,127}$/,
    });
    const track = read.string('track', { default: undefined, allowed: 'the name of another server of the pool' });
    if (track !== undefined) refuseBesideTrack(own);
    read.rejectUnknown(SERVER_HINTS);
    if (!address || faults.length > before) return undefined;
    return { ...settings, ...(track !== undefined && TRACKING), address, id, name, guid, track };
  };
}

/** What is wrong with `defaultServer` is told once, and not once a server. Gives the rest of it, and all that it may have. */
function checkDefaults(
  defaults: unknown,
  shared: SharedByServers,
  faults: ConfigFault[],
): { inherited: object; ofServers: readonly string[] } {
  const before = faults.length;
  const read = new OptionReader(defaults, 'defaultServer', faults);
  for (const key of OF_ONE_SERVER) if (read.has(key)) read.reject(key, 'belongs to one server and cannot be a default');
  for (const key of OF_ONE_SERVER) read.any(key);
  readSettings(read, read, true, shared);
  read.rejectUnknown(SERVER_HINTS);
  const faulty = new Set(faults.slice(before).map(({ path }) => path.split(/[.[]/)[1]));
  const given = typeof defaults === 'object' && defaults !== null ? defaults : {};
  return {
    inherited: Object.fromEntries(Object.entries(given).filter(([key]) => !faulty.has(key))),
    ofServers: read.known.filter((key) => !OF_ONE_SERVER.includes(key)),
  };
}

function readSettings(
  read: OptionReader,
  own: OptionReader,
  tls: boolean,
  { httpReuse, catalogue, fullconn, cookie, hasCookie, sticks }: SharedByServers,
): Omit<ResolvedServer, 'id' | 'name' | 'guid' | 'track' | 'address'> {
  read.notSupported(NOT_SUPPORTED_BY_SERVER);
  const before = read.faults.length;
  const health = readCheckSettings(read, catalogue, own !== read);
  if (own !== read && read.faults.length === before && !own.has('track'))
    refuseIdle(own, [{ ...health, address: { tls } }]);
  const checkTls = readTls(read, tls || health.checkTarget.ssl === true || health.check?.usesTls === true, own);
  const slots = readSlots(read, fullconn);
  if (!sticks && isTurnedOn(own, 'nonStick')) own.reject('nonStick', "needs the pool's option 'stick'");
  const strict = read.boolean('strictMaxconn', { default: false });
  return {
    weight: read.integer('weight', { default: 1, min: 0, max: MAX_WEIGHT }),
    ...slots,
    backup: read.boolean('backup', { default: false }),
    disabled: read.boolean('disabled', { default: false }),
    slowstartMs: read.durationMs('slowstart', { default: 0, max: LONGEST_MS }),
    hashKey: readHashKey(read),
    connections: {
      httpReuse,
      poolMaxConn: read.integer('poolMaxConn', { default: -1, min: -1 }),
      poolLowConn: read.integer('poolLowConn', { default: 0, min: 0 }),
      poolPurgeDelayMs: read.durationMs('poolPurgeDelay', { default: 5_000, max: LONGEST_MS }),
      maxReuse: read.integer('maxReuse', { default: -1, min: -1 }),
      maxOpen: strict ? slots.maxconn : Number.POSITIVE_INFINITY,
    },
    onMarkedDown: read.oneOf('onMarkedDown', ['none', 'shutdown-sessions'], { default: 'none' }),
    onMarkedUp: read.oneOf('onMarkedUp', ['none', 'shutdown-backup-sessions'], { default: 'none' }),
    cookie: readServerCookie(read, cookie, hasCookie),
    redir: readRedir(read),
    nonStick: read.boolean('nonStick', { default: false }),
    tls: tls ? checkTls : undefined,
    checkTls,
    ...health,
  };
}

/** HAProxy: a `minconn` past `maxconn` raises it. */
function readSlots(
  read: OptionReader,
  fullconn: number | undefined,
): Pick<ServerSettings, 'maxconn' | 'minconn' | 'maxqueue'> {
  const maxconn = read.integer('maxconn', { default: 0, min: 0 });
  const minconn = read.integer('minconn', { default: 0, min: 0 });
  const maxqueue = read.integer('maxqueue', { default: 0, min: 0 });
  if (minconn > 0 && fullconn === undefined)
    read.reject(
      'minconn',
      "needs the pool's option 'fullconn': the requests from which on a server has its whole maxconn",
    );
  return { maxconn: Math.max(minconn, maxconn), minconn: minconn || maxconn, maxqueue };
}

function readHashKey(read: OptionReader): HashKey | undefined {
  return read.oneOf('hashKey', ['id', 'id32', 'guid', 'addr', 'addr-port'], { default: undefined });
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** A limit of which `Infinity` is none. */
function readCount(read: OptionReader, key: string, min: number): number {
  return read.read(key, Number.POSITIVE_INFINITY, `an integer of at least ${min}, or Infinity`, (value) => {
    if (value === 'infinite' || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return typeof value === 'number' && Number.isInteger(value) && value >= min ? value : undefined;
  });
}

function findTwins(servers: readonly ResolvedServer[], read: OptionReader): void {
  for (const key of ['name', 'id', 'guid'] as const) {
    const seen = new Set<string | number>();
    for (const server of servers) {
      const value = server[key];
      if (value === undefined) continue;
      if (seen.has(value))
        read.faults.push({ path: 'servers', value, message: `the ${key} ${show(value)} is given to two servers` });
      seen.add(value);
    }
  }
}

function readTimeouts(read: OptionReader): Pick<ResolvedPool, 'timeouts' | 'timeoutCheckMs' | 'timeoutStickMs'> {
  read.notSupported(NOT_SUPPORTED_TIMEOUTS);
  const limit = (key: keyof NonNullable<PoolOptions['timeout']>, fallback: number): number =>
    read.durationMs(key, { default: fallback, min: 1 });
  const connectMs = limit('connect', 5_000);
  const timeouts = {
    connectMs,
    queueMs: limit('queue', connectMs),
    serverMs: limit('server', 60_000),
    clientMs: limit('client', 60_000),
    tunnelMs: limit('tunnel', 3_600_000),
    serverFinMs: limit('serverFin', 30_000),
    clientFinMs: limit('clientFin', 30_000),
    tarpitMs: limit('tarpit', connectMs),
    totalMs: limit('total', Number.POSITIVE_INFINITY),
  };
  const timeoutStickMs = limit('stick', 50);
  const timeoutCheckMs = read.durationMs('check', { default: undefined, min: 1, max: LONGEST_MS });
  read.rejectUnknown(TIMEOUT_HINTS);
  return { timeouts, timeoutCheckMs, timeoutStickMs };
}
