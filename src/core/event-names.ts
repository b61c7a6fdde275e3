import type { PoolEvents } from './events.ts';

const EVERY_EVENT: Readonly<Record<keyof PoolEvents, true>> = {
  'server:up': true,
  'server:down': true,
  'server:state': true,
  'server:weight': true,
  'server:added': true,
  'server:removed': true,
  'server:check': true,
  'server:ejected': true,
  'server:half-open': true,
  'server:restored': true,
  request: true,
  'sample:error': true,
  'lease:leaked': true,
  close: true,
};

/** The names of all events. */
export const EVENT_NAMES: readonly string[] = Object.keys(EVERY_EVENT);
