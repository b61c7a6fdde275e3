import type { CheckVerdict } from './health-check.ts';

/**
 * The health a server has when its checks begin, or begin anew as it leaves maintenance. `none` and `up`: up, but one
 * failed check takes it down; `fully-up`: up, and down after `fall` failures; `down`: down, and up after one passed check;
 * `fully-down`: down, and up after `rise` passed checks.
 * @see HAProxy `init-state`
 */
export type InitState = 'none' | 'up' | 'fully-up' | 'down' | 'fully-down';

/** How many checks in a row turn a server up and down. */
export interface RiseFall {
  readonly rise: number;
  readonly fall: number;
}

/** The highest the counter goes: `fall` failures away from down. */
export function fullHealth({ rise, fall }: RiseFall): number {
  return rise + fall - 1;
}

/** @see HAProxy server.h:srv_set_init_state */
export function initialHealth(initState: InitState, limits: RiseFall): number {
  switch (initState) {
    case 'none':
    case 'up':
      return limits.rise;
    case 'fully-up':
      return fullHealth(limits);
    case 'down':
      return limits.rise - 1;
    case 'fully-down':
      return 0;
  }
}

/** Whether a server of this health is up. */
export function isUp(health: number, { rise }: RiseFall): boolean {
  return health >= rise;
}

/**
 * The counter after one more check. It runs from 0 to `rise + fall - 1`. A passed check that reaches `rise` fills it, so
 * that `fall` failures in a row are needed again; a failed one that leaves the up zone empties it, so that `rise`
 * successes are.
 * @see HAProxy check.c:set_server_check_status
 */
export function healthAfter(health: number, verdict: CheckVerdict, limits: RiseFall): number {
  switch (verdict) {
    case 'passed':
    case 'conditional':
      return health + 1 >= limits.rise ? fullHealth(limits) : health + 1;
    case 'failed':
      return health - 1 < limits.rise ? 0 : health - 1;
    case 'neutral':
      return health;
  }
}
