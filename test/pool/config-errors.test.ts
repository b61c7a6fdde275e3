import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from '#src/index.ts';
import { faultsOf } from '../support/config-faults.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const A = '127.0.0.1:3001';
const TABLE = { type: 'ip', size: '1k' };

/** Each wrong option, and how its fault begins. */
const WRONG: readonly (readonly [options: unknown, fault: string])[] = [
  [5, 'options: 5 is not an object'],
  [null, 'options: null is not an object'],
  [[A], 'options: ["127.0.0.1:3001"] is not an object'],
  // the pool
  [{ name: '' }, 'name: "" is not allowed; allowed: a string that is not empty'],
  [{ balance: 'fastest' }, `balance: "fastest" is not allowed; allowed: 'roundrobin', 'static-rr', 'leastconn'`],
  [{ balance: 'uri depth' }, 'balance: "uri depth" is not allowed'],
  [{ balance: 'sticky' }, "balance: 'sticky' keeps all requests on one server"],
  [{ hashType: 'consistent' }, "hashType: needs a 'balance' that hashes"],
  [{ hashKey: 'name' }, 'hashKey: "name" is not allowed'],
  [{ useServer: 'a' }, 'useServer: "a" is not allowed; allowed: a function'],
  [{ servers: [{ address: A, guid: 'a b' }] }, 'servers[0].guid: "a b" is not allowed'],
  [{ servers: [{ address: A, hashKey: 'name' }] }, 'servers[0].hashKey: "name" is not allowed'],
  [{ defaultServer: { guid: 'x' } }, 'defaultServer.guid: belongs to one server and cannot be a default'],
  [
    {
      servers: [
        { address: A, guid: 'x' },
        { address: A, guid: 'x' },
      ],
    },
    'servers: the guid "x" is given to two servers',
  ],
  [{ balance: 'random(0)' }, 'balance'],
  [
    { balance: { algorithm: 'random', draws: 99 } },
    'balance.draws: 99 is not allowed; allowed: an integer from 1 to 16',
  ],
  [{ balance: { algorithm: 'roundrobin', draws: 2 } }, 'balance.draws: is not an option'],
  [
    { balance: () => ({ pick: () => undefined }) },
    'balance: the function returned {}; allowed: an object with add, remove, reweigh and pick',
  ],
  [{ servers: A }, 'servers: "127.0.0.1:3001" is not allowed; allowed: an array of addresses and server options'],
  [{ allbackups: 1 }, 'allbackups: 1 is not allowed; allowed: true or false'],
  [{ startOffset: 70_000 }, 'startOffset: 70000 is not allowed; allowed: an integer from 0 to 65535'],
  [{ retries: 101 }, 'retries: 101 is not allowed; allowed: an integer from 0 to 100'],
  [{ retryOn: 'always' }, `retryOn: "always" is not allowed; allowed: 'conn-failure', 'empty-response'`],
  [{ retryOn: 'conn-failure 505' }, 'retryOn: "conn-failure 505" is not allowed'],
  [{ retryOn: 'none 503' }, 'retryOn: "none 503" is not allowed'],
  [{ retryOn: '' }, 'retryOn: "" is not allowed'],
  [{ retryOn: [] }, 'retryOn: [] is not allowed'],
  [{ retryOn: 200 }, 'retryOn: 200 is not allowed'],
  [{ retryOn: ['503 504'] }, 'retryOn: ["503 504"] is not allowed'],
  [{ retryOn: { 503: true } }, 'retryOn: {"503":true} is not allowed'],
  [{ maxBufferedBytes: -1 }, 'maxBufferedBytes: -1 is not allowed; allowed: a size'],
  [{ retryOn: ['none', 'conn-failure'] }, 'retryOn: ["none","conn-failure"] is not allowed'],
  [{ redispatch: 1.5 }, 'redispatch: 1.5 is not allowed; allowed: true, false or an integer from -100 to 100'],
  [{ bufferBody: '1xb' }, 'bufferBody: "1xb" is not allowed; allowed: a size'],
  [
    { httpReuse: 'sometimes' },
    `httpReuse: "sometimes" is not allowed; allowed: 'never', 'safe', 'aggressive', 'always'`,
  ],
  [{ engine: 'http2' }, `engine: "http2" is not allowed; allowed: 'http1', 'http-proxy-3'`],
  [{ httpProxy: {} }, "httpProxy: needs engine: 'http-proxy-3'"],
  [{ clientAddress: '1.2.3.4' }, 'clientAddress: "1.2.3.4" is not allowed; allowed: a function'],
  [{ retryAfter: '2d' }, 'retryAfter: "2d" is not allowed; allowed: a duration'],
  // times
  [{ timeout: '5s' }, 'timeout: "5s" is not an object'],
  [{ timeout: { connect: 0 } }, 'timeout.connect: 0 is not allowed; allowed: a duration'],
  [{ timeout: { server: '5' } }, 'timeout.server: "5" is not allowed'],
  [{ timeout: { check: 'infinite' } }, 'timeout.check: "infinite" is not allowed'],
  [{ timeout: { queue: 0 } }, 'timeout.queue: 0 is not allowed; allowed: a duration'],
  [{ fullconn: 0 }, 'fullconn: 0 is not allowed; allowed: an integer of at least 1'],
  [{ poolMaxRequests: 0 }, 'poolMaxRequests: 0 is not allowed; allowed: an integer of at least 1, or Infinity'],
  [{ poolMaxQueue: -1 }, 'poolMaxQueue: -1 is not allowed; allowed: an integer of at least 0, or Infinity'],
  [{ priority: 5 }, 'priority: 5 is not allowed; allowed: a function'],
  [{ timeout: { tarpit: 0 } }, 'timeout.tarpit: 0 is not allowed; allowed: a duration'],
  [{ timeout: { total: 0 } }, 'timeout.total: 0 is not allowed; allowed: a duration'],
  [{ deadlineHeader: 'Host' }, 'deadlineHeader: "Host" is not allowed'],
  [{ deadlineHeader: 'Connection' }, 'deadlineHeader: "Connection" is not allowed; allowed: a field\'s name'],
  [{ timeout: { tunel: '5s' } }, 'timeout.tunel: is not an option'],
  // forwarding
  [{ forwardfor: 'except' }, 'forwardfor: "except" is not allowed'],
  [
    { forwardfor: { except: '10.0.0.0/99' } },
    'forwardfor.except: "10.0.0.0/99" is not allowed; allowed: addresses or networks',
  ],
  [{ forwardfor: { header: 'a b' } }, `forwardfor.header: "a b" is not allowed; allowed: a field's name`],
  [{ forwarded: 'proto to' }, 'forwarded: "proto to" is not allowed'],
  [{ forwardedHeaders: { port: true } }, 'forwardedHeaders.port: is not an option'],
  [{ monitorUri: 'healthz' }, `monitorUri: "healthz" is not allowed; allowed: a target that begins with '/'`],
  [{ monitorUri: '/a b' }, 'monitorUri: "/a b" is not allowed'],
  [{ monitorUri: '/a', monitorFail: true }, 'monitorFail: true is not allowed; allowed: a function'],
  [{ monitorFail: () => true }, "monitorFail: needs 'monitorUri'"],
  [{ httpRequest: {} }, 'httpRequest: {} is not allowed; allowed: an array of rules'],
  // HAProxy's own
  [{ stickTable: { type: 'ip' } }, 'stickTable.size: is missing; allowed: a number of entries'],
  [{ stickTable: { type: 'name', size: 1 } }, `stickTable.type: "name" is not allowed; allowed: 'ip', 'ipv4'`],
  [{ tables: { 'a b': { type: 'ip', size: 1 } } }, 'tables.a b: "a b" is no name of a table'],
  [{ stickTable: 5 }, `stickTable: 5 is not allowed; allowed: 'type ip size 100k expire 30m store http_req_rate(10s)'`],
  [{ stickTable: 'type ip size' }, `stickTable: "type ip size" has nothing behind 'size'; allowed: 'type ip`],
  [
    { stickTable: 'type ip size 1k for 5m' },
    `stickTable: "type ip size 1k for 5m" has 'for', which is not a word of it`,
  ],
  [{ stickTable: 'type name size 1k' }, 'stickTable.type: "name" is not allowed'],
  [{ stickTable: 'type ip size 1k peers p' }, 'stickTable.peers: not supported (HAProxy: peers)'],
  [{ tables: { t: 'type ip expire 5m' } }, 'tables.t.size: is missing; allowed: a number of entries'],
  [{ httpRequest: [{ track: 'src table t' }] }, 'httpRequest[0].table: "t" is not allowed; allowed: a table, or'],
  [
    { tables: { t: TABLE }, httpRequest: [{ track: 'src table t', table: 't' }] },
    "httpRequest[0].table: is said twice, in 'track' and in 'table'",
  ],
  [{ stick: ['on src'] }, "stick[0]: needs a table: 'table', or the pool's option 'stickTable'"],
  [
    { stick: ['on src table t'] },
    `stick[0].table: "t" is not allowed; allowed: a table, or the name of one in 'tables'`,
  ],
  [{ stick: ['upon src'] }, 'stick[0]: "upon src" is no stick rule; allowed: \'on src\''],
  [{ stickTable: TABLE, stick: ['on src if local'] }, 'stick[0]: "on src if local" has more than a key and a table'],
  [{ stickTable: TABLE, stick: [{}] }, 'stick[0]: says not what to do; allowed: on, match'],
  [{ stickTable: TABLE, stick: [{ on: 'srcc' }] }, 'stick[0].on: '],
  [{ stickTable: TABLE, stick: ['on res.cook(a)'] }, 'stick[0].on: '],
  [{ stickTable: TABLE, stick: [{ on: 'src', match: 'src' }] }, 'stick[0].match: a rule is one of these'],
  [{ stickTable: TABLE, stick: ['on req.hdr(x),bytes(1)'] }, 'stick[0].on: cannot be a key of type ip'],
  [{ stickTable: TABLE, httpRequest: [{ track: 'nobody' }] }, 'httpRequest[0].track: '],
  [{ timeout: { stick: 0 } }, 'timeout.stick: 0 is not allowed'],
  [{ cookie: 'SRV insert sideways' }, "cookie: 'sideways' is not a word of it; allowed: insert, prefix, rewrite"],
  [{ cookie: { mode: 'insert' } }, "cookie.name: undefined is not allowed; allowed: a cookie's name"],
  [{ cookie: 'SRV insert dynamic' }, "cookie.dynamic: needs the pool's 'dynamicCookieKey'"],
  [{ cookie: 'SRV insert', dynamicCookieKey: 'k' }, "dynamicCookieKey: needs a 'cookie' that is dynamic"],
  [{ cookie: 'SRV insert', servers: [{ address: A, cookie: 'a;b' }] }, 'servers[0].cookie: "a;b" is not allowed'],
  [{ servers: [{ address: A, cookie: 'a' }] }, "servers[0].cookie: needs the pool's option 'cookie'"],
  [
    { cookie: 'SRV insert sideways', servers: [{ address: A, cookie: 'a' }], defaultServer: { cookie: 'b' } },
    "cookie: 'sideways' is not a word of it",
  ],
  ...['insert indirect', 'prefix', 'rewrite'].map(
    (words) => [{ cookie: `SRV ${words}`, servers: [A, A] }, "cookie: no server has a 'cookie'"] as const,
  ),
  ...['', 'a b', 'images.example', 'http://', 'http:///x', 'http://a b', 'http:images.example', './x'].map(
    (redir) =>
      [
        { servers: [{ address: A, redir }] },
        `servers[0].redir: "${redir}" is not allowed; allowed: what goes before the target`,
      ] as const,
  ),
  [{ persist: 1 }, 'persist: 1 is not allowed; allowed: true or false'],
  [{ checkcache: 'yes' }, 'checkcache: "yes" is not allowed; allowed: true or false'],
  [{ forcePersist: 1 }, 'forcePersist: 1 is not allowed; allowed: a function'],
  [{ ignorePersist: 'x' }, 'ignorePersist: "x" is not allowed; allowed: a function'],
  [{ servers: [{ address: A, minconn: 1 }] }, "servers[0].minconn: needs the pool's option 'fullconn'"],
  [{ servers: [{ address: A, strictMaxconn: true }] }, 'servers[0].strictMaxconn: needs a maxconn'],
  [{ servers: [A], defaultServer: { strictMaxconn: true } }, 'servers[0].strictMaxconn: needs a maxconn'],
  [
    { servers: [{ address: A, onMarkedDown: 'shutdown-backup-sessions' }] },
    `servers[0].onMarkedDown: "shutdown-backup-sessions" is not allowed; allowed: 'none', 'shutdown-sessions'`,
  ],
  [{ defaultServer: { onMarkedUp: true } }, 'defaultServer.onMarkedUp: true is not allowed'],
  [{ servers: [{ address: A, maxqueue: -1 }] }, 'servers[0].maxqueue: -1 is not allowed'],
  [
    { servers: [{ address: A, agentCheck: true }] },
    "servers[0].agentPort: is missing beside 'agentCheck'; allowed: an integer from 1 to 65535",
  ],
  [{ defaultServer: { track: 'a' } }, 'defaultServer.track: belongs to one server and cannot be a default'],
  [{ spreadChecks: 51 }, 'spreadChecks: 51 is not allowed; allowed: a number from 0 to 50'],
  [
    { maxSpreadChecks: 0 },
    "maxSpreadChecks: 0 is not allowed; allowed: a duration (250, '250ms', '2s', '1m', '1h', '1d') of at least 1 ms",
  ],
  [
    {
      servers: [
        { address: A, name: 'a', check: true },
        { address: A, track: 'a', check: true },
      ],
    },
    "servers[1].check: cannot stand beside 'track': the server follows the state of the one it tracks",
  ],
  [
    {
      servers: [
        { address: A, name: 'a', check: true },
        { address: A, track: 'a', agentCheck: true },
      ],
      defaultServer: { agentPort: 1 },
    },
    "servers[1].agentCheck: cannot stand beside 'track': the server follows the state of the one it tracks",
  ],
  [
    {
      servers: [
        { address: A, name: 'a', check: true },
        { address: A, track: 'a', initState: 'up' },
      ],
    },
    "servers[1].initState: cannot stand beside 'track': the server follows the state of the one it tracks",
  ],
  [{ servers: [{ address: A, name: 'a', track: 'b' }] }, 'servers[0].track: the pool has no server "b"'],
  [{ servers: [{ address: A, name: 'a', track: 'a' }] }, 'servers[0].track: a would track itself'],
  [
    { servers: [A, { address: A, name: 'b', track: 's1' }] },
    'servers[1].track: s1 has no check, no agent and tracks no other server: there is nothing to follow',
  ],
  [{ 'retry-on': 'none' }, "retry-on: is not an option; did you mean 'retryOn'?"],
  [
    { servers: [{ address: A, 'pool-max-conn': 1 }] },
    "servers[0].pool-max-conn: is not an option; did you mean 'poolMaxConn'?",
  ],
  [{ server: A }, 'server: is not an option'],
  // servers
  [{ servers: [5] }, 'servers[0]: 5 is not an object'],
  [{ servers: [{}] }, "servers[0].address: is missing; allowed: 'http://host:port'"],
  [{ servers: ['example.com'] }, `servers[0].address: "example.com" is not allowed; allowed: 'http://host:port'`],
  [{ servers: ['http://a:80/path'] }, 'servers[0].address: "http://a:80/path" is not allowed'],
  [
    { servers: [{ address: A, weight: 257 }] },
    'servers[0].weight: 257 is not allowed; allowed: an integer from 0 to 256',
  ],
  [{ servers: [{ address: A, maxconn: -1 }] }, 'servers[0].maxconn: -1 is not allowed'],
  [{ servers: [{ address: A, id: 0 }] }, 'servers[0].id: 0 is not allowed'],
  [{ servers: [{ address: A, name: 'a b' }] }, 'servers[0].name: "a b" is not allowed'],
  [{ servers: [{ address: A, slowstart: 'infinite' }] }, 'servers[0].slowstart: "infinite" is not allowed'],
  [{ servers: [{ address: A, check: 'nonesuch' }] }, 'servers[0].check: "nonesuch" is not allowed'],
  [{ servers: [{ address: A, verify: 'none' }] }, 'servers[0].verify: needs an https: address'],
  [
    { servers: [{ address: 'https://a', alpn: ['h2'] }] },
    `servers[0].alpn: ["h2"] is not allowed; allowed: ['http/1.1']`,
  ],
  [{ servers: [{ address: 'https://a', key: '-----BEGIN x' }] }, "servers[0].key: 'key' needs 'cert'"],
  [{ servers: [{ address: 'https://a', caFile: '/nonesuch' }] }, 'servers[0].caFile: cannot be read: ENOENT'],
  [
    { servers: [{ address: 'https://a', cert: '-----BEGIN x', key: '-----BEGIN x' }] },
    'servers[0].cert: cannot be used',
  ],
  [
    {
      servers: [
        { address: A, name: 'x' },
        { address: A, name: 'x' },
      ],
    },
    'servers: the name "x" is given to two servers',
  ],
  [
    {
      servers: [
        { address: A, id: 7 },
        { address: A, id: 7 },
      ],
    },
    'servers: the id 7 is given to two servers',
  ],
  [{ servers: [{ address: A, name: 's2' }, A] }, 'servers: the name "s2" is given to two servers'],
  // what all servers share
  [{ defaultServer: 5 }, 'defaultServer: 5 is not an object'],
  [{ defaultServer: { weight: 'x' }, servers: [A, A] }, 'defaultServer.weight: "x" is not allowed'],
  [{ defaultServer: { name: 'x' } }, 'defaultServer.name: belongs to one server and cannot be a default'],
  [{ defaultServer: { wieght: 1 } }, 'defaultServer.wieght: is not an option'],
];

