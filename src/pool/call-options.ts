import type { AttachableServer, MiddlewareOptions, UpgradeOptions } from '../adapters/node-http.ts';
import { ConfigError } from '../core/errors.ts';
import { OptionReader, show } from '../core/options.ts';

/** How long work in flight may take to end. */
export interface GraceOptions {
  /** In milliseconds. Default: 10000. */
  readonly graceMs?: number;
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
export function readTimeoutMs(timeout: unknown, path: 'ready' | 'acquire'): number {
  const read = new OptionReader({ timeout }, path);
  const timeoutMs = read.durationMs('timeout', { default: Number.POSITIVE_INFINITY });
  finish(read);
  return timeoutMs;
}

function finish(read: OptionReader): void {
  read.rejectUnknown();
  read.throwFaults();
}
