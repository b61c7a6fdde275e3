import { EvenkeelError } from '../core/errors.ts';

/** Why requests are cut: an operator closed the pool or removed the server, the server went down, or an active server is up again. */
export type CutBy = 'K' | 'D' | 'U';

const WHY: Readonly<Record<'D' | 'U', string>> = {
  D: 'its server went down',
  U: 'it was on a backup, and an active server is up again',
};

/**
 * What a request fails with that is cut before it had an answer.
 * @param phase request, connection or response head: as in termination flags
 */
export function cutError(by: CutBy, phase: 'R' | 'C' | 'H', server: string | undefined): EvenkeelError {
  const flags = `${by}${phase}` as const;
  if (by === 'K') return new EvenkeelError('EK_CLOSED', { flags, server });
  return new EvenkeelError('EK_CUT', { flags, server, message: `the request was cut: ${WHY[by]}` });
}