test('each wrong option is one fault that says where, what, and what is allowed', () => {
  const unexpected = WRONG.flatMap(([options, fault]) => {
    const faults = faultsOf(options);
    const asExpected = faults.length === 1 && faults[0]?.startsWith(fault);
    return asExpected ? [] : [`${JSON.stringify(options)}: ${faults.join(' | ')}`];
  });
  assert.equal(unexpected.length, 0, unexpected.join('\n'));
});

test('a cookie may wait for servers that stand for one, be made for them, or be theirs alone', () => {
  const withOne = { servers: [A, { address: A, cookie: 'a' }] };
  const dynamic = { cookie: 'SRV insert dynamic', dynamicCookieKey: 'k', servers: [A] };
  for (const options of [{}, { servers: [] }, withOne, dynamic, { cookie: 'SRV', servers: [A] }])
    assert.deepEqual(faultsOf({ cookie: 'SRV insert', ...options }), [], JSON.stringify(options));
});

const IDLE_CHECK = "needs a 'check' other than an agent";
const CONNECTING = `${IDLE_CHECK} or a function`;
const AGENT = { type: 'agent', port: 1 };
const OVER_TLS = "needs a 'check' over TLS: to an https: address (without 'addr' and 'port'), or with 'checkSsl: true'";
const OVER_HTTP = "needs a 'check' over HTTP: { type: 'http', … }, or the pool's 'httpchk' and 'check: true'";
const OBSERVED = "needs 'observe', and with it a 'check' other than an agent";
const ASKED = "needs 'agentCheck: true'; an agent that is the 'check' itself has its options there, and 'inter'";
const BESIDE_TRACK = "cannot stand beside 'track': the server follows the state of the one it tracks";

