import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { ERRORS } from '#src/core/errors.ts';
import { OptionReader } from '#src/core/options.ts';
import { parseDuration, parseSize } from '#src/core/units.ts';
import { resolvePoolOptions } from '#src/pool/resolve-options.ts';
import { CONVERTERS } from '#src/samples/converters.ts';
import { FETCHES } from '#src/samples/fetches.ts';
import { ALGORITHMS } from '#src/schedulers/index.ts';
import { type DeclaredOption, declaredClasses, declaredInterfaces } from './support/declared-options.ts';
import { filesBelow, ROOT } from './support/source-files.ts';

interface Group {
  readonly interfaces: readonly string[];
  /** What stands before a key in the first column of docs/options.md. */
  readonly prefix: string;
  /** Where a fault of these options is said to be; `undefined`: they are not a part of the pool's options. */
  readonly path: string | undefined;
}

/** Which interfaces hold options. A key that is declared in two groups has a row for each. */
const GROUPS: readonly Group[] = [
  { interfaces: ['PoolOptions'], prefix: '', path: '' },
  {
    interfaces: ['ServerOptions', 'DefaultServerOptions', 'HealthOptions', 'CheckTargetOptions', 'TlsOptions'],
    prefix: '',
    path: 'servers[0]',
  },
  { interfaces: ['TimeoutOptions'], prefix: 'timeout.', path: 'timeout' },
  { interfaces: ['ForwardForOptions'], prefix: 'forwardfor.', path: 'forwardfor' },
  { interfaces: ['ForwardedOptions'], prefix: 'forwarded.', path: 'forwarded' },
  { interfaces: ['RetryBudgetOptions'], prefix: 'retryBudget.', path: 'retryBudget' },
  { interfaces: ['HedgeOptions'], prefix: 'hedge.', path: 'hedge' },
  {
    interfaces: [
      ...['HttpCheckOptions', 'TcpCheckOptions', 'RedisCheckOptions', 'MysqlCheckOptions', 'PgsqlCheckOptions'],
      ...['SmtpCheckOptions', 'LdapCheckOptions', 'SslHelloCheckOptions', 'SpopCheckOptions', 'GrpcCheckOptions'],
      ...['ExternalCheckOptions', 'AgentCheckOptions'],
      ...['HttpRequestOptions', 'HttpStepsOptions'],
    ],
    prefix: 'check.',
    path: 'servers[0].check',
  },
  { interfaces: ['ConnectOptions'], prefix: 'connect.', path: undefined },
  { interfaces: ['ByteExpectOptions', 'StatusOptions'], prefix: 'expect.', path: undefined },
  { interfaces: ['OutlierOptions'], prefix: 'outlier.', path: 'outlier' },
  { interfaces: ['SuccessRateOptions'], prefix: 'outlier.successRate.', path: 'outlier.successRate' },
  { interfaces: ['LatencyOutlierOptions'], prefix: 'outlier.latency.', path: 'outlier.latency' },
  { interfaces: ['RetryAfterOptions'], prefix: 'outlier.honorRetryAfter.', path: 'outlier.honorRetryAfter' },
  { interfaces: ['CookieObject'], prefix: 'cookie.', path: 'cookie' },
  { interfaces: ['CookieSignOptions'], prefix: 'cookie.sign.', path: 'cookie.sign' },
  { interfaces: ['StickTableOptions'], prefix: 'stickTable.', path: 'stickTable' },
  { interfaces: ['HttpProxyOptions'], prefix: 'httpProxy.', path: 'httpProxy' },
  { interfaces: ['MiddlewareOptions', 'UpgradeOptions'], prefix: '', path: undefined },
  { interfaces: ['FastifyMountOptions'], prefix: '', path: undefined },
  { interfaces: ['AcquireOptions', 'RunOptions', 'GraceOptions'], prefix: '', path: undefined },
];

const interfaces = declaredInterfaces();

/** The columns of docs/options.md: option, type, unit, default, range, HAProxy keyword, meaning. */
const OPTION_COLUMNS = 7;

function read(path: string): string {
  assert.ok(existsSync(join(ROOT, path)), `${path} is missing`);
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The cells of every table row, with `|` in code (`\|`) put back. */
function tableRows(path: string): string[][] {
  return read(path)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .replace(/\|\s*$/, '')
        .split(/(?<!\\)\|/)
        .slice(1)
        .map((cell) => cell.replaceAll('\\|', '|').trim()),
    );
}

