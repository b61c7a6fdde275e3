import { atOnce } from '../core/at-once.ts';
import type { RequestContext } from '../core/context.ts';
import { OptionReader } from '../core/options.ts';
import type { Duration } from '../core/units.ts';
import type { Tracked } from '../persistence/table.ts';
import { NOT_SUPPORTED_TIMEOUTS } from './not-supported.ts';
import type { TimeoutOptions } from './options.ts';
import type { KeyPlan } from './pool-tables.ts';
import { type Priority, priorityFrom, readPriority } from './priority.ts';
import type { RequestTimeouts } from './resolve-options.ts';

/** How one request is treated, as far as rules may change it. */
export interface Treatment {
  timeouts: RequestTimeouts;
  /** Its place in queues; `undefined`: no rule has said. HAProxy: `set-priority-class`, `set-priority-offset`. */
  priority: Priority | undefined;
  /** Nothing but a failed connection lets it be tried again. HAProxy: `disable-l7-retry`. */
  l7RetryDisabled: boolean;
  /** The target as the client wrote it. */
  readonly clientTarget: string;
  /** Counts the request in a table. @returns what rules see of the entry */
  track(plan: KeyPlan, context: RequestContext): Tracked;
}

/** Changes how a request is treated. */
export type TreatmentAction<Context> = (context: Context, treatment: Treatment) => void;

type LimitName = Exclude<keyof TimeoutOptions, 'check' | 'stick'>;

/** `setTimeout`: time limits of one request, in place of the pool's. HAProxy: `http-request set-timeout`. */
export type RuleTimeouts<Context = RequestContext> = {
  readonly [Name in LimitName]?: Duration | ((context: Context) => Duration | undefined);
};

const LIMITS: Readonly<Record<LimitName, keyof RequestTimeouts>> = {
  connect: 'connectMs',
  queue: 'queueMs',
  server: 'serverMs',
  client: 'clientMs',
  tunnel: 'tunnelMs',
  serverFin: 'serverFinMs',
  clientFin: 'clientFinMs',
  tarpit: 'tarpitMs',
  total: 'totalMs',
};

/** Reads `setTimeout`. */
export function readTimeoutRule<Context>(rule: OptionReader, key: 'setTimeout'): TreatmentAction<Context> | undefined {
  const read = rule.object(key);
  const before = rule.faults.length;
  read.notSupported(NOT_SUPPORTED_TIMEOUTS);
  const fixed: Partial<Record<keyof RequestTimeouts, number>> = {};
  const computed: [name: LimitName, give: (context: Context) => unknown][] = [];
  for (const name of Object.keys(LIMITS) as LimitName[]) {
    if (typeof read.any(name) === 'function') computed.push([name, read.any(name) as (context: Context) => unknown]);
    else {
      const ms = limitMs(read, name);
      if (ms !== undefined) fixed[LIMITS[name]] = ms;
    }
  }
  if (read.has('check')) read.reject('check', 'is no limit of a request');
  read.any('check');
  read.rejectUnknown();
  if (rule.faults.length > before) return undefined;
  return (context, treatment) => {
    const changed: { -readonly [Name in keyof RequestTimeouts]: number } = { ...treatment.timeouts, ...fixed };
    for (const [name, give] of computed) {
      const faults: OptionReader['faults'] = [];
      const ms = limitMs(new OptionReader({ [name]: atOnce(give(context)) }, read.path, faults), name);
      if (faults[0]) throw new TypeError(`${faults[0].path}: ${faults[0].message}`);
      if (ms !== undefined) changed[LIMITS[name]] = ms;
    }
    treatment.timeouts = changed;
  };
}

function limitMs(read: OptionReader, name: LimitName): number | undefined {
  return read.durationMs(name, { default: undefined, min: 1 });
}

/** Reads `setPriority`. */
export function readPriorityRule<Context>(
  rule: OptionReader,
  key: 'setPriority',
): TreatmentAction<Context> | undefined {
  const value = rule.any(key);
  if (typeof value === 'function') {
    const give = value as (context: Context) => unknown;
    return (context, treatment) => {
      const given = atOnce(give(context));
      if (given === undefined) return;
      prioritise(treatment, priorityFrom(given, rule.pathOf(key)));
    };
  }
  const before = rule.faults.length;
  const priority = readPriority(rule.object(key));
  if (rule.faults.length > before) return undefined;
  return (_context, treatment) => prioritise(treatment, priority);
}

function prioritise(treatment: Treatment, priority: Priority): void {
  treatment.priority = { ...treatment.priority, ...priority };
}

/** Reads `disableL7Retry`. */
export function readL7RetryRule<Context>(
  rule: OptionReader,
  key: 'disableL7Retry',
): TreatmentAction<Context> | undefined {
  const on = rule.read(key, false, 'true', (value) => (value === true ? true : undefined));
  return on ? (_context, treatment) => void (treatment.l7RetryDisabled = true) : undefined;
}