/** Options that would do nothing for the server that they stand at, beside the others that it has. */
const IDLE: readonly (readonly [options: object, beside: object, why: string])[] = [
  ...[{}, { agentCheck: true, agentPort: 1 }, { check: AGENT }].map(
    (beside) => [{ observe: 'layer4' }, beside, `${IDLE_CHECK}: what requests meet counts beside its results`] as const,
  ),
  [{ errorLimit: 3, onError: 'mark-down' }, { check: true }, OBSERVED],
  [{ errorLimit: 3, onError: 'mark-down' }, {}, OBSERVED],
  [{ agentPort: 1, agentAddr: 'a', agentInter: '1s', agentSend: 'x' }, {}, ASKED],
  [{ agentPort: 1, agentInter: '1s' }, { check: AGENT }, ASKED],
  [{ inter: '1s' }, {}, "needs a 'check'; an agent beside a server is asked every 'agentInter'"],
  [
    { inter: '1s' },
    { agentCheck: true, agentPort: 1 },
    "needs a 'check'; an agent beside a server is asked every 'agentInter'",
  ],
  [{ fastinter: 100, downinter: '5s', rise: 1, fall: 1 }, {}, IDLE_CHECK],
  [{ fastinter: 100, downinter: '5s', rise: 1, fall: 1 }, { check: AGENT, inter: '1s' }, IDLE_CHECK],
  [{ initState: 'down' }, {}, "needs a 'check' or 'agentCheck': nothing else would ever change that state"],
  [{ addr: 'a' }, {}, "needs a 'check' other than a function, or 'agentCheck'"],
  [{ addr: 'a' }, { check: () => true }, "needs a 'check' other than a function, or 'agentCheck'"],
  ...[{}, { check: AGENT }, { check: () => true }].map(
    (beside) => [{ port: 1, checkSsl: true, checkSendProxy: true }, beside, CONNECTING] as const,
  ),
  ...[{}, { check: true }, { check: true, checkSsl: false, address: 'https://a' }].map(
    (beside) => [{ checkSni: 'a', checkAlpn: ['h2'] }, beside, OVER_TLS] as const,
  ),
  [{ checkSni: 'a' }, { check: true, port: 1, address: 'https://a' }, OVER_TLS],
  ...[{}, { check: true }, { check: 'redis' }, { check: () => true }].map(
    (beside) => [{ checkProto: 'h2', checkReusePool: true }, beside, OVER_HTTP] as const,
  ),
  [{ nonStick: true }, {}, "needs the pool's option 'stick'"],
];

