import { serverName } from '../connections/dial.ts';
import type { CheckTarget } from './check-target.ts';
import type { Cancel, CheckCode, CheckResult, Probe } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';
import { StepRun } from './step-run.ts';

/** What is said over one connection of a check. */
export interface Conversation extends ProbeProtocol {
  /** How far it has come: `at step 2 of tcp-check (expect string '+PONG')`; `''` once all went well, or without steps. */
  readonly where: string;
  /** The code of a time-out in it. */
  readonly timeout: CheckCode;
}

/** One connection of a check: whereto, and what is said. */
export interface Stage {
  targetOf(target: CheckTarget): CheckTarget;
  /** The `Host` that is asked for, which is the SNI where nothing else is. */
  readonly host?: string | undefined;
  begin(target: CheckTarget, run: StepRun): Conversation;
}

/** What a conversation that is not the last of its check ends with when all went well. */
export const PROCEED: CheckResult = { result: 'passed', code: 'L7OK', description: '' };

/** Goes through the connections of a check, one after another; the first that fails, or the last, gives the result. */
export function runStages(stages: readonly Stage[], probe: Probe, onResult: (result: CheckResult) => void): Cancel {
  const { environment, connectMs, answerMs } = probe;
  const startedAt = environment.now();
  const run = new StepRun(probe);
  let current: ProbeConnection | undefined;
  const start = (index: number): void => {
    const stage = stages[index];
    if (!stage) return;
    const target = stage.targetOf(probe.target);
    const conversation = stage.begin(target, run);
    // Without a time limit of its own for what follows a connection, one limit holds for all of them together.
    const spentMs = answerMs === undefined && index > 0 ? Math.round(environment.now() - startedAt) : 0;
    const left = Math.max(1, connectMs - spentMs);
    const sni = serverName(target, stage.host);
    const limited = target === probe.target && left === connectMs ? probe : { ...probe, target, connectMs: left };
    current = new ProbeConnection(limited, sni, conversation, (result) => {
      if (result === PROCEED) start(index + 1);
      else onResult(placed(result, conversation));
    });
  };
  start(0);
  return () => current?.cancel();
}

/** A failure with the step at which it came. */
function placed(result: CheckResult, { where, timeout }: Conversation): CheckResult {
  const code = result.code === 'L7TOUT' ? timeout : result.code;
  if (code === result.code && (where === '' || result.result === 'passed')) return result;
  return { ...result, code, description: [result.description, where].filter((part) => part !== '').join(' ') };
}
