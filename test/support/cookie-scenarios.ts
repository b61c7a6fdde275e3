import type { CookieRequest, CookieScenario, CookieServer } from './cookie-record.ts';

const THREE: readonly CookieServer[] = [
  { name: 's1', cookie: 'a' },
  { name: 's2', cookie: 'b' },
  { name: 's3', cookie: 'c' },
];

const c = (...cookies: string[]): CookieRequest => ({ cookies });
const sets = (...fields: string[]) => fields.map((field) => ['Set-Cookie', field] as const);

/** Requests that every mode is asked. */
const VISITS: readonly CookieRequest[] = [
  {},
  c('SRV=b'),
  c('SRV=zz'),
  c('SRV='),
  c('x=1; SRV=c; y=2'),
  { method: 'POST' },
  { method: 'POST', cookies: ['SRV=b'] },
  { method: 'HEAD', cookies: ['SRV=c'] },
  { answer: sets('SRV=app; path=/') },
  { cookies: ['SRV=b'], answer: sets('SRV=app; path=/') },
  { cookies: ['SRV=b~own'], answer: sets('SRV=own; path=/') },
  { cookies: ['SRV=b'], answer: sets('other=1', 'SRV=; Max-Age=0', 'last=1') },
  { cookies: ['SRV=zz|<now>'], answer: sets('SRV = app ; path=/', 'SRVX=1', 'xSRV=1', 'srv=1') },
  { cookies: ['SRV=b'], persist: 'ignore', answer: sets('SRV=app') },
  { cookies: ['SRV=b'], use: 's3' },
  { use: 's2', answer: sets('SRV=app') },
];

const MODES = [
  ...['SRV', 'SRV indirect', 'SRV indirect preserve', 'SRV rewrite', 'SRV rewrite nocache', 'SRV prefix'],
  ...['SRV prefix indirect', 'SRV prefix nocache', 'SRV insert', 'SRV insert indirect', 'SRV insert indirect nocache'],
  ...[
    'SRV insert preserve',
    'SRV insert indirect preserve',
    'SRV insert postonly',
    'SRV insert indirect postonly nocache',
  ],
  ...[
    'SRV insert indirect maxidle 30m',
    'SRV insert maxlife 8h',
    'SRV insert indirect maxidle 30m maxlife 8h preserve',
  ],
  ...['SRV insert httponly', 'SRV insert secure domain .example.com', 'SRV insert domain a.example domain b.example'],
  'SRV insert attr SameSite=Lax attr "Priority=High" httponly secure domain a.b indirect',
];

/** `Cookie` fields of every shape, with `SRV` or without. */
const SHAPES: readonly string[] = [
  ...[
    'SRV=b',
    ' SRV=b',
    'SRV = b',
    'SRV =b',
    'SRV= b',
    'SRV\t=\tb',
    'SRV=b ',
    'SRV=b;',
    ';SRV=b',
    ';;SRV=b;;',
    'SRV=b ;x=1',
  ],
  ...[
    'x=1;SRV=b',
    'x=1 ;SRV=b',
    'x=1; SRV=b; y=2',
    'x=1;SRV=b;y=2',
    'x=1 ; SRV=b ; y=2',
    'x=1\t;\tSRV=b\t;\ty=2',
    'x=1,SRV=b,y=2',
  ],
  ...[
    'SRV=b;x=1',
    'SRV=b; x=1',
    'SRV=b  ;  x=1',
    'SRV=b,x=1',
    'x=1;SRV=b,y=2',
    'x;SRV=b',
    'SRV=b;x',
    'x;SRV=b;y',
    'x;SRV=b;;y',
  ],
  ...[
    'a;SRV=b; ;SRV=c;d',
    'SRV',
    'SRV;x=1',
    'SRV=',
    'SRV=;x=1',
    '=b',
    '=',
    ';',
    ',;,',
    'SRV==b',
    'SRV=b=c',
    'srv=b',
    'SRVX=b',
    'XSRV=b',
  ],
  ...[
    '$Version=1; SRV=b',
    '$Version=1; SRV=b; $Path=/',
    '$Version=1; SRV=b; $Path=/; x=1; $Path=/',
    'x=1; $Path=/; SRV=b; $Path=/',
  ],
  ...[
    '$SRV=b',
    '$Version = 1; SRV=b',
    '$Version="1;SRV=c"; SRV=b',
    'SRV="b"',
    'SRV="b;x=1"',
    'x="1;SRV=c"; SRV=b',
    'x="1;SRV=b',
    'x="\\";SRV=c"; SRV=b',
  ],
  ...[
    'x=\\";SRV=b',
    'x="a"b";SRV=c;"; SRV=b',
    'x=a"b;SRV=c"; SRV=b',
    '"x;SRV=b',
    'x = 1; y= 2; SRV=b',
    'x = 1',
    'x =1; y= 2',
    'x=1 2; SRV=b',
    'x y=1; SRV=b',
  ],
  ...[
    'SRV=a; SRV=b',
    'SRV=zz; SRV=b',
    'SRV=; SRV=b',
    'SRV=b; SRV=zz',
    'SRV=a;x=1;SRV=b',
    'x=1; SRV=a; SRV=b; y=2; SRV=c',
    'SRV=b; SRV=b; SRV=b',
  ],
  ...['SRV=a|', 'SRV=b|x', 'SRV=|b', 'SRV=b|AAAAA', 'SRV=b||', 'SRV=b|====='],
  ...[
    'SRV=b\x80\xff',
    'x=\xe9; SRV=b',
    '\xff=1; SRV=b',
    'SRV=B',
    'SRV=ab',
    'SRV=b b',
    'SRV=~b',
    'SRV=b~',
    'SRV=b~~x',
    'SRV=zz~x',
    'x=1~2; SRV=b~v; y=b~2',
  ],
  ...[
    '<2000×c=1; >SRV=b',
    'SRV=b<2000×; c=1>',
    '<1000×SRV=zz; >SRV=b',
    '<1000×SRV=zz; x=1; >SRV=b',
    'SRV=<5000×b>',
    'x=<30000×y>; SRV=b',
    '<1000×;>SRV=b',
  ],
];