test('an option that would do nothing for its server is refused, and says what it needs', () => {
  for (const [options, beside, why] of IDLE) {
    const expected = Object.keys(options).map((option) => `servers[0].${option}: ${why}`);
    const faults = faultsOf({ servers: [{ address: A, ...beside, ...options }] });
    assert.deepEqual(faults.sort(), expected.sort(), JSON.stringify([options, beside]));
  }
});

test('as a default it is refused where no server of the list can use it, and else does nothing where it cannot', () => {
  for (const [options, beside, why] of IDLE) {
    const { address = A, ...defaults } = beside as { address?: string };
    const expected = Object.keys(options).map((option) => `defaultServer.${option}: ${why}`);
    const defaultServer = { ...defaults, ...options };
    assert.deepEqual(faultsOf({ defaultServer, servers: [address] }).sort(), expected.sort(), JSON.stringify(options));
  }
  const defaultServer = { observe: 'layer7', onError: 'mark-down', inter: '1s', checkSni: 'a', checkReusePool: true };
  const web = { address: 'https://a', check: 'http' };
  assert.deepEqual(faultsOf({ defaultServer, servers: [A, web] }), []);
  assert.deepEqual(faultsOf({ defaultServer }), [], 'servers that are added later may have checks');
});

test('options may wait for a check that is written off beside them; what asks for nothing needs nothing', () => {
  const waiting = [
    { check: false, inter: '1s', rise: 1, initState: 'down', observe: 'layer7', port: 1, checkReusePool: true },
    { check: true, observe: 'none', onError: 'mark-down', errorLimit: 2 },
    { agentCheck: false, agentPort: 1 },
    { observe: 'none', initState: 'none', checkSsl: false, checkSendProxy: false, checkReusePool: false },
  ];
  for (const options of waiting) assert.deepEqual(faultsOf({ servers: [{ address: A, ...options }] }), []);
});

