import { OptionReader } from '../core/options.ts';
import { type AgentCheckOptions, readAgentCheck } from './agent-check.ts';
import { type CheckFunction, functionCheck } from './function-check.ts';
import type { HealthCheck } from './health-check.ts';
import { type HttpCheckOptions, type HttpchkPhrase, parseHttpchk, readHttpCheck } from './http-check.ts';
import { type TcpCheckOptions, tcpCheck } from './tcp-check.ts';

/** The checks users may name; a new one is a row here. The reader takes the options beside `type`. */
export const CHECKS: Readonly<Record<CheckType, (read: OptionReader) => HealthCheck | undefined>> = {
  tcp: () => tcpCheck,
  http: readHttpCheck,
  agent: readAgentCheck,
};

/** Names of the built-in checks. */
export type CheckType = CheckDefinition['type'];

/** A built-in check with its options. */
export type CheckDefinition = TcpCheckOptions | HttpCheckOptions | AgentCheckOptions;

/** Checks by names of your own, for `check: 'name'`. HAProxy: the sections `healthcheck <name>`. */
export type HealthchecksOption = Readonly<Record<string, CheckDefinition | CheckFunction>>;

/**
 * Whether and how a server is checked. `true`: that it can be connected to, or what the pool's `httpchk` says; a name of
 * the pool's `healthchecks` or of a built-in check; options of a built-in check; a function of your own. Default: `false`.
 */
export type CheckOption = boolean | CheckType | (string & {}) | CheckDefinition | CheckFunction;

/** The check over HTTP of every server with `check: true`: HAProxy's phrase, or options. `true`: all at their defaults. */
export type HttpchkOption = true | HttpchkPhrase | Omit<HttpCheckOptions, 'type'> | HttpCheckOptions;

/** What `check` may refer to, read from the pool's options. */
export interface CheckCatalogue {
  readonly named: ReadonlyMap<string, HealthCheck>;
  /** The check of the pool's `httpchk`. */
  readonly httpchk: HealthCheck | undefined;
}

/** Checks of HAProxy that we know and do not have. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  redis: 'option redis-check',
  mysql: 'option mysql-check',
  pgsql: 'option pgsql-check',
  smtp: 'option smtpchk',
  ldap: 'option ldap-check',
  spop: 'option spop-check',
  'ssl-hello': 'option ssl-hello-chk',
  external: 'option external-check',
};

const ALLOWED = "true, false, { type: 'tcp' }, { type: 'http', ... }, a function";

/** Reads the pool's `healthchecks` and `httpchk`. */
export function readCheckCatalogue(pool: OptionReader): CheckCatalogue {
  return { named: readHealthchecks(pool), httpchk: readHttpchk(pool) };
}

/** Reads a server's `check`; `undefined`: the server is not checked. */
export function readCheck(read: OptionReader, { named, httpchk }: CheckCatalogue): HealthCheck | undefined {
  const value = read.any('check');
  if (value === undefined || value === false) return undefined;
  if (value === true) return httpchk ?? tcpCheck;
  if (typeof value !== 'string') return readDefinition(read, 'check', value, ALLOWED);
  const known = named.get(value);
  if (known) return known;
  if (isCheckType(value)) return CHECKS[value](new OptionReader({}, read.pathOf('check'), read.faults));
  const names = [...Object.keys(CHECKS), ...named.keys()].map((name) => `'${name}'`).join(', ');
  refuse(read, 'check', value, `${ALLOWED}, or one of the names ${names}`);
  return undefined;
}

function readHealthchecks(pool: OptionReader): ReadonlyMap<string, HealthCheck> {
  const named = new Map<string, HealthCheck>();
  const allowed = "an object of names and checks: { db: { type: 'tcp' } }";
  const raw = pool.read('healthchecks', {}, allowed, (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  );
  for (const [name, value] of Object.entries(raw)) {
    const key = `healthchecks.${name}`;
    if (isCheckType(name)) pool.fault(key, name, 'a name that is not the type of a check');
    const check = readDefinition(pool, key, value, "{ type: 'tcp' }, { type: 'http', ... } or a function");
    if (check) named.set(name, check);
  }
  return named;
}

function readHttpchk(pool: OptionReader): HealthCheck | undefined {
  const value = pool.any('httpchk');
  if (value === undefined) return undefined;
  if (typeof value === 'string') {
    const check = parseHttpchk(value);
    if (!check)
      pool.fault('httpchk', value, "'/uri', 'METHOD /uri', 'METHOD /uri HTTP/1.1' or 'METHOD /uri HTTP/1.1 host'");
    return check;
  }
  if (value === true) return readHttpCheck(new OptionReader({}, pool.pathOf('httpchk'), pool.faults));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const definition: Readonly<Record<string, unknown>> = { type: 'http', ...value };
    if (definition['type'] === 'http') return readDefinition(pool, 'httpchk', definition, '');
  }
  pool.fault('httpchk', value, "true, a phrase such as 'GET /health', or the options of a check of type 'http'");
  return undefined;
}

function readDefinition(read: OptionReader, key: string, value: unknown, allowed: string): HealthCheck | undefined {
  if (typeof value === 'function') return functionCheck(value as CheckFunction);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    read.fault(key, value, allowed);
    return undefined;
  }
  const options = new OptionReader(value, read.pathOf(key), read.faults);
  if (options.has('steps')) {
    options.notSupported({ steps: 'not supported (HAProxy: the rules of tcp-check and http-check)' });
    return undefined;
  }
  const type = options.any('type');
  if (typeof type !== 'string' || !isCheckType(type)) {
    refuse(
      options,
      'type',
      type,
      Object.keys(CHECKS)
        .map((name) => `'${name}'`)
        .join(', '),
    );
    return undefined;
  }
  const check = CHECKS[type](options);
  options.rejectUnknown();
  return check;
}

function refuse(read: OptionReader, key: string, value: unknown, allowed: string): void {
  const keyword = typeof value === 'string' && Object.hasOwn(NOT_SUPPORTED, value) ? NOT_SUPPORTED[value] : undefined;
  if (keyword === undefined) read.fault(key, value, allowed);
  else read.faults.push({ path: read.pathOf(key), value, message: `not supported (HAProxy: ${keyword})` });
}

function isCheckType(name: string): name is CheckType {
  return Object.hasOwn(CHECKS, name);
}
