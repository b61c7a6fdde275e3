import { serverName } from '../connections/dial.ts';
import { OptionReader } from '../core/options.ts';
import { CONNECT_AS_SERVER } from './connect-step.ts';
import type { HealthCheck } from './health-check.ts';
import { EXPECT_SUCCESS, type Expect, type ExpectOption, readExpect, readExpects } from './http-expect.ts';
import { HttpProbe } from './http-probe.ts';
import { type CheckRequest, type HttpRequestOptions, readRequest, requestOfPhrase } from './http-request.ts';
import { exchangeOf, type HttpExchange, type HttpStage, surroundingsOf } from './http-stage.ts';
import { Http2Probe } from './http2-probe.ts';
import { LentProbe } from './lent-probe.ts';
import { BESIDE_STEPS } from './option-hints.ts';
import { runStages, type Stage } from './stages.ts';
import { type CommentStep, type ConnectStep, readSteps, type StepPlace, type VarStep } from './steps.ts';
import type { SetVarStep, UnsetVarStep } from './var-steps.ts';

/** Sends a request. Several over one connection are sent one after another. HAProxy: `http-check send`. */
export interface HttpSendStep {
  readonly send: HttpRequestOptions;
  readonly comment?: string;
}

/** Looks at the answer to the request before it. HAProxy: `http-check expect`. */
export interface HttpExpectStep {
  readonly expect: ExpectOption;
  readonly comment?: string;
}

/** One step of a check over HTTP. */
export type HttpStep = ConnectStep | HttpSendStep | HttpExpectStep | SetVarStep | UnsetVarStep | CommentStep;

/** A check by one request over HTTP: what it asks, and what answer it takes. HAProxy: `option httpchk`. */
export interface HttpCheckOptions extends HttpRequestOptions {
  readonly type: 'http';
  /** What the answer must be; of several, all must hold. Default: `'status 200-399'`. Redirects are not followed. */
  readonly expect?: ExpectOption | readonly ExpectOption[];
  /** Tells the server how it stands, in the field `X-Haproxy-Server-State`. Default: `false`. HAProxy: `http-check send-state`. */
  readonly sendState?: boolean;
}

/** A check by several requests over HTTP. HAProxy: `http-check connect`, `http-check send`, `http-check expect`. */
export interface HttpStepsOptions {
  readonly type: 'http';
  /** What is asked and expected, over one or more connections. */
  readonly steps: readonly HttpStep[];
  /** Tells the server how it stands, in the field `X-Haproxy-Server-State`. Default: `false`. HAProxy: `http-check send-state`. */
  readonly sendState?: boolean;
}

export function readHttpCheck(read: OptionReader): HealthCheck {
  if (read.has('steps')) return readHttpSteps(read);
  const request = readRequest(read);
  const expects = readExpects(read);
  if (isBodyless(request, expects)) read.reject('expect', NO_BODY);
  return oneRequest(request, expects, readSendState(read));
}

/** Reads HAProxy's phrase `[<method>] <uri> [<version> [<host>]]`; `undefined`: it is none. */
export function parseHttpchk(phrase: string): HealthCheck | undefined {
  const request = requestOfPhrase(phrase);
  return request && oneRequest(request, [EXPECT_SUCCESS], false);
}

const NO_BODY = "an answer to HEAD has no body to look for a string in; allowed with it: 'status 200-299'";

function isBodyless({ method }: CheckRequest, expects: readonly Expect[]): boolean {
  return method === 'HEAD' && expects.some(({ kind }) => kind === 'body');
}

function readSendState(read: OptionReader): boolean {
  return read.boolean('sendState', { default: false });
}

function oneRequest(request: CheckRequest, expects: readonly Expect[], sendState: boolean): HealthCheck {
  const place = undefined;
  const placed = expects.map((expect) => ({ expect, place }));
  const exchange = exchangeOf(request, place, placed);
  const keepsBodies = expects.some(({ onSuccess, onError, bind }) => onSuccess ?? onError ?? bind);
  return httpCheck([{ connect: CONNECT_AS_SERVER, place, exchanges: [exchange], last: true, sendState, keepsBodies }]);
}

