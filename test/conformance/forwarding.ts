import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ability, ADAPTERS, type EngineName, WHY_NOT } from '../support/fronts.ts';
import { answersCases } from './answers.cases.ts';
import { attachingCases } from './attaching.cases.ts';
import { badResponseCases } from './bad-response.cases.ts';
import { bodiesCases } from './bodies.cases.ts';
import type { Case } from './case.ts';
import { closingCases } from './closing.cases.ts';
import { continueCases } from './continue.cases.ts';
import { cookiesCases } from './cookies.cases.ts';
import { cutCases } from './cut.cases.ts';
import { earlyAnswerCases } from './early-answer.cases.ts';
import { forwardingFieldsCases } from './forwarding-fields.cases.ts';
import { framingCases } from './framing.cases.ts';
import { hedgingCases } from './hedging.cases.ts';
import { hopByHopCases } from './hop-by-hop.cases.ts';
import { hostileCases } from './hostile.cases.ts';
import { hostileCookiesCases } from './hostile-cookies.cases.ts';
import { leavingCases } from './leaving.cases.ts';
import { markedCases } from './marked.cases.ts';
import { mountingCases } from './mounting.cases.ts';
import { observeCases } from './observe.cases.ts';
import { outliersCases } from './outliers.cases.ts';
import { pipeliningCases } from './pipelining.cases.ts';
import { queueCases } from './queue.cases.ts';
import { retriesCases } from './retries.cases.ts';
import { reuseCases } from './reuse.cases.ts';
import { ruleAnswersCases } from './rule-answers.cases.ts';
import { ruleTreatmentCases } from './rule-treatment.cases.ts';
import { rulesCases } from './rules.cases.ts';
import { serversCases } from './servers.cases.ts';
import { SKIPPED } from './skipped.ts';
import { type Front, Stage } from './stage.ts';
import { statusCases } from './status.cases.ts';
import { streamingCases } from './streaming.cases.ts';
import { strictMaxconnCases } from './strict-maxconn.cases.ts';
import { totalCases } from './total.cases.ts';

/** Every rule, by topic. */
const TOPICS: Readonly<Record<string, readonly Case[]>> = {
  framing: framingCases,
  'hop by hop': hopByHopCases,
  streaming: streamingCases,
  'bad response': badResponseCases,
  cut: cutCases,
  status: statusCases,
  reuse: reuseCases,
  retries: retriesCases,
  hedging: hedgingCases,
  outliers: outliersCases,
  leaving: leavingCases,
  observe: observeCases,
  pipelining: pipeliningCases,
  queues: queueCases,
  'total limit': totalCases,
  continue: continueCases,
  bodies: bodiesCases,
  answers: answersCases,
  mounting: mountingCases,
  hostile: hostileCases,
  'forwarding fields': forwardingFieldsCases,
  rules: rulesCases,
  'rule answers': ruleAnswersCases,
  'rule treatment': ruleTreatmentCases,
  cookies: cookiesCases,
  'hostile cookies': hostileCookiesCases,
  attaching: attachingCases,
  servers: serversCases,
  closing: closingCases,
  'marked down and up': markedCases,
  'strict maxconn': strictMaxconnCases,
  'early answer': earlyAnswerCases,
};

/** Plays every case on every adapter with one engine. */
export function playAll(engine: EngineName): void {
  for (const adapter of ADAPTERS) {
    describe(`${adapter.name}, ${engine}`, { concurrency: 4 }, () => {
      for (const [topic, cases] of Object.entries(TOPICS)) {
        for (const item of cases) play(`${topic}: ${item.name}`, item, { adapter, engine });
      }
    });
  }
}

/** A case that waits for what never comes fails by itself, and soon. */
const GIVE_UP_MS = 30_000;

function play(name: string, { needs = [], run }: Case, front: Front): void {
  const lacking = ([] as Ability[]).concat(needs).find((ability) => !front.adapter.can.has(ability));
  const skip = lacking === undefined ? SKIPPED[front.engine][name] : WHY_NOT[lacking];
  test(name, { timeout: GIVE_UP_MS, ...(skip !== undefined && { skip }) }, (t) => run(new Stage(t, front)));
}

test('every case that is skipped exists', () => {
  const names = new Set(
    Object.entries(TOPICS).flatMap(([topic, cases]) => cases.map(({ name }) => `${topic}: ${name}`)),
  );
  const skipped = Object.values(SKIPPED).flatMap((cases) => Object.keys(cases));
  assert.deepEqual(
    skipped.filter((name) => !names.has(name)),
    [],
  );
});
