import type { OptionReader } from '../core/options.ts';
import { type Asked, askedOf, type StepFunction, type StepRun } from './step-run.ts';

/**
 * Sets variables that functions in later steps read as `check.vars`, for the rest of this run of the check. HAProxy:
 * `tcp-check set-var`, `tcp-check set-var-fmt`, `http-check set-var`, `http-check set-var-fmt`.
 */
export interface SetVarStep {
  /** Names and values; a function gives a value of any kind. */
  readonly setVar: Readonly<Record<string, string | number | boolean | StepFunction<unknown>>>;
  readonly comment?: string;
}

/** Forgets variables. HAProxy: `tcp-check unset-var`, `http-check unset-var`. */
export interface UnsetVarStep {
  readonly unsetVar: string | readonly string[];
  readonly comment?: string;
}

/** What such a step does. @throws {StepFault} */
export type VarAction = (run: StepRun) => void;

const NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,63}$/;
const NAMES = 'names of letters, digits, _ and .';
const MAX_VARS = 100;

export function readVarStep(read: OptionReader, word: 'setVar' | 'unsetVar'): VarAction | undefined {
  return word === 'setVar' ? readSetVar(read) : readUnsetVar(read);
}

function readSetVar(read: OptionReader): VarAction | undefined {
  const allowed = `an object of 1 to ${MAX_VARS} ${NAMES}, and values: strings, numbers, true, false or functions`;
  const raw = read.read('setVar', undefined, allowed, (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value as Readonly<Record<string, unknown>>);
    const fits = entries.every(([name, given]) => NAME.test(name) && isValue(given));
    return fits && entries.length > 0 && entries.length <= MAX_VARS ? entries : undefined;
  });
  if (!raw) return undefined;
  const path = read.pathOf('setVar');
  const values = raw.map(([name, value]): [string, unknown, Asked | undefined] => {
    const asked = askedOf(value, `${path}.${name}`, `setVar.${name}`);
    return [name, value, asked];
  });
  return (run) => {
    for (const [name, value, asked] of values)
      run.vars[name] = asked ? run.ask(asked, 'anything', (given) => ({ given })).given : value;
  };
}

function readUnsetVar(read: OptionReader): VarAction | undefined {
  const names = read.read('unsetVar', undefined, `a name, or an array of ${NAMES}`, (value) => {
    const list = typeof value === 'string' ? [value] : Array.isArray(value) ? (value as unknown[]) : [];
    const known = list.filter((name): name is string => typeof name === 'string' && NAME.test(name));
    return known.length > 0 && known.length === list.length ? known : undefined;
  });
  return (
    names &&
    ((run) => {
      for (const name of names) delete run.vars[name];
    })
  );
}

function isValue(value: unknown): boolean {
  return ['string', 'number', 'boolean', 'function'].includes(typeof value);
}
