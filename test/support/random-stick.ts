import type {
  Condition,
  RuleLine,
  ServerState,
  StickLine,
  StickRequest,
  StickScenario,
  StickServer,
  StickStep,
} from './stick-record.ts';
import { seededRandom } from './virtual-clock.ts';

const REQUEST_STEPS = 40;
const PLAIN = 'http_req_cnt,http_err_cnt,http_fail_cnt,conn_cnt,conn_cur,http_req_rate(1h),gpc0,gpc0_rate(1h),gpt0';
const ARRAYS = 'gpc(2),gpc_rate(2,1h),gpt(2),http_req_cnt,http_err_rate(1h),http_fail_rate(1h)';

/** Which keys are for tables of a type, beside those for all. What differs on purpose is left out. */
const KEYS = {
  string: ['req.hdr(x-a)', 'req.hdr(x-b),lower', 'req.fhdr(x-a)', 'req.cook(sid)', 'url_param(k)', 'path', 'method'],
  binary: ['req.hdr(x-a)', 'req.hdr(x-b),lower', 'req.hdr_ip(x-c)', 'req.cook(sid)', 'url_param(k)'],
  integer: ['req.hdr(x-a)', 'req.hdr(x-b)', 'req.hdr_ip(x-c)', 'url_param(k)', 'req.hdr(x-a),length'],
  ip: ['req.hdr(x-a)', 'req.hdr_ip(x-a)', 'req.hdr_ip(x-c)', 'req.hdr(x-c)', 'req.hdr(x-a),length'],
  ipv6: ['req.hdr_ip(x-a)', 'req.hdr_ip(x-c)'],
} as const;
const RESPONSE_KEYS = {
  string: ['res.cook(sid)', 'res.hdr(x-a)', 'res.fhdr(x-a)', 'status'],
  binary: ['res.cook(sid)', 'res.hdr(x-a)', 'status'],
  integer: ['res.hdr(x-a)', 'status'],
  ip: ['res.hdr(x-a)', 'status'],
  ipv6: [],
} as const;

