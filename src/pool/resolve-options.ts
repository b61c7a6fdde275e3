import { BlockList, isIP, isIPv6 } from 'node:net';
import type { ConnectionPoolSettings } from '../connections/connection-pool.ts';
import type { TlsSettings } from '../connections/dial.ts';
import type { RequestContext } from '../core/context.ts';
import type { ConfigFault } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import type { ExchangeTimeouts } from '../forward/forwarder.ts';
import type { HttpProxySettings } from '../forward/http-proxy-options.ts';
import { readHttpProxyOptions } from '../forward/http-proxy-options.ts';
import { type CheckCatalogue, readCheckCatalogue } from '../health/index.ts';
import { type CheckSettings, readCheckSettings } from '../health/settings.ts';
import { isToken } from '../http1/characters.ts';
import { type ForwardingOptions, replacedFields } from '../http1/request-head.ts';
import { type Balance, readBalance } from '../schedulers/index.ts';
import { ADDRESS_FORMS, type Address, parseAddress } from '../servers/address.ts';
import { MAX_WEIGHT } from '../servers/effective.ts';
import type { HashKey, ServerSettings } from '../servers/server.ts';
import { type Answers, readAnswers } from './answers.ts';
import { type HedgeSettings, readHedge } from './hedging.ts';
import { NOT_SUPPORTED_BY_POOL, NOT_SUPPORTED_BY_SERVER, NOT_SUPPORTED_TIMEOUTS } from './not-supported.ts';
import type { PoolOptions, RetryOn } from './options.ts';
import { type RetryBudgetSettings, readRetryBudget } from './retry-budget.ts';
import { type CompiledRules, type RequestRuleContext, type ResponseRuleContext, readRules } from './rules.ts';
import { readTls } from './tls-options.ts';

/** A server's options, read. */
export interface ResolvedServer extends CheckSettings, ServerSettings {
  readonly id: number | undefined;
  readonly name: string | undefined;
  readonly address: Address;
  readonly disabled: boolean;
  readonly tls: TlsSettings | undefined;
  readonly connections: ConnectionPoolSettings;
}

/** When a failed attempt is made again, read. */
export interface RetrySettings {
  readonly retries: number;
  readonly retryOn: ReadonlySet<RetryOn>;
  /** Another server at every Nth retry; negative counts from the last; 0 never. */
  readonly redispatch: number;
}

/** A pool's options, read: nothing past here looks at what the user wrote. */
export interface ResolvedPool {
  readonly name: string;
  readonly balance: Balance;
  readonly useServer: ((context: RequestContext) => string | undefined) | undefined;
  readonly servers: readonly ResolvedServer[];
  readonly allbackups: boolean;
  readonly startOffset: number;
  readonly timeouts: ExchangeTimeouts;
  readonly timeoutCheckMs: number | undefined;
  readonly retry: RetrySettings;
  readonly retryBudget: RetryBudgetSettings | undefined;
  readonly hedge: HedgeSettings | undefined;
  readonly retryNonIdempotent: boolean;
  readonly bufferBody: number;
  readonly forwarding: ForwardingOptions;
  readonly clientAddress: ((request: RequestContext) => string) | undefined;
  readonly requestRules: CompiledRules<RequestRuleContext> | undefined;
  readonly responseRules: CompiledRules<ResponseRuleContext> | undefined;
  readonly answers: Answers;
  readonly engine: 'http1' | 'http-proxy-3';
  readonly httpProxy: HttpProxySettings;
  /** Reads the options of one more server, as `servers` are read. */
  readonly readServer: (raw: unknown, path: string, faults: ConfigFault[]) => ResolvedServer | undefined;
}

/** Server options that cannot be defaults. */
const OF_ONE_SERVER: readonly string[] = ['address', 'name', 'id', 'guid'];

const RETRY_ON: readonly RetryOn[] = ['none', 'conn-failure', 'empty-response', 'junk-response', 'response-timeout'];

/** Idle connections that a pool keeps by default, in the server options' words. */
const LONGEST_MS = 2_147_483_647;

/**
 * Reads all options of a pool.
 * @throws {ConfigError} that lists every fault
 */
