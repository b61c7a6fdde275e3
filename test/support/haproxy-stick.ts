import { LOG_FORMAT } from './haproxy-log.ts';
import {
  type Condition,
  connectMsOf,
  type RecordedEntry,
  type RecordedTable,
  type RuleLine,
  type StickScenario,
  type StickServer,
} from './stick-record.ts';

/** What a scenario's parts are called in the configuration. */
export interface Names {
  backend(which: 0 | 1): string;
  table(name: string): string;
  door(which: 0 | 1): string;
  readonly port: number;
  socketOf(server: string): string;
}

/** A scenario as HAProxy's sections. */
export function stickConfig(scenario: StickScenario, names: Names): string[] {
  const { tables, servers, others } = scenario;
  const named = Object.entries(tables).filter(([name]) => name !== '');
  return [
    ...named.flatMap(([name, words]) => [`backend ${names.table(name)}`, `  stick-table ${words}`]),
    ...backendConfig(scenario, names, 0, servers),
    ...(others ? backendConfig(scenario, names, 1, others) : []),
  ];
}

function backendConfig(scenario: StickScenario, names: Names, which: 0 | 1, servers: readonly StickServer[]): string[] {
  const { tables, stick = [], request = [], response = [], backend = [] } = scenario;
  const connectMs = connectMsOf(scenario);
  const own = which === 0 ? tables[''] : undefined;
  const hasCookie = backend.some((line) => line.startsWith('cookie '));
  return [
    `frontend f_${names.backend(which)}`,
    `  bind unix@${names.door(which)}`,
    ...(which === 0 ? [`  bind 127.0.0.1:${names.port}`] : []),
    '  unique-id-format %[req.hdr(x-id)]',
    // Made here: of a request that a rule answers nothing is left to make it from.
    '  http-request set-var(txn.id) unique-id',
    `  log-format "${LOG_FORMAT}"`,
    `  default_backend ${names.backend(which)}`,
    `backend ${names.backend(which)}`,
    ...(own === undefined ? [] : [`  stick-table ${own}`]),
    `  timeout connect ${connectMs}ms`,
    ...backend.map((line) => `  ${line}`),
    '  force-persist if { req.hdr(x-force) -m found }',
    ...rulesConfig('http-request', request, names, 0),
    ...rulesConfig('http-response', response, names, tracksOf(request) - 1),
    ...stick.map(({ rule, if: condition }) => {
      const line = rule.replace(/ table (\S+)$/, (_all, name: string) => ` table ${names.table(name)}`);
      return `  stick ${line}${conditionConfig(condition, 0)}`;
    }),
    ...servers.map(({ name }) => `  use-server ${name} if { req.hdr(x-use) ${name} }`),
    ...servers.map(({ name, weight, backup, nonStick }) =>
      [
        `  server ${name} unix@${names.socketOf(name)}`,
        ...(weight === undefined ? [] : [`weight ${weight}`]),
        ...(hasCookie ? [`cookie ${name}`] : []),
        ...(backup ? ['backup'] : []),
        ...(nonStick ? ['non-stick'] : []),
      ].join(' '),
    ),
  ];
}

function tracksOf(rules: readonly RuleLine[]): number {
  return rules.filter(({ track }) => track !== undefined).length;
}

/** @param tracked which counters the rules speak of that come before any `track` */
function rulesConfig(kind: string, rules: readonly RuleLine[], names: Names, tracked: number): string[] {
  return rules.map((rule, index) => {
    const before = tracked + tracksOf(rules.slice(0, index));
    const last = kind === 'http-request' ? Math.max(0, before - 1) : tracked;
    return `  ${kind} ${actionConfig(rule, names, before, last)}${conditionConfig(rule.if, last)}`;
  });
}

function actionConfig(rule: RuleLine, names: Names, next: number, last: number): string {
  if (rule.track !== undefined) return `track-sc${next} ${rule.track} table ${names.table(rule.table ?? '')}`;
  if (rule.deny !== undefined) return `deny deny_status ${rule.deny}`;
  if (rule.tarpit !== undefined) return `tarpit deny_status ${rule.tarpit}`;
  if (rule.return !== undefined) return `return status ${rule.return}`;
  const [, name = '', element] = /^(\w+)(?:\[(\d+)\])?$/.exec(rule.increment ?? rule.mark?.[0] ?? '') ?? [];
  const arguments_ = element === undefined ? `${last}` : `${element},${last}`;
  return rule.mark ? `sc-set-${name}(${arguments_}) ${rule.mark[1]}` : `sc-inc-${name}(${arguments_})`;
}

function conditionConfig(condition: Condition | undefined, tracked: number): string {
  if (!condition) return '';
  if ('header' in condition) return ` if { req.hdr(${condition.header}) -m found }`;
  if ('status' in condition) return ` if { status ${condition.status} }`;
  const [datum, value] = condition.over;
  const [, name = '', element] = /^(\w+)(?:\[(\d+)\])?$/.exec(datum) ?? [];
  const fetch = `sc_${name.startsWith('gp') ? 'get_' : ''}${name}`;
  return ` if { ${fetch}(${element === undefined ? '' : `${element},`}${tracked}) gt ${value} }`;
}

/** What HAProxy says to `show table`. @param servers by the numbers that it has given them */
export function readTable(text: string, servers: readonly StickServer[]): RecordedTable {
  const table: Record<string, RecordedEntry> = {};
  const isBinary = /type: binary/.test(text);
  for (const line of text.split('\n')) {
    const [, key, rest] = /^0x\w+: key=((?:[^\\ ]|\\.)*) (use=.*)$/.exec(line.trim()) ?? [];
    if (key === undefined || rest === undefined) continue;
    table[isBinary ? Buffer.from(key, 'hex').toString('latin1') : unescaped(key)] = readEntry(rest, servers);
  }
  return Object.fromEntries(Object.entries(table).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function readEntry(text: string, servers: readonly StickServer[]): RecordedEntry {
  const entry: Record<string, number | string> = {};
  let server: string | undefined;
  for (const [, name = '', value = ''] of text.matchAll(/(\w+)(?:\(\d+\))?=(\S+)/g)) {
    if (name === 'exp' || name === 'shard' || (name === 'use' && value === '0')) continue;
    if (name === 'server_id') server ??= servers[Number(value) - 1]?.name;
    else if (name === 'server_key') server = value === '-' ? server : value;
    else entry[name] = Number(value);
  }
  return { ...(server !== undefined && { server }), ...entry };
}

/** HAProxy: dump_text. */
function unescaped(key: string): string {
  const named: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', e: '\x1b' };
  return key.replaceAll(/\\(?:x([\da-fA-F]{2})|(.))/g, (_all, hex: string | undefined, character: string) =>
    hex === undefined ? (named[character] ?? character) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
