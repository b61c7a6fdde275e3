import type { OptionReader } from '../core/options.ts';
import { AnswerBuffer, MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { type ByteExpect, type ByteExpectOption, excerpt, judge, readByteExpect } from './byte-expect.ts';
import type { CheckCode, CheckResult, HealthCheck } from './health-check.ts';
import { asHexBytes } from './patterns.ts';
import type { ProbeConnection } from './probe-connection.ts';
import { type Conversation, PROCEED, runStages, type Stage } from './stages.ts';
import type { AnswerSource, StepAnswer, StepRun } from './step-run.ts';
import { resultOf } from './step-status.ts';
import { askedAt, bytesOf, type StepBytes } from './step-texts.ts';
import {
  type CommentStep,
  type ConnectionSteps,
  type ConnectStep,
  commentOf,
  inPlace,
  readSteps,
  type StepPlace,
  type VarStep,
} from './steps.ts';
import type { SetVarStep, UnsetVarStep } from './var-steps.ts';

/**
 * Sends a text, as UTF-8, or what a function gives. HAProxy: `tcp-check send`, `tcp-check send-lf`,
 * `tcp-check send-binary-lf`.
 */
export interface SendStep {
  readonly send: StepBytes;
  readonly comment?: string;
}

/** Sends bytes, given as pairs of hexadecimal digits. HAProxy: `tcp-check send-binary`. */
export interface SendBinaryStep {
  readonly sendBinary: string;
  readonly comment?: string;
}

/** Waits for an answer and looks at it. Several in a row look at the same one. HAProxy: `tcp-check expect`. */
export interface ExpectStep {
  readonly expect: ByteExpectOption;
  readonly comment?: string;
}

/** One step of a check over TCP. */
export type TcpStep = ConnectStep | SendStep | SendBinaryStep | ExpectStep | SetVarStep | UnsetVarStep | CommentStep;

type Exchange = { readonly place: StepPlace } & ({ readonly send: Given } | { readonly expect: ByteExpect });
type Step = Exchange | VarStep;

/** What is sent in a run of the check. */
type Given = (run: StepRun) => Buffer;

const CHECK = 'tcp-check';

/** Reads `steps` of a check over TCP. */
export function readTcpSteps(read: OptionReader): HealthCheck {
  const connections = readSteps(read, ['send', 'sendBinary', 'expect'], readStep);
  const stages = connections.map((connection, index) => stageOf(connection, index === connections.length - 1));
  return {
    usesTls: connections.some(({ connect }) => connect.usesTls),
    run: (probe, onResult) => runStages(stages, probe, onResult),
  };
}

function readStep(read: OptionReader, word: 'send' | 'sendBinary' | 'expect', place: StepPlace): Exchange | undefined {
  if (word === 'expect') {
    const expect = readByteExpect(read, word);
    return expect && { place, expect };
  }
  const asked = word === 'send' ? askedAt(read, word) : undefined;
  if (asked) return { place, send: (run) => bytesOf(run, asked) };
  const allowed =
    word === 'send'
      ? `a text of 1 to ${MAX_ANSWER_BYTES} bytes, or a function that gives it`
      : `pairs of hexadecimal digits for 1 to ${MAX_ANSWER_BYTES} bytes`;
  const send = read.read(word, undefined, allowed, (value) => {
    const bytes =
      word === 'sendBinary' ? asHexBytes(value) : typeof value === 'string' ? Buffer.from(value) : undefined;
    return bytes && bytes.length > 0 && bytes.length <= MAX_ANSWER_BYTES ? bytes : undefined;
  });
  return send && { place, send: () => send };
}

function stageOf(connection: ConnectionSteps<Exchange>, last: boolean): Stage {
  return {
    targetOf: connection.connect.targetOf,
    begin: (_target, run) => new TcpConversation(connection, last, run),
  };
}

/**
 * Says and hears what the steps over one connection say. Keeps the first 16 KiB of an answer, until the next is asked for.
 * @see HAProxy tcpcheck.c:tcpcheck_main
 */
class TcpConversation implements Conversation, AnswerSource {
  readonly #connection: ConnectionSteps<Exchange>;
  readonly #last: boolean;
  readonly #run: StepRun;
  #link: ProbeConnection | undefined;
  /** The step it has come to; -1: it connects. */
  #at = -1;
  #over = false;
  /** It has sent something, and waits for nothing. */
  #spoke = false;
  readonly #answer = new AnswerBuffer();
  /** What was expected last, as it was in this run. */
  #expected: ByteExpect | undefined;
  /** The user's words stand for a failure's place. */
  #told = false;

  constructor(connection: ConnectionSteps<Exchange>, last: boolean, run: StepRun) {
    this.#connection = connection;
    this.#last = last;
    this.#run = run;
  }

  /** What was said last may still be on its way: a reset would take it back. */
  get reset(): boolean {
    return !this.#connection.connect.linger && !this.#spoke;
  }

  get where(): string {
    if (this.#over) return '';
    const step = this.#step;
    if (!step) return inPlace(this.#connection.place, CHECK, this.#connection.connect.words);
    if (this.#told) return commentOf(step.place);
    if ('act' in step) return inPlace(step.place, CHECK, 'variables');
    return inPlace(step.place, CHECK, 'send' in step ? 'send' : (this.#expected ?? step.expect).words);
  }

  get timeout(): CheckCode {
    const step = this.#step;
    return step && 'expect' in step ? step.expect.timeout : 'L7TOUT';
  }

  get heard(): string | undefined {
    const step = this.#step;
    return step && 'expect' in step && this.#answer.length > 0 ? excerpt(this.#answer.bytes) : undefined;
  }

  onReady(connection: ProbeConnection): CheckResult | undefined {
    this.#link = connection;
    return this.#next();
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    const step = this.#step;
    if (!step || !('expect' in step)) return undefined;
    this.#answer.push(buffer, 0, length);
    return this.#judge(this.#answer.full);
  }

  onClosed(): CheckResult | undefined {
    const step = this.#step;
    if (!step || !('expect' in step)) return undefined;
    return this.#answer.length > 0
      ? this.#judge(true)
      : resultOf(step.expect.error, 'the connection was closed without a word');
  }

  get #step(): Step | undefined {
    return this.#connection.steps[this.#at];
  }

  /** Goes on from a step that is done, up to one that has to wait: for an answer, or at the end for what was sent to leave. */
  #next(): CheckResult | undefined {
    const { steps } = this.#connection;
    if (this.#at === steps.length - 1) return this.#end();
    const step = steps[++this.#at] as Step;
    this.#expected = undefined;
    if ('expect' in step) {
      this.#spoke = false;
      return undefined;
    }
    if ('act' in step) {
      step.act(this.#run);
      return this.#next();
    }
    const bytes = step.send(this.#run);
    this.#answer.clear();
    this.#hear();
    this.#spoke = true;
    const isLast = steps.slice(this.#at + 1).every((later) => 'act' in later);
    this.#link?.send(bytes, isLast ? () => this.#next() : undefined);
    return isLast ? undefined : this.#next();
  }

  /**
   * Every expectation of the same answer, from the first on: what held before may not hold for all of it. What variables
   * are made of may have come whole only now, too.
   */
  #judge(last: boolean): CheckResult | undefined {
    const { steps } = this.#connection;
    this.#hear();
    let at = this.#at;
    while (at > 0 && !('send' in (steps[at - 1] as Step))) at--;
    while ('act' in (steps[at] as Step)) at++;
    const answer = this.#answer.bytes;
    for (let step = steps[at]; step && !('send' in step); step = steps[++at]) {
      this.#at = at;
      if ('act' in step) {
        step.act(this.#run);
        continue;
      }
      const expect = step.expect.bind?.(this.#run) ?? step.expect;
      this.#expected = expect;
      const judgement = judge(expect, answer, last);
      if (judgement === 'wait') return undefined;
      if (judgement === 'missed') return this.#missed(expect, answer);
    }
    return this.#next();
  }

  #missed(expect: ByteExpect, answer: Buffer): CheckResult {
    const words = expect.onError?.(this.#run);
    this.#told = words !== undefined;
    return resultOf(expect.error, words ?? `${expect.not ? 'unwanted' : 'no'} match in ${excerpt(answer)}`);
  }

  get lastAnswer(): StepAnswer {
    return { status: undefined, headers: {}, body: Buffer.from(this.#answer.bytes) };
  }

  /** What functions see as the last answer is what comes over this connection. */
  #hear(): void {
    this.#run.hear(this);
  }

  /** The last step decides, but for those with variables. */
  #end(): CheckResult {
    this.#over = true;
    if (!this.#last) return PROCEED;
    const last = this.#connection.steps.findLast((step) => !('act' in step));
    if (!last) return resultOf(this.#link?.overTls ? 'L6OK' : 'L4OK', '');
    if (!('expect' in last)) return resultOf('L7OK', '');
    return resultOf(last.expect.ok, last.expect.onSuccess?.(this.#run) ?? '');
  }
}
