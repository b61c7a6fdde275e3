import type { OptionReader } from '../core/options.ts';
import { isToken } from '../http1/characters.ts';
import type { FieldMap } from '../http1/request-head.ts';
import { UNTOUCHABLE } from './rule-fields.ts';

/** The milliseconds that a client leaves for its request; `Infinity` where it says nothing, or nothing that can be read. */
export function announcedMs(headers: FieldMap, deadlineHeader: string | undefined): number {
  const value = deadlineHeader === undefined ? undefined : headers[deadlineHeader];
  return typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
}

/** The fields with what is left of the time, for the next server to keep to. */
export function withRemaining<F extends FieldMap>(headers: F, deadlineHeader: string, remainingMs: number): F {
  return { ...headers, [deadlineHeader]: String(Math.max(0, Math.floor(remainingMs))) };
}

/** Reads `deadlineHeader`; the name in lower case. */
export function readDeadlineHeader(read: OptionReader): string | undefined {
  const allowed = `a field's name, none of ${[...UNTOUCHABLE].join(', ')}`;
  return read.read('deadlineHeader', undefined, allowed, (name) =>
    typeof name === 'string' && isToken(name) && !UNTOUCHABLE.has(name.toLowerCase()) ? name.toLowerCase() : undefined,
  );
}
