import type { OptionReader } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import { agentCheck, readAgentHost, readAgentPort, readAgentText } from './agent-check.ts';
import {
  type CheckTarget,
  type CheckTargetOptions,
  type CheckTargetSettings,
  readCheckTarget,
} from './check-target.ts';
import type { HealthCheck } from './health-check.ts';
import { type CheckCatalogue, type CheckOption, readCheck } from './index.ts';
import type { CheckTimeouts, Intervals } from './intervals.ts';
import { isTurnedOn, OF_CHECKS } from './option-needs.ts';
import { type Observe, type ObserveSettings, type OnError, readObserveSettings } from './request-observer.ts';
import type { InitState } from './rise-fall.ts';

/**
 * The options of a server that concern its health; they may stand in `defaultServer`. HAProxy's keywords of the same names. One that
 * would do nothing for its server is an error: those of checks without a `check`, and any of them beside `track`.
 */
export interface HealthOptions extends CheckTargetOptions {
  /** Whether and how the server is checked. Default: `false`. */
  readonly check?: CheckOption;
  /** From the end of a check to the start of the next one, 1 ms to 24.8 days. Default: `'2s'`. */
  readonly inter?: Duration;
  /** The same while the server is on its way up or down. Default: as `inter`. */
  readonly fastinter?: Duration;
  /** The same while the server is down. Default: as `inter`. */
  readonly downinter?: Duration;
  /** Passed checks in a row that turn a server up, 1 to 65,535. Default: 2. */
  readonly rise?: number;
  /** Failed checks in a row that turn a server down, 1 to 65,535. Default: 3; but see `initState`. */
  readonly fall?: number;
  /**
   * The health a server has before its first check, and again when it leaves maintenance. Default: `'none'`: up, but one
   * failed check takes it down.
   */
  readonly initState?: InitState;
  /**
   * Which outcomes of requests count as evidence, too: `'layer4'`, whether the server can be connected to; `'layer7'`, also
   * how it answers. Needs a `check` other than an agent. Default: `'none'`. HAProxy: `observe`.
   */
  readonly observe?: Observe;
  /** Errors of requests in a row that lead to `onError`, 1 and more. Needs `observe`. Default: 10. HAProxy: `error-limit`. */
  readonly errorLimit?: number;
  /**
   * What they lead to: `'fastinter'`, a check soon; `'fail-check'`, also as if a check had failed; `'sudden-death'`, also so
   * that one more failed check takes the server down; `'mark-down'`, the server is down. Needs `observe`. Default: `'fail-check'`. HAProxy:
   * `on-error`.
   */
  readonly onError?: OnError;
  /** Asks an agent beside the server how it is and what it can bear. Default: `false`. HAProxy: `agent-check`. */
  readonly agentCheck?: boolean;
  /** Port of the agent, 1 to 65,535. Must be given with `agentCheck`. Default: none. HAProxy: `agent-port`. */
  readonly agentPort?: number;
  /** Host name or IP address of the agent. Default: `addr`, else the server's. HAProxy: `agent-addr`. */
  readonly agentAddr?: string;
  /** From the end of one question to the agent to the start of the next, 1 ms to 24.8 days. Default: `'2s'`. HAProxy: `agent-inter`. */
  readonly agentInter?: Duration;
  /** Text to send to the agent first, with a line end of its own where it wants one. Default: none. HAProxy: `agent-send`. */
  readonly agentSend?: string;
}

/** How a server's agent is asked. */
export interface AgentSettings {
  readonly check: HealthCheck;
  readonly interMs: number;
  /** It is what `check` says, and not asked beside one. */
  readonly inPlace?: boolean;
}

/** How a server is checked, from its options. */
export interface CheckSettings extends Intervals, ObserveSettings {
  /** `undefined`: it is not. */
  readonly check: HealthCheck | undefined;
  readonly checkTarget: CheckTargetSettings;
  /** `undefined`: it has none. */
  readonly agent: AgentSettings | undefined;
  readonly initState: InitState;
}

/** All that a monitor needs to know of a server. */
export interface HealthSettings extends Omit<CheckSettings, 'checkTarget'>, CheckTimeouts {
  readonly target: CheckTarget;
  /** A 404 to a check of a server that is up means: no new work. HAProxy: `http-check disable-on-404`. */
  readonly disableOn404: boolean;
}

/** The longest that Node's timers wait. */
const LONGEST_INTERVAL_MS = 2_147_483_647;

const INIT_STATES: readonly InitState[] = ['none', 'up', 'fully-up', 'down', 'fully-down'];

/** Keywords of HAProxy about a server's health that we know and do not have. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {};

/** Reads a server's `HealthOptions`. @param complete they are a server's, not defaults that a server may add to */
export function readCheckSettings(read: OptionReader, catalogue: CheckCatalogue, complete: boolean): CheckSettings {
  read.notSupported(NOT_SUPPORTED);
  const range = { min: 1, max: LONGEST_INTERVAL_MS };
  const interMs = read.durationMs('inter', { default: 2000, ...range });
  const check = readCheck(read, catalogue);
  const agent = readAgent(read, complete);
  if (check?.asksAgent && agent) read.reject('agentCheck', "is there twice: 'check' asks an agent already");
  return {
    check: check?.asksAgent ? undefined : check,
    checkTarget: readCheckTarget(read),
    interMs,
    fastinterMs: read.durationMs('fastinter', { default: interMs, ...range }),
    downinterMs: read.durationMs('downinter', { default: interMs, ...range }),
    rise: read.integer('rise', { default: 2, min: 1, max: 65_535 }),
    fall: read.integer('fall', { default: 3, min: 1, max: 65_535 }),
    initState: read.oneOf('initState', INIT_STATES, { default: 'none' }),
    ...readObserveSettings(read),
    agent: check?.asksAgent ? { check, interMs, inPlace: true } : agent,
  };
}

function readAgent(read: OptionReader, complete: boolean): AgentSettings | undefined {
  const wanted = read.boolean('agentCheck', { default: false });
  const host = readAgentHost(read, 'agentAddr');
  const port = readAgentPort(read, 'agentPort');
  const interMs = read.durationMs('agentInter', { default: 2000, min: 1, max: LONGEST_INTERVAL_MS });
  const send = readAgentText(read, 'agentSend');
  if (!wanted) return undefined;
  if (port !== undefined) return { check: agentCheck({ host, port, send }), interMs };
  if (complete && !read.has('agentPort'))
    read.reject('agentPort', "is missing beside 'agentCheck'; allowed: an integer from 1 to 65535");
  return undefined;
}

/** What a server has that follows another: no checks of its own, whatever the defaults say. */
export const TRACKING: Pick<CheckSettings, 'check' | 'agent' | 'initState' | 'observe'> = {
  check: undefined,
  agent: undefined,
  initState: 'none',
  observe: 'none',
};

/** Refuses what cannot stand beside `track`. @param own the options of the server itself, without defaults */
export function refuseBesideTrack(own: OptionReader): void {
  for (const key of OF_CHECKS)
    if (isTurnedOn(own, key))
      own.reject(key, "cannot stand beside 'track': the server follows the state of the one it tracks");
}
