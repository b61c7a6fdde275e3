import type { Connect } from './connect-step.ts';
import type { CheckResult } from './health-check.ts';
import type { PlacedExpect } from './http-answer.ts';
import type { CheckRequest } from './http-request.ts';
import { PROCEED } from './stages.ts';
import { resultOf } from './step-status.ts';
import { inPlace, type StepPlace } from './steps.ts';

/** A request and what is expected of its answer. */
export interface HttpExchange {
  readonly request: CheckRequest;
  readonly place: StepPlace | undefined;
  readonly expects: readonly PlacedExpect[];
}

/** What is asked over one connection. */
export interface HttpStage {
  readonly connect: Connect;
  readonly place: StepPlace | undefined;
  readonly exchanges: readonly HttpExchange[];
  /** No other connection follows. */
  readonly last: boolean;
}

/** What a connection over which nothing is asked ends with. */
export function connected({ last }: HttpStage, overTls: boolean): CheckResult {
  return last ? resultOf(overTls ? 'L6OK' : 'L4OK', '') : PROCEED;
}

/** Where a request stands, for a description. */
export function sentWords({ request, place }: HttpExchange): string {
  return inPlace(place, 'http-check', `send ${request.method} ${request.uri}`);
}
