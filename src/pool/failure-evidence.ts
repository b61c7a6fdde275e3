import type { EvenkeelError } from '../core/errors.ts';
import type { Outcome } from '../core/outcome.ts';
import type { Outliers } from '../health/outliers.ts';
import { LOCAL_FAULTS } from '../health/probe-connection.ts';
import type { Server } from '../servers/server.ts';

/** What a failed attempt shows of its server; nothing where it was our own fault. */
export function showFailure(
  server: Server,
  outliers: Outliers | undefined,
  attemptedAt: number,
  { reason, onReusedConnection, error }: Extract<Outcome, { kind: 'failed' }>,
): void {
  if (reason === 'local' || isOurOwn(error)) return;
  outliers?.attemptFailed(server, attemptedAt, reason, onReusedConnection);
  const { observer } = server;
  if (reason === 'conn-failure') observer?.connectionFailed();
  // A kept connection may have been closed for being kept too long.
  else observer?.noResponse(reason !== 'empty-response' || !onReusedConnection);
}

/** No socket, port or memory was left on this machine. */
function isOurOwn({ cause }: EvenkeelError): boolean {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && LOCAL_FAULTS.has(cause.code);
}
