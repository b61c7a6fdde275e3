import type {
  PoolOptions,
  RequestRule,
  RequestRuleContext,
  ResponseRule,
  ResponseRuleContext,
  StickRule,
  StickTable,
} from '#src/index.ts';
import {
  type Condition,
  connectMsOf,
  type RuleLine,
  type StickLine,
  type StickScenario,
  type StickServer,
} from './stick-record.ts';

/** A scenario as the options of a pool. @param socketOf where a server listens */
export function poolOptions(
  scenario: StickScenario,
  servers: readonly StickServer[],
  tables: ReadonlyMap<string, StickTable>,
  socketOf: (server: StickServer) => string,
): PoolOptions {
  const { stick = [], request = [], response = [], backend = [] } = scenario;
  const cookie = backend.find((line) => line.startsWith('cookie '))?.slice('cookie '.length);
  const own = tables.get('');
  const [, retries] = backend.map((line) => /^retries (\d+)$/.exec(line)).find((match) => match !== null) ?? [];
  return {
    ...(cookie !== undefined && { cookie }),
    ...(own && { stickTable: own }),
    tables: Object.fromEntries([...tables].filter(([name]) => name !== '')),
    stick: stick.map(stickRule),
    httpRequest: request.map(requestRule),
    httpResponse: response.map(responseRule),
    servers: servers.map((server) => ({
      name: server.name,
      address: `unix:${socketOf(server)}`,
      ...(server.weight !== undefined && { weight: server.weight }),
      ...(cookie !== undefined && { cookie: server.name }),
      ...(server.backup && { backup: true }),
      ...(server.nonStick && { nonStick: true }),
    })),
    persist: backend.includes('option persist'),
    retryOn: (backend.find((line) => line.startsWith('retry-on '))?.slice('retry-on '.length) ??
      'conn-failure') as 'none',
    redispatch: backend.includes('option redispatch'),
    retries: retries === undefined ? 3 : Number(retries),
    timeout: { connect: connectMsOf(scenario), tarpit: 20 },
    useServer: ({ headers }) => String(headers?.['x-use'] ?? '') || undefined,
    forcePersist: ({ headers }) => headers?.['x-force'] !== undefined,
  };
}

const KINDS: Readonly<Record<string, string>> = {
  on: 'on',
  match: 'match',
  'store-request': 'storeRequest',
  'store-response': 'storeResponse',
};

function stickRule({ rule, if: condition }: StickLine): StickRule {
  if (!condition) return rule;
  const [, kind = '', key = '', table] = /^(\S+) (\S+)(?: table (\S+))?$/.exec(rule) ?? [];
  const holds = (context: Partial<ResponseRuleContext>): boolean => isMet(condition, context);
  return { [KINDS[kind] as 'on']: key, ...(table !== undefined && { table }), if: holds } as StickRule;
}

function requestRule(line: RuleLine): RequestRule {
  const { if: condition } = line;
  const rule = { ...(condition && { if: (context: RequestRuleContext) => isMet(condition, context) }) };
  if (line.track !== undefined)
    return { ...rule, track: line.track, ...(line.table !== undefined && { table: line.table }) };
  if (line.tarpit !== undefined) return { ...rule, tarpit: line.tarpit };
  return { ...rule, ...commonAction(line) };
}

function responseRule(line: RuleLine): ResponseRule {
  const { if: condition } = line;
  const rule = { ...(condition && { if: (context: ResponseRuleContext) => isMet(condition, context) }) };
  return { ...rule, ...commonAction(line) };
}

type OnTracked = { readonly call: (context: Pick<RequestRuleContext, 'tracked'>) => void };

function commonAction(line: RuleLine): { deny: number } | { return: { status: number } } | OnTracked {
  if (line.deny !== undefined) return { deny: line.deny };
  if (line.return !== undefined) return { return: { status: line.return } };
  const { increment, mark } = line;
  return {
    call: ({ tracked }) => {
      if (increment !== undefined) tracked.increment(increment as 'gpc0');
      if (mark) tracked.mark(mark[0] as 'gpt0', mark[1]);
    },
  };
}

function isMet(condition: Condition, { headers, response, tracked }: Partial<ResponseRuleContext>): boolean {
  if ('header' in condition) return headers?.[condition.header] !== undefined;
  if ('status' in condition) return response?.status === condition.status;
  const [datum, limit] = condition.over;
  const [, name = '', element] = /^(\w+)(?:\[(\d+)\])?$/.exec(datum) ?? [];
  const value = tracked?.[name as 'gpc' | 'http_req_cnt'];
  return Number(typeof value === 'object' ? value[Number(element)] : value) > limit;
}
