/** The command cannot start as it was told to: wrong arguments or a wrong file. One line says so; exit code 2. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** What came from outside, fit for one line of a terminal or a log. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
