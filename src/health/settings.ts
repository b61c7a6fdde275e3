import type { OptionReader } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import {
  type CheckTarget,
  type CheckTargetOptions,
  type CheckTargetSettings,
  readCheckTarget,
} from './check-target.ts';
import type { HealthCheck } from './health-check.ts';
import { type CheckCatalogue, type CheckOption, readCheck } from './index.ts';
import type { CheckTimeouts, Intervals } from './intervals.ts';
import type { InitState } from './rise-fall.ts';

/** The options of a server that concern its health; they may stand in `defaultServer`. HAProxy's keywords of the same names. */
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
}

/** How a server is checked, from its options. */
export interface CheckSettings extends Intervals {
  /** `undefined`: it is not. */
  readonly check: HealthCheck | undefined;
  readonly checkTarget: CheckTargetSettings;
  readonly initState: InitState;
}

/** All that a monitor needs to know of a server. */
export interface HealthSettings extends Omit<CheckSettings, 'checkTarget'>, CheckTimeouts {
  readonly target: CheckTarget;
}

/** The longest that Node's timers wait. */
const LONGEST_INTERVAL_MS = 2_147_483_647;

const INIT_STATES: readonly InitState[] = ['none', 'up', 'fully-up', 'down', 'fully-down'];

/** Keywords of HAProxy about a server's health that we know and do not have. */
const NOT_SUPPORTED: Readonly<Record<string, string>> = {
  agentCheck: 'not supported (HAProxy: agent-check)',
  agentAddr: 'not supported (HAProxy: agent-addr)',
  agentPort: 'not supported (HAProxy: agent-port)',
  agentInter: 'not supported (HAProxy: agent-inter)',
  agentSend: 'not supported (HAProxy: agent-send)',
  track: 'not supported (HAProxy: track)',
  observe: 'not supported (HAProxy: observe)',
  errorLimit: 'not supported (HAProxy: error-limit)',
  onError: 'not supported (HAProxy: on-error)',
};

/** Reads a server's `HealthOptions`. */
export function readCheckSettings(read: OptionReader, catalogue: CheckCatalogue): CheckSettings {
  read.notSupported(NOT_SUPPORTED);
  const range = { min: 1, max: LONGEST_INTERVAL_MS };
  const interMs = read.durationMs('inter', { default: 2000, ...range });
  return {
    check: readCheck(read, catalogue),
    checkTarget: readCheckTarget(read),
    interMs,
    fastinterMs: read.durationMs('fastinter', { default: interMs, ...range }),
    downinterMs: read.durationMs('downinter', { default: interMs, ...range }),
    rise: read.integer('rise', { default: 2, min: 1, max: 65_535 }),
    fall: read.integer('fall', { default: 3, min: 1, max: 65_535 }),
    initState: read.oneOf('initState', INIT_STATES, { default: 'none' }),
  };
}