const VALUES = [
  ...['a', 'b', 'c', 'A', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', '', 'a b', 'a,b', 'a, c', '"a,b"', 'caf\xe9', 'a=b'],
  ...[
    '1',
    '2',
    '3',
    '01',
    '+2',
    '-1',
    '3x',
    '4294967297',
    '10.0.0.1',
    '10.0.0.2',
    '010.0.0.1',
    '10.0.0.1:80',
    '10.0.0.',
  ],
];
const ADDRESSES = [
  '10.0.0.1',
  '10.0.0.2',
  '10.0.0.3',
  '10.0.0.1:80',
  '2001:db8::1',
  '2001:DB8::1',
  'x',
  '10.0.0.1, 10.0.0.2',
];

type Type = keyof typeof KEYS;

/** A scenario of that seed: tables of any type, rules, servers in any state, and keys put together by chance. */
export function randomStick(seed: number): StickScenario {
  const random = seededRandom(seed);
  const integer = (below: number): number => Math.floor(random() * below);
  const one = <T>(...of: readonly T[]): T => of[integer(of.length)] as T;
  const some = <T>(most: number, draw: () => T): T[] => Array.from({ length: integer(most + 1) }, draw);
  const maybe = (share: number): boolean => random() < share;

  const types = new Map<string, Type>();
  const tables: Record<string, string> = {};
  const hasOthers = maybe(0.3);
  for (const name of hasOthers ? ['t', 'u'] : ['', 't']) {
    const type = one<Type>('string', 'string', 'string', 'binary', 'integer', 'ip', 'ipv6');
    types.set(name, type);
    const len = type === 'string' ? one(' len 3', ' len 20') : type === 'binary' ? one(' len 3', ' len 12') : '';
    tables[name] =
      `type ${type}${len} size 500 expire 1h${one('', ' store gpc0', ` store ${PLAIN}`, ` store ${ARRAYS}`)}`;
  }
  const anyTable = (): string => one(...types.keys());
  const typeOf = (table: string): Type => types.get(table) as Type;
  const stores = (table: string, datum: string): boolean => new RegExp(`[ ,]${datum}[,(]?`).test(`${tables[table]},`);
  const condition = (): { if?: Condition } => (maybe(0.25) ? { if: { header: one('x-p', 'x-q') } } : {});

  const stickLine = (): StickLine => {
    const table = anyTable();
    const responseKeys: readonly string[] = RESPONSE_KEYS[typeOf(table)];
    const words = table === '' ? '' : ` table ${table}`;
    if (responseKeys.length > 0 && maybe(0.25))
      return {
        rule: `store-response ${one(...responseKeys)}${words}`,
        ...(maybe(0.3) && { if: { status: one(200, 404) } }),
      };
    const kind = one('on', 'on', 'match', 'store-request');
    return { rule: `${kind} ${one<string>(...KEYS[typeOf(table)])}${words}`, ...condition() };
  };

  const request: RuleLine[] = [];
  let tracked: string | undefined;
  for (let rules = integer(6), tracks = 0; rules > 0; rules--) {
    if (tracked === undefined || (tracks < 3 && maybe(0.3))) {
      tracked = anyTable();
      tracks++;
      request.push({ track: one<string>(...KEYS[typeOf(tracked)]), ...(tracked !== '' && { table: tracked }) });
    } else request.push(...onTracked(tracked, false));
  }
  const response = tracked === undefined ? [] : some(2, () => onTracked(tracked as string, true)).flat();

  function onTracked(table: string, ofResponse: boolean): RuleLine[] {
    const isArray = tables[table]?.includes('gpc(') ?? false;
    if (!stores(table, 'gpc')) return [];
    const when = ofResponse ? (maybe(0.7) ? { if: { status: one(200, 401, 404, 500) } } : {}) : condition();
    if (ofResponse && maybe(0.2)) return [{ deny: one(502, 403), if: { status: one(401, 500) } }];
    if (!ofResponse && stores(table, 'http_req_cnt') && maybe(0.3))
      return [{ deny: one(403, 429, 500), if: { over: ['http_req_cnt', 2 + integer(6)] } }];
    if (stores(table, 'gpt') && maybe(0.3))
      return [{ mark: [isArray ? `gpt[${integer(2)}]` : 'gpt0', integer(9)], ...when }];
    return [{ increment: isArray ? `gpc[${integer(2)}]` : 'gpc0', ...when }];
  }

  const names = ['s1', 's2', 's3', 's4'].slice(0, 2 + integer(3));
  // Where all active servers refuse, we take a backup, and HAProxy does not.
  const refuses = maybe(0.25);
  const server = (name: string): StickServer => ({
    name,
    ...(maybe(0.2) && { weight: 1 + integer(4) }),
    ...(name !== 's1' && !refuses && maybe(0.15) && { backup: true as const }),
    ...(maybe(0.1) && { nonStick: true as const }),
  });

  const ask = (): StickRequest => {
    const headers: Record<string, string> = {};
    if (maybe(0.8)) headers['x-a'] = one(...VALUES);
    if (maybe(0.5)) headers['x-b'] = one(...VALUES);
    if (maybe(0.5)) headers['x-c'] = one(...ADDRESSES);
    if (maybe(0.4))
      headers['cookie'] = one('sid=a', 'sid=b', 'x=1; sid=abc', 'sid=a; sid=d', 'sid=', 'sid=;x=1', 'SRV=s2; sid=c');
    if (maybe(0.3)) headers['x-p'] = '1';
    if (maybe(0.3)) headers['x-q'] = '';
    if (maybe(0.05)) headers['x-use'] = one(...names);
    if (maybe(0.05)) headers['x-force'] = '1';
    const answer: [string, string][] = [];
    if (maybe(0.3))
      answer.push([
        'Set-Cookie',
        one('sid=a', 'sid=b; path=/', 'x=1', 'sid=abcdefghijkl', 'sid=', 'sid=e; Expires=Wed, 21 Oct 2026'),
      ]);
    if (maybe(0.3)) answer.push(['X-A', one(...VALUES)]);
    const path = one('/', '/a', '/a/b', '/long/path');
    const line = `${one('GET', 'GET', 'POST', 'HEAD', 'PUT')} ${path}${one('', '', '?k=a', '?k=1&j=2', '?k=', '?j=1&k=abcd', '?k')}`;
    return {
      line,
      headers,
      ...(line.startsWith('P') && { sends: integer(20) }),
      ...(hasOthers && maybe(0.3) && { to: 1 as const }),
      ...(maybe(0.35) && {
        status: one<StickRequest['status'] & {}>(204, 401, 401, 404, 500, 501, 503, 'junk', 'close'),
      }),
      answer,
    };
  };

  const stick = some(5, stickLine);
  const steps: StickStep[] = [];
  const held: string[] = [];
  const states: ServerState[] = ['down', 'up', 'up', 'maint', 'ready', 'ready', 'drain'];
  let isRefusing = false;
  // HAProxy keeps servers in tables that stick rules name.
  const isStuckTo = (name: string): boolean =>
    stick.some(({ rule }) => (name === '' ? !rule.includes(' table ') : rule.endsWith(` table ${name}`)));
  const settable = [...types].filter(([name, type]) => type !== 'binary' && isStuckTo(name)).map(([name]) => name);
  const operatorKey = (type: Type, number: number): string =>
    type === 'string'
      ? `o${number}`
      : type === 'integer'
        ? `${number}`
        : type === 'ip'
          ? `10.9.0.${number}`
          : `2001:db8::${number}`;
  while (steps.length < REQUEST_STEPS) {
    const chance = random();
    if (chance < 0.75) steps.push({ ask: ask() });
    else if (chance < 0.85) steps.push({ server: one(...names), is: one(...states) });
    else if (chance < 0.88 && refuses) {
      steps.push({ server: 's2', is: isRefusing ? 'listening' : 'refusing' });
      isRefusing = !isRefusing;
    } else if (chance < 0.92 && settable.length > 0) {
      const table = one(...settable);
      const number = 100 + steps.length;
      const data = stores(table, 'gpc0') ? { gpc0: integer(5) } : {};
      steps.push({
        set: operatorKey(typeOf(table), number),
        data,
        sticksTo: one(...names),
        ...(table !== '' && { table }),
      });
    } else if (chance < 0.94 && held.length === 0) {
      const table = anyTable();
      steps.push({ clearAll: null, ...(table !== '' && { table }) });
    } else if (chance < 0.97) {
      const hold = `h${steps.length}`;
      held.push(hold);
      steps.push({ hold, ask: ask() });
    } else if (held.length > 0) steps.push({ finish: held.pop() as string });
  }
  for (const finish of held) steps.push({ finish });
  const backend = [
    'retries 1',
    ...(maybe(0.2) ? ['option persist'] : []),
    ...(maybe(0.5) ? ['option redispatch'] : []),
    ...(maybe(0.2) ? ['cookie SRV insert indirect'] : []),
  ];
  return {
    name: `random ${seed}`,
    tables,
    stick,
    request,
    response,
    backend,
    servers: names.map(server),
    ...(hasOthers && { others: names.toReversed().map(server) }),
    steps,
  };
}
