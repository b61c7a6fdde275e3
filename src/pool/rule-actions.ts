import type { RequestContext } from '../core/context.ts';
import type { OptionReader } from '../core/options.ts';
import type { TableSources } from '../persistence/stick-options.ts';
import type { Tracked } from '../persistence/table.ts';
import type { KeyPlan } from './pool-tables.ts';
import { readTrack } from './request-tracks.ts';
import { type Ruling, readDenial, readReturn } from './rule-answers.ts';
import { type FieldAction, type Headers, readCall, readFieldRemoval, readFieldRule } from './rule-fields.ts';
import { type RedirectAction, readRedirect } from './rule-redirect.ts';
import {
  readL7RetryRule,
  readPriorityRule,
  readTimeoutRule,
  type Treatment,
  type TreatmentAction,
} from './rule-treatment.ts';

/** What a rule does, compiled. What it gives ends the rules. */
export type Action<Context> = (context: Context, headers: Headers, treatment: Treatment) => Ruling | undefined;

type ReadAction<Context> = (read: OptionReader) => Action<Context> | undefined;

/** Actions that are known and not there. */
export const NOT_SUPPORTED_ACTIONS: Readonly<Record<'httpRequest' | 'httpResponse', Readonly<Record<string, string>>>> =
  {
    httpRequest: {},
    httpResponse: {
      track: 'not supported (HAProxy: http-response track-sc0)',
      ...Object.fromEntries(
        ['tarpit', 'setTimeout', 'setPriority', 'disableL7Retry'].map((name) => [
          name,
          'is decided before there is a response: make it a rule of httpRequest',
        ]),
      ),
    },
  };

/** Every action, by name. */
export function actionsOf<Context extends RequestContext>(
  key: 'httpRequest' | 'httpResponse',
  tables: TableSources,
): Readonly<Record<string, ReadAction<Context>>> {
  const ofRequest = key === 'httpRequest';
  const local = ofRequest ? 'LR' : 'LH';
  return {
    setHeader: (read) => onFields(readFieldRule(read, 'setHeader')),
    addHeader: (read) => onFields(readFieldRule(read, 'addHeader')),
    delHeader: (read) => onFields(readFieldRemoval(read, 'delHeader')),
    call: (read) => onFields(readCall(read, 'call')),
    deny: (read) => (ofRequest ? readDenial(read, 'deny', 403, 'PR') : readDenial(read, 'deny', 502, 'PH')),
    return: (read) => readReturn(read, 'return', local),
    redirect: (read) => onTarget(readRedirect(read, 'redirect', local)),
    ...(ofRequest && {
      tarpit: (read) => readDenial(read, 'tarpit', 500, 'PT'),
      setTimeout: (read) => onTreatment(readTimeoutRule(read, 'setTimeout')),
      setPriority: (read) => onTreatment(readPriorityRule(read, 'setPriority')),
      track: (read) => onTable(readTrack(read, tables)),
      disableL7Retry: (read) => onTreatment(readL7RetryRule(read, 'disableL7Retry')),
    }),
  } satisfies Readonly<Record<string, ReadAction<Context>>>;
}

function onFields<Context>(change: FieldAction<Context> | undefined): Action<Context> | undefined {
  return (
    change &&
    ((context, headers) => {
      change(context, headers);
      return undefined;
    })
  );
}

function onTreatment<Context>(change: TreatmentAction<Context> | undefined): Action<Context> | undefined {
  return (
    change &&
    ((context, _headers, treatment) => {
      change(context, treatment);
      return undefined;
    })
  );
}

function onTable<Context extends RequestContext>(plan: KeyPlan | undefined): Action<Context> | undefined {
  return (
    plan &&
    ((context, _headers, treatment) => {
      (context as { tracked?: Tracked }).tracked = treatment.track(plan, context);
      return undefined;
    })
  );
}

function onTarget<Context>(redirect: RedirectAction<Context> | undefined): Action<Context> | undefined {
  return redirect && ((context, _headers, { clientTarget }) => redirect(context, clientTarget));
}
