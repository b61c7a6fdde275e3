import type { OperationalState, Server } from '../servers/server.ts';
import type { CheckLoop } from './check-loop.ts';
import { type CheckResult, inWords } from './health-check.ts';
import type { MonitoredServer } from './monitored-server.ts';

/** The state of a server that has been found fit. A server that was down is warmed up first. */
export function upState({ operational, settings }: Server): OperationalState {
  if (operational === 'stopped') return settings.slowstartMs > 0 ? 'starting' : 'running';
  return operational === 'starting' ? 'starting' : 'running';
}

/** The state of a server that follows this one. It warms up at a pace of its own. */
export function followed({ operational }: Server, tracker: Server): OperationalState {
  return operational === 'stopped' || operational === 'stopping' ? operational : upState(tracker);
}

/**
 * The state after a result that has been counted. A health of 0 is down; up takes the consent of check and agent; only a
 * check leads into `stopping` and out of it.
 * @see HAProxy check.c:check_notify_failure, check_notify_success, check_notify_stopping
 */
export function afterResult(
  { server, consents }: MonitoredServer,
  loop: CheckLoop,
  result: CheckResult,
): OperationalState {
  const { operational } = server;
  if (server.standing === 'maint' || result.result === 'neutral') return operational;
  if (result.result === 'failed') {
    const counts = !loop.plan.agent || result.code === 'L7STS';
    return counts && loop.health === 0 ? 'stopped' : operational;
  }
  if (!consents || (loop.plan.agent && operational === 'stopping')) return operational;
  return result.result === 'conditional' ? 'stopping' : upState(server);
}

/**
 * A 404 that means: no new work, whatever else was expected. A server that is down must answer better than that to come up.
 * The status of a program or function is its own.
 */
export function isIn404({ server, settings }: MonitoredServer, { status, code }: CheckResult): boolean {
  return settings.disableOn404 && status === 404 && !code.startsWith('PROC') && server.operational !== 'stopped';
}

/** A result as a reason. */
export function reasonOf(result: CheckResult, { streak, plan }: CheckLoop): string {
  if (result.code === 'HANA') return inWords(result);
  const kind = result.result === 'conditional' ? 'such' : result.result;
  return `${inWords(result)} after ${streak} ${kind} ${plan.agent ? 'agent check' : 'check'}${streak === 1 ? '' : 's'}`;
}
