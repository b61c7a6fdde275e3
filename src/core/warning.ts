/** Warns the process of an error in a function of the user's that nobody else is told of. */
export function warnOf(what: string, error: unknown): void {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`${what}: ${words}`, 'EvenkeelWarning');
}
