import { OptionReader, show } from '../core/options.ts';
import { type AgentCheckOptions, readAgentCheck } from './agent-check.ts';
import { type ExternalCheckOptions, readExternalCheck } from './external-check.ts';
import { type CheckFunction, functionCheck } from './function-check.ts';
import { type GrpcCheckOptions, readGrpcCheck } from './grpc-check.ts';
import type { HealthCheck } from './health-check.ts';
import {
  asksOverHttp,
  type HttpCheckOptions,
  type HttpStepsOptions,
  parseHttpchk,
  readHttpCheck,
} from './http-check.ts';
import type { HttpchkPhrase } from './http-request.ts';
import { type LdapCheckOptions, ldapCheck } from './ldap-check.ts';
import { type MysqlCheckOptions, readMysqlCheck } from './mysql-check.ts';
import { CHECK_HINTS, typeHint } from './option-hints.ts';
import { type PgsqlCheckOptions, readPgsqlCheck } from './pgsql-check.ts';
import { type RedisCheckOptions, redisCheck } from './redis-check.ts';
import { readSmtpCheck, type SmtpCheckOptions } from './smtp-check.ts';
import { type SpopCheckOptions, spopCheck } from './spop-check.ts';
import { type SslHelloCheckOptions, sslHelloCheck } from './ssl-hello-check.ts';
import { readTcpCheck, type TcpCheckOptions, tcpCheck } from './tcp-check.ts';
import type { TcpStep } from './tcp-steps.ts';

/**
 * The checks users may name; a new one is a row here. The reader takes the options beside `type`, and whether checks may
 * run programs.
 */
export const CHECKS: Readonly<
  Record<CheckType, (read: OptionReader, externalCheck: boolean) => HealthCheck | undefined>
> = {
  tcp: readTcpCheck,
  http: readHttpCheck,
  agent: readAgentCheck,
  redis: () => redisCheck,
  mysql: readMysqlCheck,
  pgsql: readPgsqlCheck,
  smtp: readSmtpCheck,
  ldap: () => ldapCheck,
  'ssl-hello': () => sslHelloCheck,
  spop: () => spopCheck,
  grpc: readGrpcCheck,
  external: readExternalCheck,
};

/** Names of the built-in checks. */
export type CheckType = NonNullable<CheckDefinition['type']>;

/** A built-in check with its options. */
export type CheckDefinition =
  | TcpCheckOptions
  | HttpCheckOptions
  | HttpStepsOptions
  | ScriptedCheck
  | AgentCheckOptions
  | RedisCheckOptions
  | MysqlCheckOptions
  | PgsqlCheckOptions
  | SmtpCheckOptions
  | LdapCheckOptions
  | SslHelloCheckOptions
  | SpopCheckOptions
  | GrpcCheckOptions
  | ExternalCheckOptions;

/** A check by steps over TCP, with no need to say so. */
export interface ScriptedCheck {
  readonly type?: never;
  readonly steps: readonly TcpStep[];
}

/** Checks by names of your own, for `check: 'name'`. HAProxy: the sections `healthcheck <name>`. */
export type HealthchecksOption = Readonly<Record<string, CheckDefinition | CheckFunction>>;

/**
 * Whether and how a server is checked. `true`: that it can be connected to, or what the pool's `httpchk` says; a name of
 * the pool's `healthchecks` or of a built-in check; options of a built-in check; a function of your own. Default: `false`.
 */
export type CheckOption = boolean | CheckType | (string & {}) | CheckDefinition | CheckFunction;

/** The check over HTTP of every server with `check: true`: HAProxy's phrase, or options. `true`: all at their defaults. */
export type HttpchkOption =
  | true
  | HttpchkPhrase
  | Omit<HttpCheckOptions, 'type'>
  | Omit<HttpStepsOptions, 'type'>
  | HttpCheckOptions
  | HttpStepsOptions;

