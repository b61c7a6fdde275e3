import type { Counted } from '../persistence/entry-data.ts';
import type { StoredDatum } from '../persistence/stored-data.ts';

/* Answers of Redis, in whatever type a client gives texts and numbers: as such, as bytes, or each as the other. */

/** `undefined`: it has none. */
export function readText(answer: unknown): string | undefined {
  return answer === null || answer === undefined ? undefined : String(answer);
}

/** What `COUNT` has answered, in the order of the data. @throws {TypeError} for anything else */
export function readCounts(answer: unknown, data: readonly StoredDatum[]): Counted[] {
  if (!Array.isArray(answer) || answer.length !== data.length) throw new TypeError('Redis has answered no counts');
  return data.map(({ kind }, index) => {
    const given: unknown = answer[index];
    const [count = Number.NaN, past = Number.NaN, ageMs = Number.NaN] = (
      kind === 'rate' && Array.isArray(given) ? given : [given, 0, 0]
    ).map((value) => Number(readText(value)));
    if (Number.isNaN(count + past + ageMs)) throw new TypeError('Redis has answered no counts');
    return { count: inRange(kind, count), past, ageMs };
  });
}

/** As a table has it that counts by itself: 32 bits begin anew after their end. */
export function inRange(kind: StoredDatum['kind'], count: number): number {
  return kind === 'counter' ? Math.max(0, count) % 2 ** 32 : Math.min(Math.max(0, count), Number.MAX_SAFE_INTEGER);
}

/** A server and the version of that. @throws {TypeError} for what is no pair */
export function readServer(answer: unknown): { readonly server: string | undefined; readonly version: number } {
  if (!Array.isArray(answer)) throw new TypeError('Redis has answered no server');
  const [server, version] = answer as unknown[];
  return { server: readText(server), version: Number(readText(version) ?? 0) };
}
