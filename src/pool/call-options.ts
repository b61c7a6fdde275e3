import type { AttachableServer, MiddlewareOptions, UpgradeOptions } from '../adapters/node-http.ts';
import { ConfigError } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';
import { type Duration, parseDuration } from '../core/units.ts';

/** How long work in flight may take to end. */
export interface GraceOptions {
  /** Default: 10000. `Infinity` waits for as long as it takes. */
  readonly graceMs?: Duration;
}

/** Options of `acquire`. */
export interface AcquireOptions {
  /** Gives up with `EK_ABORTED`. */
  readonly signal?: AbortSignal;
  /** Longest wait for a free slot. Default: the pool's `timeout.queue`. */
  readonly timeout?: Duration;
  /** Names of servers not to use while another has room. */
  readonly avoid?: readonly string[];
}

/** Options of `run`. */
export interface RunOptions extends AcquireOptions {
  /** Runs the work again on another server when it throws, up to the pool's `retries` and `retryBudget`. Default: false. */
  readonly retry?: boolean;
}

/** @throws {ConfigError} */
export function checkMiddlewareOptions(options: MiddlewareOptions<never>): void {
  const read = new OptionReader(options, 'middleware');
  read.oneOf('onUnavailable', ['answer', 'next'], { default: undefined });
  read.oneOf('errorHandler', ['answer', 'next'], { default: undefined });
  read.boolean('stripPrefix', { default: undefined });
  read.function('rewriteUrl');
  finish(read);
}

/** @throws {ConfigError} */
export function checkUpgradeOptions(options: UpgradeOptions, path: 'upgradeHandler' | 'attach'): void {
  const read = new OptionReader(options, path);
  read.string('path', { default: undefined, allowed: "a path that begins with '/'", test: /^\/[^?#\s]*$/ });
  read.function('authorize');
  read.function('rewriteUrl');
  finish(read);
}

/** @throws {ConfigError} */
export function checkServer(server: AttachableServer): void {
  if (typeof server === 'object' && server !== null && 'on' in server && typeof server.on === 'function') return;
  const message = `${show(server)} is not a server; allowed: a server of node:http, node:https or node:http2`;
  throw new ConfigError([{ path: 'attach', value: server, message }]);
}

/** @throws {ConfigError} */
export function readGraceMs(options: GraceOptions, path: 'close' | 'removeServer'): number {
  const read = new OptionReader(options, path);
  const graceMs = read.durationMs('graceMs', { default: 10_000 });
  finish(read);
  return graceMs;
}

/** @throws {ConfigError} */
export function readReadyTimeoutMs(options: { readonly timeout?: unknown }): number {
  const read = new OptionReader(options, 'ready');
  const timeoutMs = read.durationMs('timeout', { default: Number.POSITIVE_INFINITY });
  finish(read);
  return timeoutMs;
}

/** Calls that give a lease. */
export type LeaseCall = 'acquire' | 'tryAcquire' | 'run';

const OF_LEASES: Readonly<Record<LeaseCall, ReadonlySet<string>>> = {
  acquire: new Set(['signal', 'timeout', 'avoid']),
  tryAcquire: new Set(['avoid']),
  run: new Set(['signal', 'timeout', 'avoid', 'retry']),
};

/**
 * Looks at the options of one such call, at the least cost: what is wrong is read again, to say what.
 * @throws {ConfigError}
 */
export function checkLeaseOptions(options: unknown, call: LeaseCall): void {
  const known = OF_LEASES[call];
  let right = typeof options === 'object' && options !== null;
  for (const key in options as object)
    right &&= known.has(key) && isRight(key, (options as Readonly<Record<string, unknown>>)[key]);
  if (right) return;
  const read = new OptionReader(options, call);
  if (options === null) read.faults.push({ path: call, value: null, message: 'null is not an object' });
  for (const key of known)
    read.read(key, undefined, ALLOWED[key] ?? '', (value) => (isRight(key, value) ? true : undefined));
  finish(read);
}

const ALLOWED: Readonly<Record<string, string>> = {
  signal: 'an AbortSignal',
  timeout: "a duration (250, '250ms', '2s', '1m', '1h', '1d') of at least 0 ms",
  avoid: 'an array of names of servers',
  retry: 'true or false',
};

function isRight(key: string, value: unknown): boolean {
  if (value === undefined) return true;
  switch (key) {
    case 'signal':
      return isSignal(value);
    case 'timeout':
      return parseDuration(value) !== undefined;
    case 'avoid':
      return Array.isArray(value) && value.every((name) => typeof name === 'string');
    case 'retry':
      return typeof value === 'boolean';
    default:
      return false;
  }
}

/** By what it can do: it may come from another realm. */
function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('aborted' in value)) return false;
  const { addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function';
}

function finish(read: OptionReader): void {
  read.rejectUnknown();
  read.throwFaults();
}
