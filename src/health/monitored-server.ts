import type { Server } from '../servers/server.ts';
import type { HealthFacts } from '../servers/status.ts';
import { CheckLoop, type CheckParts, type CheckPlan } from './check-loop.ts';
import type { CheckResult } from './health-check.ts';
import { ErrorCounter } from './request-observer.ts';
import { initialHealth, isUp } from './rise-fall.ts';
import type { HealthSettings } from './settings.ts';
import type { SlowStart } from './slow-start.ts';

/** Where what is found out about a server goes. */
export interface Findings {
  onResult(loop: CheckLoop, result: CheckResult, durationMs: number): void;
  /** Requests have met `errorLimit` errors in a row. */
  onErrors(errors: number, last: string): void;
}

/** What a monitor keeps of a server. */
export class MonitoredServer {
  readonly server: Server;
  readonly settings: HealthSettings;
  readonly check: CheckLoop;
  readonly agent: CheckLoop | undefined;
  /** What requests show; `undefined` where nobody looks at it. */
  readonly errors: ErrorCounter | undefined;
  /** Servers that follow this one. */
  readonly trackers: Set<MonitoredServer> = new Set();
  slowStart: SlowStart | undefined = undefined;
  /** Those whose first end is still to come; none, once it has its first verdict. */
  readonly awaited: Set<CheckLoop> = new Set();

  constructor(server: Server, settings: HealthSettings, parts: CheckParts, findings: Findings) {
    this.server = server;
    this.settings = settings;
    const { check, agent, target } = settings;
    const loopOf = (plan: CheckPlan, health: number): CheckLoop => {
      const loop: CheckLoop = new CheckLoop(server, plan, health, parts, (result, ms) =>
        findings.onResult(loop, result, ms),
      );
      return loop;
    };
    const timeouts = settings;
    const plan = { check, agent: false, intervals: settings, timeouts, target };
    this.check = loopOf(plan, initialHealth(settings.initState, settings));
    if (agent) {
      const { interMs } = agent;
      const intervals = { interMs, fastinterMs: interMs, downinterMs: interMs, rise: 1, fall: 1 };
      this.agent = loopOf({ check: agent.check, agent: true, intervals, timeouts, target }, 1);
    }
    if (check && settings.observe !== 'none')
      this.errors = new ErrorCounter(settings, (errors, last) => findings.onErrors(errors, last));
    server.observer = this.errors;
  }

  get loops(): readonly CheckLoop[] {
    return this.agent ? [this.check, this.agent] : [this.check];
  }

  get facts(): HealthFacts {
    const { check, agent, server } = this;
    return { operational: server.operational, check, checked: check.enabled, agentHealth: agent?.health };
  }

  /** Neither its check nor its agent stands against its being up. */
  get consents(): boolean {
    return this.check.consents && (this.agent?.consents ?? true);
  }

  /** What `initState` says, where there is somebody to say otherwise later. */
  get mayStartUp(): boolean {
    const { settings, check, agent } = this;
    return (!check.enabled && !agent) || isUp(initialHealth(settings.initState, settings), settings);
  }

  /** Maintenance stops the check, but not the agent, who may end it. */
  mayRun(loop: CheckLoop): boolean {
    return loop.enabled && (loop.plan.agent || this.server.standing !== 'maint');
  }

  /** It enters maintenance. */
  pause(): void {
    this.check.halt();
    this.check.reset(0);
    this.#cool();
  }

  /** Ends all that runs or waits to. */
  halt(): void {
    for (const loop of this.loops) loop.halt();
    this.#cool();
  }

  #cool(): void {
    this.slowStart?.cancel();
    this.slowStart = undefined;
  }
}
