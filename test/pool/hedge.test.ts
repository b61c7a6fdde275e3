import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '#src/core/outcome.ts';
import type { HttpExchange, OutcomeSink } from '#src/forward/forwarder.ts';
import type { BackendServer } from '#src/pool/backend-server.ts';
import { Hedge } from '#src/pool/hedge.ts';

const GONE: Outcome = { kind: 'client-gone', flags: 'CH' };

function hedgeOf(): { hedge: Hedge; request: HttpExchange; told: string[] } {
  const told: string[] = [];
  const request = {
    connectedAt: 0,
    respondedAt: 0,
    bytesOut: 0,
    onResponse: () => void told.push('response'),
    onOutcome: () => void told.push('outcome'),
  } as unknown as HttpExchange & OutcomeSink;
  const owner = { onWon: () => void told.push('won'), onLost: () => void told.push('lost'), outlives: () => false };
  return { hedge: new Hedge(request, owner, {} as BackendServer, 5), request, told };
}

test('until it has the place of the first attempt, its times and its outcome are its own', () => {
  const { hedge, request, told } = hedgeOf();
  hedge.connectedAt = 7;
  hedge.bytesOut += 3;
  hedge.onOutcome(GONE);
  assert.deepEqual([hedge.connectedAt, request.connectedAt, request.bytesOut, told], [7, 0, 3, ['lost']]);
});

test('from then on they are those of the request', () => {
  const { hedge, request, told } = hedgeOf();
  hedge.adopted = true;
  hedge.connectedAt = 7;
  hedge.respondedAt = 9;
  hedge.onResponse({ status: 200, reason: 'OK', headers: [] });
  hedge.onOutcome(GONE);
  assert.deepEqual([request.connectedAt, request.respondedAt, told], [7, 9, ['won', 'response', 'outcome']]);
});