test('what is wrong with a check says nothing of the options that need it', () => {
  const server = { address: A, check: 'nonesuch', inter: '1s', observe: 'layer7' };
  assert.deepEqual(
    faultsOf({ servers: [server], disableOn404: true }).map((fault) => fault.split(': ')[0]),
    ['servers[0].check'],
  );
});

test('a server that tracks another has none of the options of checks itself', () => {
  const options = {
    ...{ check: true, inter: '1s', rise: 1, observe: 'layer4', onError: 'mark-down', port: 1, checkSni: 'a' },
    ...{ agentCheck: true, agentPort: 1, agentInter: '1s' },
  };
  const servers = [
    { address: A, name: 'a', check: true },
    { address: A, track: 'a', ...options },
  ];
  const expected = Object.keys(options).map((option) => `servers[1].${option}: ${BESIDE_TRACK}`);
  assert.deepEqual(faultsOf({ servers }).sort(), expected.sort());
  const defaults = { ...options, checkSsl: true };
  const off = { address: A, track: 'a', check: false, agentCheck: false, initState: 'none', observe: 'none' };
  assert.deepEqual(faultsOf({ servers: [{ address: A, name: 'a' }, off], defaultServer: defaults }), []);
});

test('a server that is added later is held to the same', () => {
  const pool = new Pool({}, new VirtualClock());
  assert.throws(
    () => pool.addServer({ address: A, observe: 'layer7' }),
    /server\.observe: needs a 'check' other than an agent/,
  );
  assert.equal(pool.servers.length, 0);
  void pool.close();
});

