import { OptionReader } from '../core/options.ts';
import { CONNECT_AS_SERVER, type Connect, type ConnectOptions, readConnect } from './connect-step.ts';
import { oneLine } from './health-check.ts';
import { readVarStep, type VarAction } from './var-steps.ts';

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

/** A step that sets or forgets variables, read. */
export interface VarStep {
  readonly place: StepPlace;
  readonly act: VarAction;
}

/** A connection and the steps over it. */
export interface ConnectionSteps<Step> {
  readonly connect: Connect;
  readonly place: StepPlace;
  readonly steps: readonly (Step | VarStep)[];
}

/** `at step 2 of tcp-check (expect string '+PONG'); comment: is it there?`; `''` for a check without steps. */
export function inPlace(place: StepPlace | undefined, check: string, words: string): string {
  if (!place) return '';
  const { number, comment } = place;
  if (number === 0) return `at initial connection step of ${check}`;
  return `at step ${number} of ${check} (${words})${comment === '' ? '' : `; comment: ${comment}`}`;
}

/** What stays of a place where the user's words stand for it. */
export function commentOf(place: StepPlace | undefined): string {
  return place && place.comment !== '' ? `(comment: ${place.comment})` : '';
}

function isVarWord(word: string): word is 'setVar' | 'unsetVar' {
  return word === 'setVar' || word === 'unsetVar';
}

function firstConnection(): { connect: Connect; place: StepPlace; steps: [] } {
  return { connect: CONNECT_AS_SERVER, place: { number: 0, comment: '' }, steps: [] };
}

/**
 * Reads the option `steps`, connection by connection. Where the first step is no connection, one as the server's options
 * say goes before. Steps with variables belong to what comes after them, be it another connection.
 * @param words the keys that steps of this check have beside `connect` and `comment`
 * @param readStep reads the step under one of these words; `undefined` where it is wrong
 */
export function readSteps<Word extends string, Step>(
  read: OptionReader,
  words: readonly Word[],
  readStep: (step: OptionReader, word: Word, place: StepPlace) => Step | undefined,
): readonly ConnectionSteps<Step>[] {
  const known = ['connect', ...words, 'setVar', 'unsetVar'] as const;
  const allowed = `an array of steps, each with one of ${known.join(', ')} (and a comment), or with a comment alone`;
  const list = read.list('steps', allowed) ?? [];
  if (list.length === 0) read.fault('steps', read.any('steps'), allowed);
  const connections: { connect: Connect; place: StepPlace; steps: (Step | VarStep)[] }[] = [];
  const waiting: VarStep[] = [];
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
    else if (isVarWord(word)) {
      const act = readVarStep(options, word);
      if (act) waiting.push({ place, act });
    } else if (word === 'connect')
      connections.push({ connect: readConnect(options, word), place, steps: waiting.splice(0) });
    else {
      if (connections.length === 0) connections.push(firstConnection());
      const step = readStep(options, word as Word, place);
      if (step) connections.at(-1)?.steps.push(...waiting.splice(0), step);
    }
    options.rejectUnknown();
  }
  if (waiting.length > 0 && connections.length === 0) connections.push(firstConnection());
  connections.at(-1)?.steps.push(...waiting);
  return connections;
}