function httpCheck(stages: readonly HttpStage[]): HealthCheck {
  const steps = stages.map(
    (stage): Stage => ({
      targetOf: stage.connect.targetOf,
      host: stage.exchanges[0]?.request.host ?? undefined,
      begin(target, run) {
        const { proto, tls } = target;
        const surroundings = surroundingsOf(stage, target);
        return proto === 'h2' || (proto !== 'h1' && tls?.alpn.includes('h2'))
          ? new Http2Probe(stage, surroundings, proto === 'h2', run)
          : new HttpProbe(stage, surroundings, run);
      },
    }),
  );
  const usesTls = stages.some(({ connect }) => connect.usesTls);
  const byStages: HealthCheck['run'] = (probe, onResult) => runStages(steps, probe, onResult);
  const [stage, ...moreStages] = stages;
  const [exchange, ...moreExchanges] = stage?.exchanges ?? [];
  const asksOnce = exchange !== undefined && moreStages.length === 0 && moreExchanges.length === 0;
  if (!asksOnce || stage?.connect !== CONNECT_AS_SERVER) return { usesTls, overHttp: true, run: byStages };
  return {
    usesTls,
    overHttp: true,
    run(probe, onResult) {
      const { target } = probe;
      const lent = target.lend?.(serverName(target, exchange.request.host ?? undefined));
      return lent ? new LentProbe(lent, stage, exchange, probe, onResult, byStages).cancel : byStages(probe, onResult);
    },
  };
}

interface AskStep {
  readonly place: StepPlace;
  readonly request?: CheckRequest;
  readonly expect?: Expect;
}

/** Whether steps are of this check, and not of one over TCP. */
export function asksOverHttp(steps: unknown): boolean {
  const has = (value: unknown, keys: readonly string[]): boolean =>
    typeof value === 'object' && value !== null && keys.some((key) => Object.hasOwn(value, key));
  return (
    Array.isArray(steps) &&
    steps.some((step: unknown) => {
      if (!has(step, ['send', 'expect'])) return false;
      const { send, expect } = step as { send?: unknown; expect?: unknown };
      if (has(send, ['method', 'uri', 'version', 'headers', 'body'])) return true;
      return typeof expect === 'string' ? OF_HEADS.test(expect) : has(expect, ['status', 'rstatus', 'hdr', 'fhdr']);
    })
  );
}

const OF_HEADS = /^(?:! ?)?(?:r?status|f?hdr) /;

function readHttpSteps(read: OptionReader): HealthCheck {
  read.notSupported(BESIDE_STEPS);
  const sendState = readSendState(read);
  const connections = readSteps<'send' | 'expect', AskStep>(read, ['send', 'expect'], (step, word, place) => {
    if (word === 'expect') {
      const expect = readExpect(step, word, step.any(word));
      return expect && { place, expect };
    }
    const options = new OptionReader(step.any(word), step.pathOf(word), read.faults);
    const request = readRequest(options);
    options.rejectUnknown();
    return { place, request };
  });
  return httpCheck(
    connections.map(({ connect, place, steps }, index) => ({
      connect,
      place,
      exchanges: exchangesOf(steps, read),
      last: index === connections.length - 1,
      sendState,
      keepsBodies: true,
    })),
  );
}

interface Asking {
  readonly request: CheckRequest;
  readonly place: StepPlace;
  readonly before: readonly VarStep[];
  readonly expects: { expect: Expect; place: StepPlace }[];
}

const VARIABLES_BEFORE = 'must stand before a step with `send` or `connect`: the answer before it is whole then';

function exchangesOf(steps: readonly (AskStep | VarStep)[], read: OptionReader): HttpExchange[] {
  const exchanges: Asking[] = [];
  const before: VarStep[] = [];
  for (const step of steps) {
    if ('act' in step) {
      before.push(step);
      continue;
    }
    const { place, request, expect } = step;
    const exchange = exchanges.at(-1);
    if (request) exchanges.push({ request, place, before: before.splice(0), expects: [] });
    else if (expect && exchange) {
      if (isBodyless(exchange.request, [expect])) read.reject(`steps[${place.number - 1}].expect`, NO_BODY);
      exchange.expects.push({ expect, place });
    } else if (expect)
      read.reject(`steps[${place.number - 1}]`, 'needs a step with `send` before it, over its connection');
    for (const misplaced of before.splice(0)) read.reject(`steps[${misplaced.place.number - 1}]`, VARIABLES_BEFORE);
  }
  for (const misplaced of before) read.reject(`steps[${misplaced.place.number - 1}]`, VARIABLES_BEFORE);
  return exchanges.map(({ request, place, before, expects }) =>
    exchangeOf(request, place, expects.length > 0 ? expects : [{ expect: EXPECT_SUCCESS, place }], before),
  );
}