const DATES: readonly CookieRequest[] = [
  ...[
    'b|<now>',
    'b|<now-2>',
    'b|<now-4>',
    'b|<now-8>',
    'b|<now-1000>',
    'b|<now-1799>',
    'b|<now-1806>',
    'b|<now-100000>',
    'b|<now+100>',
  ],
  ...[
    'b|<now+86000>',
    'b|<now+86500>',
    'b|<now+999999>',
    'b|<now>|<now>',
    'b|<now-100>|<now-1000>',
    'b|<now-100>|<now-28700>',
    'b|<now-100>|<now-28900>',
  ],
  ...[
    'b|<now-9999>|<now-99999>',
    'b|<now>|<now+86500>',
    'b|<now>|<now+80000>',
    'b|AAAAA',
    'b|AAAAA|AAAAA',
    'b|//////',
    'b|/////',
    'b|gAAAA',
    'b|fffff',
    'b|!!!!!',
  ],
  ...[
    'b|<now-100>x',
    'b|<now-100>|',
    'b|<now-100>|abc',
    'b|<now-100>||',
    'b||<now-100>',
    'b|x|<now-100>',
    'b|xxxx|<now-100>',
    'b|<now-100>|<now-200>|<now-300>',
  ],
  ...[
    'zz|<now-100>',
    '|<now-100>',
    'zz|<now-99999>',
    'b|<now-99999>; SRV=c',
    'b|<now-99999>; SRV=c|<now-10>',
    'zz; SRV=b|<now-99999>',
    'b|<now-10>|<now-50>; SRV=c',
  ],
  ...['b|\x80\xff\x80\xff\x80', 'b|=AAAA', 'b|AAAA=', 'b|-----', 'b|_____', 'b|<now-10>~x', 'b'],
].map((value) => c(`SRV=${value}`));

const STATES: readonly CookieServer[] = [
  { name: 's1', cookie: 'a', state: 'down' },
  { name: 's2', cookie: 'b', state: 'maint' },
  { name: 's3', cookie: 'c', state: 'drain' },
  { name: 's4', cookie: 'd', weight: 0 },
  { name: 's5', cookie: 'e', backup: true },
  { name: 's6', cookie: 'f' },
  { name: 's7', cookie: 'a' },
  { name: 's8' },
  { name: 's9', cookie: 'b', state: 'refusing', backup: true },
];

const EACH = ['a', 'b', 'c', 'd', 'e', 'f', 'g', ''].map((value) => c(`SRV=${value}`));
const FORCED: readonly CookieRequest[] = EACH.map((request) => ({ ...request, persist: 'force' }));

const REFUSING: readonly CookieServer[] = [
  { name: 's1', cookie: 'a', state: 'refusing' },
  { name: 's2', cookie: 'b' },
  { name: 's3' },
];
const AWAY: readonly CookieRequest[] = [
  ...[
    c('SRV=a'),
    c('SRV=b'),
    { cookies: ['SRV=a'], answer: sets('SRV=app') },
    { cookies: ['SRV=a'], method: 'POST' },
    c('SRV=a'),
    {},
  ],
  { use: 's1', cookies: ['SRV=b'] },
  { use: 's3', cookies: ['SRV=b|<now-100>'] },
];