/** Rows by the first word in back-ticks; a word that stands in several tables has several. */
function rowsByKey(path: string): Map<string, string[][]> {
  const rows = new Map<string, string[][]>();
  for (const cells of tableRows(path)) {
    const key = /^`([^`]+)`/.exec(cells[0] ?? '')?.[1] ?? '';
    rows.set(key, [...(rows.get(key) ?? []), cells]);
  }
  return rows;
}

function keysOf(group: Group): Map<string, DeclaredOption> {
  const members = group.interfaces.flatMap((name) => {
    const found = interfaces.get(name);
    assert.ok(found, `src/ declares no interface ${name}`);
    return found;
  });
  return new Map(members.map((member) => [group.prefix + member.key, member]));
}

function none(what: string, offences: readonly string[]): void {
  assert.equal(offences.length, 0, `${what}\n  ${offences.join('\n  ')}\n`);
}

test('every option has its row in docs/options.md, with all columns', () => {
  const documented = rowsByKey('docs/options.md');
  const wanted = new Map<string, number>();
  for (const group of GROUPS) for (const key of keysOf(group).keys()) wanted.set(key, (wanted.get(key) ?? 0) + 1);
  none('a row beginning with "| `option` |" is missing for', [
    ...[...wanted]
      .filter(([key, count]) => (documented.get(key)?.length ?? 0) < count)
      .map(([key, count]) => (count === 1 ? key : `${key} (declared ${count} times)`)),
  ]);
  none(
    'a row has another number of columns',
    [...documented]
      .filter(([key, rows]) => wanted.has(key) && rows.some((cells) => cells.length !== OPTION_COLUMNS))
      .map(([key]) => key),
  );
});

test('every exported interface of options is looked at', () => {
  const listed = GROUPS.flatMap((group) => group.interfaces);
  const exported = [...read('src/index.ts').matchAll(/\b\w+Options\b/g)].map(([name]) => name);
  none(
    'src/index.ts exports them, and GROUPS above does not name them',
    exported.filter((name) => interfaces.has(name) && !listed.includes(name)),
  );
});

test('code, types and docs/options.md agree about every default', () => {
  const rows = rowsByKey('docs/options.md');
  const inCode = defaultsOfTheCode();
  const wrong: string[] = [];
  for (const group of GROUPS) {
    for (const [key, option] of keysOf(group)) {
      const { value, allowed = '' } = inCode.get(`${group.path}.${option.key}`) ?? {};
      const code = literal(value, allowed);
      const promised = literal(option.default, allowed);
      const written = (rows.get(key) ?? []).map((cells) => literal(cells[3]?.replaceAll(/[`'"]/g, ''), allowed));
      if (code !== undefined && promised !== undefined && code !== promised)
        wrong.push(`${key}: ${code} in the code, ${promised} in its TSDoc`);
      const expected = code ?? promised;
      // "as `inter`": what another option says.
      if ((rows.get(key) ?? []).some(([, , , cell = '']) => rows.has(/`([\w.]+)`/.exec(cell)?.[1] ?? ''))) continue;
      if (expected !== undefined && written.length > 0 && !written.includes(expected))
        wrong.push(`${key}: ${expected} in the code, ${written.join(' and ')} in the page`);
    }
  }
  none('another default', wrong);
  assert.ok(inCode.size > 30, `only ${inCode.size} defaults were seen`);
});

test('every HAProxy keyword that an option names is in docs/from-haproxy.md', () => {
  const text = read('docs/from-haproxy.md');
  none(
    'not named there',
    GROUPS.flatMap((group) => [...keysOf(group).values()])
      .flatMap((option) => option.keywords)
      .filter((keyword) => !text.includes(`\`${keyword}`)),
  );
});

test('every row of a table stands below a header', () => {
  const stray = pagesOfOurs().flatMap((page) => {
    const text = read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
    return [...text.matchAll(/^\|.*(?:\n\|.*)*/gm)]
      .map(([table]) => table.split('\n'))
      .filter(([head = '', rule = '']) => !/^\|(?:\s*:?-+:?\s*\|)+$/.test(rule) || cellsOf(head) !== cellsOf(rule))
      .map(([first = '']) => `${page}: ${first.slice(0, 60)}`);
  });
  none('no header, or one with other columns than the line below it, before', stray);
});

