/** Answers of Redis, in whatever type a client gives texts and numbers: as such, as bytes, or each as the other. */

/** `undefined`: it has none. */
export function readText(answer: unknown): string | undefined {
  return answer === null || answer === undefined ? undefined : String(answer);
}

/** @throws {TypeError} for what is no list of that many numbers */
export function readNumbers(answer: unknown, length: number): number[] {
  const numbers = Array.isArray(answer) ? answer.map((value) => Number(readText(value))) : [];
  if (numbers.length !== length || numbers.some(Number.isNaN)) throw new TypeError('Redis has answered no counts');
  return numbers;
}

/** A server and the version of that. @throws {TypeError} for what is no pair */
export function readServer(answer: unknown): { readonly server: string | undefined; readonly version: number } {
  if (!Array.isArray(answer)) throw new TypeError('Redis has answered no server');
  const [server, version] = answer as unknown[];
  return { server: readText(server), version: Number(readText(version) ?? 0) };
}
