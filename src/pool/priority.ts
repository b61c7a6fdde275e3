import { OptionReader } from '../core/options.ts';

/** A request's place among those that wait: lower classes first, and in a class by arrival plus offset. */
export interface Priority {
  /** Lower goes first; -2047 to 2047. Default: as it is, at first 0. HAProxy: `http-request set-priority-class`. */
  readonly class?: number;
  /** Milliseconds, -524287 to 524287: how much later it is taken to have come. Default: as it is, at first 0. HAProxy: `http-request set-priority-offset`. */
  readonly offset?: number;
}

const MAX_CLASS = 2_047;
const MAX_OFFSET_MS = 524_287;

/** Reads a priority, whose faults are gathered in the reader. */
export function readPriority(read: OptionReader): Priority {
  const priorityClass = read.integer('class', { default: undefined, min: -MAX_CLASS, max: MAX_CLASS });
  const offset = read.integer('offset', { default: undefined, min: -MAX_OFFSET_MS, max: MAX_OFFSET_MS });
  read.rejectUnknown();
  return { ...(priorityClass !== undefined && { class: priorityClass }), ...(offset !== undefined && { offset }) };
}

/**
 * The priority that a user's function gave.
 * @throws {TypeError} for what is none
 */
export function priorityFrom(given: unknown, path: string): Priority {
  const read = new OptionReader(given, path);
  const priority = readPriority(read);
  const [fault] = read.faults;
  if (fault) throw new TypeError(`${fault.path}: ${fault.message}`);
  return priority;
}