/** Options of the pool that are about checks or persistence that it has not. */
const IDLE_OF_POOL: readonly (readonly [options: object, fault: string])[] = [
  [{ servers: [A], httpchk: true }, "httpchk: is used by no server: give one 'check: true'"],
  [{ servers: [{ address: A, check: 'tcp' }], httpchk: '/x' }, "httpchk: is used by no server: give one 'check: true'"],
  [
    { servers: [{ address: A, check: true }], healthchecks: { a: { type: 'tcp' }, b: { type: 'http' } } },
    "healthchecks: is used by no server: give one check: 'a' or 'b'",
  ],
  ...[A, { address: A, check: true }, { address: A, check: AGENT }].map(
    (server) =>
      [
        { servers: [server], disableOn404: true },
        "disableOn404: needs a server with a 'check' over HTTP: check: { type: 'http', … }, or 'httpchk' and 'check: true'",
      ] as const,
  ),
  [{ servers: [A], spreadChecks: 5 }, "spreadChecks: needs a server with a 'check' or 'agentCheck'"],
  [{ servers: [A], maxSpreadChecks: '5s' }, "maxSpreadChecks: needs a server with a 'check' or 'agentCheck'"],
  [{ persist: true }, "persist: needs 'cookie' or 'stick' or 'useServer'"],
  [{ forcePersist: () => true }, "forcePersist: needs 'cookie' or 'stick' or 'useServer'"],
  [{ ignorePersist: () => true, useServer: () => 'a' }, "ignorePersist: needs 'cookie'"],
];

