import type { OptionReader } from '../core/options.ts';
import { MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { oneLine } from './health-check.ts';
import { type Asked, askedOf, StepFault, type StepFunction, type StepRun } from './step-run.ts';

/** A text, or a function that gives it anew in each check. */
export type StepText = string | StepFunction<string>;

/** A text, or a function that gives it, or bytes, anew in each check. */
export type StepBytes = string | StepFunction<string | Uint8Array>;

/** The function at `key`; `undefined`: there is none. */
export function askedAt(read: OptionReader, key: string): Asked | undefined {
  return askedOf(read.any(key), read.pathOf(key), key);
}

/** Bytes that a function gives. @throws {StepFault} */
export function bytesOf(run: StepRun, asked: Asked, empty: boolean = false): Buffer {
  const allowed = `a text, or bytes, of ${empty ? 0 : 1} to ${MAX_ANSWER_BYTES} bytes`;
  return run.ask(asked, allowed, (value) => {
    const bytes = asBytes(value);
    return bytes && (empty || bytes.length > 0) && bytes.length <= MAX_ANSWER_BYTES ? bytes : undefined;
  });
}

/** A text that a function gives. @throws {StepFault} */
export function textOf(run: StepRun, asked: Asked, allowed: string, test: (text: string) => boolean): string {
  return run.ask(asked, `${allowed}, of at most ${MAX_ANSWER_BYTES} characters`, (value) =>
    typeof value === 'string' && value.length <= MAX_ANSWER_BYTES && test(value) ? value : undefined,
  );
}

/** A description in the user's words; `undefined`: it could not be had, which the verdict does not hang on. */
export type Words = (run: StepRun) => string | undefined;

/** Reads a description: fixed, or by a function. */
export function readWords(read: OptionReader, key: string): Words | undefined {
  const asked = askedAt(read, key);
  if (asked)
    return (run) => {
      try {
        return run.ask(asked, 'a string', (value) => (typeof value === 'string' ? oneLine(value) : undefined));
      } catch (error) {
        if (error instanceof StepFault) return undefined;
        throw error;
      }
    };
  const text = read.string(key, { default: undefined, allowed: 'a text, or a function that gives it' });
  return text === undefined ? undefined : () => oneLine(text);
}

function asBytes(value: unknown): Buffer | undefined {
  if (typeof value === 'string') return Buffer.from(value);
  return value instanceof Uint8Array ? Buffer.from(value) : undefined;
}
