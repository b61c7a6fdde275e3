import type { CheckTarget } from './check-target.ts';
import type { Connect } from './connect-step.ts';
import type { CheckResult } from './health-check.ts';
import type { BodyExpect, Expect, HeadExpect } from './http-expect.ts';
import type { CheckRequest, Field } from './http-request.ts';
import { PROCEED } from './stages.ts';
import { resultOf } from './step-status.ts';
import type { StepPlace, VarStep } from './steps.ts';

/** An expectation and the step it stands in; without one in a check that has no steps. */
export interface PlacedExpect<E extends Expect = Expect> {
  readonly expect: E;
  readonly place: StepPlace | undefined;
}

/** A request and what is expected of its answer. */
export interface HttpExchange {
  readonly request: CheckRequest;
  readonly place: StepPlace | undefined;
  /** Variables that are set or forgotten before it is asked. */
  readonly before: readonly VarStep[];
  /** What is expected of its head, and of its body. */
  readonly heads: readonly PlacedExpect<HeadExpect>[];
  readonly bodies: readonly PlacedExpect<BodyExpect>[];
  /** The last of all of them, which says how the check ends. */
  readonly last: PlacedExpect | undefined;
}

export function exchangeOf(
  request: CheckRequest,
  place: StepPlace | undefined,
  expects: readonly PlacedExpect[],
  before: readonly VarStep[] = [],
): HttpExchange {
  const heads = expects.filter((placed): placed is PlacedExpect<HeadExpect> => placed.expect.kind === 'head');
  const bodies = expects.filter((placed): placed is PlacedExpect<BodyExpect> => placed.expect.kind === 'body');
  return { request, place, before, heads, bodies, last: expects.at(-1) };
}

/** What is asked over one connection. */
export interface HttpStage {
  readonly connect: Connect;
  readonly place: StepPlace | undefined;
  readonly exchanges: readonly HttpExchange[];
  /** No other connection follows. */
  readonly last: boolean;
  /** The server is told how it stands. */
  readonly sendState: boolean;
  /** Functions of the user's may look at the bodies of its answers. */
  readonly keepsBodies: boolean;
}

/** What its requests to one server have in common. */
export interface HttpSurroundings {
  /** `Host` where it is the server's own. */
  readonly authority: string;
  /** Fields beside those of the request. */
  readonly added: readonly Field[];
}

const STATE_FIELD = 'X-Haproxy-Server-State';

export function surroundingsOf({ sendState }: HttpStage, { address, state }: CheckTarget): HttpSurroundings {
  return { authority: address.authority, added: sendState && state ? [[STATE_FIELD, fieldText(state())]] : [] };
}

/** A name of a host or path may hold what a field's value may not. */
function fieldText(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?');
}

/** What a connection over which nothing is asked ends with. */
export function connected({ last }: HttpStage, overTls: boolean): CheckResult {
  return last ? resultOf(overTls ? 'L6OK' : 'L4OK', '') : PROCEED;
}
