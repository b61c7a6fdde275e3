import type { EngineName } from '../support/fronts.ts';

/** Cases that an engine cannot satisfy, by their full name, and why. */
export const SKIPPED: Readonly<Record<EngineName, Readonly<Record<string, string>>>> = {
  http1: {},
  'http-proxy-3': {},
};