test('an option of the pool that would do nothing is refused, and says what it needs', () => {
  for (const [options, fault] of IDLE_OF_POOL) assert.deepEqual(faultsOf(options), [fault]);
});

test('options of the pool about checks may wait for servers that are added later, or for one check of several', () => {
  const checks = {
    ...{ httpchk: '/x', disableOn404: true, spreadChecks: 5, maxSpreadChecks: '1s' },
    healthchecks: { a: { type: 'tcp' }, b: { type: 'tcp' } },
  };
  assert.deepEqual(faultsOf(checks), []);
  const servers = [
    { address: A, check: true },
    { address: A, check: 'a' },
  ];
  assert.deepEqual(faultsOf({ ...checks, servers }), []);
  const off = { servers: [A], disableOn404: false, spreadChecks: 0, persist: false };
  assert.deepEqual(faultsOf(off), []);
  assert.deepEqual(faultsOf({ servers: [{ address: A, agentCheck: true, agentPort: 1 }], spreadChecks: 5 }), []);
});

test('all faults come at once, wherever they are', () => {
  const faults = faultsOf({
    retries: -1,
    colour: 'red',
    timeout: { connect: 'soon', server: 0 },
    defaultServer: { rise: 0, inter: 'x' },
    servers: [
      'nowhere',
      { address: A, weight: 999, maxconn: 'many' },
      { address: A, name: 'a', id: 1 },
      { address: A, name: 'a', id: 1 },
    ],
    httpRequest: [{ deny: 600 }],
    errorfiles: { 200: {} },
  });
  assert.deepEqual(faults.map((fault) => fault.split(': ')[0]).sort(), [
    ...[
      'colour',
      'defaultServer.inter',
      'defaultServer.rise',
      'errorfiles.200',
      'httpRequest[0].deny.status',
      'retries',
    ],
    ...['servers', 'servers', 'servers[0].address', 'servers[1].maxconn', 'servers[1].weight'],
    ...['timeout.connect', 'timeout.server'],
  ]);
});

