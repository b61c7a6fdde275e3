import { MAX_WEIGHT } from '../servers/effective.ts';
import type { AdminState } from '../servers/server.ts';
import { type CheckResult, oneLine } from './health-check.ts';

/** A weight as an agent gives it: as such, or in percent of the declared one. */
export interface AgentWeight {
  readonly value: number;
  readonly relative: boolean;
}

/** What one line of an agent says. */
export interface AgentReply {
  /** All of its words, on one line, without what stands behind `#`. */
  readonly words: string;
  /** How it is, in the agent's own word; `undefined`: no word of it. */
  readonly health: 'up' | 'down' | 'stopped' | 'fail' | undefined;
  readonly admin: AdminState | undefined;
  readonly weight: AgentWeight | undefined;
  readonly maxconn: number | undefined;
  /** What stands behind `#`. */
  readonly description: string;
  /** The first word that says nothing to us. */
  readonly unknown: string | undefined;
  /** The first weight or limit that cannot be used, in words. */
  readonly warning: string | undefined;
}

const HEALTHS = ['up', 'down', 'stopped', 'fail'] as const;
const ADMINS: readonly AdminState[] = ['ready', 'drain', 'maint'];

/** More percent than this make no difference. @see HAProxy server.c:server_parse_weight_change_request */
const MAX_PERCENT = 25_600;

/**
 * Reads one line, without its end. Words may come in any order, separated by spaces, tabs and commas; of two of a kind the
 * last one counts; what cannot be read is told, and the rest counts all the same.
 * @see HAProxy `agent-check`; tcpcheck.c:tcpcheck_agent_expect_reply
 */
export function parseAgentReply(line: string): AgentReply {
  let health: AgentReply['health'];
  let admin: AgentReply['admin'];
  let weight: string | undefined;
  let maxconn: string | undefined;
  let unknown: string | undefined;
  let words = line;
  let description = '';
  for (const { 0: word, index } of line.matchAll(/[^ \t,]+/g)) {
    if (word.startsWith('#')) {
      words = line.slice(0, index);
      description = line.slice(index + 1);
      break;
    }
    const lower = word.toLowerCase();
    const asHealth = HEALTHS.find((known) => known === lower);
    const asAdmin = ADMINS.find((known) => known === lower);
    if (asHealth) health = asHealth;
    else if (asAdmin) admin = asAdmin;
    else if (lower.startsWith('weight:')) weight = word.slice('weight:'.length);
    else if (/^\d.*%/.test(word)) weight = word;
    else if (lower.startsWith('maxconn:')) maxconn = word.slice('maxconn:'.length);
    else unknown ??= oneLine(word);
  }
  const readWeight = weight === undefined ? undefined : parseWeight(weight);
  const readMaxconn = maxconn === undefined ? undefined : parseMaxconn(maxconn);
  const warning =
    weight !== undefined && !readWeight
      ? `its weight '${oneLine(weight)}' is none`
      : maxconn !== undefined && readMaxconn === undefined
        ? `its maxconn '${oneLine(maxconn)}' is none`
        : undefined;
  return {
    ...{ health, admin, weight: readWeight, maxconn: readMaxconn },
    ...{ words: oneLine(words), description: oneLine(description), unknown, warning },
  };
}

/** The weight of a server that was declared with this one. */
export function weightOf({ value, relative }: AgentWeight, declared: number): number {
  return relative ? Math.min(MAX_WEIGHT, Math.floor((declared * value) / 100)) : value;
}

/**
 * A reply as the result of a check, described by its own words. No word of health is neutral.
 * @param warning what could not be done of it
 */
export function agentResult(reply: AgentReply, warning: string | undefined = reply.warning): CheckResult {
  const { health, words, unknown } = reply;
  const odd = unknown === undefined ? warning : `'${unknown}' means nothing`;
  const notes = [reply.description, odd].filter(Boolean).join('; ');
  const description = oneLine(`the agent says ${words || 'nothing'}${notes && ` (${notes})`}`);
  if (health === undefined) return { result: 'neutral', code: 'CHECKED', description, reply };
  return health === 'up'
    ? { result: 'passed', code: 'L7OK', description, reply }
    : { result: 'failed', code: 'L7STS', description, reply };
}

function parseWeight(text: string): AgentWeight | undefined {
  const [, digits, percent] = /^(\d+)(%?)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = Number(digits);
  if (percent) return { value: Math.min(value, MAX_PERCENT), relative: true };
  return value <= MAX_WEIGHT ? { value, relative: false } : undefined;
}

function parseMaxconn(text: string): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}