export function resolvePoolOptions(options: PoolOptions<never>): ResolvedPool {
  const read = new OptionReader(options, '');
  read.notSupported(NOT_SUPPORTED_BY_POOL);
  const httpReuse = read.oneOf('httpReuse', ['never', 'safe', 'aggressive', 'always'], { default: 'safe' });
  const catalogue = readCheckCatalogue(read);
  const defaults = read.any('defaultServer');
  const faultless = checkDefaults(defaults, httpReuse, catalogue, read.faults);
  const hashKey = readHashKey(read);
  const readServer = serverReader({ ...(hashKey && { hashKey }), ...faultless }, httpReuse, catalogue);
  const balance = readBalance(read);
  const servers: ResolvedServer[] = [];
  for (const [index, raw] of (read.list('servers', 'an array of addresses and server options') ?? []).entries()) {
    const server = readServer(raw, `servers[${index}]`, read.faults);
    if (server) servers.push(server);
  }
  findTwins(servers, read);
  const refusal = balance.refuse(servers);
  if (refusal !== undefined) read.reject('servers', refusal);
  if (read.has('httpchk') && !servers.some((server) => server.check))
    read.reject('httpchk', "no server is checked: give one 'check: true'");
  const retries = read.integer('retries', { default: 3, min: 0, max: 100 });
  const resolved: ResolvedPool = {
    name: read.string('name', { default: 'pool' }),
    balance,
    useServer: read.function<(context: RequestContext) => string | undefined>('useServer'),
    servers,
    allbackups: read.boolean('allbackups', { default: false }),
    startOffset: read.integer('startOffset', { default: 0, min: 0, max: 65_535 }),
    ...readTimeouts(read.object('timeout')),
    retry: { retries, retryOn: readRetryOn(read), redispatch: readRedispatch(read) },
    retryBudget: readRetryBudget(read),
    hedge: readHedge(read),
    retryNonIdempotent: read.boolean('retryNonIdempotent', { default: false }),
    bufferBody: read.bytes('bufferBody', { default: 65_536 }),
    forwarding: readForwarding(read),
    clientAddress: read.function<(request: RequestContext) => string>('clientAddress'),
    requestRules: readRules<RequestRuleContext>(read, 'httpRequest'),
    responseRules: readRules<ResponseRuleContext>(read, 'httpResponse'),
    answers: readAnswers(read),
    engine: read.oneOf('engine', ['http1', 'http-proxy-3'], { default: 'http1' }),
    httpProxy: readHttpProxyOptions(read.object('httpProxy')),
    readServer,
  };
  if (read.has('httpProxy') && resolved.engine !== 'http-proxy-3')
    read.reject('httpProxy', "needs engine: 'http-proxy-3'");
  read.rejectUnknown();
  read.throwFaults();
  return resolved;
}

function serverReader(
  inherited: object,
  httpReuse: ConnectionPoolSettings['httpReuse'],
  catalogue: CheckCatalogue,
): ResolvedPool['readServer'] {
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
    const settings = readSettings(read, own, address?.tls ?? true, httpReuse, catalogue);
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
    read.rejectUnknown();
    return address && faults.length === before ? { ...settings, address, id, name, guid } : undefined;
  };
}

/** What is wrong with `defaultServer` is told once, and not once a server. Gives the rest of it. */
function checkDefaults(
  defaults: unknown,
  httpReuse: ConnectionPoolSettings['httpReuse'],
  catalogue: CheckCatalogue,
  faults: ConfigFault[],
): object {
  const before = faults.length;
  const read = new OptionReader(defaults, 'defaultServer', faults);
  for (const key of OF_ONE_SERVER) if (read.has(key)) read.reject(key, 'belongs to one server and cannot be a default');
  for (const key of OF_ONE_SERVER) read.any(key);
  readSettings(read, read, true, httpReuse, catalogue);
  read.rejectUnknown();
  const faulty = new Set(faults.slice(before).map(({ path }) => path.split(/[.[]/)[1]));
  const given = typeof defaults === 'object' && defaults !== null ? defaults : {};
  return Object.fromEntries(Object.entries(given).filter(([key]) => !faulty.has(key)));
}

function readSettings(
  read: OptionReader,
  own: OptionReader,
  tls: boolean,
  httpReuse: ConnectionPoolSettings['httpReuse'],
  catalogue: CheckCatalogue,
): Omit<ResolvedServer, 'id' | 'name' | 'guid' | 'address'> {
  read.notSupported(NOT_SUPPORTED_BY_SERVER);
  return {
    weight: read.integer('weight', { default: 1, min: 0, max: MAX_WEIGHT }),
    maxconn: read.integer('maxconn', { default: 0, min: 0 }),
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
    },
    tls: readTls(read, tls, own),
    ...readCheckSettings(read, catalogue),
  };
}