test('what is right is taken: every option at once, in HAProxy’s words where it has some', () => {
  const faults = faultsOf({
    name: 'api',
    balance: 'random(3)',
    defaultServer: {
      check: true,
      inter: '1s',
      fastinter: 500,
      downinter: '1m',
      rise: 1,
      fall: 5,
      initState: 'up',
      slowstart: '10s',
    },
    servers: [
      A,
      { address: '127.0.0.1:3002', check: 'db' },
      { address: 'https://example.com', name: 'b', id: 9, sni: 'x.test', verify: 'none', alpn: ['http/1.1'] },
      'unix:/run/a.sock',
      { address: '[::1]:80', backup: true, disabled: true, weight: 0, maxconn: 5 },
    ],
    allbackups: true,
    startOffset: 3,
    httpchk: 'GET /health HTTP/1.1',
    healthchecks: { db: { type: 'tcp' } },
    timeout: {
      connect: 'infinite',
      server: '1m',
      client: 100,
      tunnel: '1h',
      serverFin: '1s',
      clientFin: '1s',
      check: '1s',
      tarpit: '1s',
    },
    retries: 0,
    retryOn: ['conn-failure', 'junk-response', 503, '504', 'all-retryable-errors'],
    maxBufferedBytes: 'infinite',
    redispatch: -3,
    retryNonIdempotent: true,
    bufferBody: '1mb',
    httpReuse: 'always',
    forwardfor: 'except 127.0.0.0/8 header X-Client if-none',
    forwarded: 'proto for',
    forwardedHeaders: { proto: true },
    changeOrigin: true,
    clientAddress: () => '1.2.3.4',
    httpRequest: [
      { setHeader: ['a', 'b'] },
      { deny: 403 },
      { tarpit: true },
      { return: { status: 200, headers: { a: 'b' }, body: 'c' } },
      { redirect: { scheme: 'https', code: 301 } },
      { setTimeout: { server: '2m', client: () => 5 } },
      { setPriority: { class: -1, offset: 1 } },
      { disableL7Retry: true },
    ],
    httpResponse: [{ deny: true }, { return: () => undefined }, { redirect: '/x' }],
    monitorUri: '/healthz',
    monitorFail: () => false,
    errorfiles: {},
    retryAfter: '5s',
    engine: 'http1',
  });
  assert.deepEqual(faults, []);
  assert.deepEqual(faultsOf({}), []);
  assert.deepEqual(faultsOf(undefined), []);
  assert.deepEqual(faultsOf({ retries: undefined, servers: [{ address: A, weight: undefined }] }), []);
});
