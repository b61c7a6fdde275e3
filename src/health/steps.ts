import { OptionReader } from '../core/options.ts';
import { CONNECT_AS_SERVER, type Connect, type ConnectOptions, readConnect } from './connect-step.ts';
import { oneLine } from './health-check.ts';

/** Connects anew; what was connected before is closed. `true`: as the server's options say. HAProxy: `tcp-check connect`. */
export interface ConnectStep {
  readonly connect: true | ConnectOptions;
  readonly comment?: string;
}

/** Says what the steps behind it are about, in descriptions of failures. HAProxy: `tcp-check comment`. */
export interface CommentStep {
  readonly comment: string;
}

/** Where a step stands, for descriptions. */
export interface StepPlace {
  /** From 1 on, in the user's array; 0 for a connection that is not in it. */
  readonly number: number;
  readonly comment: string;
}

/** A connection and the steps over it. */
export interface ConnectionSteps<Step> {
  readonly connect: Connect;
  readonly place: StepPlace;
  readonly steps: readonly Step[];
}

/** `at step 2 of tcp-check (expect string '+PONG'); comment: is it there?`; `''` for a check without steps. */
export function inPlace(place: StepPlace | undefined, check: string, words: string): string {
  if (!place) return '';
  const { number, comment } = place;
  if (number === 0) return `at initial connection step of ${check}`;
  return `at step ${number} of ${check} (${words})${comment === '' ? '' : `; comment: ${comment}`}`;
}

/**
 * Reads the option `steps`, connection by connection. Where the first step is no connection, one as the server's options
 * say goes before.
 * @param words the keys that steps of this check have beside `connect` and `comment`
 * @param readStep reads the step under one of these words; `undefined` where it is wrong
 */
export function readSteps<Word extends string, Step>(
  read: OptionReader,
  words: readonly Word[],
  readStep: (step: OptionReader, word: Word, place: StepPlace) => Step | undefined,
): readonly ConnectionSteps<Step>[] {
  const known = ['connect', ...words] as const;
  const allowed = `an array of steps, each with one of ${known.join(', ')} (and a comment), or with a comment alone`;
  const list = read.list('steps', allowed) ?? [];
  if (list.length === 0) read.fault('steps', read.any('steps'), allowed);
  const connections: { connect: Connect; place: StepPlace; steps: Step[] }[] = [];
  let lastComment = '';
  for (const [index, item] of list.entries()) {
    const before = read.faults.length;
    const options = new OptionReader(item, read.pathOf(`steps[${index}]`), read.faults);
    if (read.faults.length > before) continue;
    const [word, ...more] = known.filter((name) => options.has(name));
    const comment = oneLine(options.string('comment', { default: '' }));
    if (more.length > 0 || (word === undefined && comment === '')) {
      read.fault(`steps[${index}]`, item, allowed);
      continue;
    }
    const place = { number: index + 1, comment: comment || lastComment };
    if (word === undefined) lastComment = comment;
    else if (word === 'connect') connections.push({ connect: readConnect(options, word), place, steps: [] });
    else {
      if (connections.length === 0)
        connections.push({ connect: CONNECT_AS_SERVER, place: { number: 0, comment: '' }, steps: [] });
      const step = readStep(options, word as Word, place);
      if (step) connections.at(-1)?.steps.push(step);
    }
    options.rejectUnknown();
  }
  return connections;
}