const CACHE: readonly CookieRequest[] = [
  ...[
    [],
    [['Cache-Control', 'public']],
    [['Cache-Control', 'private']],
    [['Cache-Control', 'no-store']],
    [['Cache-Control', 'no-cache']],
  ],
  ...[
    [['Cache-Control', 'no-cache="set-cookie"']],
    [['Cache-Control', 'max-age=60']],
    [['Cache-Control', 'max-age=0']],
    [['Cache-Control', 's-maxage=0']],
  ],
  ...[
    [['Cache-Control', 's-maxage=60, max-age=0']],
    [['Cache-Control', 'PRIVATE, max-age=60']],
    [['Cache-Control', 'max-age=60, public']],
    [['Pragma', 'no-cache']],
  ],
  ...[
    [['Cache-Control', 'private="x, y", max-age=60']],
    [['Cache-Control', 'no-cache="x"']],
    [
      ['Cache-Control', 'a'],
      ['Cache-Control', ' max-age=1'],
    ],
  ],
  ...[
    [['Cache-Control', 'private, public']],
    [['Cache-Control', 'no-transform']],
    [['Expires', '0']],
    [['Pragma', 'x']],
  ],
].flatMap((fields): CookieRequest[] => [
  { answer: [...(fields as [string, string][]), ['ETag', '"1"']] },
  { answer: [...(fields as [string, string][]), ['Set-Cookie', 'app=1'], ['Last-Modified', 'x']] },
]);
const STATUSES: readonly CookieRequest[] = [200, 201, 203, 204, 206, 301, 302, 304, 400, 404, 410, 500, 501, 503].map(
  (status) => ({
    status,
    answer: [['ETag', '"1"']],
  }),
);
const METHODS: readonly CookieRequest[] = ['HEAD', 'POST', 'OPTIONS', 'PUT'].map((method) => ({
  method,
  answer: [
    ['Cache-Control', 'max-age=60'],
    ['Set-Cookie', 'app=1'],
  ],
}));
/** What HAProxy 3.5 sees otherwise than 2.6: an answer without a validator or a date. */
const BARE: readonly CookieRequest[] = [{}, { answer: [['Cache-Control', 'public']] }, { answer: sets('app=1') }];

const SET_COOKIES: readonly CookieRequest[] = [
  ...[
    'SRV=app',
    'SRV=',
    'SRV',
    'SRV = app ; path=/',
    'SRV =app',
    'SRV= app',
    'SRV="a;b"; path=/',
    'SRV=a,b; path=/',
    ' SRV=app',
    'SRV=app; Expires=Thu, 01-Jan-1970 00:00:01 GMT',
  ],
  ...[
    'SRV=; Max-Age=0',
    'other = 1',
    'other',
    'Path=/; SRV=app',
    '=SRV',
    'SRVX=1',
    'srv=app',
    '$SRV=1',
    'SRV,x=1',
    'SRV=app\xff',
    ';SRV=app',
    'SRV=<5000×v>; path=/',
    'SRV="app',
    'SRV=a\tb\t;x',
  ],
].map((field) => ({ cookies: ['SRV=b'], answer: sets('first=1; path=/', field) }));
const SEVERAL: readonly CookieRequest[] = [
  { answer: sets('SRV=1', 'SRV=2', 'x=1', 'SRV=3') },
  { cookies: ['SRV=b'], answer: sets('SRV=1', 'SRV=2', 'x=1', 'SRV=3') },
  { cookies: ['SRV=zz'], answer: [...sets('SRV=1'), ['Set-Cookie2', 'SRVX=1; Version=1']] },
];