/** What `check` may refer to, read from the pool's options. */
export interface CheckCatalogue {
  readonly named: ReadonlyMap<string, HealthCheck>;
  /** The check of the pool's `httpchk`. */
  readonly httpchk: HealthCheck | undefined;
  /** Checks may run programs. */
  readonly externalCheck: boolean;
  /** Those of `named`, and `httpchk`, that a server or `defaultServer` has. */
  readonly used: Set<HealthCheck>;
}

const ALLOWED = "true, false, { type: 'tcp' }, { type: 'http', ... }, a function";

/** Reads the pool's `externalCheck`, `healthchecks` and `httpchk`. */
export function readCheckCatalogue(pool: OptionReader): CheckCatalogue {
  const externalCheck = pool.boolean('externalCheck', { default: false });
  return { named: readHealthchecks(pool, externalCheck), httpchk: readHttpchk(pool), externalCheck, used: new Set() };
}

/** Reads a server's `check`; `undefined`: the server is not checked. */
export function readCheck(read: OptionReader, catalogue: CheckCatalogue): HealthCheck | undefined {
  const { named, httpchk, externalCheck, used } = catalogue;
  const value = read.any('check');
  if (value === undefined || value === false) return undefined;
  if (value === true) {
    if (httpchk) used.add(httpchk);
    return httpchk ?? tcpCheck;
  }
  if (typeof value !== 'string') return readDefinition(read, 'check', value, ALLOWED, externalCheck);
  const known = named.get(value);
  if (known) {
    used.add(known);
    return known;
  }
  if (isCheckType(value)) return CHECKS[value](new OptionReader({}, read.pathOf('check'), read.faults), externalCheck);
  if (value.startsWith('/')) {
    read.reject('check', `${show(value)} is no name of a check; did you mean { type: 'http', uri: ${show(value)} }?`);
    return undefined;
  }
  const names = [...Object.keys(CHECKS), ...named.keys()].map((name) => `'${name}'`).join(', ');
  read.fault('check', value, `${ALLOWED}, or one of the names ${names}`);
  return undefined;
}

function readHealthchecks(pool: OptionReader, externalCheck: boolean): ReadonlyMap<string, HealthCheck> {
  const named = new Map<string, HealthCheck>();
  const allowed = "an object of names and checks: { db: { type: 'tcp' } }";
  const raw = pool.read('healthchecks', {}, allowed, (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
  );
  for (const [name, value] of Object.entries(raw)) {
    const key = `healthchecks.${name}`;
    if (isCheckType(name)) pool.fault(key, name, 'a name that is not the type of a check');
    const allowed = "{ type: 'tcp' }, { type: 'http', ... } or a function";
    const check = readDefinition(pool, key, value, allowed, externalCheck);
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
    if (definition['type'] === 'http') return readDefinition(pool, 'httpchk', definition, '', false);
  }
  pool.fault('httpchk', value, "true, a phrase such as 'GET /health', or the options of a check of type 'http'");
  return undefined;
}

function readDefinition(
  read: OptionReader,
  key: string,
  value: unknown,
  allowed: string,
  externalCheck: boolean,
): HealthCheck | undefined {
  if (typeof value === 'function') return functionCheck(value as CheckFunction);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    read.fault(key, value, allowed);
    return undefined;
  }
  const options = new OptionReader(value, read.pathOf(key), read.faults);
  const given = options.any('type');
  if (given === undefined && asksOverHttp(options.any('steps'))) {
    options.reject(
      'type',
      "is missing; for steps with requests, or with expectations of statuses and fields, it is 'http'",
    );
    return undefined;
  }
  const type = given ?? (options.has('steps') ? 'tcp' : undefined);
  if (typeof type !== 'string' || !isCheckType(type)) {
    const types = Object.keys(CHECKS)
      .map((name) => `'${name}'`)
      .join(', ');
    if (type === undefined) options.reject('type', `is missing; allowed: ${types}`);
    else options.reject('type', `${show(type)} is not allowed; ${typeHint(type)}allowed: ${types}`);
    return undefined;
  }
  const check = CHECKS[type](options, externalCheck);
  options.rejectUnknown(CHECK_HINTS[type]);
  return check;
}

function isCheckType(name: string): name is CheckType {
  return Object.hasOwn(CHECKS, name);
}
