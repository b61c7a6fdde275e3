import { atOnce } from '../core/at-once.ts';
import type { CarriedContext, RequestContext } from '../core/context.ts';
import { type OptionReader, OptionReader as Reader } from '../core/options.ts';
import type { TableSources } from '../persistence/stick-options.ts';
import type { Table, Tracked } from '../persistence/table.ts';
import type { SampleOption } from '../samples/index.ts';
import { RULE_HINTS } from './option-hints.ts';
import type { Priority } from './priority.ts';
import { type Action, actionsOf, NOT_SUPPORTED_ACTIONS } from './rule-actions.ts';
import type { AnswerFunction, RuleAnswer, Ruling } from './rule-answers.ts';
import type { FieldRule, Headers, ReportFault } from './rule-fields.ts';
import type { LocationFunction, RuleRedirect } from './rule-redirect.ts';
import type { RuleTimeouts, Treatment } from './rule-treatment.ts';

interface Condition<Context> {
  /** The rule holds only where this returns true. */
  readonly if?: (context: Context) => boolean;
}

/** One action on the fields of a message. HAProxy: `http-request` and `http-response` rules of the same names. */
export type HeaderRule<Context> = Condition<Context> &
  (
    | { /** Takes the place of all fields of that name. */ readonly setHeader: FieldRule<Context> }
    | { /** Adds a line, whatever is there. */ readonly addHeader: FieldRule<Context> }
    | { /** Removes all fields of that name. */ readonly delHeader: string }
    | { /** Calls a function, which may change `context.headers`. */ readonly call: (context: Context) => void }
  );

/** An answer in place of a server's. It ends the rules. */
export type AnswerRule<Context extends RequestContext> = Condition<Context> &
  (
    | {
        /** Refuses: 403 of a request, 502 in place of a response; another status, or an answer. HAProxy: `deny`. */
        readonly deny: true | number | RuleAnswer;
      }
    | {
        /** Answers: 200 unless it says otherwise; a function may give `undefined` to let it pass. HAProxy: `return`. */
        readonly return: true | RuleAnswer | AnswerFunction<Context>;
      }
    | {
        /** Sends the client elsewhere: a `Location`, or how to make one. HAProxy: `redirect`. */
        readonly redirect: string | LocationFunction<Context> | RuleRedirect<Context>;
      }
  );

/** One rule of `httpRequest`: one action and, if you like, a condition. HAProxy: `http-request`. */
export type RequestRule<R = unknown> =
  | HeaderRule<RequestRuleContext<R>>
  | AnswerRule<RequestRuleContext<R>>
  | (Condition<RequestRuleContext<R>> &
      (
        | {
            /** Makes the client wait for `timeout.tarpit`, then refuses: 500 unless it says otherwise. HAProxy: `tarpit`. */
            readonly tarpit: true | number | RuleAnswer;
          }
        | {
            /** Other time limits for this request. HAProxy: `set-timeout`. */ readonly setTimeout: RuleTimeouts<
              RequestRuleContext<R>
            >;
          }
        | {
            /** Its place in queues. HAProxy: `set-priority-class`, `set-priority-offset`. */
            readonly setPriority: Priority | ((context: RequestRuleContext<R>) => Priority | undefined);
          }
        | {
            /** Counts the request in the table's entry of this key, which rules behind it see as `context.tracked`. HAProxy: `track-sc0` … */
            readonly track: SampleOption<R>;
            /** The table: a name of the pool's `tables`, or a table itself; a name may be said behind the key, too: `'src table t'`. Default: the pool's own, `stickTable`. */
            readonly table?: string | Table;
          }
        | { /** Only a failed connection may be retried. HAProxy: `disable-l7-retry`. */ readonly disableL7Retry: true }
      ));

/** One rule of `httpResponse`: one action and, if you like, a condition. HAProxy: `http-response`. */
export type ResponseRule<R = unknown> = HeaderRule<ResponseRuleContext<R>> | AnswerRule<ResponseRuleContext<R>>;

/** What a request rule sees. Its `headers` are a copy: changes go to the server and not to the framework. */
export interface RequestRuleContext<R = unknown> extends CarriedContext<R> {
  /** The entry that the last rule `track` has counted the request in. Reading it before there was one throws. */
  readonly tracked: Tracked;
  readonly headers: Record<string, string | string[] | undefined>;
}

/** The response as a response rule sees it. */
export interface RuleResponse {
  status: number;
  /** By lower-case name; repeated fields are arrays. */
  readonly headers: Record<string, string | string[] | undefined>;
}

/** What a response rule sees; its changes go to the client. */
export interface ResponseRuleContext<R = unknown> extends CarriedContext<R> {
  /** The entry that the last rule `track` of `httpRequest` has counted the request in. */
  readonly tracked: Tracked;
  readonly response: RuleResponse;
}

/** A list of rules, compiled. */
export interface CompiledRules<Context> {
  /**
   * Applies the rules in order to `headers` and `treatment`. A rule that throws is reported and left out.
   * @returns the answer of the rule that ended them; `undefined`: the message goes on
   */
  apply(context: Context, headers: Headers, treatment: Treatment, report: ReportFault): Ruling | undefined;
}

interface Step<Context> {
  readonly path: string;
  readonly condition: ((context: Context) => boolean) | undefined;
  readonly action: Action<Context>;
}

/** Reads `httpRequest` or `httpResponse`; `undefined` when there are no rules. */
export function readRules<Context extends RequestContext>(
  read: OptionReader,
  key: 'httpRequest' | 'httpResponse',
  tables: TableSources,
): CompiledRules<Context> | undefined {
  const list = read.list(key, 'an array of rules');
  if (!list || list.length === 0) return undefined;
  const steps = list.map((raw, index) =>
    compile<Context>(new Reader(raw, `${read.pathOf(key)}[${index}]`, read.faults), key, tables),
  );
  return {
    apply(context, headers, treatment, report) {
      for (const { path, condition, action } of steps) {
        try {
          if (condition !== undefined && !atOnce(condition(context))) continue;
          const ruling = action(context, headers, treatment);
          if (ruling) return ruling;
        } catch (error) {
          report(path, error);
        }
      }
      return undefined;
    },
  };
}

function compile<Context extends RequestContext>(
  read: OptionReader,
  key: 'httpRequest' | 'httpResponse',
  tables: TableSources,
): Step<Context> {
  const condition = read.function<(context: Context) => boolean>('if');
  const missing = NOT_SUPPORTED_ACTIONS[key];
  read.notSupported(missing);
  const actions = actionsOf<Context>(key, tables);
  const present = Object.keys(actions).filter((name) => read.has(name));
  const [name, second] = present;
  let action: Action<Context> | undefined;
  if (second !== undefined) read.reject(second, 'a rule has one action; make it two rules');
  else if (name !== undefined) action = actions[name]?.(read);
  for (const other of Object.keys(actions)) read.any(other);
  read.rejectUnknown(RULE_HINTS);
  // What it has in place of one is told already.
  if (name === undefined && !read.faults.some(({ path }) => path.startsWith(`${read.path}.`)))
    read.faults.push({
      path: read.path,
      value: undefined,
      message: `the rule has no action; allowed: ${Object.keys(actions).join(', ')}`,
    });
  return { path: name ? read.pathOf(name) : read.path, condition, action: action ?? (() => undefined) };
}
