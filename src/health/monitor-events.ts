import type { AdminState, OperationalState, Server } from '../servers/server.ts';
import type { HealthCounters } from '../servers/status.ts';
import type { CheckCode, CheckResult } from './health-check.ts';

/** A change of what health says of a server. */
export interface StateChange {
  readonly from: OperationalState;
  readonly to: OperationalState;
  /** In words: `Layer4 connection problem: connection refused (L4CON) after 3 failed checks`. */
  readonly reason: string;
  /** How the check that decided it ended; `undefined` when it was no check. */
  readonly code: CheckCode | undefined;
}

/** A change of what is wanted of a server, by an operator, its agent or the server it tracks. */
export interface AdminChange {
  readonly from: AdminState;
  readonly to: AdminState;
  /** In words: `set by an operator`. */
  readonly reason: string;
}

/** What a monitor tells its pool. The server's facts are up to date at each call, which must not throw. */
export interface MonitorEvents {
  /** Health changed its mind. What follows from a command is told by `onAdminChange` alone. */
  onStateChange(server: Server, change: StateChange): void;
  /** What holds of commands has changed, and the server's state with it. */
  onAdminChange(server: Server, change: AdminChange): void;
  /** A check ended, or was taken for failed. Told after the change of state that follows from it. */
  onCheck(server: Server, result: CheckResult, durationMs: number, byAgent: boolean): void;
  /** Slow start changed the server's effective weight or limit. */
  onWeightChange(server: Server): void;
  /** The server's agent wants another weight. @returns why it cannot be had, in words */
  onAgentWeight(server: Server, weight: number): string | undefined;
  /** The server's agent wants another limit. */
  onAgentMaxconn(server: Server, maxconn: number): void;
  /** A function of the user's, in the steps of a check, failed. */
  onFunctionFault(sample: string, error: unknown): void;
  /** Every server has its first verdict: see `Monitor.undecided`. */
  onDecided(): void;
}

/** Options of a pool that concern all of its checks. */
export interface MonitorSettings {
  /** Name of the pool. */
  readonly name: string;
  readonly spreadChecks: number;
  readonly maxSpreadChecksMs: number;
}

/** How a server's check, or its agent, stands. */
export interface CheckReport extends HealthCounters {
  /** The last that ended, and how long it took. */
  readonly last: CheckResult | undefined;
  readonly lastDurationMs: number | undefined;
  /** One is running now. */
  readonly checking: boolean;
}
