import { serverName } from '../connections/dial.ts';
import type { CheckCode, CheckResult, HealthCheck } from './health-check.ts';
import { ProbeConnection, type ProbeProtocol } from './probe-connection.ts';

/** What a check says, and how it reads the answer. */
export interface Turn {
  /** Sent when the turn begins; without it the server speaks first. */
  readonly send?: Buffer;
  /** What is waited for, in words: `the greeting`. */
  readonly awaits: string;
  /**
   * Looks at all that came in this turn. `undefined`: more must come. A pass leads to the next turn, and after the last one
   * ends the check.
   */
  read(reply: Buffer): CheckResult | undefined;
}

/** How a check of several turns behaves. */
export interface DialogueOptions {
  /** Close with RST. HAProxy: `tcp-check connect` without `linger`. */
  readonly reset: boolean;
  /** For an answer that never ends or is cut. Default: L7RSP. */
  readonly invalidCode?: CheckCode;
  /** For an answer that does not come. Default: L7TOUT. */
  readonly timeoutCode?: CheckCode;
}

/** The longest answer that is looked at. HAProxy: `tune.bufsize`. */
export const LONGEST_ANSWER = 16_384;

/** Longer than most answers; the buffer of one that is longer is doubled. */
const FIRST_BUFFER = 512;

/** @param turns makes the turns of one probe, so that they may keep what they learn in between */
export function dialogueCheck(turns: () => readonly Turn[], options: DialogueOptions): HealthCheck {
  return {
    run: (probe, onResult) =>
      new ProbeConnection(probe, serverName(probe.target, undefined), new Dialogue(turns(), options), onResult).cancel,
  };
}

class Dialogue implements ProbeProtocol {
  readonly reset: boolean;
  readonly timeoutCode: CheckCode | undefined;
  readonly #invalidCode: CheckCode;
  readonly #turns: Iterator<Turn, undefined>;
  #turn: Turn | undefined;
  #connection: ProbeConnection | undefined;
  #reply = Buffer.alloc(0);
  #length = 0;

  constructor(turns: readonly Turn[], { reset, invalidCode = 'L7RSP', timeoutCode }: DialogueOptions) {
    this.reset = reset;
    this.timeoutCode = timeoutCode;
    this.#invalidCode = invalidCode;
    this.#turns = turns.values() as Iterator<Turn, undefined>;
  }

  get heard(): string | undefined {
    return this.#length === 0 ? undefined : excerpt(this.#reply.subarray(0, this.#length));
  }

  onReady(connection: ProbeConnection): undefined {
    this.#connection = connection;
    this.#nextTurn();
  }

  onBytes(buffer: Buffer, length: number): CheckResult | undefined {
    const turn = this.#turn;
    if (!turn) return undefined;
    this.#keep(buffer, length);
    const reply = this.#reply.subarray(0, this.#length);
    const result = turn.read(reply);
    if (!result)
      return this.#length === LONGEST_ANSWER
        ? this.#invalid(`${LONGEST_ANSWER} bytes without the end of ${turn.awaits}: ${excerpt(reply)}`)
        : undefined;
    return result.result === 'passed' && this.#nextTurn() ? undefined : result;
  }

  onClosed(): CheckResult | undefined {
    if (!this.#turn) return undefined;
    const { awaits } = this.#turn;
    const reply = this.#reply.subarray(0, this.#length);
    return this.#invalid(reply.length === 0 ? `closed before ${awaits}` : `closed within ${awaits}: ${excerpt(reply)}`);
  }

  #nextTurn(): boolean {
    const { done, value: turn } = this.#turns.next();
    if (done) return false;
    this.#turn = turn;
    this.#length = 0;
    if (turn.send) this.#connection?.send(turn.send);
    return true;
  }

  #keep(buffer: Buffer, length: number): void {
    const taken = Math.min(length, LONGEST_ANSWER - this.#length);
    const needed = this.#length + taken;
    if (needed > this.#reply.length) {
      const larger = Buffer.alloc(Math.min(LONGEST_ANSWER, Math.max(FIRST_BUFFER, 2 * needed)));
      this.#reply.copy(larger, 0, 0, this.#length);
      this.#reply = larger;
    }
    buffer.copy(this.#reply, this.#length, 0, taken);
    this.#length = needed;
  }

  #invalid(description: string): CheckResult {
    return failed(this.#invalidCode, description);
  }
}

export function passed(description: string, status?: number): CheckResult {
  return { result: 'passed', code: 'L7OK', status, description };
}

export function failed(code: CheckCode, description: string, status?: number): CheckResult {
  return { result: 'failed', code, status, description };
}

const LONGEST_EXCERPT = 60;
const LONGEST_HEX_EXCERPT = 16;

/** The first line of what a server said, or its first bytes in hex where they are no text. */
export function excerpt(reply: Buffer): string {
  const line = /^[^\r\n]*/.exec(reply.toString('latin1', 0, LONGEST_EXCERPT))?.[0] ?? '';
  if (line !== '' && /^[\t -~]*$/.test(line)) return `'${line}'`;
  return `bytes ${reply
    .subarray(0, LONGEST_HEX_EXCERPT)
    .toString('hex')
    .replaceAll(/..(?!$)/g, '$& ')}`;
}
