import type { OptionReader } from '../core/options.ts';

/** Placeholder until the engine that uses them is there. */
export type HttpProxyOptions = Readonly<Record<string, unknown>>;

export function readHttpProxyOptions(_read: OptionReader): HttpProxyOptions {
  return {};
}