function readHashKey(read: OptionReader): HashKey | undefined {
  return read.oneOf('hashKey', ['id', 'id32', 'guid', 'addr', 'addr-port'], { default: undefined });
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
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

function readTimeouts(read: OptionReader): { timeouts: ExchangeTimeouts; timeoutCheckMs: number | undefined } {
  read.notSupported(NOT_SUPPORTED_TIMEOUTS);
  const limit = (key: keyof NonNullable<PoolOptions['timeout']>, fallback: number): number =>
    read.durationMs(key, { default: fallback, min: 1 });
  const timeouts = {
    connectMs: limit('connect', 5_000),
    serverMs: limit('server', 60_000),
    clientMs: limit('client', 60_000),
    tunnelMs: limit('tunnel', 3_600_000),
    serverFinMs: limit('serverFin', 30_000),
    clientFinMs: limit('clientFin', 30_000),
  };
  const timeoutCheckMs = read.durationMs('check', { default: undefined, min: 1, max: LONGEST_MS });
  read.rejectUnknown();
  return { timeouts, timeoutCheckMs };
}

function readRetryOn(read: OptionReader): ReadonlySet<RetryOn> {
  const allowed = `${RETRY_ON.map((event) => `'${event}'`).join(', ')}, or an array of these`;
  return read.read('retryOn', new Set<RetryOn>(['conn-failure', 'empty-response']), allowed, (value) => {
    const events: unknown[] = Array.isArray(value) ? value : [value];
    const known = RETRY_ON.filter((event) => events.includes(event));
    if (known.length !== new Set(events).size || (known.includes('none') && known.length > 1)) return undefined;
    return new Set(known.filter((event) => event !== 'none'));
  });
}

function readRedispatch(read: OptionReader): number {
  return read.read('redispatch', 1, 'true, false or an integer from -100 to 100', (value) => {
    if (typeof value === 'boolean') return value ? -1 : 0;
    return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 100 ? value : undefined;
  });
}

function readForwarding(read: OptionReader): ForwardingOptions {
  const options = {
    forwardfor: readForwardFor(read),
    forwarded: readForwarded(read),
    forwardedHeaders: readFlags(read, 'forwardedHeaders', ['proto', 'host']),
    changeOrigin: read.boolean('changeOrigin', { default: false }),
  };
  return { ...options, replaced: replacedFields(options) };
}

function readForwardFor(read: OptionReader): ForwardingOptions['forwardfor'] {
  const value = read.any('forwardfor');
  if (value === undefined || value === false) return undefined;
  if (value === true) return { header: 'x-forwarded-for', ifNone: false, except: undefined };
  const phrase = typeof value === 'string' ? forwardForPhrase(value) : value;
  if (phrase === undefined || typeof phrase !== 'object' || phrase === null) {
    read.fault(
      'forwardfor',
      value,
      "true, false, { except, header, ifNone }, or HAProxy's words 'except NET', 'header NAME', 'if-none'",
    );
    return undefined;
  }
  const options = new OptionReader(phrase, read.pathOf('forwardfor'), read.faults);
  const header = options.read('header', 'x-forwarded-for', "a field's name", (name) =>
    typeof name === 'string' && isToken(name) ? name.toLowerCase() : undefined,
  );
  const ifNone = options.boolean('ifNone', { default: false });
  const except = options.read(
    'except',
    undefined,
    "addresses or networks: '127.0.0.1', ['10.0.0.0/8', '::1']",
    (nets) => networks(Array.isArray(nets) ? nets : [nets]),
  );
  options.rejectUnknown();
  return { header, ifNone, except };
}

/** HAProxy: `option forwardfor [except <network>] [header <name>] [if-none]`. */
function forwardForPhrase(phrase: string): Record<string, unknown> | undefined {
  const words = phrase.trim().split(/\s+/);
  const options: Record<string, unknown> = {};
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const argument = word === 'if-none' ? true : words.shift();
    if (argument === undefined || !['if-none', 'except', 'header'].includes(word)) return undefined;
    options[word === 'if-none' ? 'ifNone' : word] = argument;
  }
  return options;
}

function networks(list: readonly unknown[]): BlockList | undefined {
  const block = new BlockList();
  for (const net of list) {
    if (typeof net !== 'string') return undefined;
    const [address = '', bits, ...rest] = net.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0 || rest.length > 0) return undefined;
    if (bits === undefined) block.addAddress(address, family);
    else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'ipv6' ? 128 : 32))
      block.addSubnet(address, Number(bits), family);
    else return undefined;
  }
  return block;
}

function readForwarded(read: OptionReader): ForwardingOptions['forwarded'] {
  const value = read.any('forwarded');
  if (value === undefined || value === false) return undefined;
  if (value === true || value === '') return { proto: true, host: false, by: false, for: true };
  if (typeof value === 'string') {
    const words = value.trim().split(/\s+/);
    const flags = {
      proto: words.includes('proto'),
      host: words.includes('host'),
      by: words.includes('by'),
      for: words.includes('for'),
    };
    if (words.every((word) => Object.hasOwn(flags, word))) return flags;
    read.fault(
      'forwarded',
      value,
      "true, false, { proto, host, by, for }, or HAProxy's words 'proto', 'host', 'by', 'for'",
    );
    return undefined;
  }
  return readFlags(read, 'forwarded', ['proto', 'host', 'by', 'for']);
}

function readFlags<const K extends string>(read: OptionReader, key: string, names: readonly K[]): Record<K, boolean> {
  const options = read.object(key);
  const flags = Object.fromEntries(names.map((name) => [name, options.boolean(name, { default: false })])) as Record<
    K,
    boolean
  >;
  options.rejectUnknown();
  return flags;
}