test('every event, and every field of its payload, is in docs/events.md', () => {
  const text = read('docs/events.md');
  const rows = rowsByKey('docs/events.md');
  const events = interfaces.get('PoolEvents') ?? [];
  assert.ok(events.length > 0, 'src/core/events.ts declares no PoolEvents');
  none(
    'a row beginning with "| `event`" is missing for',
    events.map((event) => event.key).filter((key) => !rows.has(key)),
  );
  none(
    'fields named nowhere',
    [...interfaces]
      .filter(([name]) => /^(?!Pool)\w+Event$/.test(name))
      .flatMap(([name, fields]) => fields.map((field) => [name, field.key] as const))
      .filter(([, field]) => !new RegExp(`\`${field}\\b`).test(text))
      .map(([name, field]) => `${field} of ${name}`),
  );
});

test('every error code is in docs/errors.md, with the status and flags that it carries', () => {
  const rows = rowsByKey('docs/errors.md');
  none(
    'a row beginning with "| `CODE`" and naming the status and `flags` is missing for',
    Object.entries(ERRORS)
      .filter(([code, { status, flags }]) => {
        const row = (rows.get(code) ?? []).map((cells) => cells.join(' | ')).join('\n');
        return !(new RegExp(`\\b${status}\\b`).test(row) && row.includes(`\`${flags}\``));
      })
      .map(([code, { status, flags }]) => `${code} ${status} \`${flags}\``),
  );
});

test('every sample and every converter has its row in docs/algorithms.md', () => {
  const page = readFileSync(join(ROOT, 'docs/algorithms.md'), 'utf8');
  const named = new Set(
    [...page.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([\w.-]+)/g)].map(([, name = '']) => name),
    ),
  );
  none(
    'no row names',
    [...Object.keys(FETCHES), ...Object.keys(CONVERTERS)].filter((name) => !named.has(name)),
  );
});