/** All that is recorded. */
export const COOKIE_SCENARIOS: readonly CookieScenario[] = [
  ...MODES.map((cookie) => ({ name: `visits: ${cookie}`, cookie, servers: THREE, requests: VISITS })),
  ...['SRV', 'SRV prefix', 'SRV insert indirect'].map((cookie) => ({
    ...{ name: `shapes: ${cookie}`, cookie, servers: THREE, requests: SHAPES.map((shape) => c(shape)) },
  })),
  {
    ...{ name: 'several fields', cookie: 'SRV insert indirect', servers: THREE },
    requests: [
      c('SRV=b', 'x=1'),
      c('x=1', 'SRV=b'),
      c('x=1', 'SRV=b', 'y=1'),
      c('SRV=a', 'SRV=b'),
      c('x="1', 'SRV=b'),
      c('', 'SRV=b'),
    ],
  },
  ...['', ' maxidle 30m', ' maxlife 8h', ' maxidle 30m maxlife 8h', ' maxidle 30m postonly'].map((limits) => ({
    ...{ name: `dates${limits}`, cookie: `SRV insert indirect${limits}`, servers: THREE, requests: DATES },
  })),
  { name: 'dates, passive', cookie: 'SRV', servers: THREE, requests: DATES.slice(0, 12) },
  { name: 'dates, prefix', cookie: 'SRV prefix', servers: THREE, requests: DATES.slice(0, 4) },
  { name: 'states', cookie: 'SRV insert indirect', servers: STATES, requests: [...EACH, ...FORCED] },
  {
    name: 'states, persist',
    cookie: 'SRV insert',
    backend: ['option persist', 'retries 1'],
    servers: STATES,
    requests: EACH,
  },
  {
    ...{
      name: 'states, persist and redispatch',
      cookie: 'SRV insert indirect maxidle 1h',
      servers: STATES,
      requests: EACH,
    },
    backend: ['option persist', 'option redispatch', 'retries 1'],
  },
  ...['SRV insert indirect', 'SRV insert preserve maxlife 1h', 'SRV', 'SRV indirect', 'SRV rewrite', 'SRV prefix'].map(
    (cookie) => ({
      ...{ name: `redispatch: ${cookie}`, cookie, servers: REFUSING, requests: AWAY },
      backend: ['option redispatch', 'retries 1'],
    }),
  ),
  {
    ...{ name: 'use-server of servers that are down', cookie: 'SRV insert indirect', servers: STATES },
    requests: ['s1', 's2', 's3', 's4', 's5', 's8'].map((use) => ({ use, cookies: ['SRV=f'] })),
  },
  ...['', 'indirect ', 'postonly '].map((words) => ({
    ...{ name: `caches ${words}nocache`, cookie: `SRV insert ${words}nocache`, servers: THREE },
    requests: [...CACHE, ...STATUSES, ...METHODS],
  })),
  {
    ...{ name: 'checkcache', cookie: 'SRV insert nocache', backend: ['option checkcache'], servers: THREE },
    requests: [...CACHE.map((request) => ({ ...request, cookies: ['SRV=b'] })), ...CACHE, ...METHODS],
  },
  { name: 'checkcache alone', backend: ['option checkcache'], servers: THREE, requests: [...CACHE, ...METHODS] },
  { name: 'caches, without validators', cookie: 'SRV insert nocache', servers: THREE, requests: BARE },
  ...['SRV', 'SRV indirect', 'SRV rewrite', 'SRV prefix', 'SRV insert', 'SRV insert preserve'].map((cookie) => ({
    ...{ name: `set-cookie: ${cookie}`, cookie, servers: THREE, requests: [...SET_COOKIES, ...SEVERAL] },
  })),
  {
    ...{ name: 'servers without a cookie', cookie: 'SRV insert indirect httponly secure domain a.b maxlife 1h' },
    servers: [{ name: 's1' }, { name: 's2' }],
    requests: [{}, c('SRV=a'), { use: 's2', cookies: ['SRV=b|<now-10>'] }, { answer: sets('SRV=1') }],
  },
  ...['SRV rewrite', 'SRV prefix'].map((cookie) => ({
    ...{ name: `servers without a cookie: ${cookie}`, cookie, servers: [{ name: 's1' }] },
    requests: [{ answer: sets('SRV=1') }, { cookies: ['SRV=s1~x'], answer: sets('SRV=1') }],
  })),
  {
    ...{ name: 'redir', cookie: 'SRV insert' },
    servers: [
      { name: 's1', cookie: 'a', redir: 'http://a.example' },
      { name: 's2', cookie: 'b' },
    ],
    requests: [c('SRV=a'), { method: 'HEAD', cookies: ['SRV=a'] }, { method: 'POST', cookies: ['SRV=a'] }, c('SRV=b')],
  },
  {
    ...{
      name: 'dynamic',
      cookie: 'SRV insert indirect dynamic',
      backend: ['dynamic-cookie-key a-secret'],
    },
    servers: [
      { name: 's1', address: '127.0.0.1' },
      { name: 's2', address: '127.0.0.2' },
      { name: 's3', address: '::1' },
      { name: 's4', address: '127.0.0.3', cookie: 'own' },
    ],
    requests: [
      {},
      c('SRV=<answered>'),
      { use: 's2' },
      {},
      c('SRV=<answered>'),
      {},
      c('SRV=<answered>'),
      c('SRV=own'),
      {},
    ],
  },
];
