import { readFileSync } from 'node:fs';
import type { ConfigError, PoolOptions } from '../index.ts';
import { asOption, type RunArguments } from './arguments.ts';
import { LISTEN_FORMS, type ListenAddress, parseListenAddress } from './listen-address.ts';
import { oneLine, UsageError } from './usage-error.ts';

/** What the command does: the file and the command line put together. */
export interface Settings {
  readonly listen: ListenAddress;
  /** Time that requests in flight are given at the end. */
  readonly graceMs: number;
  /** Not judged yet: the pool does that. */
  readonly pool: PoolOptions;
  /** Says what is wrong with `pool`, each fault where the user wrote it. */
  explain(error: ConfigError): string;
}

type Json = Readonly<Record<string, unknown>>;

const DEFAULT_PORT = 8080;
const UNITS: Readonly<Record<string, number>> = { '': 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Puts the file of `--config` and the command line together: its servers come after those of the file, its options
 * before them.
 * @throws {UsageError}
 */
export function readSettings(given: RunArguments): Settings {
  const {
    listen: listenInFile,
    grace: graceInFile,
    ...file
  } = given.config === undefined ? {} : readFile(given.config);
  const inFile = given.config === undefined ? '' : `${given.config}: `;
  const listen = parseListenAddress(given.listen ?? listenInFile ?? DEFAULT_PORT);
  if (!listen)
    throw wrong(
      given.listen === undefined ? `${inFile}listen` : '--listen',
      given.listen ?? listenInFile,
      LISTEN_FORMS,
    );
  const graceMs = parseDuration(given.grace ?? graceInFile ?? '10s');
  if (graceMs === undefined)
    throw wrong(
      given.grace === undefined ? `${inFile}grace` : '--grace',
      given.grace ?? graceInFile,
      "a duration: '500ms', '10s', '1m', 'infinite'",
    );
  const servers = joined(file['servers'], given);
  if (Array.isArray(servers) && servers.length === 0)
    throw new UsageError('no server is given: evenkeel http://HOST:PORT … (see --help)');
  const checks = {
    ...(given.check !== undefined && { check: readCheck(given.check, given.config) }),
    ...(given.inter !== undefined && { inter: asOption(given.inter) }),
  };
  const pool = {
    ...file,
    servers,
    ...(given.balance !== undefined && { balance: given.balance }),
    ...(Object.keys(checks).length > 0 && { defaultServer: overlaid(file['defaultServer'], checks) }),
  };
  const serversInFile = Array.isArray(file['servers']) ? file['servers'].length : 0;
  return {
    listen,
    graceMs,
    pool: pool as PoolOptions,
    explain: ({ faults }) => {
      const texts = faults.map(({ path, message }) => `${whereIs(path, given, serversInFile)}: ${message}`);
      const [only, ...more] = texts;
      if (more.length === 0) return oneLine(only ?? '');
      return oneLine(`${texts.length} faults: ${texts.map((text, i) => `(${i + 1}) ${text}`).join(' ')}`);
    },
  };
}

function readFile(path: string): Json {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path}: cannot be read: ${wordsOf(error)}`);
  }
  let read: unknown;
  try {
    read = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new UsageError(`${path}: is no JSON: ${wordsOf(error)}`);
  }
  if (!isObject(read)) throw new UsageError(`${path}: is no JSON object: { "servers": […], … }`);
  return read;
}

/** A path, or a name; only a file can give names of its own. */
function readCheck(check: string, config: string | undefined): unknown {
  if (check.startsWith('/')) return { type: 'http', uri: check };
  if (check !== 'tcp' && config === undefined) throw wrong('--check', check, "a path ('/healthz') or 'tcp'");
  return check;
}

/** What is no array is left for the pool to refuse. */
function joined(inFile: unknown, { servers }: RunArguments): unknown {
  const given = servers.map(({ options }) => options);
  if (inFile === undefined) return given;
  return Array.isArray(inFile) ? [...(inFile as unknown[]), ...given] : inFile;
}

/** What is no object is left for the pool to refuse. */
function overlaid(inFile: unknown, given: Json): unknown {
  if (inFile === undefined) return given;
  return isObject(inFile) ? { ...inFile, ...given } : inFile;
}

/** Where an option was written: an argument, an option of the command line, or a place in the file. */
function whereIs(path: string, given: RunArguments, serversInFile: number): string {
  const [, index = '', key] = /^servers\[(\d+)\](?:\.(.*))?$/.exec(path) ?? [];
  const argument = index === '' ? undefined : given.servers[Number(index) - serversInFile];
  if (argument) return `'${argument.text}'${key === undefined ? '' : `: ${key}`}`;
  const option = (['balance', 'check', 'inter'] as const).find((name) => {
    const at = name === 'balance' ? name : `defaultServer.${name}`;
    return given[name] !== undefined && (path === at || path.startsWith(`${at}.`));
  });
  if (option) return `--${option}`;
  return given.config === undefined ? path : `${given.config}: ${path}`;
}

function wrong(where: string, value: unknown, allowed: string): UsageError {
  return new UsageError(`${where}: ${JSON.stringify(value)} is not allowed; allowed: ${allowed}`);
}

function parseDuration(value: unknown): number | undefined {
  if (value === 'infinite') return Number.POSITIVE_INFINITY;
  const text = typeof value === 'number' ? String(value) : value;
  const [, digits, unit = ''] = (typeof text === 'string' && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text)) || [];
  return digits === undefined ? undefined : Number(digits) * (UNITS[unit] ?? 1);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wordsOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}