test('every algorithm has its row in docs/algorithms.md or docs/options.md', () => {
  const rows = ['docs/algorithms.md', 'docs/options.md']
    .filter((path) => existsSync(join(ROOT, path)))
    .flatMap((path) => [...rowsByKey(path).keys()]);
  none(
    'a row beginning with "| `algorithm`" is missing for',
    Object.keys(ALGORITHMS).filter((name) => !rows.some((key) => key.split(/[\s(]/)[0] === name)),
  );
});

test('every link in a page of ours leads to a file that exists, and to a heading that does', () => {
  const broken = pagesOfOurs().flatMap((page) =>
    [...proseOf(read(page)).matchAll(/\]\(([^()\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path = '', heading] = target.split('#');
        const file = path === '' ? page : relative(ROOT, normalize(join(ROOT, dirname(page), path)));
        if (!existsSync(join(ROOT, file))) return true;
        return heading !== undefined && file.endsWith('.md') && !anchorsOf(file).has(heading);
      })
      .map((target) => `${page}: ${target}`),
  );
  none('broken', broken);
});

test('the commands that the README and CONTRIBUTING give exist', () => {
  const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;
  for (const page of ['README.md', 'CONTRIBUTING.md']) {
    const named = [...read(page).matchAll(/\bnpm (?:run )?(start|test|(?<=run )[\w:]+)/g)].map(([, name = '']) => name);
    none(
      `${page} names scripts that package.json does not have`,
      named.filter((name) => !Object.hasOwn(scripts, name)),
    );
  }
  for (const command of ['npm start', 'npm test']) assert.ok(read('README.md').includes(command), `README: ${command}`);
});

/** What docs/api.md has a section of, and whose members that section lists: its own, and those that it inherits. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  Pool: ['Pool', 'GuardedEmitter'],
  CloseResult: ['CloseResult'],
  RequestContext: ['RequestContext'],
  PoolServer: ['PoolServer'],
  Lease: ['Lease'],
  LeaseResult: ['LeaseResult'],
  PoolStats: ['PoolStats'],
  ServerStats: ['ServerStats'],
  CheckStats: ['CheckStats'],
  Explanation: ['Explanation'],
  ServerLoad: ['ServerLoad'],
  HashedKey: ['HashedKey'],
  Table: ['OperatorTable', 'RequestTable'],
  StickTable: ['StickTable'],
  EvenkeelError: ['EvenkeelError'],
  ConfigError: ['ConfigError'],
  ConfigFault: ['ConfigFault'],
  ServerView: ['ServerView'],
  Address: ['Address'],
  Environment: ['Environment'],
};

test('every member of a public class or snapshot has its row in docs/api.md, and every row its member', () => {
  const classes = declaredClasses();
  const membersOf = (type: string): readonly string[] =>
    classes.get(type) ?? interfaces.get(type)?.map(({ key }) => key) ?? [];
  const rows = apiRows();
  const wrong: string[] = [];
  const tableMembers = new Set(SECTIONS['Table']?.flatMap(membersOf));
  for (const [section, types] of Object.entries(SECTIONS)) {
    const wanted = new Set(types.flatMap(membersOf));
    assert.ok(wanted.size > 0, `src/ declares no ${types.join(', ')}`);
    const listed = rows.get(section) ?? new Set();
    // What a table of any kind has is said once.
    for (const member of wanted)
      if (!listed.has(member) && !(section === 'StickTable' && tableMembers.has(member)))
        wrong.push(`${section}: no row for ${member}`);
    for (const row of listed) if (!wanted.has(row)) wrong.push(`${section}: ${row} is no member`);
  }
  none('docs/api.md', wrong);
});

test('every name that the package exports is in docs/api.md', () => {
  const text = read('docs/api.md');
  const source = read('src/index.ts').replaceAll(/^export type \* from '.\/(.*)';$/gm, (_line, path: string) => {
    const declared = [...read(`src/${path}`).matchAll(/^export (?:interface|type) (\w+)/gm)];
    return `export type { ${declared.map(([, name]) => name).join(', ')} } from`;
  });
  const exported = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim().replace(/^type /, '')),
  );
  assert.ok(exported.includes('Pool') && exported.includes('RequestEvent'));
  none(
    'named nowhere',
    exported.filter((name) => name !== '' && !new RegExp(`\`${name}\``).test(text)),
  );
});

/** The members that docs/api.md lists, by the type that the heading above them names. */
function apiRows(): Map<string, Set<string>> {
  const rows = new Map<string, Set<string>>();
  let listed = new Set<string>();
  for (const line of read('docs/api.md').split('\n')) {
    const heading = /^#+ (.*)/.exec(line)?.[1];
    if (heading !== undefined) rows.set(heading.replaceAll('`', ''), (listed = new Set()));
    const member = /^\| `(new )?(\w+|\[Symbol\.\w+\])/.exec(line);
    if (member) listed.add(member[1] ? 'constructor' : (member[2] ?? ''));
  }
  return rows;
}

/** Asks the code for its defaults: resolves options that say next to nothing, and notes what stands in for each. */
function defaultsOfTheCode(): Map<string, { value: unknown; allowed: string }> {
  const seen = new Map<string, { value: unknown; allowed: string }>();
  const original = OptionReader.prototype.read;
  OptionReader.prototype.read = function <T, D>(
    this: OptionReader,
    key: string,
    fallback: D,
    allowed: string,
    parse: (value: unknown) => T | undefined,
  ): T | D {
    seen.set(`${this.path}.${key}`, { value: fallback, allowed });
    return original.call(this, key, fallback, allowed, parse) as T | D;
  };
  try {
    resolvePoolOptions({
      servers: [{ address: '127.0.0.1:1', check: { type: 'http' } }],
      forwardfor: {},
      forwarded: {},
      retryBudget: {},
      hedge: {},
      outlier: { latency: {}, honorRetryAfter: {} },
    });
  } finally {
    OptionReader.prototype.read = original;
  }
  return seen;
}

/** A default as a value to compare; `undefined` for one that is said in words. */
function literal(value: unknown, allowed: string): string | undefined {
  if (value === undefined || typeof value === 'object') return undefined;
  const text = String(value).trim();
  const asNumber = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
  const parse = allowed.startsWith('a duration') ? parseDuration : allowed.startsWith('a size') ? parseSize : undefined;
  if (parse !== undefined) return parse(asNumber)?.toString();
  return /^-?[\w./-]+$/.test(text) && text !== 'none' ? text : undefined;
}

function pagesOfOurs(): string[] {
  return [...filesBelow('docs'), 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'].filter((path) => path.endsWith('.md'));
}

function cellsOf(row: string): number {
  return row.split(/(?<!\\)\|/).length;
}

/** A page without its code, where brackets are no links. */
function proseOf(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** The anchors that a page's headings get. */
function anchorsOf(path: string): Set<string> {
  const text = read(path).replaceAll(/^```[\s\S]*?^```/gm, '');
  return new Set(
    [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
      title
        .trim()
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}
