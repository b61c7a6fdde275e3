import type { OptionReader } from '../core/options.ts';
import { AnswerBuffer, MAX_ANSWER_BYTES } from './answer-buffer.ts';
import { type ByteExpect, type ByteExpectOption, excerpt, judge, readByteExpect } from './byte-expect.ts';
import type { CheckCode, CheckResult, HealthCheck } from './health-check.ts';
import { asHexBytes } from './patterns.ts';
import type { ProbeConnection } from './probe-connection.ts';
import { type Conversation, PROCEED, runStages, type Stage } from './stages.ts';
import { resultOf } from './step-status.ts';
import {
  type CommentStep,
  type ConnectionSteps,
  type ConnectStep,
  inPlace,
  readSteps,
  type StepPlace,
} from './steps.ts';

/** Sends a text, as UTF-8. HAProxy: `tcp-check send`. */
export interface SendStep {
  readonly send: string;
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
export type TcpStep = ConnectStep | SendStep | SendBinaryStep | ExpectStep | CommentStep;

type Step = { readonly place: StepPlace } & ({ readonly send: Buffer } | { readonly expect: ByteExpect });

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

function readStep(read: OptionReader, word: 'send' | 'sendBinary' | 'expect', place: StepPlace): Step | undefined {
  if (word === 'expect') {
    const expect = readByteExpect(read, word);
    return expect && { place, expect };
  }
  const what = word === 'send' ? 'a text of' : 'pairs of hexadecimal digits for';
  const allowed = `${what} 1 to ${MAX_ANSWER_BYTES} bytes`;
  const send = read.read(word, undefined, allowed, (value) => {
    const bytes =
      word === 'sendBinary' ? asHexBytes(value) : typeof value === 'string' ? Buffer.from(value) : undefined;
    return bytes && bytes.length > 0 && bytes.length <= MAX_ANSWER_BYTES ? bytes : undefined;
  });
  return send && { place, send };
}

function stageOf(connection: ConnectionSteps<Step>, last: boolean): Stage {
  return { targetOf: connection.connect.targetOf, begin: () => new TcpConversation(connection, last) };
}

/**
 * Says and hears what the steps over one connection say. Keeps the first 16 KiB of an answer, until the next is asked for.
 * @see HAProxy tcpcheck.c:tcpcheck_main
 */
class TcpConversation implements Conversation {
  readonly #connection: ConnectionSteps<Step>;
  readonly #last: boolean;
  #link: ProbeConnection | undefined;
  /** The step it has come to; -1: it connects. */
  #at = -1;
  #over = false;
  readonly #answer = new AnswerBuffer();

  constructor(connection: ConnectionSteps<Step>, last: boolean) {
    this.#connection = connection;
    this.#last = last;
  }

  /** What was said last may still be on its way: a reset would take it back. */
  get reset(): boolean {
    const step = this.#step;
    return !this.#connection.connect.linger && !(step && 'send' in step);
  }

  get where(): string {
    if (this.#over) return '';
    const step = this.#step;
    if (!step) return inPlace(this.#connection.place, CHECK, this.#connection.connect.words);
    return inPlace(step.place, CHECK, 'send' in step ? 'send' : step.expect.words);
  }

  get timeout(): CheckCode {
    const step = this.#step;
    return step && 'expect' in step ? step.expect.timeout : 'L7TOUT';
  }

  onReady(connection: ProbeConnection): CheckResult | undefined {
    this.#link = connection;
    return this.#next();
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    const step = this.#step;
    if (!step || 'send' in step) return undefined;
    this.#answer.push(buffer, 0, length);
    return this.#judge(this.#answer.full);
  }

  onClosed(): CheckResult | undefined {
    const step = this.#step;
    if (!step || 'send' in step) return undefined;
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
    const done = this.#step;
    if (this.#at === steps.length - 1) return this.#end(done);
    const step = steps[++this.#at] as Step;
    if ('expect' in step) return undefined;
    this.#answer.clear();
    const isLast = this.#at === steps.length - 1;
    this.#link?.send(step.send, isLast ? () => this.#end(step) : undefined);
    return isLast ? undefined : this.#next();
  }

  /** Every expectation of the same answer, from the first on: what held before may not hold for all of it. */
  #judge(last: boolean): CheckResult | undefined {
    const { steps } = this.#connection;
    let at = this.#at;
    while (at > 0 && 'expect' in (steps[at - 1] as Step)) at--;
    const answer = this.#answer.bytes;
    for (let step = steps[at]; step && 'expect' in step; step = steps[++at]) {
      this.#at = at;
      const judgement = judge(step.expect, answer, last);
      if (judgement === 'wait') return undefined;
      if (judgement === 'missed')
        return resultOf(step.expect.error, `${step.expect.not ? 'unwanted' : 'no'} match in ${excerpt(answer)}`);
    }
    return this.#next();
  }

  #end(last: Step | undefined): CheckResult {
    this.#over = true;
    if (!this.#last) return PROCEED;
    if (last) return resultOf('expect' in last ? last.expect.ok : 'L7OK', '');
    return resultOf(this.#link?.overTls ? 'L6OK' : 'L4OK', '');
  }
}
